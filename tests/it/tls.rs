//! A Sentry behind TLS, with certificates of an authority that nobody knows.
//!
//! Apart from `nginx` because it guards nothing: whatever is asked goes on to the fake Sentry.

use crate::fake_sentry::FakeSentry;
use crate::sandbox::Sandbox;
use crate::service::{Service, tool};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// A running server, and the directory of its authority.
pub struct Tls {
    _service: Service,
    address: SocketAddr,
    room: Sandbox,
}

impl Tls {
    #[track_caller]
    pub fn start(sentry: &FakeSentry) -> Self {
        let room = Sandbox::new();
        let root = room.root().display().to_string();
        make_certificates(&room);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let config = format!(
            "daemon off;
             user root;
             worker_processes 1;
             pid {root}/nginx.pid;
             error_log stderr crit;
             events {{ worker_connections 64; }}
             http {{
               access_log off;
               client_body_temp_path {root}/body;
               proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/fastcgi;
               uwsgi_temp_path {root}/uwsgi;
               scgi_temp_path {root}/scgi;
               server {{
                 listen {address} ssl;
                 ssl_certificate {root}/server.pem;
                 ssl_certificate_key {root}/server.key;
                 location / {{ proxy_pass {}; }}
               }}
             }}",
            sentry.url()
        );
        let config_file = room.root().join("nginx.conf");
        fs::write(&config_file, config).expect("a file");
        let cmd = room
            .command(tool("nginx"))
            .args(["-e", "stderr", "-p"])
            .arg(room.root())
            .arg("-c")
            .arg(&config_file)
            .env("NGINX", "0;");
        let mut service = Service::start(cmd, OwnedFd::from(listener));
        service.wait_until(|| {
            let started = room.root().join("nginx.pid").exists();
            (started && TcpStream::connect(address).is_ok()).then_some(())
        });
        Self {
            _service: service,
            address,
            room,
        }
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.room.root().join("ca.pem")
    }

    /// A directory that holds it under the name that OpenSSL looks for.
    pub fn authorities(&self) -> PathBuf {
        self.room.root().join("authorities")
    }
}

#[track_caller]
fn make_certificates(room: &Sandbox) {
    let script = "
        set -e
        new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj '/CN=nobody knows' \
            -addext keyUsage=critical,keyCertSign
        openssl req $new -keyout server.key -out server.csr -subj /CN=127.0.0.1
        echo subjectAltName=IP:127.0.0.1 >names
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile names -out server.pem
        mkdir authorities
        cp ca.pem \"authorities/$(openssl x509 -hash -noout -in ca.pem).0\"";
    let _made = room
        .command("/bin/sh")
        .args(["-c", script])
        .current_dir(room.root())
        .run()
        .success();
}
