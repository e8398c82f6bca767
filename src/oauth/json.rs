//! Reads the fields of a JSON object that may be partly malformed.
//!
//! Separate from [`super::parse`], which interprets the fields. The answer to a refresh is the only copy of the new
//! tokens: a lone surrogate, an infinite number, or invalid UTF-8 in an irrelevant field must not lose them. The strict
//! parser is tried first; what it refuses is split into fields, and only the malformed ones are dropped.
//!
//! Rules: an object that is not closed is refused; what a server or a proxy puts before it or behind it is skipped,
//! unless it is a page; the last of duplicate names wins, as in the strict parser.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// Parses a body; `None` if it holds no object.
pub(super) fn object(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => Some(value).filter(Value::is_object),
        Err(_) => fields(body).map(Value::Object),
    }
}

/// The text of a body. Invalid UTF-8 becomes U+FFFD, which no token contains.
fn text(body: &[u8]) -> Zeroizing<String> {
    let unit: fn([u8; 2]) -> u16 = match body {
        [0xfe, 0xff, ..] | [0, b'{', ..] => u16::from_be_bytes,
        [0xff, 0xfe, ..] | [b'{', 0, ..] => u16::from_le_bytes,
        _ => return Zeroizing::new(String::from_utf8_lossy(body).into_owned()),
    };
    let units = body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let characters = char::decode_utf16(units);
    Zeroizing::new(
        characters
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    )
}

/// The text from where its object begins. A page, a list or a string holds none.
fn from_object(text: &str) -> Option<&str> {
    let (before, _) = text.split_at(text.find('{')?);
    (!before.contains(['<', '[', '"'])).then(|| &text[before.len()..])
}

fn fields(body: &[u8]) -> Option<Map<String, Value>> {
    let text = text(body);
    let mut rest = Scanner(from_object(&text)?);
    let mut fields = Map::new();
    rest.take('{')?;
    if rest.take('}').is_none() {
        loop {
            let name = read(rest.value()?);
            rest.take(':')?;
            let value = read(rest.value()?);
            if let Some(Value::String(name)) = name {
                fields.insert(name, value.unwrap_or_default());
            }
            let is_followed = rest.take(',').is_some();
            if rest.take('}').is_some() {
                break;
            }
            is_followed.then_some(())?;
        }
    }
    Some(fields)
}

/// Parses a single value. A string with lone surrogates or control characters is parsed without those.
fn read(text: &str) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) if text.starts_with('"') => {
            let fixed = Zeroizing::new(without_lone_surrogates(text));
            serde_json::from_str(&fixed).ok()
        }
        Err(_) => None,
    }
}

fn without_lone_surrogates(text: &str) -> String {
    let mut fixed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|it: char| it == '\\' || it < ' ') {
        let (plain, escape) = rest.split_at(at);
        fixed.push_str(plain);
        let unit = |escape: &str| {
            let digits = escape.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let second = || escape.get(6..).and_then(unit);
        let length = match (unit(escape), second()) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                fixed.push('\u{fffd}');
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) if escape.starts_with('\\') => {
                1 + escape[1..].chars().next().map_or(0, char::len_utf8)
            }
            (None, _) => {
                rest = &escape[1..];
                continue;
            }
        };
        fixed.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    fixed + rest
}

