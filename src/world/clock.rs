//! Two clocks: the time of day for expiry, and one that only goes forward for waiting.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// Milliseconds since the Unix epoch, as the official CLI stores them.
///
/// Seconds exist only on the git wire and in OAuth answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub(crate) fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// From an HTTP `Date` (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub(crate) fn from_http_date(text: &str) -> Option<Timestamp> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        Some(Timestamp(time.as_millisecond()))
    }

    /// From a time of RFC 3339.
    pub(crate) fn from_rfc3339(text: &str) -> Option<Timestamp> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp(time.as_millisecond()))
    }

    /// Milliseconds since the epoch.
    pub(crate) fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub(crate) fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Later by a span; saturates.
    pub(crate) fn after(self, span: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long until then; zero when `then` is not later.
    pub(crate) fn until(self, then: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(then.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with seconds: `2024-12-31T23:59:59Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.seconds()) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("never"),
        }
    }
}

/// As it is printed.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Measures time and waits.
pub(crate) trait Clock {
    /// The time of day; may jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment. Never jumps, and continues while the machine is suspended.
    fn uptime(&self) -> Duration;

    /// Waits.
    fn sleep(&self, span: Duration);
}

/// The machine's clocks.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        })
    }

    fn uptime(&self) -> Duration {
        crate::platform::clock::uptime()
    }

    fn sleep(&self, span: Duration) {
        std::thread::sleep(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down() {
        assert_eq!(Timestamp(1_797_905_611_643).seconds(), 1_797_905_611);
        assert_eq!(Timestamp(-1).seconds(), -1);
    }

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(
            Timestamp(1_735_689_599_999).to_string(),
            "2024-12-31T23:59:59Z"
        );
    }

    #[test]
    fn reads_the_date_of_http() {
        let date = Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date, Some(Timestamp(784_111_777_000)));
        assert_eq!(Timestamp::from_http_date("yesterday"), None);
    }

    #[test]
    fn spans_saturate() {
        assert_eq!(Timestamp(5).until(Timestamp(3)), Duration::ZERO);
        assert_eq!(Timestamp(5).after(Duration::MAX).millis(), i64::MAX);
    }
}
