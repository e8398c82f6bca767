//! Runs what the documents for users show, as it stands there.
//!
//! `world` has the hosts that they name; `blocks` runs the commands, `symptoms` and `comparison` the tables of README, and `picture` makes
//! the picture of a login.

mod blocks;
mod comparison;
mod picture;
mod symptoms;
mod world;

use std::fs;
use std::path::Path;

/// The public application of `sentry.example.com`, as the documents name it.
const CLIENT: &str = "0123456789abcdef";

/// The user code of the documents; each login has another one.
const CODE: &str = "WDJB-MJHT";

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks of this language.
fn fenced(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if found == language {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

/// The text with the user code of the documents in place of its own: two groups of four letters.
fn with_the_code_of_the_documents(text: &str) -> String {
    let is_letter = |byte: &u8| byte.is_ascii_uppercase();
    let is_code = |at: usize| {
        let bytes = text.as_bytes();
        let code = bytes.get(at..at + CODE.len());
        let code = code.is_some_and(|code| {
            code[4] == b'-' && code[..4].iter().chain(&code[5..]).all(is_letter)
        });
        let alone = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_none_or(|byte| !is_letter(byte))
        };
        code && alone(at.checked_sub(1)) && alone(Some(at + CODE.len()))
    };
    let Some(at) = (0..text.len()).find(|at| is_code(*at)) else {
        return text.to_owned();
    };
    text.replace(&text[at..at + CODE.len()], CODE)
}

#[test]
fn a_user_code_is_replaced_wherever_it_stands() {
    let text = "open https://sentry.io/?user_code=ABCD-EFGH\ncode ABCD-EFGH, not XABCD-EFGHX";
    let expected = text.replace("ABCD-EFGH", CODE);
    assert_eq!(with_the_code_of_the_documents(text), expected);
    assert_eq!(with_the_code_of_the_documents("no code"), "no code");
}