/// Finds the end of a value without parsing it. Not recursive, so the depth of a value does not matter.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, character: char) -> Option<()> {
        self.skip_space();
        self.0 = self.0.strip_prefix(character)?;
        Some(())
    }

    fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let mut depth = 0_usize;
        let mut in_string = false;
        let mut is_escaped = false;
        let mut end = None;
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => {
                    in_string = !in_string;
                    if !in_string && depth == 0 {
                        end = Some(at + 1);
                        break;
                    }
                }
                _ if in_string => {}
                b'[' | b'{' => depth += 1,
                b']' | b'}' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        end = Some(at + 1);
                        break;
                    }
                }
                b']' | b'}' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let (value, rest) = self.0.split_at(end?);
        self.0 = rest;
        (!value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn token(body: &[u8]) -> Option<Value> {
        object(body)?.get("t").cloned()
    }

    #[test]
    fn a_field_that_cannot_be_read_leaves_the_others_alone() {
        let deep = format!(r#"{{"t":"x","d":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        for body in [
            &b"{\"t\":\"x\",\"expires_in\":1e400}"[..],
            b"{\"expires_in\":-1E999,\"t\":\"x\"}",
            b"{\"t\":\"x\",\"n\":NaN,\"m\":Infinity,\"o\":None}",
            b"{\"t\":\"x\",\"n\":00012,\"m\":.5,\"h\":0x10}",
            b"{\"t\":\"x\",\"user\":{\"name\":\"\xff\xfe\"}}",
            b"{\"t\":\"x\",\"user\":{\"name\":\"\\ud83d\"}}",
            b"{\"user\":{\"name\":\"\\udc00 \\\" } , {\",\"a\":[1,{\"b\":1e999}]},\"t\":\"x\"}",
            b"{\"t\":\"x\",\"n\":\"a\nb\"}",
            b"{\"t\":\"x\",\"n\":\"\\x\"}",
            b"{\"t\":\"x\",\"\\ud800\":1}",
            b"\xef\xbb\xbf{\"t\":\"x\"}",
            b"\xef\xbb\xbf \r\n{\"t\":\"x\",\"e\":1e400} \n",
            b"{ \"t\" : \"y\" , \"e\" : 1e400 , \"t\" : \"x\" }",
            deep.as_bytes(),
            b"{\"t\":\"x\",\"e\":1e400}}",
            b"{\"t\":\"x\"}<!-- served by web1 -->",
            b"{\"t\":\"x\"}{\"t\":\"y\"}",
            b"{\"t\":\"x\"}\0",
            b"{\"t\":\"x\",}",
            b"\xef\xbb\xbf\xef\xbb\xbf{\"t\":\"x\"}",
            b")]}',\n{\"t\":\"x\"}",
            b"/* api */ {\"t\":\"x\"}",
            b"\xff\xfe{\0\"\0t\0\"\0:\0\"\0x\0\"\0}\0",
            b"\0{\0\"\0t\0\"\0:\0\"\0x\0\"\0}",
        ] {
            let shown = body.escape_ascii();
            assert_eq!(token(body), Some(json!("x")), "{shown}");
        }
    }

    #[test]
    fn a_string_keeps_what_can_be_read_of_it() {
        let of = |text: &str| token(format!(r#"{{"t":{text},"e":1e400}}"#).as_bytes());
        assert_eq!(
            of(r#""a\ud83db\udc00c""#),
            Some(json!("a\u{fffd}b\u{fffd}c"))
        );
        assert_eq!(of(r#""\ud83d\ude00\ud83d""#), Some(json!("😀\u{fffd}")));
        assert_eq!(of(r#""a\\ud800""#), Some(json!(r"a\ud800")));
        assert_eq!(of("\"a\u{1}b\""), Some(json!("ab")));
        assert_eq!(of("1e400"), Some(Value::Null));
    }

    #[test]
    fn a_body_that_is_not_a_complete_object_is_none() {
        for body in [
            &b""[..],
            b"{",
            b"[]",
            b"null",
            b"<html>",
            b"<script>{\"t\":\"x\"}</script>",
            b"[{\"t\":\"x\"}]",
            b"[{\"t\":\"x\"}",
            b"\"{\\\"t\\\":\\\"x\\\"}",
            b"{\"t\":\"x\",,}",
            b"{,}",
            b"{\"t\":\"x\"",
            b"{\"t\":\"x\",\"e\":1e400",
            b"{\"t\":\"x\" \"e\":1e400}",
            b"{\"t\":\"x\",\"e\":[1e400}",
            b"{\"t\":\"x\",\"e\":\"1e400}",
            b"{\"t\":\"x\",\"e\":}",
            b"{t:\"x\",\"e\":1e400",
        ] {
            assert_eq!(object(body), None, "{}", body.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_the_strict_parser_reads_is_read_in_the_same_way(body in r#"\{("[a-z\\u0-9]{0,8}":([0-9e.-]{1,6}|"[^"\\]{0,6}"|\[[0-9,]{0,4}\]|null),?){0,4}\}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&body) {
                prop_assert_eq!(fields(body.as_bytes()).map(Value::Object), Some(value));
            }
        }

        #[test]
        fn no_body_makes_a_panic(body in prop::collection::vec(any::<u8>(), 0..80), text in "\\PC{0,40}") {
            drop((object(&body), object(text.as_bytes())));
            drop(object(format!("{{\"a\":\"{text}\",\"b\":{text}}}").as_bytes()));
        }
    }
}
