//! Reads an answer that is form-encoded: GitHub's token endpoint, and those modelled on it, use the encoding of the
//! request unless they honour `Accept`.
//!
//! Separate from [`super::json`], which reads what RFC 6749 section 5 prescribes and is tried first.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The names of which one is in every answer of an OAuth endpoint.
const NAMES: [&str; 3] = ["access_token", "device_code", "error"];

/// Parses a body; `None` if it is no form of an OAuth endpoint.
pub(super) fn object(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?.trim_ascii();
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut fields = Map::new();
    for field in text.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=')?;
        let value = Value::String(decoded(value)?);
        fields.insert(decoded(name)?, value);
    }
    let is_answer = NAMES.iter().any(|name| fields.contains_key(*name));
    is_answer.then_some(Value::Object(fields))
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let text = percent_decode_str(&text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_has_the_fields_of_an_answer() {
        for (body, expected) in [
            (
                "access_token=a%2Bb&expires_in=28800&scope=org%3Aread+x&token_type=bearer\n",
                json!({"access_token": "a+b", "expires_in": "28800", "scope": "org:read x", "token_type": "bearer"}),
            ),
            (
                "error=slow_down&interval=10",
                json!({"error": "slow_down", "interval": "10"}),
            ),
        ] {
            assert_eq!(object(body.as_bytes()), Some(expected), "{body}");
        }
        for body in [
            "",
            "access_token",
            "a=b",
            "<a href=x?error=1>",
            "access_token=a b",
            "access_token=%ff",
            "{\"error\":\"x=y\"}",
        ] {
            assert_eq!(object(body.as_bytes()), None, "{body}");
        }
    }
}
