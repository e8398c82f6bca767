//! Scans the program's source for hints, so that none is written without a row that runs it.

use std::fs;
use std::path::{Path, PathBuf};

/// The text before a hint in the source, and which of the following arguments is the hint.
const CONSTRUCTORS: [(&str, usize); 6] = [
    (".hint(", 0),
    ("Check::warning(", 2),
    ("Check::problem(", 2),
    ("hint: Some(", 0),
    ("\"hint: ", 0),
    ("\\nhint: ", 0),
];

/// Maximum length of the name of a site.
const LONGEST: usize = 60;

/// Each file of the program with its code: without comments and tests.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let source = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\nmod tests {").next().unwrap();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        (name, code)
    };
    files.into_iter().map(source).collect()
}

/// All hints of the program, as `FILE: ARGUMENT`, sorted; a repeated one is listed twice.
pub fn sites() -> Vec<String> {
    let mut sites = Vec::new();
    for (name, code) in sources() {
        for (constructor, index) in CONSTRUCTORS {
            for (at, found) in code.match_indices(constructor) {
                let rest = &code[at + found.len()..];
                let argument = match constructor.ends_with("hint: ") {
                    true => rest.split('"').next().unwrap().to_owned(),
                    false => arguments(rest).swap_remove(index),
                };
                let argument = argument.split_whitespace().collect::<Vec<_>>().join(" ");
                let argument: String = argument
                    .trim_end_matches(',')
                    .chars()
                    .take(LONGEST)
                    .collect();
                sites.push(format!("{name}: {argument}"));
            }
        }
    }
    sites.sort();
    sites
}

/// All string literals, each with its file.
pub fn literals() -> Vec<(String, String)> {
    let sources = sources().into_iter();
    let all = sources.flat_map(|(name, code)| {
        let literals = literals_of(&code).into_iter();
        literals.map(move |literal| (name.clone(), literal))
    });
    all.collect()
}

fn literals_of(code: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find('"') {
        let (before, found) = rest.split_at(at);
        rest = &found[1..];
        if before.ends_with(['\'', '\\']) && rest.starts_with('\'') {
            continue;
        }
        let hashes = before.len() - before.trim_end_matches('#').len();
        if before[..at - hashes].ends_with('r') {
            let (literal, after) = rest
                .split_once(&format!("\"{}", "#".repeat(hashes)))
                .unwrap();
            literals.push(literal.to_owned());
            rest = after;
            continue;
        }
        let mut literal = String::new();
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    rest = &rest[at + 1..];
                    break;
                }
                '\\' => match characters.next().unwrap().1 {
                    'n' => literal.push('\n'),
                    // The next line goes on behind its indentation.
                    '\n' => {
                        let after = characters.as_str();
                        let indentation = after.len() - after.trim_start().len();
                        characters.by_ref().take(indentation).for_each(drop);
                    }
                    other => literal.push(other),
                },
                other => literal.push(other),
            }
        }
        literals.push(literal);
    }
    literals
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false if path.to_str().is_some_and(|path| path.ends_with("tests.rs")) => {}
            false => files.push(path),
        }
    }
}

/// The text between an opening parenthesis and the matching one, split at its commas.
fn arguments(rest: &str) -> Vec<String> {
    let (mut arguments, mut depth) = (vec![String::new()], 0);
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        let last = arguments.last_mut().unwrap();
        match character {
            '"' => {
                last.push('"');
                while let Some(inner) = characters.next() {
                    last.push(inner);
                    match inner {
                        '\\' => last.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return arguments,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        last.push(character);
    }
    arguments
}

#[test]
fn arguments_end_at_the_parenthesis_that_closes_them() {
    assert_eq!(
        arguments("NAME, f(a, b), \"x, (\\\"\") + rest)"),
        ["NAME", " f(a, b)", " \"x, (\\\"\""]
    );
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let code = "f(\"a \\\"b\\\" \\\n      c\", '\"', r#\"d\"e\"#, \"\", \"f\\n\");";
    assert_eq!(literals_of(code), ["a \"b\" c", "d\"e", "", "f\n"]);
}
