//! Every link and picture of the documents that points into the repository is there, with its heading.
//!
//! Separate from `documents`, which compares what is said with what the programs do.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents, relative to the repository.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).expect("a directory");
    let docs = docs.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name()));
    let mut documents: Vec<PathBuf> = docs
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    documents.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "STYLE.md",
            "CHANGELOG.md",
        ]
        .map(PathBuf::from),
    );
    documents
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of links and pictures, which do not stand in code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let outside_of_code: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for rest in outside_of_code.split("](").skip(1) {
            links.extend(rest.split(')').next().map(str::to_owned));
        }
    }
    links
}

/// The anchors that a forge gives the headings: lower case, no punctuation, `-` for each space; a second one is numbered.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(text).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        heading
            .strip_prefix(' ')
            .filter(|_| (1..=6).contains(&level))
    });
    let anchor = |heading: &str| {
        let lower = heading.trim().to_lowercase();
        let stays = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = lower
            .chars()
            .filter(stays)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = seen.entry(anchor.clone()).or_default();
        *count += 1;
        match *count {
            1 => anchor,
            count => format!("{anchor}-{}", count - 1),
        }
    };
    headings.map(anchor).collect()
}

/// Why a link of this document leads nowhere.
fn broken(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = match file {
        "" => document.to_owned(),
        file => document.parent().unwrap_or(Path::new("")).join(file),
    };
    let path = root().join(path);
    if !path.exists() {
        return Some(format!("{}: no file {link}", document.display()));
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let is_there = anchors(&text).iter().any(|found| found == anchor);
    (!is_there).then(|| format!("{}: no heading {link}", document.display()))
}

#[test]
fn every_link_and_picture_of_the_documents_is_there() {
    let (mut broken_ones, mut count) = (Vec::new(), 0);
    for document in documents() {
        let text = fs::read_to_string(root().join(&document)).expect("a document");
        let links = links(&text);
        count += links.len();
        broken_ones.extend(links.iter().filter_map(|link| broken(&document, link)));
    }
    assert_eq!(broken_ones, Vec::<String>::new());
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn every_page_of_docs_is_linked_to_from_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a document");
    let links = links(&readme);
    let is_linked = |page: &PathBuf| links.iter().any(|link| Path::new(link) == page);
    let lonely: Vec<PathBuf> = documents()
        .into_iter()
        .filter(|page| page.starts_with("docs") && !is_linked(page))
        .collect();
    assert_eq!(lonely, Vec::<PathBuf>::new());
}

#[test]
fn links_in_code_do_not_count_and_headings_have_the_anchors_of_a_forge() {
    let text = "# A `b`, c\n[x](y#z) `[a](b)` ![p](q.svg)\n```sh\n# no heading [n](o)\n```\n## It's-a_test\n## A b c\n";
    assert_eq!(links(text), ["y#z", "q.svg"]);
    assert_eq!(anchors(text), ["a-b-c", "its-a_test", "a-b-c-1"]);
    assert!(broken(Path::new("README.md"), "no-such-file").is_some());
    assert!(broken(Path::new("README.md"), "#no-such-heading").is_some());
    assert!(broken(Path::new("docs/rollout.md"), "server.md").is_none());
}
