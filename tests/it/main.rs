//! Black-box tests: they start the built programs and nothing else.
//!
//! `fake_sentry` is the server, `sandbox` the machine, `terminal` the user. `git_server`, `registry`, `engine`,
//! `keyring`, `tls`, `names` and `proxy_server` are their surroundings, built on `service` and `nginx`. `helpers` has
//! the machines that the tests of git's and docker's helper begin with; `binding` and `storage` inspect the store,
//! `strace` a process. All other modules are the tests themselves.

#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a crate of tests has no reader outside, and a failed unwrap is a failed test"
)]

mod accounts;
mod architecture;
mod auth_errors;
mod authorities;
mod budget;
mod checkouts;
mod completions;
mod concurrency;
// Landlock's crate is for Linux only.
#[cfg(target_os = "linux")]
mod confined;
mod connections;
mod custom_headers;
mod decision;
mod device_flow;
mod docker_files;
mod docker_protocol;
mod doctor;
mod doctor_network;
mod doctor_remedies;
mod documents;
mod environment;
mod exec;
mod expired_api_token;
mod fake_sentry_rules;
mod foreign_files;
mod git_config_variable;
mod git_keys;
mod git_lfs;
mod git_protocol;
mod git_store;
mod git_transfers;
mod hardening;
mod helper_streams;
mod hints;
mod hostile_text;
mod hosts;
mod hosts_command;
mod idle_database;
mod import;
mod instances;
mod keyring_faults;
mod kill_matrix;
mod links;
mod login;
mod lost_logins;
mod measure;
mod mirror;
mod misread;
mod name_servers;
mod network;
mod odd_proxies;
mod official;
mod official_accounts;
mod one_login;
mod own_certificates;
mod places;
mod platforms;
mod program_names;
// What the model checker runs, and what it replays.
#[path = "../../src/session/protocol/mod.rs"]
#[allow(dead_code, unused_imports, reason = "a replay takes part of it")]
mod protocol;
mod proxies;
mod readme;
mod real_docker;
mod real_flows;
mod real_git;
mod real_oauth;
mod real_podman_skopeo;
mod real_testcontainers;
mod redirects;
mod refresh;
mod refresh_races;
mod registry_refresh;
mod removed_secrets;
#[path = "../model/replay/mod.rs"]
mod replay;
mod rollout;
mod sandbox_rules;
mod scopes_and_codes;
mod secrets;
mod server_page;
mod setup_docker;
mod setup_git;
mod siblings;
mod signals;
mod stampede;
#[cfg(not(target_env = "musl"))]
mod storage_clocks;
mod storage_disk;
mod storage_files;
mod storage_layouts;
mod storage_limits;
mod storage_locks;
mod storage_versions;
mod style;
mod support;
mod system_authorities;
mod system_calls;
mod terminal_rules;
mod token_endpoint;
mod token_formats;
mod trace;
mod uninstall;
mod worker_protocol;

use support::{
    engine, fake_sentry, git_server, helpers, keyring, machine, names, nginx, processes,
    proxy_server, registry, sandbox, service, storage, terminal, tls, transcript,
};
