//! Explains why there is no answer: whether the instance or the proxy failed, and what the user can do.
//!
//! Separate from [`super::http`] because it is one table that maps the errors of ureq, rustls and the system to
//! messages.

use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};
use ureq::{Error, ProxyProtocol};

use super::addresses::LookupError;
use super::proxy::{Via, variable};
use super::route::Route;
use super::tunnel::TunnelError;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::printable::printable;

/// No answer, or an incomplete one.
#[derive(Debug, Clone)]
pub(crate) struct TransportError {
    /// A short explanation for the user, with a hint.
    pub(crate) why: Failure,
    /// Whether the server may have acted on the request.
    pub(crate) sent: bool,
    /// Sending it again cannot succeed: a certificate is not trusted, or a setting cannot be used.
    pub(crate) permanent: bool,
    /// The server's certificate is not trusted.
    pub(crate) untrusted: bool,
}

impl TransportError {
    /// A setting prevented the request.
    pub(super) fn unusable(why: Failure) -> TransportError {
        TransportError {
            why,
            sent: false,
            permanent: true,
            untrusted: false,
        }
    }

    /// Maps an error of ureq. `offered`: the ways to log in that the proxy has offered.
    pub(super) fn of(
        error: &Error,
        origin: &Origin,
        route: &Route,
        offered: &[String],
        sent: bool,
    ) -> TransportError {
        let host = origin.authority();
        if let Error::Other(other) = error
            && let Some(tunnel) = other.downcast_ref::<TunnelError>()
            && let Some(via) = &route.via
        {
            return at_proxy(tunnel, &host, route, via, offered);
        }
        if let Some(certificate) = certificate(error) {
            return untrusted(&host, certificate, route, sent);
        }
        let required = alert(error).map(|why| format!("{host} {why}"));
        let why = required.unwrap_or_else(|| match error {
            Error::HostNotFound => format!("cannot find {host}"),
            Error::Other(other) if other.is::<LookupError>() => {
                format!("cannot find {host} ({other})")
            }
            Error::Timeout(_) if sent => format!("{host} did not answer in time"),
            Error::Timeout(_) => format!("{host} does not answer"),
            Error::ConnectionFailed => format!("cannot connect to {host}"),
            _ if is_not_tls(error) => format!(
                "{host} did not answer in TLS: it may speak plain http, or this network may require a login first"
            ),
            Error::Io(why) => format!("the connection to {host} failed ({why})"),
            Error::Rustls(why) => format!("the TLS handshake with {host} failed ({why})"),
            Error::BodyExceedsLimit(_) => format!("the answer of {host} is too long"),
            _ => format!("{host} did not answer in HTTP ({error})"),
        });
        TransportError {
            why: Failure::new(printable(&why)),
            sent,
            permanent: false,
            untrusted: false,
        }
    }
}

/// rustls reports a failed handshake through `io::Error`.
fn handshake(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>(),
        _ => None,
    }
}

