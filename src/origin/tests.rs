//! The grammar of hosts, what is printed, and which origin may receive which token.

use super::*;
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    Origin::parse(text).map_or_else(|why| format!("{why:?}"), |origin| origin.to_string())
}

#[test]
fn one_form_for_each_origin() {
    for (text, expected) in [
        ("https://sentry.io", "https://sentry.io"),
        ("HTTPS://Sentry.IO:443/", "https://sentry.io"),
        ("https://s.example:8443", "https://s.example:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://127.8.9.1:9000", "http://127.8.9.1:9000"),
        ("http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000"),
        ("https://xn--entry-g2e.io", "https://xn--entry-g2e.io"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn everything_else_is_refused() {
    for host in [
        "",
        "/",
        "//",
        ".",
        "sentry.io//",
        "sentry.io/x",
        "sentry.io#.evil.com",
        "sentry.io?.evil.com",
        "sentry.io\\.evil.com",
        "user@sentry.io",
        "u:p@sentry.io",
        "sentry.io ",
        " sentry.io",
        "sentry.io\t",
        "sentry.io%2f",
        "%73entry.io",
        "sentry..io",
        ".sentry.io",
        "sentry.io.",
        "sentry.io:",
        "sentry.io:0",
        "sentry.io:0443",
        "sentry.io:65536",
        "sentry.io:+443",
        "sentry.io: 443",
        "sentry.io:443:1",
        "se\u{ad}ntry.io",
        "ｓentry.io",
        "ѕentry.io",
        "sentry。io",
        "127.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.0x1",
        "0177.0.0.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "[::1",
        "::1",
        "[::1]x",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[]",
        "-x.io",
        "x-.io",
        "a\nb",
        "a\0b",
    ] {
        assert_eq!(
            Origin::from_parts("https", host.strip_suffix('/').unwrap_or(host)),
            Err(NotAnOrigin::Malformed),
            "{host:?}"
        );
    }
    for text in [
        "ftp://sentry.io",
        "sentry.io",
        "https:/sentry.io",
        "://sentry.io",
        "https ://sentry.io",
    ] {
        assert_eq!(Origin::parse(text), Err(NotAnOrigin::Malformed), "{text:?}");
    }
    assert_eq!(
        Origin::from_parts("https", &format!("{}.io", "x".repeat(64))),
        Err(NotAnOrigin::Malformed)
    );
    assert_eq!(
        Origin::from_parts("https", &"x.".repeat(127)),
        Err(NotAnOrigin::Malformed)
    );
}

#[test]
fn plain_http_stays_on_this_machine() {
    for text in [
        "http://sentry.io",
        "http://localhost.evil.com",
        "http://127.0.0.1.nip.io",
        "http://[::2]",
        "http://10.0.0.1",
    ] {
        assert_eq!(Origin::parse(text), Err(NotAnOrigin::Insecure), "{text}");
    }
}

#[test]
fn the_saas_names_share_and_others_do_not() {
    let origin = |text| Origin::parse(text).unwrap();
    let saas = Origin::saas();
    for sibling in [
        "https://us.sentry.io",
        "https://de.sentry.io",
        "https://sentry.io:443",
    ] {
        assert!(origin(sibling).may_receive(&saas) && saas.may_receive(&origin(sibling)));
    }
    for stranger in [
        "https://docs.sentry.io",
        "https://xsentry.io",
        "https://sentry.io:8443",
        "https://sentry.io.evil.com",
    ] {
        assert!(!origin(stranger).may_receive(&saas) && !saas.may_receive(&origin(stranger)));
    }
}

#[test]
fn an_organization_of_the_saas_is_no_instance() {
    for text in [
        "https://acme.sentry.io",
        "acme.sentry.io/",
        "https://a.us.sentry.io",
        "www.sentry.io:8443",
    ] {
        let read = Origin::instance_from_setting(text);
        assert_eq!(read, Err(NotAnInstance::Organization), "{text}");
    }
    for text in [
        "https://us.sentry.io",
        "de.sentry.io",
        "sentry.io",
        "xsentry.io",
        "sentry.io.example",
    ] {
        assert!(Origin::instance_from_setting(text).is_ok(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_canonical_origin_reads_back_as_itself(text in "(https|http)://[a-zA-Z0-9.:\\[\\]-]{1,24}(:[0-9]{1,5})?/?") {
        if let Ok(origin) = Origin::parse(&text) {
            prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin));
        }
    }

    #[test]
    fn no_byte_outside_the_grammar_survives(text in "\\PC{0,40}") {
        if let Ok(origin) = Origin::from_setting(&text) {
            prop_assert!(origin.authority().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)));
        }
    }
}
