//! Checks the architecture in the sources: which module may import which, and what only one module may use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the bottom up: each may import those before it.
const LAYERS: [&str; 27] = [
    "platform",
    "fast",
    "failure",
    "origin",
    "printable",
    "secret",
    "world",
    "cli",
    "account",
    "rollout",
    "environment",
    "lock",
    "terminal",
    "store",
    "mirror",
    "oauth",
    "policy",
    "session",
    "device",
    "login",
    "broker",
    "git docker",
    "setup",
    "auth",
    "doctor",
    "sentry",
    "git_credential",
];

/// The code of each file, by its path in `src/`, without comments and unit tests.
type Files = BTreeMap<String, String>;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

fn files() -> Files {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap();
        (path.to_owned(), code(&text))
    };
    let files = sources(&src).into_iter().map(read);
    files.filter(|(path, _)| !is_of_tests(path)).collect()
}

fn is_of_tests(path: &str) -> bool {
    path.starts_with("oracles/")
        || path.ends_with("tests.rs")
        || path.contains("tests/")
        || path == "testing.rs"
}

fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The module that a file belongs to: `oauth` for `oauth/http.rs`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code of each module.
fn modules(files: &Files) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for (path, code) in files {
        modules
            .entry(module(path).to_owned())
            .or_default()
            .push_str(code);
    }
    modules
}

/// The paths that a `use` declaration names: one for each leaf of its tree.
fn leaves(tree: &str) -> Vec<String> {
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap();
        return vec![path.split_whitespace().collect()];
    };
    let group = group.trim_end().strip_suffix('}').unwrap();
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    let parts = parts.iter().map(|part| part.trim());
    parts
        .filter(|part| !part.is_empty())
        .flat_map(|part| match part.split(" as ").next().unwrap() {
            "self" => vec![prefix.trim().trim_end_matches("::").to_owned()],
            _ => leaves(&format!("{}{part}", prefix.trim())),
        })
        .collect()
}

/// The references of one file to others, as the paths are written.
#[derive(Default)]
struct Paths {
    /// What its code uses.
    used: Vec<String>,
    /// What it re-exports by `pub use`.
    passed_on: Vec<String>,
    /// The modules that it declares.
    children: BTreeSet<String>,
}

/// Reads a file as rustfmt writes it: each declaration begins a line.
fn paths(code: &str) -> Paths {
    let mut paths = Paths::default();
    let mut body = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        let is_public = item.starts_with("pub");
        let item = match is_public {
            true => item.split_once(' ').map_or(item, |(_, item)| item),
            false => item,
        };
        if let Some(tree) = item.strip_prefix("use ") {
            let mut tree = tree.to_owned();
            while !tree.ends_with(';') {
                tree.push_str(lines.next().unwrap().trim());
            }
            let leaves = leaves(tree.trim_end_matches(';'));
            match is_public {
                true => paths.passed_on.extend(leaves),
                false => paths.used.extend(leaves),
            }
        } else if let (Some(child), true) = (item.strip_prefix("mod "), item.ends_with(';')) {
            paths
                .children
                .insert(child.trim_end_matches(';').to_owned());
        } else {
            body.push_str(line);
            body.push('\n');
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for word in body.split(|c| !is_path(c)) {
        let word = word.trim_end_matches(':');
        match word.split_once("::") {
            Some(("crate" | "super", _)) => paths.used.push(word.to_owned()),
            Some((first, _)) if paths.children.contains(first) => paths.used.push(word.to_owned()),
            _ => {}
        }
    }
    paths
}

/// The files that each file imports from. A re-export of a `mod.rs` counts as an import from the defining file.
fn imports(files: &Files) -> BTreeMap<&str, BTreeSet<&str>> {
    let said: BTreeMap<&str, Paths> = files
        .iter()
        .map(|(path, code)| (path.as_str(), paths(code)))
        .collect();
    let by_module: BTreeMap<Vec<&str>, &str> = files
        .keys()
        .map(|path| (segments(path), path.as_str()))
        .collect();
    said.iter()
        .map(|(&from, said_here)| {
            let found = said_here
                .used
                .iter()
                .filter_map(|used| home(from, used, &said, &by_module));
            (from, found.filter(|&to| to != from).collect())
        })
        .collect()
}

/// The module path of a file: `oauth`, `http` for `oauth/http.rs`.
fn segments(path: &str) -> Vec<&str> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/')
        .filter(|segment| *segment != "lib")
        .collect()
}

