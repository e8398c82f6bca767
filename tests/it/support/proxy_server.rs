//! Real proxies: microsocks (SOCKS5), tinyproxy (HTTP), and socat's TLS in front of it; and [`Socks4`], for which there
//! is no package that supports names.
//!
//! Only they can resolve [`tls::NAME`](crate::tls::NAME), so the programs under test have to use them. Their logs
//! record the requests.

use crate::names::Names;
use crate::sandbox::{Cmd, Sandbox};
use crate::service::{Service, tool};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

/// A running proxy.
pub struct Proxy {
    services: Vec<Service>,
    address: SocketAddr,
    sandbox: Sandbox,
}

/// A free port. Another process may bind it before the proxy does; the proxy then fails with an error.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

impl Proxy {
    /// SOCKS5, with a user name and a password if there are any.
    #[track_caller]
    pub fn socks5(credentials: Option<(&str, &str)>) -> Self {
        Self::start(|sandbox, address| {
            let mut cmd = sandbox.command(tool("microsocks"));
            if let Some((user, password)) = credentials {
                cmd = cmd.args(["-u", user, "-P", password]);
            }
            let port = address.port().to_string();
            cmd.args(["-i", "127.0.0.1", "-p", &port])
        })
    }

    /// `CONNECT`, with a user name and a password if there are any.
    #[track_caller]
    pub fn http(credentials: Option<(&str, &str)>) -> Self {
        Self::start(|sandbox, address| {
            let credentials = credentials.map_or(String::new(), |(user, password)| {
                format!("BasicAuth {user} {password}\n")
            });
            let config = format!(
                "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\n{credentials}",
                address.port()
            );
            let file = sandbox.root().join("tinyproxy.conf");
            fs::write(&file, config).expect("a file");
            sandbox
                .command(tool("tinyproxy"))
                .args(["-d", "-c"])
                .arg(file)
        })
    }

    /// The same behind TLS, with this certificate and key.
    #[track_caller]
    pub fn https(certificate: &Path, key: &Path) -> Self {
        let mut proxy = Self::http(None);
        let plain = proxy.address;
        proxy.address = free_address();
        let listen = format!(
            "OPENSSL-LISTEN:{},bind=127.0.0.1,reuseaddr,fork,verify=0,cert={},key={}",
            proxy.address.port(),
            certificate.display(),
            key.display()
        );
        let socat = proxy.sandbox.command(tool("socat"));
        let socat = socat.arg(listen).arg(format!("TCP:{plain}"));
        proxy.services.push(ready(socat, proxy.address));
        proxy
    }

    #[track_caller]
    fn start(program: impl Fn(&Sandbox, SocketAddr) -> Cmd) -> Self {
        let sandbox = Sandbox::new();
        let address = free_address();
        let names = Names::new(&sandbox, &format!("127.0.0.1 {}\n", crate::tls::NAME));
        let cmd = names.known_to(program(&sandbox, address));
        Self {
            services: vec![ready(cmd, address)],
            address,
            sandbox,
        }
    }

    /// `127.0.0.1:<port>`
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.services.iter().map(Service::said).collect()
    }
}

#[track_caller]
fn ready(cmd: Cmd, address: SocketAddr) -> Service {
    let mut service = Service::start(cmd, Stdio::null());
    service.wait_until(|| TcpStream::connect(address).ok());
    service
}

/// SOCKS4, and SOCKS4a: one connection after the other, each to a port of the loopback.
pub struct Socks4 {
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Socks4 {
    pub fn start() -> Self {
        Self::leading_to(None)
    }

    /// Every target is this server.
    pub fn to(server: SocketAddr) -> Self {
        Self::leading_to(Some(server))
    }

    fn leading_to(server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Mutex::new(String::new()));
        let recorded = Arc::clone(&log);
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("the listener accepts");
                // The client may close the connection early.
                let _gone = carry(&client, server, &recorded);
            }
        });
        Self { address, log }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `NAME:PORT` or `ADDRESS:PORT`, one a line.
    pub fn log(&self) -> String {
        self.log.lock().expect("no thread panics").clone()
    }
}

/// <https://www.openssh.org/txt/socks4.protocol>, <https://www.openssh.org/txt/socks4a.protocol>.
fn carry(client: &TcpStream, server: Option<SocketAddr>, log: &Mutex<String>) -> io::Result<()> {
    let mut client = client;
    let mut head = [0; 8];
    client.read_exact(&mut head)?;
    let [4, 1, high, low, address @ ..] = head else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let text = |mut client: &TcpStream| {
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            match byte {
                [0] => return io::Result::Ok(String::from_utf8_lossy(&text).into_owned()),
                [byte] => text.push(byte),
            }
        }
    };
    let _user = text(client)?;
    let port = u16::from_be_bytes([high, low]);
    let asked = match address {
        [0, 0, 0, 1..=255] => text(client)?,
        address => Ipv4Addr::from(address).to_string(),
    };
    writeln!(log.lock().expect("no thread panics"), "{asked}:{port}").expect("a string");
    let server = server.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into());
    let target = TcpStream::connect(server)?;
    client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0])?;
    thread::scope(|threads| {
        threads.spawn(|| {
            let _ended = io::copy(&mut &*client, &mut &target);
            let _closed = target.shutdown(Shutdown::Write);
        });
        let _ended = io::copy(&mut &target, &mut &*client);
        let _closed = client.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// An HTTP proxy that connects every client to this server, whatever name was asked for. It ends with the test run.
pub fn always_to(server: SocketAddr) -> SocketAddr {
    opening(server, "HTTP/1.1 200 OK\r\n\r\n".to_owned())
}

/// This, and it consents in these words.
pub fn opening(server: SocketAddr, consent: String) -> SocketAddr {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = proxy.local_addr().expect("a bound listener");
    thread::spawn(move || {
        for client in proxy.incoming().flatten() {
            let consent = consent.clone();
            thread::spawn(move || connect(client, server, &consent));
        }
    });
    address
}

/// `CONNECT`, wherever to.
fn connect(client: TcpStream, target: SocketAddr, consent: &str) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let server = TcpStream::connect(target)?;
    (&client).write_all(consent.as_bytes())?;
    let (mut from, mut to) = (reader, server.try_clone()?);
    thread::spawn(move || {
        let _ended = io::copy(&mut from, &mut to);
        let _closed = to.shutdown(Shutdown::Write);
    });
    io::copy(&mut &server, &mut &client)?;
    client.shutdown(Shutdown::Write)
}
