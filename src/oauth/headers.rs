//! Additional request headers for a self-hosted instance, as an identity-aware proxy in front of it may require.
//!
//! Separate from [`super::route`], which decides what applies to a request, because it is a grammar: the user's text is
//! parsed into header fields or an error, and can never add another line to a request.
//!
//! Rules: the variable has the format that Sentry's official CLI defines: `Name: value`, separated by `;` or newlines.
//! Values are secrets and are sent to self-hosted instances only. A field that this program sets itself, or that delimits
//! a request, is refused.

use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::Store;
use crate::world::World;

/// The variable that contains the headers.
const VARIABLE: &str = "SENTRY_CUSTOM_HEADERS";

/// Where the official CLI stores them.
const STORED: &str = "`sentry cli defaults headers`";

/// Maximum number of fields, and of bytes in total: servers accept about 8 KiB.
const MOST: (usize, usize) = (32, 8 * 1024);

/// Fields that this program sets, and fields that route or delimit a request (RFC 9110 section 7.6.1, RFC 9112
/// section 6).
const RESERVED: [&str; 17] = [
    "accept",
    "accept-encoding",
    "authorization",
    "baggage",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "sentry-trace",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Header fields, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, Secret)>);

impl Headers {
    /// The headers for an instance: the variable's, else those that the official CLI stored; none for Sentry's SaaS.
    ///
    /// # Errors
    /// The value is invalid; the error does not repeat it.
    pub(super) fn of(world: &World, origin: &Origin) -> Result<Headers, Failure> {
        if origin.is_saas() || origin.is_organization_of_saas() {
            return Ok(Headers::default());
        }
        let of_variable = world.variable_lossy(VARIABLE).map(|text| (VARIABLE, text));
        let stored = || Some((STORED, Store::official_default(world, "headers")?));
        let Some((named_by, text)) = of_variable.or_else(stored) else {
            return Ok(Headers::default());
        };
        let headers = Headers::parse(named_by, &Zeroizing::new(text))?;
        if let Some(names) = headers.names() {
            world.trace(|| format!("to {origin}: with the headers {names}, by {named_by}"));
        }
        Ok(headers)
    }

