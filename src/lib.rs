//! One Sentry login for git, docker and scripts.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")
)]

pub mod auth;
pub mod broker;
pub mod cli;
pub mod device;
pub mod docker;
pub mod environment;
pub mod failure;
pub mod git;
pub mod lock;
pub mod login;
pub mod mirror;
pub mod oauth;
pub mod origin;
pub mod printable;
pub mod secret;
pub mod session;
pub mod store;
pub mod terminal;
pub mod world;
