//! A clock for waiting.

use std::time::Duration;

use rustix::time::clock_gettime;

use super::system;

/// Returns the time since a fixed moment. Never jumps; counts suspended time.
pub(crate) fn uptime() -> Duration {
    let now = clock_gettime(system::UPTIME);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds)
}
