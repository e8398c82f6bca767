//! Checks the vocabulary of `STYLE.md`: retired words must not reappear.

use std::fs;
use std::path::{Path, PathBuf};

/// What to say instead stands in `STYLE.md`. Each is looked for as whole words, without case.
const RETIRED: [&str; 55] = [
    "plain file",
    "side file",
    "side files",
    "the log is",
    "the log has",
    "line end",
    "line ends",
    "look into it",
    "looks into it",
    "yours alone",
    "at rest",
    "patience",
    "person",
    "persons",
    "mend",
    "mends",
    "mended",
    "in step",
    "out of step",
    "without an end",
    "is not one",
    "apart from",
    "from one piece",
    "nobody knows",
    "rooms",
    "the house",
    "good for ever",
    "told from",
    "wants to be left alone",
    "in vain",
    "others may look",
    "let go",
    "lets go",
    "lets it go",
    "somebody",
    "whoever",
    "whomever",
    "to be had",
    "told apart",
    "is told",
    "are told",
    "was told",
    "hand out",
    "hands out",
    "handed out",
    "renew",
    "renews",
    "renewed",
    "good until",
    "is dead",
    "are dead",
    "for ever",
    "noted",
    "at hand",
    "with much to do",
];

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
        return;
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_text = [".rs", ".md", ".1", ".sh"]
        .iter()
        .any(|end| name.ends_with(end));
    if is_text && !["STYLE.md", "style.rs"].contains(&name) {
        found.push(path.to_owned());
    }
}

/// Where a line says a phrase, as whole words.
fn says(line: &str, phrase: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(phrase).any(|(at, _)| {
        !line[..at].ends_with(is_word) && !line[at + phrase.len()..].starts_with(is_word)
    })
}

#[test]
fn retired_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for name in [
        "src",
        "helpers",
        "tests",
        "man",
        "docs",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        files(&root.join(name), &mut found);
    }
    let mut said = Vec::new();
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for phrase in RETIRED.iter().filter(|phrase| says(&line, phrase)) {
                let file = file.strip_prefix(root).unwrap().display();
                said.push(format!("{file}:{}: `{phrase}`", number + 1));
            }
        }
    }
    assert!(
        said.is_empty(),
        "{} retired words:\n{}",
        said.len(),
        said.join("\n")
    );
}

#[test]
fn a_phrase_is_found_as_whole_words_only() {
    assert!(says("the person who asks", "person"));
    assert!(!says("a personal token", "person"));
    assert!(!says("recommended", "mend"));
    assert!(says("(mend)", "mend"));
}
