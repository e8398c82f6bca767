//! How a span of time is typed: `90s`, `10m`, `1h30m`, as for timeout(1) and Go's programs.
//!
//! Separate from the command line itself because it is a grammar of its own.

use std::time::Duration;

/// Longest accepted span: no server is known to promise that a token lives longer.
const LONGEST: u64 = 10 * 365 * 86_400;

/// Reads numbers with a unit each (`s`, `m`, `h`, `d`), larger units first; a number alone counts seconds.
///
/// # Errors
/// A sentence that says what a span looks like.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a span looks like `90s`, `10m`, `1h30m` or `7d`".to_owned();
    if let Some(seconds) = digits(text) {
        return limited(Some(seconds)).ok_or_else(wrong);
    }
    let (mut total, mut smallest, mut rest) = (0_u64, u64::MAX, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let unit = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count = digits(&rest[..end]).filter(|_| unit < smallest);
        let span = count.and_then(|count| count.checked_mul(unit));
        let sum = span.and_then(|span| span.checked_add(total));
        total = sum.ok_or_else(wrong)?;
        (smallest, rest) = (unit, &rest[end + 1..]);
    }
    limited((!text.is_empty()).then_some(total)).ok_or_else(wrong)
}

fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn limited(seconds: Option<u64>) -> Option<Duration> {
    seconds
        .filter(|seconds| *seconds <= LONGEST)
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_has_units_and_the_larger_ones_come_first() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("90", Some(90)),
            ("10m", Some(600)),
            ("1h", Some(3_600)),
            ("1h30m", Some(5_400)),
            ("1d1h1m1s", Some(90_061)),
            ("0s", Some(0)),
            ("3650d", Some(LONGEST)),
            ("3651d", None),
            ("", None),
            ("s", None),
            ("1h90", None),
            ("30m1h", None),
            ("1m1m", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            (" 1s", None),
            ("1 s", None),
            ("1S", None),
            ("1ms", None),
            ("1µs", None),
            ("١s", None),
            ("99999999999999999999", None),
            ("18446744073709551615d", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text in "[0-9smhd\\PC]{0,24}") {
            drop(duration(&text));
        }
    }
}
