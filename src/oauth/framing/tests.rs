//! Answers in odd heads and framings, and what becomes of them.

use super::*;
use proptest::prelude::*;

const BODY: &str = "{\"a\":1}";
const EXPECTED: &str = "7\r\n{\"a\":1}\r\n0\r\n\r\n";

/// What an answer becomes that arrives at once and ends the connection.
fn reframed(peer: Peer, answer: &[u8]) -> Result<Vec<u8>, HeadTooLong> {
    let mut reframer = Reframer::new(peer);
    let mut out = Vec::new();
    reframer.feed(answer, &mut out)?;
    reframer.end(&mut out);
    Ok(out)
}

fn text(answer: &[u8]) -> String {
    String::from_utf8(reframed(Peer::Server, answer).unwrap()).unwrap()
}

fn head(fields: &str) -> String {
    format!("HTTP/1.1 200\r\n{fields}transfer-encoding: chunked\r\n\r\n{EXPECTED}")
}

#[test]
fn only_the_fields_that_are_read_are_passed_on() {
    let many: String = (0..2000).map(|n| format!("X-{n}: y\r\n")).collect();
    for fields in [
        "Content-Length: 7\r\nServer: x\r\nSet-Cookie: a\r\n",
        "Content-Length:\r\n 7\r\n",
        "X: a\r\n b\r\n\tc\r\nContent-Length: 7\r\n",
        "X : y\r\nContent-Length : 7\r\n",
        "no colon\r\n: no name\r\n@(): odd\r\nContent-Length:7\r\n",
        "X: \u{1}\u{7f}\0\rb\r\r\nContent-Length: 7\r\n",
        "Content-Length: +7\r\nX\u{e9}: \u{e9}\r\n",
        "Content-Length: 007, 7\r\nContent-Length: 7\r\n",
        "Content-Length: 7x\r\n",
        "Content-Length: seven\r\n",
        "Content-Length: -7\r\n",
        "Content-Length: 5\r\nContent-Length: 500\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: identity\r\n",
        "",
        &many,
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{BODY}");
        assert_eq!(text(answer.as_bytes()), head(""), "{fields:.60}");
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\ndate : today\r\nRETRY-AFTER:7\r\nContent-Type: a\r\n b\r\n\
         Retry-After: \u{e9}\r\n\r\n{BODY}"
    );
    let kept = "date: today\r\nretry-after: 7\r\ncontent-type: a b\r\n";
    assert_eq!(text(answer.as_bytes()), head(kept));
}

#[test]
fn a_status_line_has_a_version_and_a_status_in_any_spacing() {
    for line in [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200",
        "HTTP/1.0  200  OK",
        "HTTP/1.1\t200\tOK",
        "http/1.1 200 O\u{1}K",
        "HTTP/2 200",
        "HTTP/1 200 \u{e9}",
        "\r\n\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK",
    ] {
        let answer = format!("{line}\r\n\r\n{BODY}");
        assert_eq!(text(answer.as_bytes()), head(""), "{line}");
    }
    for line in [
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1200 OK",
        "HTTP/ 200 OK",
        "HTTPS/1.1 200 OK",
        "SSH-2.0-OpenSSH",
        "\u{15}\u{3}\u{1}",
        "H",
    ] {
        let answer = format!("{line}\r\nX: y\r\n\r\n{BODY}");
        assert_eq!(text(answer.as_bytes()), answer, "{line}");
        assert_eq!(text(line.as_bytes()), line, "{line}");
    }
}

#[test]
fn chunks_end_where_they_say() {
    let chunked = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n";
    for body in [
        "7\r\n{\"a\":1}\r\n0\r\n\r\n",
        "07;a=b\r\n{\"a\":1}\r\n00;a=\"b\"\r\nX: y\r\n\r\n",
        " 7 \n{\"a\":1}\n0\n\n",
        &format!("7;{}\r\n{{\"a\":1}}\r\n0\r\n", "x".repeat(9000)),
        "7\r\n{\"a\":1}\r\n0\r\n\r\nmore",
    ] {
        let answer = format!("{chunked}{body}");
        assert_eq!(text(answer.as_bytes()), head(""), "{body:.60}");
    }
    // The end is missing, and stays so.
    let cut = format!("{chunked}ff\r\n{BODY}");
    assert!(text(cut.as_bytes()).ends_with("\r\n\r\n7\r\n{\"a\":1}\r\n"));
    let junk = format!("{chunked}junk\r\n{BODY}");
    assert!(text(junk.as_bytes()).ends_with("\r\n\r\njunk\r\n{\"a\":1}"));
}

