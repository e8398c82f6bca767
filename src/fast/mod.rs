//! What makes a cached `get` fast, and nothing else depends on: the allocator, and the test for an idle database, which can
//! be read without locks.
//!
//! Separate from the rest because both give up something general for time. In a build without the feature `fast`, and
//! with `SENTRY_CREDENTIAL_FAST=off`, the programs do the same, more slowly. `docs/performance.md` has the figures, and what
//! the two rely on.
//!
//! Rules: imports only [`crate::platform`]; no other file asks for the feature.

// The address sanitizer finds a use after free only in blocks of the system's allocator.
#[cfg(all(feature = "fast", not(fuzzing)))]
mod arena;
mod idle;
#[cfg(feature = "fast")]
mod sqlite;

pub(crate) use idle::IdleFile;

/// Whether the build has the feature.
pub(crate) const IN_BUILD: bool = cfg!(feature = "fast");

/// Gives the allocator to SQLite too, or leaves both SQLite and this program to the system's. Runs before SQLite is used.
pub(crate) fn set_up(is_on: bool) {
    match is_on {
        #[cfg(feature = "fast")]
        true => sqlite::share_allocator(),
        #[cfg(all(feature = "fast", not(fuzzing)))]
        false => arena::turn_off(),
        #[cfg(any(not(feature = "fast"), fuzzing))]
        _ => {}
    }
}
