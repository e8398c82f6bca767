//! The token grammar, the claims in a token, and that no formatter prints a secret.

use super::*;
use proptest::prelude::*;

fn org_token(json: &str) -> Secret {
    Secret::new(format!(
        "sntrys_{}_abc123",
        base64::engine::general_purpose::STANDARD.encode(json)
    ))
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(
        format!(
            "{:?} {:?}",
            Secret::new("hunter2"),
            Secret::new("x").digest()
        ),
        "Secret(…) Digest(…)"
    );
}

#[test]
fn memory_is_wiped_on_drop() {
    fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    is_wiped(&Secret::new("hunter2").0);
}

#[test]
fn entered_text_is_a_token_or_the_error_says_why_not() {
    for (written, expected) in [
        (&b"sntryu_x"[..], Ok("sntryu_x")),
        (b" \tsntryu_x\r\n", Ok("sntryu_x")),
        (b"bearer", Ok("bearer")),
        (b"", Err(TokenInputError::Empty)),
        (b" \n", Err(TokenInputError::Empty)),
        (b"\"sntryu_x\"", Err(TokenInputError::Quoted)),
        (b"'sntryu_x'\n", Err(TokenInputError::Quoted)),
        (b"sntryu_x'", Err(TokenInputError::Quoted)),
        (
            "\u{201c}sntryu_x\u{201d}".as_bytes(),
            Err(TokenInputError::Quoted),
        ),
        (b"\xef\xbb\xbfsntryu_x", Err(TokenInputError::ByteOrderMark)),
        (b"\xff\xfes\0n\0", Err(TokenInputError::Utf16)),
        (b"\xfe\xff\0s\0n", Err(TokenInputError::Utf16)),
        (b"s\0n\0t\0", Err(TokenInputError::Utf16)),
        // As a shell passes it on, without its NULs.
        (b"\xff\xfesntryu_x", Err(TokenInputError::Utf16)),
        (b"Bearer sntryu_x", Err(TokenInputError::Header)),
        (b"authorization: x", Err(TokenInputError::Header)),
        (b"two words", Err(TokenInputError::Grammar)),
        (b"a\nb", Err(TokenInputError::Grammar)),
        (b"tok\xff", Err(TokenInputError::Grammar)),
        ("tôk".as_bytes(), Err(TokenInputError::Grammar)),
    ] {
        let found = Secret::from_input(written);
        let found = found.as_ref().map(Secret::expose).map_err(|why| *why);
        assert_eq!(found, expected, "{}", written.escape_ascii());
    }
}

#[test]
fn tokens_are_printable_ascii() {
    assert!(Secret::token("sntryu_0123").is_ok());
    assert!(Secret::token(&"x".repeat(4096)).is_ok());
    for bad in [
        "",
        " ",
        "a b",
        "a\n",
        "a\r",
        "a\0",
        "tôk",
        "\u{1b}[31m",
        &"x".repeat(4097),
    ] {
        assert_eq!(Secret::token(bad), Err(NotAToken));
    }
}

#[test]
fn claims_of_an_organization_token() {
    let claims =
        org_token(r#"{"iat":1,"url":"https://a.example","region_url":"","org":"acme"}"#).claims();
    assert_eq!(
        claims,
        Some(Claims {
            url: Some("https://a.example".into()),
            org: Some("acme".into())
        })
    );
    assert_eq!(
        org_token(r#"{"url":""}"#).claims(),
        Some(Claims {
            url: None,
            org: None
        })
    );
}

#[test]
fn other_tokens_are_opaque() {
    let big = org_token(&format!(
        r#"{{"url":"https://a.example","x":"{}"}}"#,
        "y".repeat(2048)
    ));
    for opaque in [
        Secret::new("sntryu_abc"),
        Secret::new("sntrys_!!!_x"),
        org_token("[]"),
        org_token("{"),
        big,
    ] {
        assert_eq!(opaque.claims(), None);
    }
    assert_eq!(
        Secret::new(format!("{}_more", org_token("{}").expose())).claims(),
        None
    );
}

#[test]
fn the_forms_of_sentry_s_tokens_are_known() {
    for (text, is_token, is_access_token) in [
        ("sntryu_0123", true, false),
        ("sntrys_eyJ_x", true, false),
        ("sntry_x", true, false),
        ("sntryabc_x", true, false),
        ("sntryu_", false, false),
        ("sntryU_x", false, false),
        ("sntry1_x", false, false),
        ("xsntryu_x", false, false),
        (&"0123456789abcdef".repeat(4), false, true),
        (&"0123456789ABCDEF".repeat(4), false, false),
        (&"0".repeat(63), false, false),
        (&"0".repeat(65), false, false),
        (&"g".repeat(64), false, false),
    ] {
        let secret = Secret::new(text);
        assert_eq!(secret.looks_like_prefixed_token(), is_token, "{text}");
        let found = secret.looks_like_oauth_token();
        assert_eq!(found, is_access_token, "{text}");
    }
}

#[test]
fn a_digest_reads_back_and_other_bytes_are_none() {
    let digest = Secret::new("x").digest();
    assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
    for length in [0, 31, 33] {
        assert_eq!(Digest::from_bytes(&vec![0; length]), None);
    }
    assert_ne!(digest, Secret::new("y").digest());
}

#[test]
fn bytes_that_grow_are_whole() {
    let mut bytes = Zeroizing::new(Vec::new());
    for chunk in [&b""[..], b"a", b"bc", &[b'x'; 300]] {
        append(&mut bytes, chunk);
    }
    assert_eq!(bytes.len(), 303);
    assert!(bytes.starts_with(b"abcx"));
}

proptest! {
    #[test]
    fn claims_never_panic(text in ".{0,80}") {
        drop(Secret::new(format!("sntrys_{text}")).claims());
    }
}
