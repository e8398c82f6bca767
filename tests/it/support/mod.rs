//! The fixtures of the tests.
//!
//! `machine` is where most tests begin: `fake_sentry` is the server, `sandbox` the computer, `terminal` the user;
//! `git_server`, `registry`, `engine`, `keyring`, `tls`, `names` and `proxy_server` are their surroundings, built on
//! `service` and `nginx`; `helpers` has the machines that the tests of git's and docker's helper begin with; `binding` and
//! `storage` inspect the store, `strace` and `processes` a process, and `transcript` collects what a stream prints.
//!
//! Separate from the tests, which `main.rs` names: here is nothing about the programs' behaviour.

pub mod binding;
pub mod engine;
pub mod fake_sentry;
pub mod git_server;
pub mod helpers;
pub mod keyring;
pub mod machine;
pub mod names;
pub mod nginx;
pub mod processes;
pub mod proxy_server;
pub mod registry;
pub mod sandbox;
pub mod service;
pub mod storage;
pub mod strace;
pub mod terminal;
pub mod tls;
pub mod transcript;
