//! The hints about the route to an instance; and a https://sentry.io for the rows that need it.

use super::{Row, Scene, close, row};
use crate::fake_sentry::{Endpoint, SAAS_CLIENT};
use crate::names::Names;
use crate::proxies::answering;
use crate::proxy_server::{Proxy, Socks4, always_to};
use crate::tls::{Certificate, NAME, Tls};

const BY_TLS: &str = "sentry auth login --with-token --url \"$TLS\" <token";

/// On a machine that trusts its authority.
const WHERE_IT_IS_TRUSTED: &str = "unshare -Urm sh -euc 'mount --bind \"$CA\" /etc/ssl/certs/ca-certificates.crt; \
     sentry auth login --with-token --url \"$TLS\" <token'";

pub const ROWS: &[Row] = &[
    row(
        &["oauth/proxy.rs: format!( \"`export {variable}=PROXY`, which looks like `http:"],
        |scene| {
            token(scene);
            scene.before("export https_proxy=gopher://127.0.0.1:70");
        },
        "sentry auth login --with-token --url \"$URL\" <token",
        "`export https_proxy=PROXY`, which looks like `http://proxy.example.com:3128` or `socks5h://127.0.0.1:1080`",
    )
    .fill(&[("PROXY", "http://127.0.0.1:9")]),
    row(
        &["oauth/transport_error.rs: hint"],
        |scene| {
            token(scene);
            let tls = Tls::with(Certificate::Of(NAME), &scene.sentry);
            let proxy = Proxy::http(Some(("joe", "proxy-word")));
            scene.before(&format!(
                "export SSL_CERT_FILE=\"$CA\" https_proxy=http://{} INSTANCE={}",
                proxy.address(),
                tls.url_by_name()
            ));
            scene.tls.push(tls);
            scene.proxy = Some(proxy);
        },
        "sentry auth login --with-token --url \"$INSTANCE\" <token",
        "`export https_proxy=http://USER:PASSWORD@*`",
    )
    .fill(&[("USER", "joe"), ("PASSWORD", "proxy-word")]),
    row(
        &[],
        |scene| {
            token(scene);
            let tls = Tls::with(Certificate::Of(NAME), &scene.sentry);
            let proxy = Socks4::start();
            scene.names = Some(Names::new(&scene.sandbox, &format!("::1 {NAME}\n")));
            scene.before(&format!(
                "export SSL_CERT_FILE=\"$CA\" ALL_PROXY=socks4://{} INSTANCE={}",
                proxy.address(),
                tls.url_by_name()
            ));
            scene.tls.push(tls);
            scene.socks4 = Some(proxy);
        },
        "sentry auth login --with-token --url \"$INSTANCE\" <token",
        "`export ALL_PROXY=socks4a://*`, or `socks5h://` if it speaks that",
    ),
    row(
        &["oauth/transport_error.rs: hint"],
        |scene| {
            token(scene);
            let tls = Tls::with(Certificate::Of(NAME), &scene.sentry);
            let proxy = Proxy::http(None);
            scene.before(&format!(
                "export SSL_CERT_FILE=\"$CA\" GOOD=http://{} INSTANCE={}",
                proxy.address(),
                tls.url_by_name()
            ));
            scene.before("export HTTPS_PROXY=http://127.0.0.1:1");
            scene.tls.push(tls);
            scene.proxy = Some(proxy);
        },
        "sentry auth login --with-token --url \"$INSTANCE\" <token",
        "`export HTTPS_PROXY=PROXY` names another proxy, and `unset HTTPS_PROXY` none",
    )
    .fill(&[("=PROXY", "=$$GOOD")]),
    row(
        &[],
        |scene| {
            token(scene);
            let tls = Tls::with(Certificate::Of(NAME), &scene.sentry);
            let proxy = Proxy::http(None);
            scene.before(&format!(
                "export SSL_CERT_FILE=\"$CA\" GOOD=http://{} INSTANCE={}",
                proxy.address(),
                tls.url_by_name()
            ));
            let ntlm = answering(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
            scene.before(&format!("export HTTPS_PROXY=http://{ntlm}"));
            scene.tls.push(tls);
            scene.proxy = Some(proxy);
        },
        "sentry auth login --with-token --url \"$INSTANCE\" <token",
        "`export HTTPS_PROXY=PROXY` names one that logs in there, such as cntlm or Px",
    )
    .fill(&[("=PROXY", "=$$GOOD")]),
    row(
        &["oauth/authorities.rs: format!( \"`unset {source}`, or name one with certificates (P"],
        |scene| {
            token(scene);
            scene.tls.push(Tls::start(&scene.sentry));
            scene.before("export SSL_CERT_FILE=/nowhere NODE_EXTRA_CA_CERTS=\"$CA\"");
        },
        BY_TLS,
        "`unset SSL_CERT_FILE`, or name one with certificates (PEM)",
    ),
    row(
        &["oauth/transport_error.rs: \"`export SSL_CERT_FILE=FILE` with the certificate of that au"],
        |scene| {
            token(scene);
            scene.tls.push(Tls::start(&scene.sentry));
        },
        BY_TLS,
        "`export SSL_CERT_FILE=FILE` with the certificate of that authority, \
         or NODE_EXTRA_CA_CERTS to add it to the system's",
    )
    .fill(&[("=FILE", "=$CA")]),
    row(
        &["oauth/transport_error.rs: \"`export SSL_CERT_FILE=FILE` with that certificate itself\""],
        |scene| {
            token(scene);
            let own = Tls::with(Certificate::Own(&Certificate::Good), &scene.sentry);
            scene.before(&format!("export OWN={}", own.certificate().display()));
            scene.tls.push(own);
        },
        BY_TLS,
        "`export SSL_CERT_FILE=FILE` with that certificate itself",
    )
    .fill(&[("=FILE", "=$OWN")]),
    row(
        &["oauth/transport_error.rs: \"SSL_CERT_FILE and SSL_CERT_DIR replace the system's authori"],
        |scene| {
            token(scene);
            scene.tls.push(Tls::start(&scene.sentry));
            let other = Tls::start(&scene.sentry);
            let other_s = other.authority().display().to_string();
            scene.before(&format!("export SSL_CERT_FILE={other_s}"));
            scene.tls.push(other);
        },
        WHERE_IT_IS_TRUSTED,
        "SSL_CERT_FILE and SSL_CERT_DIR replace the system's authorities; \
         `unset SSL_CERT_FILE SSL_CERT_DIR` restores them",
    ),
];

fn token(scene: &mut Scene) {
    scene.sentry.add_api_token("sntryu_x");
    scene.run("printf sntryu_x >token");
}

impl Scene {
    /// The instance is https://sentry.io, reached through the proxy of the environment.
    pub fn saas(&mut self) {
        let tls = Tls::with(Certificate::Of("sentry.io"), &self.sentry);
        self.before(&format!(
            "unset SENTRY_CLIENT_ID; export HTTPS_PROXY=http://{} SSL_CERT_FILE=\"$CA\"",
            always_to(tls.address())
        ));
        self.tls.push(tls);
        self.sentry.add_client(SAAS_CLIENT);
        let own = self.sentry.url();
        self.sentry.rewrite(Endpoint::DeviceCode, move |answer| {
            for name in ["verification_uri", "verification_uri_complete"] {
                let uri = answer[name].as_str().unwrap_or_default();
                answer[name] = uri.replace(&own, "https://sentry.io").into();
            }
        });
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, unshare(1)")]
fn what_is_said_about_the_way_to_an_instance_closes() {
    close(ROWS.iter());
}
