//! What a cached `get` may cost, in system calls.
//!
//! Times differ from run to run, and instructions with the optimisation of a build: `benches/run --counts-only`
//! counts them in the release build. System calls are what is left when neither matters: these are the tests'
//! own, unoptimised programs, at a tenth above what they make, a good part of it the dynamic loader's.

use crate::sandbox::Age;
use crate::storage::Scene;
use std::fs;

/// One `get` of each helper.
#[track_caller]
fn costs_at_most(most: usize, scene: &Scene) {
    for get in [scene.git_get(), scene.docker_get()] {
        let calls = scene.machine.root().join("calls");
        let got = get.traced("all", &calls).run().success();
        let _token = got.stdout_has(&scene.pair.access);
        let calls = fs::read_to_string(&calls).unwrap();
        let made = calls.lines().count();
        assert!(made <= most, "{made} system calls, not {most}:\n{calls}");
    }
}

#[test]
fn a_cached_get_at_rest_makes_few_system_calls() {
    for scene in [Scene::new(Age::FRESH), Scene::without_a_log(Age::FRESH)] {
        scene.settle();
        costs_at_most(108, &scene);
    }
}

#[test]
fn a_cached_get_right_after_a_change_makes_a_few_more() {
    costs_at_most(115, &Scene::without_a_log(Age::FRESH));
    // The log and its index are made and removed again.
    costs_at_most(176, &Scene::new(Age::FRESH));
}