#[test]
fn an_answer_without_a_body_has_none_and_a_tunnel_is_left_alone() {
    let empty = "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert_eq!(text(empty.as_bytes()), "HTTP/1.1 204\r\n\r\n");
    let mut reframer = Reframer::new(Peer::Server);
    let mut out = Vec::new();
    let nothing = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(reframer.feed(nothing, &mut out), Ok(()));
    assert!(reframer.is_ended() && out.ends_with(b"\r\n\r\n0\r\n\r\n"));
    let consent = b"HTTP/1.0 200 established\r\nX: a\r\n b\r\n\r\n\x16\x03\x01\n\0";
    let tunnel = reframed(Peer::Proxy, consent).unwrap();
    assert_eq!(tunnel, b"HTTP/1.1 200\r\n\r\n\x16\x03\x01\n\0");
    let other = b"HTTP/1.1 204 No Content\r\n\r\n\x16";
    let other = reframed(Peer::Proxy, other).unwrap();
    assert_eq!(other, b"HTTP/1.1 200\r\n\r\n\x16");
    let refusal = b"HTTP/1.0 407 Who\r\nContent-Length: 0\r\n\r\n";
    let refusal = reframed(Peer::Proxy, refusal).unwrap();
    assert!(refusal.starts_with(b"HTTP/1.1 407\r\n"));
}

#[test]
fn a_head_has_an_end() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
    assert_eq!(reframed(Peer::Server, long.as_bytes()), Err(HeadTooLong));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000);
    assert_eq!(reframed(Peer::Server, interim.as_bytes()), Err(HeadTooLong));
}

proptest! {
    #[test]
    fn the_pieces_in_which_an_answer_arrives_do_not_matter(
        fields in "((Content-Length: [0-9]|X: y| z|Transfer-Encoding: chunked|[a:,;\t]{0,4})\r?\n){0,4}",
        body in "([0-9a-f]{1,2};?\r?\n?[{}a]{0,9}\r?\n){0,4}",
        at in 0..200_usize,
    ) {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}").into_bytes();
        let (first, second) = answer.split_at(at.min(answer.len()));
        let mut reframer = Reframer::new(Peer::Server);
        let mut out = Vec::new();
        prop_assert!(reframer.feed(first, &mut out).is_ok());
        prop_assert!(reframer.feed(second, &mut out).is_ok());
        reframer.end(&mut out);
        let decoded = |mut rest: &[u8]| {
            let mut body = Vec::new();
            while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
                let Some(size) = chunk_size(&rest[..end]) else { break };
                let size = usize::try_from(size).unwrap();
                let Some(chunk) = rest.get(end + 2..end + 2 + size) else { break };
                body.extend_from_slice(chunk);
                rest = rest.get(end + 4 + size..).unwrap_or_default();
            }
            (body, rest.to_vec())
        };
        let whole = reframed(Peer::Server, &answer).unwrap();
        let head = |it: &[u8]| it.windows(4).position(|it| it == b"\r\n\r\n").map(|end| end + 4);
        let (one, other) = (head(&out), head(&whole));
        prop_assert_eq!(one, other);
        if let Some(head) = one {
            prop_assert_eq!(&out[..head], &whole[..head]);
            prop_assert_eq!(decoded(&out[head..]), decoded(&whole[head..]));
        }
    }

    #[test]
    fn no_answer_makes_a_panic(answer in prop::collection::vec(any::<u8>(), 0..200)) {
        let answer = [b"HTTP/1.1 200 OK\r\n", answer.as_slice()].concat();
        drop((reframed(Peer::Server, &answer), reframed(Peer::Proxy, &answer)));
    }
}
