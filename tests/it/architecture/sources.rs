//! The sources of the program, as far as the architecture is concerned: code without comments and unit tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The code of each file, by its path in `src/`, without comments and unit tests.
pub type Files = BTreeMap<String, String>;

pub fn files() -> Files {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap();
        (path.to_owned(), code(&text))
    };
    let files = sources(&src).into_iter().map(read);
    files.filter(|(path, _)| !is_of_tests(path)).collect()
}

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
pub fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code of each module.
pub fn modules(files: &Files) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for (path, code) in files {
        modules
            .entry(module(path).to_owned())
            .or_default()
            .push_str(code);
    }
    modules
}
