//! No module imports from a higher one, and no files import each other in a circle.

use std::collections::BTreeSet;

use super::imports::imports;
use super::sources::{Files, files, module};

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
