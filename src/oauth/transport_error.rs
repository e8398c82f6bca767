//! Why there is no answer, in words for a user: whose fault it is, the instance's or the proxy's, and what may help.
//!
//! Separate from [`super::http`] because it is one table, from what ureq, rustls and the system say to what is shown.

use std::io;

use rustls::CertificateError;
use ureq::{Error, ProxyProtocol};

use super::addresses::LookupError;
use super::proxy::{Via, variable};
use super::route::Route;
use super::tunnel::TunnelError;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::printable::printable;

/// No answer, or none that is complete.
#[derive(Debug, Clone)]
pub(crate) struct TransportError {
    /// In a few words for the user, and what may help.
    pub(crate) why: Failure,
    /// Whether the server may have acted on the request.
    pub(crate) sent: bool,
    /// Sending it again at once cannot help: a certificate that is not trusted, a setting that cannot be used.
    pub(crate) lasting: bool,
    /// The server's certificate is not trusted.
    pub(crate) untrusted: bool,
}

impl TransportError {
    /// A setting keeps the request from being sent.
    pub(super) fn unusable(why: Failure) -> TransportError {
        TransportError {
            why,
            sent: false,
            lasting: true,
            untrusted: false,
        }
    }

    /// What an error of ureq means.
    pub(super) fn of(error: &Error, origin: &Origin, route: &Route, sent: bool) -> TransportError {
        let host = origin.authority();
        if let Error::Other(other) = error
            && let Some(tunnel) = other.downcast_ref::<TunnelError>()
            && let Some(via) = &route.via
        {
            return at_proxy(tunnel, &host, route, via);
        }
        if let Some(certificate) = certificate(error) {
            return untrusted(&host, certificate, route, sent);
        }
        let why = match error {
            Error::HostNotFound => format!("cannot find {host}"),
            Error::Other(other) if other.is::<LookupError>() => {
                format!("cannot find {host} ({other})")
            }
            Error::Timeout(_) if sent => format!("{host} did not answer in time"),
            Error::Timeout(_) => format!("{host} does not answer"),
            Error::ConnectionFailed => format!("cannot connect to {host}"),
            Error::Io(why) => format!("the connection to {host} failed ({why})"),
            Error::Rustls(why) => format!("{host} and this program cannot agree on TLS ({why})"),
            Error::BodyExceedsLimit(_) => format!("the answer of {host} is too long"),
            _ => format!("{host} did not answer in HTTP ({error})"),
        };
        TransportError {
            why: Failure::new(printable(&why)),
            sent,
            lasting: false,
            untrusted: false,
        }
    }
}

/// rustls reports a failed handshake through `io::Error`.
fn certificate(error: &Error) -> Option<&CertificateError> {
    let error = match error {
        Error::Rustls(error) => error,
        Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    match error {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

fn untrusted(
    whom: &str,
    certificate: &CertificateError,
    route: &Route,
    sent: bool,
) -> TransportError {
    use CertificateError as C;

    let why = match certificate {
        C::UnknownIssuer | C::BadSignature => format!(
            "its certificate is signed by an authority that is not known here ({certificate})"
        ),
        C::Expired | C::ExpiredContext { .. } => format!(
            "its certificate has expired, or the clock of this machine is wrong ({certificate})"
        ),
        C::NotValidYet | C::NotValidYetContext { .. } => format!(
            "its certificate is not valid yet, or the clock of this machine is wrong ({certificate})"
        ),
        _ => certificate.to_string(),
    };
    let why = Failure::new(printable(&format!("cannot trust {whom}: {why}")));
    let why = match certificate {
        C::UnknownIssuer | C::BadSignature if route.authorities.has_systems() => why.hint(
            "`export SSL_CERT_FILE=FILE` with the certificate of that authority, \
                 or NODE_EXTRA_CA_CERTS to keep the system's beside it",
        ),
        C::UnknownIssuer | C::BadSignature => why.hint(
            "SSL_CERT_FILE and SSL_CERT_DIR name the only ones that are; \
             `unset SSL_CERT_FILE SSL_CERT_DIR` trusts the system's",
        ),
        _ => why,
    };
    TransportError {
        why,
        sent,
        lasting: true,
        untrusted: true,
    }
}

/// Nothing was sent to the instance: it is the proxy, or the way to it.
fn at_proxy(error: &TunnelError, host: &str, route: &Route, via: &Via) -> TransportError {
    let (place, named_by) = (via.place(), via.named_by);
    let variable = variable(named_by);
    let proxy = format!("the proxy {place} ({named_by})");
    let of = |why: &str| {
        let sentence = printable(&format!("cannot connect to {host}: {why}"));
        TransportError {
            why: Failure::new(sentence),
            sent: false,
            lasting: false,
            untrusted: false,
        }
    };
    let lasting = |error: TransportError, hint: String| TransportError {
        why: error.why.hint(hint),
        lasting: true,
        ..error
    };
    let error = match error {
        TunnelError::OnlyIpv6 => {
            // The proxy looks the name up.
            let hint =
                format!("`export {variable}=socks4a://{place}`, or `socks5h://` if it speaks that");
            return lasting(of(&error.to_string()), hint);
        }
        TunnelError::AtProxy(error) => error,
    };
    if let Some(certificate) = certificate(error) {
        return untrusted(&proxy, certificate, route, false);
    }
    let wants_credentials = || {
        let scheme = match via.proxy.protocol() {
            ProxyProtocol::Http => "http".to_owned(),
            protocol => protocol.to_string().to_ascii_lowercase(),
        };
        format!("`export {variable}={scheme}://USER:PASSWORD@{place}`")
    };
    match error {
        Error::ConnectProxyFailed(why) => match status(why) {
            // 401 is tinyproxy's word for a wrong password.
            Some(status @ (401 | 407)) => {
                let what = match via.has_credentials() {
                    true => "does not accept the user name and password",
                    false => "wants a user name and a password",
                };
                let error = of(&format!("{proxy} {what} (HTTP {status})"));
                lasting(error, wants_credentials())
            }
            Some(status) => of(&format!("{proxy} answered HTTP {status}")),
            None => of(&format!("{proxy} did not answer")),
        },
        Error::HostNotFound => of(&format!("{proxy} cannot be found")),
        Error::Other(why) if why.is::<LookupError>() => {
            of(&format!("{proxy} cannot be found ({why})"))
        }
        Error::Timeout(_) => of(&format!("{proxy} does not answer")),
        Error::Io(why) if why.raw_os_error().is_some() => {
            of(&format!("{proxy} cannot be reached ({why})"))
        }
        Error::Io(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
            of(&format!("{proxy} closed the connection"))
        }
        Error::Io(why) => of(&format!("{proxy} refuses ({why})")),
        _ => of(&format!("{proxy} did not answer as one ({error})")),
    }
}

/// `proxy server responded 407/407`.
fn status(why: &str) -> Option<u16> {
    why.rsplit(['/', ' ']).next()?.parse().ok()
}
