//! Windows, by the Win32 API.
//!
//! Tested under Wine, which knows neither real access lists nor the console of Git for Windows; see `docs/platforms.md`.

mod access;
pub(crate) mod clock;
mod commands;
pub(crate) mod files;
mod handle;
pub(crate) mod inheritance;
pub(crate) mod process;
pub(crate) mod shell;
pub(crate) mod signals;
pub(crate) mod streams;
pub(crate) mod terminal;
