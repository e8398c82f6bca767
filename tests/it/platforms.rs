//! The tests that need what only Linux has.
//!
//! They are ignored elsewhere, each with what it needs, so that a run shows them:
//! `#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]` for a tool of the test; with `portable` beside it where the
//! program itself has the feature only on Linux. `docs/platforms.md` lists both; this test compares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- tests that need Linux: begin -->\n";
const END: &str = "<!-- tests that need Linux: end -->\n";

const NOT_LINUX: &str = "not(target_os = \"linux\")";

/// A test that is ignored.
struct Ignored {
    /// `setup_git::undo_brings_back_what_was_there`.
    test: String,
    /// The configuration that ignores it.
    predicate: String,
    /// What it needs.
    needs: String,
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

fn ignored() -> Vec<Ignored> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut all = Vec::new();
    for file in files {
        let module = file.strip_prefix(&root).unwrap().with_extension("");
        let module = module.display().to_string().replace('/', "::");
        let module = module.trim_end_matches("::mod");
        let text = fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            assert!(!line.starts_with("#[ignore"), "{module}: {line}");
            let Some(begun) = line.strip_prefix("#[cfg_attr(") else {
                continue;
            };
            // rustfmt breaks long ones.
            let mut attribute = begun.to_owned();
            while !attribute.ends_with(")]") {
                let more = lines.next().unwrap();
                let gap = if attribute.ends_with(',') { " " } else { "" };
                attribute = format!("{attribute}{gap}{more}");
            }
            let Some((predicate, rest)) = attribute.split_once(", ignore = \"") else {
                continue;
            };
            let function = lines.find_map(|line| line.strip_prefix("fn ")).unwrap();
            all.push(Ignored {
                test: format!("{module}::{}", function.split('(').next().unwrap()),
                predicate: predicate.to_owned(),
                needs: rest.trim_end_matches("\")]").to_owned(),
            });
        }
    }
    all
}

/// What the document says.
fn table() -> String {
    let mut portable = BTreeSet::new();
    let mut linux: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for Ignored {
        test,
        predicate,
        needs,
    } in ignored()
    {
        let expected = [
            NOT_LINUX.to_owned(),
            format!("any({NOT_LINUX}, portable)"),
            "portable".to_owned(),
        ];
        assert!(expected.contains(&predicate), "{test}: {predicate}");
        if predicate == NOT_LINUX {
            let (module, _) = test.rsplit_once("::").unwrap();
            let tests = linux.entry(needs).or_default();
            *tests.entry(module.to_owned()).or_default() += 1;
        } else {
            portable.insert(format!("| `{test}` | {needs} |\n"));
        }
    }
    let mut text = "| with `--cfg portable` and on other systems | needs |\n|---|---|\n".to_owned();
    text.extend(portable);
    text.push_str("\n| on other systems: needs | tests |\n|---|---|\n");
    for (needs, modules) in linux {
        let modules = modules
            .iter()
            .map(|(module, count)| format!("`{module}` {count}"));
        let modules: Vec<String> = modules.collect();
        text.push_str(&format!("| {needs} | {} |\n", modules.join(", ")));
    }
    text
}

#[test]
fn the_page_lists_the_tests_that_need_linux() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platforms.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once(BEGIN).expect("where the list begins");
    let (listed, _) = rest.split_once(END).expect("where the list ends");
    let expected = table();
    assert!(
        listed == expected,
        "docs/platforms.md should have, between its marks:\n{expected}"
    );
}
