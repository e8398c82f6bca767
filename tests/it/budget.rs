//! Limits the system calls of a cached `get`.
//!
//! Times vary between runs, and instructions with the optimization of a build: `benches/run --counts-only` counts those
//! in the release build. System calls depend on neither: these are the tests' own, unoptimized programs, limited to a
//! tenth above the measured count, a good part of which is the dynamic loader's. What is limited of an idle
//! database is limited in builds with the feature `fast` only: without it, every database is read with locks.

use crate::machine::Machine;
use crate::sandbox::Age;
use std::fs;

/// One `get` of each helper.
#[track_caller]
fn costs_at_most(most: usize, scene: &Machine) {
    for get in [scene.git_get(), scene.docker_get()] {
        let calls = scene.sandbox.root().join("calls");
        let got = get.traced("all", &calls).run().success();
        got.stdout_has(&scene.pair.access);
        let calls = fs::read_to_string(&calls).unwrap();
        let made = calls.lines().count();
        assert!(made <= most, "{made} system calls, not {most}:\n{calls}");
    }
}

#[test]
#[cfg(feature = "fast")]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "local file systems")]
fn a_cached_get_at_rest_makes_few_system_calls() {
    for scene in [
        Machine::new().session(Age::FRESH),
        Machine::new().session(Age::FRESH).in_rollback_mode(),
    ] {
        scene.settle();
        costs_at_most(108, &scene);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_cached_get_right_after_a_change_makes_a_few_more() {
    costs_at_most(115, &Machine::new().session(Age::FRESH).in_rollback_mode());
    // The WAL and its index are created and removed again.
    costs_at_most(176, &Machine::new().session(Age::FRESH));
}
