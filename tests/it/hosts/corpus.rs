//! Parses `tests/corpus/hosts.txt`, whose header describes the format.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

const FILE: &str = include_str!("../../corpus/hosts.txt");

/// One line.
#[derive(Debug)]
pub struct Line {
    /// In the file, from 1.
    pub number: usize,
    pub class: &'static str,
    pub kind: Kind,
    pub host: Answer,
    pub url: Answer,
    pub docker: Answer,
    pub setting: Answer,
    /// With the ports in it, unescaped.
    pub text: Vec<u8>,
    /// As it stands in the file.
    pub written: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `host[:port]` under this scheme.
    Host(&'static str),
    Url,
    Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The token of the session of this name.
    Token(&'static str),
    Nothing,
    Refused,
    /// Cannot be put that way.
    Untold,
}

/// All lines, with these ports in them.
pub fn lines(sentry: u16, trap: u16) -> Vec<Line> {
    let told = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
    let ports = |text: &str| {
        text.replace("{sentry}", &sentry.to_string())
            .replace("{trap}", &trap.to_string())
    };
    (1..)
        .zip(FILE.lines())
        .filter(told)
        .map(|(number, line)| {
            let mut rest = line;
            let mut word = || {
                let (word, behind) = rest.split_once(' ').expect("seven columns");
                rest = behind.trim_start();
                word
            };
            let class = word();
            let kind = match word() {
                "url" => Kind::Url,
                "request" => Kind::Request,
                scheme @ ("https" | "http") => Kind::Host(scheme),
                other => panic!("line {number}: no kind: {other}"),
            };
            let [host, url, docker, setting] =
                [word(), word(), word(), word()].map(|word| match word {
                    "-" => Answer::Nothing,
                    "!" => Answer::Refused,
                    "." => Answer::Untold,
                    name => Answer::Token(name),
                });
            Line {
                number,
                class,
                kind,
                host,
                url,
                docker,
                setting,
                text: unescaped(&ports(rest)),
                written: rest,
            }
        })
        .collect()
}

impl Line {
    /// All four answers.
    pub fn answers(&self) -> [Answer; 4] {
        [self.host, self.url, self.docker, self.setting]
    }

    /// The text between `before` and `behind`.
    pub fn within(&self, before: &str, behind: &str) -> Vec<u8> {
        [before.as_bytes(), &self.text, behind.as_bytes()].concat()
    }

    /// The text as a URL; `None` for a request.
    pub fn as_url(&self) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Host(scheme) => Some(self.within(&format!("{scheme}://"), "/")),
            Kind::Url => Some(self.text.clone()),
            Kind::Request => None,
        }
    }

    /// The request as git writes it.
    pub fn as_request(&self) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Host(scheme) => Some(self.within(&format!("protocol={scheme}\nhost="), "\n\n")),
            Kind::Url => None,
            Kind::Request => Some(self.text.clone()),
        }
    }

    /// The names that docker may use for the server.
    pub fn as_servers(&self) -> Vec<Vec<u8>> {
        let mut servers = self.as_settings();
        match self.kind {
            Kind::Host("https") => {
                servers.push(self.within("https://", "/v1/"));
                servers.push(self.within("//", ""));
            }
            Kind::Host(scheme) => servers.push(self.within(&format!("{scheme}://"), "/v1/")),
            Kind::Url | Kind::Request => {}
        }
        servers
    }

    /// The names that a user may type for the instance.
    pub fn as_settings(&self) -> Vec<Vec<u8>> {
        match self.kind {
            Kind::Host("https") => vec![self.text.clone(), self.within("https://", "")],
            Kind::Host(scheme) => vec![self.within(&format!("{scheme}://"), "")],
            Kind::Url => vec![self.text.clone()],
            Kind::Request => vec![],
        }
    }
}

pub fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_owned())
}

fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let (length, number) = match escape.as_bytes()[0] {
            b'x' => (3, &escape[1..3]),
            b'u' => {
                let end = escape.find('}').expect("\\u{…}");
                (end + 1, &escape[2..end])
            }
            _ => (1, ""),
        };
        let number = u32::from_str_radix(number, 16).unwrap_or(0);
        match escape.as_bytes()[0] {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b's' => bytes.push(b' '),
            b'\\' => bytes.push(b'\\'),
            b'x' => bytes.push(number.try_into().expect("a byte")),
            b'u' => {
                let character = char::from_u32(number).expect("a character");
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => panic!("no escape: \\{}", char::from(other)),
        }
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[test]
fn escapes_are_read() {
    assert_eq!(
        unescaped(r"a\\n\n\x00\xff\s\u{ad}\tz"),
        b"a\\n\n\0\xff \xc2\xad\tz"
    );
}
