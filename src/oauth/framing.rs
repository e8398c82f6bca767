//! Reads the head and the framing of an answer, and writes both anew in the form that ureq reads.
//!
//! Separate from [`super::reframe`], which applies it to a connection, because it is a function of bytes. The answer to
//! a refresh is the only copy of the new tokens, and ureq refuses a whole answer for a part that has nothing to do with
//! them: folded fields, a field without a name, more than 128 fields, fields in a `100 Continue`, a length that is no
//! number. What curl(1) reads is read here.
//!
//! Rules:
//! - Only the fields in [`KEPT`] are passed on; the body is passed on in chunks, so that its end is always marked.
//! - An answer that ends too early is passed on without that mark.
//! - What is not HTTP is passed on unchanged: ureq explains it.
//!
//! RFC 9112.

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

/// The fields that [`super::http`] reads.
const KEPT: [&str; 4] = ["content-encoding", "content-type", "date", "retry-after"];

/// Longest head in bytes, interim answers included; curl(1) reads 300 KiB.
pub(super) const MAX_HEAD: usize = 384 * 1024;

/// Longest line with the size of a chunk, extensions included.
const MAX_CHUNK_LINE: usize = 16 * 1024;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Server,
    /// A proxy that is sent `CONNECT`: after its consent the connection is the tunnel.
    Proxy,
}

/// The head is longer than [`MAX_HEAD`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeadTooLong;

/// Rewrites one answer.
pub(super) struct Reframer {
    peer: Peer,
    state: State,
    /// The current line, as far as it has arrived.
    line: Zeroizing<Vec<u8>>,
    head_length: usize,
    /// The ways to log in that a proxy offers, in lower case.
    offered: Vec<String>,
}

enum State {
    StatusLine,
    Fields(Head),
    Body(Body),
    Ended,
    /// Everything is passed on unchanged.
    Unchanged,
}

#[derive(Clone, Copy)]
enum Body {
    Counted(u64),
    ChunkSize,
    Chunk(u64),
    /// The newline after a chunk.
    ChunkEnd,
    UntilClose,
}

/// What is known of the head.
struct Head {
    status: u16,
    /// Kept fields, in order.
    fields: Vec<(&'static str, Vec<u8>)>,
    length: Option<u64>,
    has_unusable_length: bool,
    is_chunked: bool,
    offered: Vec<String>,
    /// The field that the next line may continue.
    current: Option<(String, Vec<u8>)>,
}

impl Reframer {
    pub(super) fn new(peer: Peer) -> Reframer {
        Reframer {
            peer,
            state: State::StatusLine,
            line: Zeroizing::default(),
            head_length: 0,
            offered: Vec::new(),
        }
    }

    /// The ways to log in that a proxy offers, in lower case (RFC 9110 section 11.7.1).
    pub(super) fn offered(&self) -> &[String] {
        &self.offered
    }

    /// Whether the end of the connection is the end of the answer.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::Body(Body::UntilClose))
    }

