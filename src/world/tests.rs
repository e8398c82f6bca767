//! Variables and places, as values: what the environment says, and where things are then.

use std::fs;

use super::*;
use crate::platform::files::HOME;
#[cfg(unix)]
use crate::platform::files::containers_dir;
use crate::platform::process::{LIST_SEPARATOR, VARIABLES_IGNORE_CASE};
use crate::testing::Machine;

#[test]
fn blank_is_unset_and_what_cannot_be_decoded_is_only_so_where_that_is_safe() {
    let machine = Machine::new().variable("A", " \t\r\n").variable("B", " b ");
    let world = machine.world();
    assert_eq!(world.variable("A"), None);
    assert_eq!(world.variable_path("A"), None);
    assert!(world.variable_os("A").is_some(), "as it is");
    assert_eq!(world.variable("B").as_deref(), Some("b"));
    assert_eq!(world.variable("C"), None);
    #[cfg(unix)]
    let odd: OsString = std::os::unix::ffi::OsStringExt::from_vec(b"/x\xff".to_vec());
    #[cfg(windows)]
    let odd: OsString =
        std::os::windows::ffi::OsStringExt::from_wide(&[b'/'.into(), b'x'.into(), 0xd800]);
    let world = World {
        variables: Variables::These(vec![("A".into(), odd.clone())]),
        ..world
    };
    assert_eq!(world.variable("A"), None);
    assert_eq!(world.variable_lossy("A").as_deref(), Some("/x\u{fffd}"));
    assert_eq!(world.variable_path("A"), Some(PathBuf::from(odd)));
}

#[test]
fn a_list_of_paths_has_no_empty_ones_and_a_prefix_finds_names() {
    let list = match LIST_SEPARATOR {
        ';' => ";/a;;/b;",
        _ => ":/a::/b:",
    };
    let machine = Machine::new().variable("LIST", list);
    let machine = machine.variable("SENTRY_A", "1").variable("SENTRYB", "1");
    let world = machine.world();
    let list = world.variable_path_list("LIST");
    assert_eq!(list, ["/a", "/b"].map(PathBuf::from));
    let names: Vec<OsString> = world.variables_with_prefix("SENTRY_").collect();
    assert_eq!(names, ["SENTRY_A"]);
    let machine = Machine::new().variable("Sentry_B", "1");
    let names = machine.world().variables_with_prefix("SENTRY_").count();
    assert_eq!(names > 0, VARIABLES_IGNORE_CASE);
}

/// A machine with databases in these directories below the home.
fn with(dirs: &[&str]) -> Machine {
    let machine = Machine::new();
    for dir in dirs {
        let dir = machine.home().join(dir);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("cli.db"), "").unwrap();
    }
    machine
}

#[test]
fn the_directory_is_where_the_database_is_and_else_our_own() {
    let dir = |machine: &Machine| {
        let dir = machine.world().config_dir().unwrap();
        let dir = dir.strip_prefix(machine.home()).unwrap();
        dir.to_str().unwrap().replace('\\', "/")
    };
    assert_eq!(dir(&with(&[])), ".sentry");
    assert_eq!(dir(&with(&[".config/sentry"])), ".config/sentry");
    assert_eq!(dir(&with(&[".config/sentry", ".sentry"])), ".sentry");
    let xdg = |machine: Machine| {
        let place = machine.home().join("xdg");
        machine.variable("XDG_CONFIG_HOME", place.to_str().unwrap())
    };
    assert_eq!(dir(&xdg(with(&["xdg/sentry"]))), "xdg/sentry");
    assert_eq!(dir(&xdg(with(&[".config/sentry"]))), ".sentry");
    assert_eq!(dir(&xdg(with(&["xdg/sentry", ".sentry"]))), ".sentry");
    let relative = with(&["xdg/sentry"]).variable("XDG_CONFIG_HOME", "xdg");
    assert_eq!(dir(&relative), ".sentry");
}

// The paths are those of Unix.
#[cfg(unix)]
#[test]
fn a_directory_that_depends_on_the_current_one_is_refused() {
    for (variable, value) in [
        ("SENTRY_CONFIG_DIR", "relative"),
        ("SENTRY_CONFIG_DIR", "/proc/self/cwd/.s"),
        ("SENTRY_CONFIG_DIR", "/x/../proc/self/cwd"),
        ("SENTRY_CONFIG_DIR", "/dev/fd/3"),
        (HOME, "relative"),
    ] {
        let machine = Machine::new().variable(variable, value);
        let told = machine.world().config_dir().unwrap_err().to_string();
        assert!(told.starts_with(variable), "{told}");
    }
    let machine = Machine::new().variable("SENTRY_CONFIG_DIR", "/procedures");
    assert!(machine.world().config_dir().is_ok());
}

#[test]
fn a_variable_selects_a_directory_only_where_it_is_another_than_without() {
    let machine = with(&["xdg/sentry"]);
    let path = |name: &str| machine.home().join(name);
    let selects = |variable: &str, value: &str, dir: &str| {
        let (value, home) = (path(value), machine.home());
        let variables = [
            (HOME, home.to_str().unwrap()),
            (variable, value.to_str().unwrap()),
        ];
        let world = World::of(&variables, Rc::new(SystemClock));
        world.selects(&path(dir))
    };
    let (config, xdg) = ("SENTRY_CONFIG_DIR", "XDG_CONFIG_HOME");
    assert_eq!(selects(config, "other", "other"), Some(config));
    assert_eq!(selects(config, ".sentry", ".sentry"), None);
    assert_eq!(selects(config, ".config/sentry", ".config/sentry"), None);
    assert_eq!(selects(xdg, "xdg", "xdg/sentry"), Some(xdg));
    assert_eq!(selects(xdg, ".config", ".config/sentry"), None);
    assert_eq!(selects(xdg, "xdg", ".sentry"), None);
}

