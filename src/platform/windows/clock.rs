//! A clock for waiting.

use std::time::Duration;

use windows_sys::Win32::System::SystemInformation::GetTickCount64;

/// Returns the time since the system started, in steps of about 15 ms. Never jumps; counts suspended time.
#[allow(unsafe_code, reason = "a call of the system")]
pub(crate) fn uptime() -> Duration {
    // SAFETY: has no conditions.
    Duration::from_millis(unsafe { GetTickCount64() })
}