fn certificate(error: &Error) -> Option<&CertificateError> {
    match handshake(error)? {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

/// Why the other end ended the handshake, where that concerns what it requires.
fn alert(error: &Error) -> Option<&'static str> {
    let rustls::Error::AlertReceived(alert) = handshake(error)? else {
        return None;
    };
    match alert {
        AlertDescription::CertificateRequired => {
            Some("requires a certificate of the client, which this program does not have")
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => Some(
            "ended the TLS handshake: its algorithms are out of date, or it requires a certificate of the client",
        ),
        AlertDescription::ProtocolVersion => {
            Some("ended the TLS handshake: its versions of TLS are out of date (before 1.2)")
        }
        _ => None,
    }
}

/// Whether the other end answered in another protocol.
fn is_not_tls(error: &Error) -> bool {
    use rustls::InvalidMessage as I;

    matches!(
        handshake(error),
        Some(rustls::Error::InvalidMessage(
            I::InvalidContentType | I::UnknownProtocolVersion
        ))
    )
}

/// Whether a server uses a certificate that may sign others.
fn is_of_authority(why: &OtherError) -> bool {
    why.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}

fn untrusted(
    whom: &str,
    certificate: &CertificateError,
    route: &Route,
    sent: bool,
) -> TransportError {
    use CertificateError as C;

    let why = match certificate {
        C::UnknownIssuer => {
            format!("its certificate is signed by an unknown authority ({certificate})")
        }
        C::BadSignature => format!(
            "its certificate is signed by an unknown authority ({certificate}), or its key is too short"
        ),
        C::UnsupportedSignatureAlgorithmContext { .. }
        | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate is signed with an algorithm that is out of date, such as SHA-1"
                .to_owned()
        }
        C::Other(why) if is_of_authority(why) => {
            format!("its certificate is that of an authority ({})", why.0)
        }
        C::Other(why) => format!("its certificate is not valid ({})", why.0),
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
        C::Other(other) if is_of_authority(other) => {
            why.hint("`export SSL_CERT_FILE=FILE` with that certificate itself")
        }
        C::UnknownIssuer | C::BadSignature if route.authorities.has_systems() => why.hint(
            "`export SSL_CERT_FILE=FILE` with the certificate of that authority, \
                 or NODE_EXTRA_CA_CERTS to add it to the system's",
        ),
        C::UnknownIssuer | C::BadSignature => why.hint(
            "SSL_CERT_FILE and SSL_CERT_DIR replace the system's authorities; \
             `unset SSL_CERT_FILE SSL_CERT_DIR` restores them",
        ),
        _ => why,
    };
    TransportError {
        why,
        sent,
        permanent: true,
        untrusted: true,
    }
}

/// Nothing was sent to the instance: the proxy, or the connection to it, failed.
fn at_proxy(
    error: &TunnelError,
    host: &str,
    route: &Route,
    via: &Via,
    offered: &[String],
) -> TransportError {
    let (authority, source) = (via.authority(), via.source);
    let variable = variable(source);
    let proxy = format!("the proxy {authority} ({source})");
    let of = |why: &str| {
        let sentence = printable(&format!("cannot connect to {host}: {why}"));
        TransportError {
            why: Failure::new(sentence),
            sent: false,
            permanent: false,
            untrusted: false,
        }
    };
    let permanent = |error: TransportError, hint: String| TransportError {
        why: error.why.hint(hint),
        permanent: true,
        ..error
    };
    let error = match error {
        TunnelError::OnlyIpv6 => {
            // With these protocols the proxy resolves the name.
            let hint = format!(
                "`export {variable}=socks4a://{authority}`, or `socks5h://` if it speaks that"
            );
            return permanent(of(&error.to_string()), hint);
        }
        TunnelError::AtProxy(error) => error,
    };
    if let Some(certificate) = certificate(error) {
        return untrusted(&proxy, certificate, route, false);
    }
    let misplaced = |why: &str| {
        let error = of(why);
        let hint =
            format!("`export {variable}=PROXY` names another proxy, and `unset {variable}` none");
        TransportError {
            why: error.why.hint(hint),
            ..error
        }
    };
    let wants_credentials = || {
        let scheme = match via.proxy.protocol() {
            ProxyProtocol::Http => "http".to_owned(),
            protocol => protocol.to_string().to_ascii_lowercase(),
        };
        format!("`export {variable}={scheme}://USER:PASSWORD@{authority}`")
    };
    if let Some(why) = alert(error) {
        return misplaced(&format!("{proxy} {why}"));
    }
    match error {
        Error::ConnectProxyFailed(why) => match status(why) {
            Some(407) if !offered.is_empty() && !offered.iter().any(|scheme| scheme == "basic") => {
                let error = of(&format!(
                    "{proxy} requires a login by {}, which this program does not support",
                    offered.join(" or ")
                ));
                let hint = format!(
                    "`export {variable}=PROXY` names one that logs in there, such as cntlm or Px"
                );
                permanent(error, hint)
            }
            // tinyproxy answers 401 to a wrong password.
            Some(status @ (401 | 407)) => {
                let what = match via.has_credentials() {
                    true => "rejected the user name and password",
                    false => "requires a user name and a password",
                };
                let error = of(&format!("{proxy} {what} (HTTP {status})"));
                permanent(error, wants_credentials())
            }
            Some(status) => of(&format!("{proxy} answered HTTP {status}")),
            None => of(&format!("{proxy} did not answer")),
        },
        Error::HostNotFound => misplaced(&format!("{proxy} cannot be found")),
        Error::Other(why) if why.is::<LookupError>() => {
            misplaced(&format!("{proxy} cannot be found ({why})"))
        }
        Error::Timeout(_) => misplaced(&format!("{proxy} does not answer")),
        Error::Io(why) if why.raw_os_error().is_some() => {
            misplaced(&format!("{proxy} cannot be reached ({why})"))
        }
        Error::Io(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
            of(&format!("{proxy} closed the connection"))
        }
        error if is_not_tls(error) => misplaced(&format!("{proxy} did not answer in TLS")),
        Error::Io(why) if is_login(why) => {
            let what = match via.has_credentials() {
                true => "rejected the user name and password",
                false => "requires a user name and a password",
            };
            permanent(of(&format!("{proxy} {what} ({why})")), wants_credentials())
        }
        // A server of another protocol, rather than a refusal in this one.
        Error::Io(why) if why.kind() == io::ErrorKind::InvalidData => misplaced(&format!(
            "{proxy} did not answer like a {} proxy ({why})",
            via.proxy.protocol().to_string().to_ascii_lowercase()
        )),
        Error::Io(why) => of(&format!("{proxy} refused the connection ({why})")),
        _ => of(&format!("{proxy} did not answer like a proxy ({error})")),
    }
}

/// Whether a SOCKS proxy refuses the login (RFC 1928 section 3, RFC 1929).
fn is_login(why: &io::Error) -> bool {
    let why = why.to_string();
    [
        "no acceptable auth methods",
        "password authentication failed",
    ]
    .contains(&why.as_str())
}

/// `proxy server responded 407/407`.
fn status(why: &str) -> Option<u16> {
    why.rsplit(['/', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_requires_what_this_program_does_not_have_is_named_as_that() {
        use AlertDescription as A;

        for (description, expected) in [
            (
                A::CertificateRequired,
                Some("requires a certificate of the client, which this program does not have"),
            ),
            (
                A::HandshakeFailure,
                Some(
                    "ended the TLS handshake: its algorithms are out of date, \
                     or it requires a certificate of the client",
                ),
            ),
            (
                A::ProtocolVersion,
                Some("ended the TLS handshake: its versions of TLS are out of date (before 1.2)"),
            ),
            (A::InternalError, None),
        ] {
            let error = || rustls::Error::AlertReceived(description);
            assert_eq!(alert(&Error::Rustls(error())), expected);
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error());
            assert_eq!(alert(&Error::Io(wrapped)), expected);
        }
        assert_eq!(alert(&Error::ConnectionFailed), None);
    }
}
