//! What only one module may use: a library, a system, `unsafe`, the writes of the protocol.

use std::collections::BTreeSet;

use super::sources::{files, module, modules};

#[test]
fn each_of_these_is_used_where_it_belongs_only() {
    for (what, home) in [
        // `fast` gives SQLite its allocator, through SQLite's own C interface.
        ("rusqlite::", "fast store"),
        ("ureq::", "oauth"),
        ("rustls", "oauth"),
        ("keyring::v1", "mirror"),
        ("fs2::", "lock"),
        ("landlock::", "platform"),
        ("std::env", "world"),
        ("io::stdin()", "world"),
        ("io::stdout()", "world"),
        ("io::stderr()", "world"),
        ("SystemTime::now", "world"),
        ("/dev/tty", "platform"),
        ("rustix::", "platform"),
        ("libc::", "platform"),
        ("signal_hook::", "platform"),
        ("std::os::", "platform"),
    ] {
        let users: Vec<String> = modules(&files())
            .into_iter()
            .filter(|(_, code)| code.contains(what))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users.join(" "), home, "{what}");
    }
}

/// What a file is that is not the same on all systems.
const SYSTEMS: [&str; 4] = ["unix", "windows", "target_os", "target_vendor"];

/// Whether a line asks for the system that it is compiled for, by `cfg(…)`, `cfg!(…)` or `cfg_attr(…)`.
fn asks_for_a_system(line: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = line.split(|c| !is_word(c));
    words.any(|word| word == "cfg" || word == "cfg_attr")
        && words.any(|word| SYSTEMS.contains(&word))
}

#[test]
fn only_the_platform_knows_systems() {
    let asking: Vec<String> = files()
        .into_iter()
        .filter(|(path, _)| module(path) != "platform")
        .filter(|(_, code)| code.lines().any(asks_for_a_system))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(asking, Vec::<String>::new());
    for line in [
        "#[cfg(unix)]",
        "    #[cfg(all(test, not(target_os = \"linux\")))]",
        "let is_mac = cfg!(target_vendor = \"apple\");",
        "#[cfg_attr(windows, path = \"x.rs\")]",
    ] {
        assert!(asks_for_a_system(line), "{line}");
    }
    for line in ["#[cfg(test)]", "unix_config(cfg)", "#[cfg(not(fuzzing))]"] {
        assert!(!asks_for_a_system(line), "{line}");
    }
}

#[test]
fn what_is_fast_and_the_platform_alone_are_unsafe() {
    let users: BTreeSet<String> = files()
        .into_iter()
        .filter(|(path, _)| !["platform", "fast"].contains(&module(path)))
        .filter(|(_, code)| code.contains("unsafe"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(users, BTreeSet::new());
}

#[test]
fn one_file_knows_whether_the_build_is_fast() {
    let users: BTreeSet<String> = files()
        .into_iter()
        .filter(|(_, code)| code.contains("feature = \"fast\""))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(users, ["fast/mod.rs".to_owned()].into());
}

#[test]
fn tokens_are_written_by_the_steps_of_a_flow_only() {
    let writing = [
        "change.log_in(",
        "change.log_out(",
        "change.replace_tokens(",
        "change.mark_rejected(",
        "change.intend(",
        "change.withdraw_intent(",
        "change.trust(",
    ];
    let users: BTreeSet<String> = files()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("store/"))
        .filter(|(_, code)| writing.iter().any(|call| code.contains(call)))
        .map(|(path, _)| path)
        .collect();
    // `log_in` and `replace_tokens` are what the recovery file is imported by, too.
    let steps = [
        "session/new_login.rs",
        "session/perform/write.rs",
        "session/swap.rs",
    ];
    assert_eq!(users, steps.map(str::to_owned).into());
}

#[test]
fn the_protocol_imports_nothing_but_itself() {
    for (path, code) in files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("session/protocol/"))
    {
        let foreign: Vec<&str> = code
            .lines()
            .filter(|line| line.contains("crate::") || line.contains("std::"))
            .chain(code.lines().filter(|line| {
                line.trim_start().starts_with("use ") && !line.contains("use super::")
            }))
            .collect();
        assert_eq!(foreign, Vec::<&str>::new(), "{path}");
    }
}