/// The file that defines what `from` calls `used`.
fn home<'a>(
    from: &str,
    used: &str,
    said: &BTreeMap<&'a str, Paths>,
    by_module: &BTreeMap<Vec<&str>, &'a str>,
) -> Option<&'a str> {
    let mut full = segments(from);
    for (at, name) in used.split("::").enumerate() {
        match (at, name) {
            (0, "crate") => full.clear(),
            (_, "super") => drop(full.pop()),
            (_, "self") => {}
            (0, child) if !said[from].children.contains(child) => return None,
            (_, name) => full.push(name),
        }
    }
    let known = (0..=full.len())
        .rev()
        .find(|&n| by_module.contains_key(&full[..n]))?;
    let file = by_module[&full[..known]];
    let passed_on = full.get(known).and_then(|name| {
        let mut passed_on = said[file].passed_on.iter();
        passed_on.find(|path| path.rsplit("::").next() == Some(name))
    });
    match passed_on {
        Some(path) => home(file, path, said, by_module).or(Some(file)),
        None => Some(file),
    }
}

/// The files that import themselves through others.
fn circle(files: &Files) -> BTreeSet<&str> {
    let imports = imports(files);
    let reaches_itself = |file: &&str| {
        let mut reached: BTreeSet<&str> = imports[file].clone();
        loop {
            let next: BTreeSet<&str> = reached
                .iter()
                .flat_map(|file| &imports[file])
                .copied()
                .collect();
            let before = reached.len();
            reached.extend(next);
            if reached.len() == before {
                return reached.contains(file);
            }
        }
    };
    imports.keys().copied().filter(reaches_itself).collect()
}

/// The imports that point up, or sideways between modules of one layer.
fn upward(files: &Files) -> BTreeSet<(String, String)> {
    let layer = |file: &str| {
        let module = module(file);
        let mut layers = LAYERS.iter();
        layers.position(|layer| layer.split(' ').any(|name| name == module))
    };
    let mut upward = BTreeSet::new();
    for (from, to) in imports(files) {
        let (Some(mine), false) = (layer(from), from == "lib.rs" || from == "main.rs") else {
            assert!(from == "lib.rs" || from == "main.rs", "{from} has no layer");
            continue;
        };
        for to in to.into_iter().filter(|to| module(to) != module(from)) {
            if layer(to).is_none_or(|theirs| theirs >= mine) {
                upward.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    upward
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(circle(&files()), BTreeSet::new());
}

#[test]
fn no_module_imports_from_a_higher_one() {
    assert_eq!(upward(&files()), BTreeSet::new());
}

/// The sources with one more import at the top of a file.
fn planted(path: &str, import: &str) -> Files {
    let mut files = files();
    files.get_mut(path).unwrap().insert_str(0, import);
    files
}

#[test]
fn a_circle_is_noticed() {
    for (path, import, expected) in [
        (
            "oauth/route.rs",
            "use super::http::Http;\n",
            ["oauth/http.rs", "oauth/route.rs"],
        ),
        // Through a re-export of a `mod.rs`, in a path in the middle of the code, and between modules.
        (
            "secret.rs",
            "fn planted(_: &crate::account::Session) {}\n",
            ["account.rs", "secret.rs"],
        ),
        (
            "store/error.rs",
            "use super::{Repair, Store};\n",
            ["store/error.rs", "store/mod.rs"],
        ),
    ] {
        let files = planted(path, import);
        let circle = circle(&files);
        assert!(
            expected.iter().all(|file| circle.contains(file)),
            "{path}: {circle:?}"
        );
    }
}

#[test]
fn an_import_from_a_higher_module_is_noticed() {
    for (path, import, expected) in [
        (
            "world/paths.rs",
            "use crate::policy::{Facts, Request};\n",
            ["policy/facts.rs", "policy/request.rs"].as_slice(),
        ),
        (
            "git/render.rs",
            "use crate::docker::ServerUrl;\n",
            &["docker/server_url.rs"],
        ),
    ] {
        let upward = upward(&planted(path, import));
        let expected = expected.iter().map(|&to| (path.to_owned(), to.to_owned()));
        assert_eq!(upward, expected.collect(), "{path}");
    }
}

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
            .map(|(room, _)| room)
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
