//! Unix: one implementation, and a file each for what differs between Unix systems.
//!
//! `linux.rs`, `apple.rs` and `other.rs` define the same functions; two of them share `beyond_posix.rs`, `not_apple.rs` or
//! `not_linux.rs`.

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod inheritance;
mod input;
pub(crate) mod process;
pub(crate) mod shell;
pub(crate) mod signals;
pub(crate) mod streams;
pub(crate) mod terminal;

#[cfg(all(any(target_os = "linux", target_vendor = "apple"), not(portable)))]
mod beyond_posix;
#[cfg(all(target_os = "linux", not(portable)))]
mod linux;
#[cfg(any(not(target_vendor = "apple"), portable))]
mod not_apple;
#[cfg(any(not(target_os = "linux"), portable))]
mod not_linux;
#[cfg(all(target_os = "linux", not(portable)))]
use linux as system;

#[cfg(all(target_vendor = "apple", not(portable)))]
mod access_list;
#[cfg(all(target_vendor = "apple", not(portable)))]
mod apple;
#[cfg(all(target_vendor = "apple", not(portable)))]
use apple as system;
#[cfg(any(all(target_vendor = "apple", not(portable)), test))]
mod developer_tools;
#[cfg(any(all(target_vendor = "apple", not(portable)), test))]
mod procargs;
#[cfg(any(all(target_vendor = "apple", not(portable)), test))]
mod signature;

#[cfg(any(not(any(target_os = "linux", target_vendor = "apple")), portable))]
mod other;
#[cfg(any(not(any(target_os = "linux", target_vendor = "apple")), portable))]
use other as system;