    fn parse(named_by: &str, text: &str) -> Result<Headers, Failure> {
        let unusable =
            |why: &str| Failure::new(format!("cannot use the value of {named_by}: {why}"));
        if text.len() > MOST.1 {
            return Err(unusable("it is longer than 8 KiB"));
        }
        let mut headers = Vec::new();
        for field in text.split([';', '\n']) {
            let field = field.trim_matches([' ', '\t', '\r']);
            if field.is_empty() {
                continue;
            }
            let (name, value) = field
                .split_once(':')
                .ok_or_else(|| unusable("a header looks like `Name: value`"))?;
            // RFC 9112 section 5.1: no white space before the colon.
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(unusable(
                    "the name of a header is a word such as `X-Proxy-Key`",
                ));
            }
            if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(unusable(&format!(
                    "the header `{name}` is set by this program"
                )));
            }
            let value = value.trim_matches([' ', '\t']);
            if value.is_empty() || !value.bytes().all(is_value) {
                return Err(unusable(&format!(
                    "the value of `{name}` is empty, or has other characters than printable ASCII"
                )));
            }
            headers.push((name.to_owned(), Secret::new(value)));
        }
        match headers.len() > MOST.0 {
            true => Err(unusable("it has more than 32 headers")),
            false => Ok(Headers(headers)),
        }
    }

    /// The name and value of each field.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.iter();
        fields.map(|(name, value)| (name.as_str(), value.expose()))
    }

    /// The names, to be shown; `None` if there are no fields.
    pub(super) fn names(&self) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(|(name, _)| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `VCHAR`, space and tab; without `obs-text`, which RFC 9110 section 5.5 allows for compatibility only.
fn is_value(byte: u8) -> bool {
    byte == b'\t' || (0x20..=0x7e).contains(&byte)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::world::SystemClock;

    fn read(text: &str) -> Result<String, String> {
        let headers = Headers::parse(VARIABLE, text).map_err(|failure| failure.to_string())?;
        let fields = headers
            .fields()
            .map(|(name, value)| format!("{name}={value}"));
        Ok(fields.collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn fields_are_separated_as_the_official_cli_separates_them() {
        for (text, expected) in [
            ("X-Key: s3cret", "X-Key=s3cret"),
            ("X-Key:s3cret", "X-Key=s3cret"),
            ("A: 1; B: 2", "A=1 | B=2"),
            ("A: 1;B: 2;", "A=1 | B=2"),
            ("A: 1\r\nB: 2\n", "A=1 | B=2"),
            (";; A: 1 ;", "A=1"),
            ("A: b: c", "A=b: c"),
            ("A: b c\td", "A=b c\td"),
            (
                "Proxy-Authorization: Bearer x.y.z",
                "Proxy-Authorization=Bearer x.y.z",
            ),
            (
                "CF-Access-Client-Id: a.access",
                "CF-Access-Client-Id=a.access",
            ),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn a_value_that_could_add_a_line_or_field_is_refused_and_not_repeated() {
        let long = format!("A: s3cret{}", "x".repeat(8 * 1024));
        let many = "A: s3cret;".repeat(33);
        for text in [
            "s3cret",
            ": s3cret",
            " : s3cret",
            "A : s3cret",
            "A B: s3cret",
            "A\0: s3cret",
            "A\r: s3cret",
            "Ä: s3cret",
            "A: s3cret\0",
            "A: s3cret\rB: x",
            "A: s3cret\r\rB: x",
            "A: s3cret\x1b[2J",
            "A: s3cret\x7f",
            "A: s3crét",
            "A: s3cret; s3cret",
            "A: s3cret; B:",
            "A: s3cret\u{fffd}",
            &long,
            &many,
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(VARIABLE), "{refused}");
            assert!(!refused.contains("s3cr"), "{refused}");
            assert!(!refused.contains(|c: char| c.is_control()), "{refused:?}");
        }
    }

    #[test]
    fn reserved_fields_are_refused_in_any_case() {
        for name in RESERVED {
            for name in [name.to_owned(), name.to_uppercase()] {
                let refused = read(&format!("A: 1; {name}: s3cret")).unwrap_err();
                assert!(refused.contains(&name) && !refused.contains("s3cret"));
            }
        }
    }

    #[test]
    fn headers_are_for_self_hosted_instances_only() {
        let world = World::of(&[(VARIABLE, "X-Key: s3cret")], Rc::new(SystemClock));
        for (origin, expected) in [
            ("https://sentry.io", None),
            ("https://de.sentry.io", None),
            ("https://acme.sentry.io", None),
            ("https://self.example", Some("`X-Key`")),
            ("https://sentry.io:8443", Some("`X-Key`")),
            ("https://sentry.io.self.example", Some("`X-Key`")),
        ] {
            let headers = Headers::of(&world, &Origin::parse(origin).unwrap()).unwrap();
            assert_eq!(headers.names().as_deref(), expected, "{origin}");
            assert!(!format!("{headers:?}").contains("s3cret"));
        }
        // An invalid value does not matter where no header is sent.
        let world = World::of(&[(VARIABLE, "s3cret")], Rc::new(SystemClock));
        assert!(Headers::of(&world, &Origin::saas()).is_ok());
    }

    proptest! {
        #[test]
        fn an_accepted_field_is_one_line(text in "[\\PC\r\n\0;: A-Z]{0,60}") {
            if let Ok(headers) = Headers::parse(VARIABLE, &text) {
                for (name, value) in headers.fields() {
                    prop_assert!(name.bytes().all(is_name) && !name.is_empty());
                    prop_assert!(value.bytes().all(is_value) && !value.is_empty());
                }
            }
        }
    }
}
