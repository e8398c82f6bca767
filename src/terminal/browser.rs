//! Opens the user's browser with an address.
//!
//! The address comes from a server, so a program is found by absolute path, gets it as one argument, and no shell sees it.
//! The program outlives us: it must not keep git's pipes open, nor find our tokens in its environment.
//!
//! `BROWSER` is read as by xdg-open(1): programs separated by `:` (on Windows `;`), tried in turn, each with the address behind it or in
//! place of `%s`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::platform::process;
use crate::world::{World, is_of_process};

/// Whether a browser may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    /// Where there is one.
    Open,
    /// `--no-browser`.
    Never,
}

/// In Windows' Linux, xdg-open knows no browser of the Windows around it.
const OPENERS_IN_WSL: &[&str] = &["wslview", "xdg-open"];

/// How soon an opener fails if it cannot open the address.
const FAILS_WITHIN: Duration = Duration::from_secs(1);

/// Opens an address that [`crate::device`] validated and rebuilt; returns whether a program was started and has not
/// failed within a second.
pub(crate) fn open_browser(world: &World, wish: Browser, url: &str) -> bool {
    if wish == Browser::Never {
        return false;
    }
    if world.variable("BROWSER").is_none()
        && !is_remote(world)
        && let Some(opened) = process::open_url(url)
    {
        return opened;
    }
    let mut openers = openers(world, url).into_iter();
    openers.any(|opener| opens(world, opener))
}

/// Whether the user sits at another machine.
fn is_remote(world: &World) -> bool {
    let names = ["SSH_CONNECTION", "SSH_TTY"];
    names.iter().any(|name| world.variable(name).is_some())
}

/// A program and its arguments.
type Opener = (PathBuf, Vec<String>);

fn openers(world: &World, url: &str) -> Vec<Opener> {
    if let Some(chosen) = world.variable("BROWSER") {
        // An explicit choice counts over SSH and without a local display too.
        return chosen
            .split(process::LIST_SEPARATOR)
            .filter_map(|entry| chosen_opener(world, entry, url))
            .collect();
    }
    let is_set = |name: &str| world.variable(name).is_some();
    let is_wsl = is_set("WSL_DISTRO_NAME") || is_set("WSL_INTEROP");
    let has_display = process::HAS_DISPLAY || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    if is_remote(world) || !(has_display || is_wsl) {
        return Vec::new();
    }
    let names = if is_wsl {
        OPENERS_IN_WSL
    } else {
        process::OPENERS
    };
    let found = names.iter().filter_map(|name| world.program(name));
    found
        .map(|program| (program, vec![url.to_owned()]))
        .collect()
}

/// One entry of `BROWSER`: words separated by spaces where `%s` stands in it, else a program.
fn chosen_opener(world: &World, entry: &str, url: &str) -> Option<Opener> {
    let mut words = match entry.contains("%s") {
        true => entry.split_whitespace().collect(),
        false => vec![entry.trim(), "%s"],
    }
    .into_iter();
    let name = words.next()?;
    let program = match Path::new(name).is_absolute() {
        true => {
            Some(PathBuf::from(name)).filter(|program| program.is_file() && !is_of_process(program))
        }
        // Never relative to the current directory.
        false if name.contains('/') => None,
        false => world.program(name),
    };
    let arguments = words.map(|word| word.replace("%s", url)).collect();
    Some((program?, arguments))
}

fn opens(world: &World, (program, arguments): Opener) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for name in world.variables_with_prefix("SENTRY_") {
        command.env_remove(name);
    }
    process::detach(&mut command);
    match command.spawn() {
        Ok(child) => !fails_soon(world, child),
        Err(_) => false,
    }
}

/// Whether a program fails at once. A browser that was not running before keeps running.
fn fails_soon(world: &World, mut child: Child) -> bool {
    let clock = world.clock();
    let deadline = clock.uptime() + FAILS_WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return !status.success(),
            Ok(None) if clock.uptime() < deadline => clock.sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::world::SystemClock;

    const URL: &str = "https://sentry.io/x?y=z";

    /// What would be tried, one per line.
    fn tried(variables: &[(&str, &str)]) -> String {
        let path = [("PATH", "/usr/bin:/bin")];
        let world = World::of(&[&path, variables].concat(), Rc::new(SystemClock));
        let lines = openers(&world, URL).into_iter().map(|(program, words)| {
            let name = program.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(program.is_absolute(), "{program:?}");
            [vec![name], words].concat().join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    // The programs are those of Unix.
    #[cfg(unix)]
    #[test]
    fn a_chosen_browser_is_read_as_by_xdg_open() {
        for (chosen, expected) in [
            ("true", format!("true {URL}")),
            ("/bin/true", format!("true {URL}")),
            ("cat:/bin/true", format!("cat {URL}\ntrue {URL}")),
            ("cat --new %s", format!("cat --new {URL}")),
            ("cat --url=%s -x", format!("cat --url={URL} -x")),
            (
                "no-such-program:/no/such:./true:bin/true:: :/proc/self/root/bin/true:true",
                format!("true {URL}"),
            ),
            // Words only where there is a place for the address, as a name may have spaces.
            ("cat --new", String::new()),
            ("%s", String::new()),
            ("no-such-program", String::new()),
        ] {
            assert_eq!(tried(&[("BROWSER", chosen)]), expected, "{chosen}");
            let ssh = [("BROWSER", chosen), ("SSH_CONNECTION", "x")];
            assert_eq!(tried(&ssh), expected, "{chosen}");
        }
    }

    #[test]
    fn nothing_is_opened_without_a_display() {
        assert_eq!(tried(&[]), "");
        assert_eq!(tried(&[("DISPLAY", ":0"), ("SSH_TTY", "/dev/pts/1")]), "");
        let wsl = ("WSL_DISTRO_NAME", "Debian");
        assert_eq!(tried(&[wsl, ("SSH_CONNECTION", "x")]), "");
    }
}