    /// Whether the answer is complete.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Appends to `out` what the bytes that arrived become.
    pub(super) fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), HeadTooLong> {
        while !input.is_empty() {
            match self.state {
                State::StatusLine | State::Fields(_) => {
                    let Some(line) = self.take_line(&mut input) else {
                        if self.is_not_http() {
                            self.pass_on(out);
                        } else if self.head_length + self.line.len() > MAX_HEAD {
                            return Err(HeadTooLong);
                        }
                        continue;
                    };
                    self.head_length += line.len();
                    if self.head_length > MAX_HEAD {
                        return Err(HeadTooLong);
                    }
                    self.head_line(&line, out);
                }
                State::Body(body) => self.body(body, &mut input, out),
                State::Ended => return Ok(()),
                State::Unchanged => {
                    out.extend_from_slice(input);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The connection has been closed.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match self.state {
            State::Body(Body::UntilClose) => self.finish(out),
            State::StatusLine => self.pass_on(out),
            _ => {}
        }
    }

    /// The next line with its newline, once it is complete.
    fn take_line(&mut self, input: &mut &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (line, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        self.line.extend_from_slice(line);
        *input = rest;
        end.map(|_| std::mem::take(&mut self.line))
    }

    /// Whether what has arrived cannot begin a status line.
    fn is_not_http(&self) -> bool {
        let begun = self.line.trim_ascii_start();
        let length = begun.len().min(5);
        matches!(self.state, State::StatusLine)
            && !begun[..length].eq_ignore_ascii_case(&b"HTTP/"[..length])
    }

    /// Passes on what has arrived, and everything after it.
    fn pass_on(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.line);
        self.line.clear();
        self.state = State::Unchanged;
    }

    fn head_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let is_continued = line.starts_with(b" ") || line.starts_with(b"\t");
        let text = line.trim_ascii();
        match &mut self.state {
            // As in curl, empty lines before the answer are skipped.
            State::StatusLine if text.is_empty() => {}
            State::StatusLine => match status(text) {
                Some(status) => self.state = State::Fields(Head::new(status)),
                None => {
                    self.line.extend_from_slice(line);
                    self.pass_on(out);
                }
            },
            State::Fields(head) if text.is_empty() && !is_continued => {
                head.end_field();
                self.offered.append(&mut head.offered);
                let (next, keeps) = head.next(self.peer);
                // RFC 9110 section 9.3.6: any 2xx opens the tunnel; ureq knows 200 only.
                if self.peer == Peer::Proxy && (200..=299).contains(&head.status) {
                    head.status = 200;
                }
                if keeps {
                    head.write(&next, out);
                }
                self.state = next;
                if matches!(self.state, State::Body(Body::Counted(0))) {
                    self.finish(out);
                }
            }
            State::Fields(head) => head.field(text, is_continued),
            _ => {}
        }
    }

    fn body(&mut self, body: Body, input: &mut &[u8], out: &mut Vec<u8>) {
        match body {
            Body::UntilClose => {
                write_chunk(input, out);
                *input = &[];
            }
            Body::Counted(left) | Body::Chunk(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let (piece, rest) = input.split_at(length);
                write_chunk(piece, out);
                *input = rest;
                let left = left - length as u64;
                match body {
                    Body::Counted(_) if left == 0 => self.finish(out),
                    Body::Counted(_) => self.state = State::Body(Body::Counted(left)),
                    _ if left == 0 => self.state = State::Body(Body::ChunkEnd),
                    _ => self.state = State::Body(Body::Chunk(left)),
                }
            }
            Body::ChunkSize | Body::ChunkEnd => {
                let Some(line) = self.take_line(input) else {
                    if self.line.len() > MAX_CHUNK_LINE {
                        self.pass_on(out);
                    }
                    return;
                };
                match (body, chunk_size(&line)) {
                    (Body::ChunkEnd, _) if line.trim_ascii().is_empty() => {
                        self.state = State::Body(Body::ChunkSize);
                    }
                    // Trailers say nothing that is read here.
                    (Body::ChunkSize, Some(0)) => self.finish(out),
                    (Body::ChunkSize, Some(size)) => self.state = State::Body(Body::Chunk(size)),
                    _ => {
                        self.line = line;
                        self.pass_on(out);
                    }
                }
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0\r\n\r\n");
        self.state = State::Ended;
    }
}

impl Head {
    fn new(status: u16) -> Head {
        Head {
            status,
            fields: Vec::new(),
            length: None,
            has_unusable_length: false,
            is_chunked: false,
            offered: Vec::new(),
            current: None,
        }
    }

    fn field(&mut self, line: &[u8], is_continued: bool) {
        if is_continued {
            // RFC 9112 section 5.2.
            if let Some((_, value)) = &mut self.current {
                value.push(b' ');
                value.extend_from_slice(line);
            }
            return;
        }
        self.end_field();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let name = String::from_utf8_lossy(line[..colon].trim_ascii()).to_ascii_lowercase();
        self.current = Some((name, line[colon + 1..].trim_ascii().to_vec()));
    }

    fn end_field(&mut self) {
        let Some((name, value)) = self.current.take() else {
            return;
        };
        match name.as_str() {
            "content-length" => match length(&value) {
                Some(found) if self.length.is_none_or(|length| length == found) => {
                    self.length = Some(found);
                }
                _ => self.has_unusable_length = true,
            },
            "transfer-encoding" => self.transfer_encoding(&value),
            "proxy-authenticate" => {
                let scheme = value.split(u8::is_ascii_whitespace).next();
                let scheme = String::from_utf8_lossy(scheme.unwrap_or_default());
                self.offered.push(scheme.to_ascii_lowercase());
            }
            _ => {
                let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
                let kept = KEPT.into_iter().find(|kept| *kept == name);
                if let Some(kept) = kept.filter(|_| value.iter().all(is_plain)) {
                    self.fields.push((kept, value));
                }
            }
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in value.split(|byte| *byte == b',') {
            match coding.trim_ascii().to_ascii_lowercase().as_slice() {
                b"chunked" => self.is_chunked = true,
                b"" | b"identity" => {}
                // Compressed, which is the content's affair from here on.
                _ => self.fields.push(("content-encoding", b"unknown".to_vec())),
            }
        }
    }

    /// What follows the head, and whether the head is passed on.
    fn next(&self, peer: Peer) -> (State, bool) {
        match self.status {
            101 => (State::Unchanged, true),
            // RFC 9110 section 15.2: an interim answer says nothing to a client that did not ask for it.
            100..=199 => (State::StatusLine, false),
            200..=299 if peer == Peer::Proxy => (State::Unchanged, true),
            204 | 304 => (State::Ended, true),
            _ if self.is_chunked => (State::Body(Body::ChunkSize), true),
            _ => match self.length {
                Some(length) if !self.has_unusable_length => {
                    (State::Body(Body::Counted(length)), true)
                }
                _ => (State::Body(Body::UntilClose), true),
            },
        }
    }

    fn write(&self, next: &State, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("HTTP/1.1 {}\r\n", self.status).as_bytes());
        for (name, value) in &self.fields {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        if matches!(next, State::Body(_)) {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The status of a status line, in whatever version and spacing.
fn status(line: &[u8]) -> Option<u16> {
    let (protocol, rest) = line.split_at_checked(5)?;
    let rest = rest.trim_ascii_start();
    let version = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let after = &rest[version..];
    let digits = after.trim_ascii_start();
    let is_status_line = protocol.eq_ignore_ascii_case(b"HTTP/")
        && version > 0
        && digits.len() < after.len()
        && !digits.get(3).is_some_and(u8::is_ascii_alphanumeric);
    let status = std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok();
    status.filter(|status| is_status_line && *status >= 100)
}

/// A length; equal ones may be listed.
fn length(value: &[u8]) -> Option<u64> {
    let mut lengths = value.split(|byte| *byte == b',').map(|one| {
        let one = one.trim_ascii();
        number(one.strip_prefix(b"+").unwrap_or(one), 10)
    });
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    number(line.trim_ascii_start(), 16)
}

/// The number that a text begins with.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    let digits = text
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    u64::from_str_radix(std::str::from_utf8(&text[..digits]).ok()?, radix).ok()
}

fn write_chunk(piece: &[u8], out: &mut Vec<u8>) {
    if piece.is_empty() {
        return;
    }
    out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
    out.extend_from_slice(piece);
    out.extend_from_slice(b"\r\n");
}
