//! The rooms of `src/` and who may go where: read from the sources themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Every file of the library, by its path in `src/`, without its comments and unit tests.
fn files() -> impl Iterator<Item = (String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&src).into_iter().map(move |file| {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let path = file
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (path, code)
    })
}

/// The code of each room: of a file, or of all files of a directory.
fn rooms() -> BTreeMap<String, String> {
    let mut rooms: BTreeMap<String, String> = BTreeMap::new();
    for (path, code) in files() {
        let room = path.split('/').next().unwrap().trim_end_matches(".rs");
        rooms.entry(room.to_owned()).or_default().push_str(&code);
    }
    rooms
}

fn imports(code: &str) -> BTreeSet<String> {
    let paths = code.split("crate::").skip(1);
    let names = paths.map(|path| {
        path.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    });
    names.collect()
}

#[test]
fn rooms_have_no_circles() {
    let mut waiting: BTreeMap<String, BTreeSet<String>> = rooms()
        .into_iter()
        .filter(|(room, _)| !matches!(room.as_str(), "lib" | "main"))
        .map(|(room, code)| {
            let others = imports(&code).into_iter().filter(|other| *other != room);
            (room.clone(), others.collect())
        })
        .collect();
    while !waiting.is_empty() {
        let rooms: BTreeSet<String> = waiting.keys().cloned().collect();
        waiting.retain(|_, imports| !imports.is_disjoint(&rooms));
        assert!(waiting.len() < rooms.len(), "a circle among {waiting:?}");
    }
}

#[test]
fn each_of_these_is_used_in_one_room_only() {
    for (what, home) in [
        ("rusqlite::", "store"),
        ("ureq::", "oauth"),
        ("rustls", "oauth"),
        ("keyring::v1", "mirror"),
        ("fs2::", "lock"),
        ("std::env", "world"),
        ("io::stdin()", "world"),
        ("io::stdout()", "world"),
        ("io::stderr()", "world"),
        ("SystemTime::now", "world"),
        ("/dev/tty", "terminal"),
    ] {
        let users: Vec<String> = rooms()
            .into_iter()
            .filter(|(_, code)| code.contains(what))
            .map(|(room, _)| room)
            .collect();
        assert_eq!(users, [home], "{what}");
    }
}

#[test]
fn memory_and_what_runs_between_fork_and_exec_alone_is_unsafe() {
    let users: BTreeSet<String> = files()
        .filter(|(_, code)| code.contains("unsafe"))
        .map(|(path, _)| path)
        .collect();
    let known = [
        "memory.rs",
        "store/memory.rs",
        "terminal/browser.rs",
        "world/process.rs",
    ];
    assert_eq!(users, known.map(str::to_owned).into());
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
        .filter(|(path, _)| !path.starts_with("store/"))
        .filter(|(_, code)| writing.iter().any(|call| code.contains(call)))
        .map(|(path, _)| path)
        .collect();
    // `log_in` and `replace_tokens` are what the recovery file is imported by, too.
    let steps = [
        "session/mod.rs",
        "session/perform/write.rs",
        "session/swap.rs",
    ];
    assert_eq!(users, steps.map(str::to_owned).into());
}

#[test]
fn the_protocol_imports_nothing_but_itself() {
    for (path, code) in files().filter(|(path, _)| path.starts_with("session/protocol/")) {
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
