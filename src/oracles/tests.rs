//! The corpora and variations of them, without a fuzzer: this is what runs wherever the project is tested.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One change to an input: where, how many bytes go, and what comes in their place.
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
    let corpus = files(&format!("corpus/{name}"));
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
    // What fails belongs into the corpus, not into a file of proptest's.
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
        fn every_target_is_here() {
            let targets = files("fuzz_targets");
            assert_eq!(targets.len(), [$(stringify!($name)),*].len());
            $(
                let call = concat!("oracles::", stringify!($name), "(input)");
                let calls = |target: &Vec<u8>| String::from_utf8_lossy(target).contains(call);
                assert_eq!(targets.iter().filter(|target| calls(target)).count(), 1);
            )*
        }
    };
}

targets! { claim device docker_get docker_store git git_store origin printable token }
