//! Runs the properties on the corpora and on variations of them, without a fuzzer, as part of `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fuzz")
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A change to an input: its position, the number of bytes removed, and the bytes inserted.
fn edit(corpus: &[Vec<u8>]) -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let piece =
        (select(corpus.to_vec()), any::<Index>(), 0..24_usize).prop_map(|(input, at, length)| {
            let at = at.index(input.len() + 1);
            input[at..].iter().copied().take(length).collect()
        });
    let bytes = proptest::collection::vec(any::<u8>(), 0..3);
    let telling = select(&b"\n\r\0=:/@.%\\\"#?[]{}\x1b\xff"[..]).prop_map(|byte| vec![byte]);
    (
        any::<Index>(),
        0..8_usize,
        prop_oneof![piece, bytes, telling],
    )
}

fn hold(name: &str, oracle: impl Fn(&[u8])) {
    let inputs = entries(&corpora().join(name)).into_iter();
    let corpus: Vec<Vec<u8>> = inputs.map(|path| fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty());
    for input in &corpus {
        oracle(input);
    }
    let inputs = (
        select(corpus.clone()),
        proptest::collection::vec(edit(&corpus), 1..4),
    );
    let edited = inputs.prop_map(|(mut input, edits)| {
        for (at, length, new) in edits {
            let at = at.index(input.len() + 1);
            let end = input.len().min(at + length);
            input.splice(at..end, new);
        }
        input
    });
    // A failure belongs in the corpus, not in a file of proptest's.
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(input in edited)| oracle(&input));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                hold(stringify!($name), super::$name);
            }
        )*

        #[test]
        fn each_corpus_has_its_target() {
            let names = entries(&corpora());
            let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap()).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets! { claim device docker_get docker_store git git_store origin printable token }
