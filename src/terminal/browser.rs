//! Opens the person's browser, without handing it anything but an address.
//!
//! The address comes from a server, so the program is found by absolute path, gets it as one argument, and no shell sees
//! it. The program outlives us: it must not keep git's pipes open, nor find our tokens in its environment.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::world::World;

/// Whether a browser may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browser {
    /// Where there is one.
    Open,
    /// `--no-browser`.
    Never,
}

#[cfg(target_os = "macos")]
const OPENERS: &[&str] = &["open"];
#[cfg(not(target_os = "macos"))]
const OPENERS: &[&str] = &["xdg-open", "wslview", "sensible-browser", "x-www-browser"];

/// Opens an address that [`crate::device`] checked and wrote anew; tells whether a program was started.
pub fn open_browser(world: &World, wish: Browser, url: &str) -> bool {
    let Some(opener) = opener(world, wish) else {
        return false;
    };
    let mut command = Command::new(opener);
    command
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for name in world.variables_with_prefix("SENTRY_") {
        command.env_remove(name);
    }
    detach(&mut command);
    command.spawn().is_ok()
}

fn opener(world: &World, wish: Browser) -> Option<PathBuf> {
    let remote = world
        .variable("SSH_CONNECTION")
        .or(world.variable("SSH_TTY"))
        .is_some();
    let display = cfg!(target_os = "macos")
        || world
            .variable("DISPLAY")
            .or(world.variable("WAYLAND_DISPLAY"))
            .is_some();
    if wish == Browser::Never || remote || !display {
        return None;
    }
    match world.variable("BROWSER") {
        Some(chosen) => {
            Some(PathBuf::from(chosen)).filter(|program| program.is_absolute() && program.is_file())
        }
        None => OPENERS.iter().find_map(|name| world.program(name)),
    }
}

#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "a session of its own can only be begun between fork and exec; setsid is async-signal-safe"
)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    crate::world::keep_descriptors();
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into));
    }
}

#[cfg(not(unix))]
fn detach(_command: &mut Command) {}
