//! Model checker of the refresh protocol: searches every interleaving, crash and lost answer of small worlds.
//!
//! `src/session/protocol/` decides what a refresh, a login and a logout do next; the program and this checker run the
//! same code. Around it stands a world of a few kilobytes of rules: a server, databases with recovery files, a lock,
//! other programs, and faults by budget. Each step of each process is one transaction, lock, file operation or message.
//! A breadth-first search goes through all of them and names every step that loses a login or breaks a promise; the
//! names are compared with what `sets` expects. `docs/refresh-protocol.md` says what follows for a user.
//!
//! Separate from `tests/it/`, which runs the programs: there each test tries one order of events.
//!
//! The large set is built without cargo, as everything here needs the standard library only:
//! `rustc --edition 2024 -O -o target/model tests/model/main.rs && target/model large`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a crate of tests has no reader outside, a failed unwrap is a failed test, and what is printed is how large \
              the sets are"
)]

#[cfg(test)]
mod mutants;
mod promises;
#[allow(dead_code, unused_imports, reason = "the program uses the rest")]
#[path = "../../src/session/protocol/mod.rs"]
mod protocol;
#[cfg(test)]
mod repairs;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod replay_tests;
mod search;
mod sets;
mod world;

use std::fmt::Write as _;
use std::time::Instant;

use search::search;
use sets::Case;
use world::config::SERVERS;

/// Searches worlds at each server, prints how large they are, and tells what is not as expected.
fn check(cases: &[Case]) -> Result<(), String> {
    let begun = Instant::now();
    let (mut states, mut wrong) = (0, String::new());
    for case in cases {
        for server in SERVERS {
            let world = case.world.clone().at(server);
            let found = search(&world);
            states += found.states;
            let what = format!("{} at a {server:?} server", world.name);
            println!("{what}: {} states, {} steps", found.states, found.steps);
            let expected = case.expected(server);
            for (event, trace) in &found.events {
                if !expected.contains(event) || event.is_a_fault() {
                    let story = trace.tell(&world);
                    writeln!(wrong, "{what}: unexpected {event:?}\n{story}").unwrap();
                }
            }
            for event in expected {
                if !found.events.contains_key(event) {
                    writeln!(wrong, "{what}: {event:?} is expected and not found").unwrap();
                }
            }
        }
    }
    println!("{states} states in {:.1?}", begun.elapsed());
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong),
    }
}

/// Checks one world by its name, the small ones, or the large ones.
#[cfg(not(test))]
fn main() -> std::process::ExitCode {
    let name = std::env::args().nth(1);
    let cases = match name.as_deref() {
        Some("large") => sets::large(),
        Some(name) => {
            let all = sets::small().into_iter().chain(sets::large());
            all.filter(|case| case.world.name == name).collect()
        }
        None => sets::small(),
    };
    match check(&cases) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(wrong) => {
            println!("{wrong}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{SERVERS, check, sets};

    fn holds(cases: &[sets::Case]) {
        if let Err(wrong) = check(cases) {
            panic!("{wrong}");
        }
    }

    #[test]
    fn nothing_that_a_client_could_prevent_is_expected() {
        let cases = sets::small().into_iter().chain(sets::large());
        let mut names = BTreeSet::new();
        for case in cases {
            for event in SERVERS.into_iter().flat_map(|server| case.expected(server)) {
                assert!(!event.is_a_fault(), "{}: {event:?}", case.world.name);
            }
            assert!(names.insert(case.world.name), "{} twice", case.world.name);
        }
    }

    #[test]
    fn the_document_has_a_line_for_each_loss_that_is_expected() {
        let document = include_str!("../../docs/refresh-protocol.md");
        let lines = document.lines().filter_map(|line| line.strip_prefix("| `"));
        let told: BTreeSet<_> = lines.filter_map(|line| line.split('`').next()).collect();
        let cases = sets::small().into_iter().chain(sets::large());
        let names = cases.flat_map(|case| {
            let expected = SERVERS
                .into_iter()
                .flat_map(move |server| case.expected(server));
            expected.map(|event| format!("{event:?}"))
        });
        let names: BTreeSet<_> = names.collect();
        assert_eq!(told, names.iter().map(String::as_str).collect());
    }

    #[test]
    fn without_faults_nothing_is_lost() {
        holds(&sets::without_faults());
    }

    #[test]
    fn killed_processes_and_lost_answers_lose_what_is_known() {
        holds(&sets::killed_and_lost());
    }

    #[test]
    fn slow_and_frozen_processes_lose_what_is_known() {
        holds(&sets::slow_frozen_and_stopped());
    }

    #[test]
    fn databases_that_refuse_lose_nothing() {
        holds(&sets::databases_and_files());
    }

    #[test]
    fn power_cuts_lose_what_is_known() {
        holds(&sets::power_cuts());
    }

    #[test]
    fn the_official_cli_loses_what_is_known() {
        holds(&sets::neighbours());
    }

    #[test]
    fn copied_databases_lose_what_is_known() {
        holds(&sets::copies());
    }

    #[test]
    fn guessed_client_ids_lose_nothing_more() {
        holds(&sets::clients());
    }
}