// Sets modes.
#[cfg(unix)]
#[test]
fn a_program_is_an_executable_file_in_an_absolute_directory_of_the_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    for (name, mode) in [("a/tool", 0o755), ("b/tool", 0o755), ("a/text", 0o644)] {
        let file = machine.home().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(machine.home().join("a/dir")).unwrap();
    let home = machine.home().to_str().unwrap();
    let world = World::of(
        &[("PATH", &format!("relative::{home}/b:{home}/a"))],
        Rc::new(SystemClock),
    );
    let tools: Vec<String> = world
        .programs("tool")
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(tools, [format!("{home}/b/tool"), format!("{home}/a/tool")]);
    // It lies in the current directory of a test.
    assert!(std::path::Path::new("tests/run").exists());
    let relative = World::of(
        &[(
            "PATH",
            "tests:./tests:/proc/self/cwd/tests:/dev/fd/../cwd/tests",
        )],
        Rc::new(SystemClock),
    );
    assert_eq!(relative.program("run"), None);
    assert_eq!(world.program("text"), None);
    assert_eq!(world.program("dir"), None);
}

// The paths are those of Unix.
#[cfg(unix)]
#[test]
fn the_files_of_docker_and_podman_are_where_those_look_for_them() {
    let machine = Machine::new();
    let home = machine.home().to_str().unwrap().to_owned();
    let files = |machine: &Machine| {
        let world = machine.world();
        let files = [
            world.docker_config(),
            world.podman_auth(),
            world.podman_fallback(),
        ];
        files.map(|file| file.unwrap().display().to_string())
    };
    let machine = machine.variable("XDG_RUNTIME_DIR", "/run/user/7");
    let (docker, other) = (
        format!("{home}/.docker/config.json"),
        format!("{home}/.config/containers/auth.json"),
    );
    let podman = match containers_dir() {
        Some(_) => "/run/user/7/containers/auth.json".to_owned(),
        None => other.clone(),
    };
    assert_eq!(files(&machine), [docker, podman, other.clone()]);
    let machine = machine.variable("DOCKER_CONFIG", "/d");
    let both = "/d/config.json".to_owned();
    assert_eq!(files(&machine), [both.clone(), both.clone(), other]);
    let machine = machine.variable("REGISTRY_AUTH_FILE", "/r.json");
    let machine = machine.variable("XDG_CONFIG_HOME", "/c");
    let [docker, podman, other] = files(&machine);
    assert_eq!((docker, podman.as_str()), (both, "/r.json"));
    assert_eq!(other, "/c/containers/auth.json");
}

// Sets modes.
#[cfg(unix)]
#[test]
fn a_trace_is_a_file_that_was_made_here_and_private_or_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    let to = |target: &str| match Trace::to(target, |_| Ok(())) {
        Ok(None) => "nowhere".to_owned(),
        Ok(Some(Trace::Stderr)) => "stderr".to_owned(),
        Ok(Some(Trace::File(_))) => "file".to_owned(),
        Err(why) => why,
    };
    assert_eq!((to("0"), to("1")), ("nowhere".into(), "stderr".into()));
    assert!(to("trace.txt").contains("absolute"));
    let path = |name: &str| machine.home().join(name).display().to_string();
    let trace = path("trace");
    assert_eq!((to(&trace), to(&trace)), ("file".into(), "file".into()));
    let written = fs::read_to_string(&trace).unwrap();
    assert!(written.starts_with("# ") && written.lines().count() == 1);
    fs::hard_link(&trace, path("second")).unwrap();
    assert!(to(&trace).contains("second name"));
    fs::remove_file(path("second")).unwrap();
    std::os::unix::fs::symlink(&trace, path("symlink")).unwrap();
    assert_ne!(to(&path("symlink")), "file");
    fs::set_permissions(&trace, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(to(&trace).contains("0600"));
    let theirs = path(".bashrc");
    fs::write(
        &theirs,
        "alias ls='ls -l'; # as long as the header of a trace, and longer",
    )
    .unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(to(&theirs).contains("no trace"));
    let refused = Trace::to(&path("new"), |_| {
        Err(crate::failure::Failure::new("not here"))
    });
    assert!(refused.err().unwrap().contains("not here"));
}

#[test]
fn lines_are_read_from_a_pipe_to_its_end_and_not_longer_than_they_may_take() {
    use std::io::Write as _;
    use std::time::Duration;
    let (pipe, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"one\ntwo\nhalf").unwrap();
    let mut lines = Vec::new();
    let late = read_lines(&pipe, Duration::from_millis(200), |line| {
        lines.push(line.to_owned())
    });
    assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(lines, ["one", "two"]);
    drop(writer);
    let rest = read_lines(&pipe, Duration::from_secs(5), |_| panic!("half a line"));
    assert!(rest.is_ok());
}
