//! Which file imports which: read from `use` declarations, and from the paths in the code.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Files;

/// The files that each file imports from. A re-export of a `mod.rs` counts as an import from the defining file.
pub fn imports(files: &Files) -> BTreeMap<&str, BTreeSet<&str>> {
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
