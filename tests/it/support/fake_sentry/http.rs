//! One HTTP/1.1 request and one answer as bytes on a connection; every connection carries exactly one exchange.
//!
//! Separate from the rules so that these never see a socket. Understands what the clients under test
//! send (`Content-Length`, form encoding) and nothing else: a chunked body is refused loudly.

use serde_json::Value;
use std::io::{self, BufRead, Read, Write};
use std::time::Instant;

/// A client's request, as the server read it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    pub authorization: Option<String>,
    /// The decoded fields of a form-encoded body; empty for any other content type, as in Django.
    pub form: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    pub headers: Vec<(String, String)>,
    /// When the request had arrived whole.
    pub at: Instant,
}

impl Request {
    /// The first form field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    pub(super) fn read(connection: &mut impl BufRead) -> io::Result<Self> {
        let first = line(connection)?;
        let mut words = first.split(' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut headers = Vec::new();
        loop {
            let line = line(connection)?;
            match line.split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            authorization: None,
            form: Vec::new(),
            body: Vec::new(),
            headers,
            at: Instant::now(),
        };
        assert!(
            request.header("transfer-encoding").is_none(),
            "the fake Sentry reads no chunked bodies"
        );
        let length = request
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        if request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        {
            request.form = decode_form(&body);
        }
        request.body = body;
        request.authorization = request.header("authorization").map(str::to_owned);
        request.at = Instant::now();
        Ok(request)
    }
}

/// The server's answer; `Content-Length` and `Connection: close` are added when it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
        .header("Content-Type", content_type)
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An OAuth error: `{"error": …}`.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn send(&self, mut connection: impl Write) -> io::Result<()> {
        connection.write_all(&self.head())?;
        connection.write_all(&self.body)
    }

    /// Announces the whole body and sends half of it.
    pub(super) fn send_half(&self, mut connection: impl Write) -> io::Result<()> {
        connection.write_all(&self.head())?;
        connection.write_all(&self.body[..self.body.len() / 2])
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Fake\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.status != 204 {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "Connection: close\r\n\r\n";
        head.into_bytes()
    }
}

fn line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if connection.take(64 * 1024).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn decode_form(body: &[u8]) -> Vec<(String, String)> {
    body.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let mut half = || percent_decode(halves.next().unwrap_or_default());
            (half(), half())
        })
        .collect()
}

fn percent_decode(text: &[u8]) -> String {
    let text = text.split(|&byte| byte == b'+').collect::<Vec<_>>();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&text.join(&b' ')).collect();
    String::from_utf8(bytes).expect("a form field is UTF-8")
}
