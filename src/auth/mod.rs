//! `sentry auth`: the commands for users. One file per command, each exporting one function of the same name.
//!
//! Separate from [`crate::cli`], which defines their arguments.
//!
//! Rules for text: results go to standard output, messages to standard error; lower case, no final period, what to type
//! in backticks, a hint on a line of its own; no colour carries meaning alone.

mod access;
mod binding;
mod completions;
mod context;
mod exec;
mod forget;
mod hosts;
mod import;
mod link;
mod list;
mod login;
mod logout;
mod output;
mod refresh;
mod report;
mod sentryclirc;
mod set_aside;
mod setup_docker;
mod setup_git;
mod status;
mod survey;
mod switch;
#[cfg(test)]
mod tests;
mod token;
mod uninstall;
mod whoami;

pub(crate) use completions::completions;
pub(crate) use context::is_logged_in;
pub(crate) use exec::exec;
pub(crate) use hosts::hosts;
pub(crate) use import::import;
pub(crate) use link::link;
pub(crate) use list::list;
pub(crate) use login::login;
pub(crate) use logout::logout;
pub(crate) use output::{print, print_json, say};
pub(crate) use refresh::refresh;
pub(crate) use set_aside::SetAside;
pub(crate) use setup_docker::setup_docker;
pub(crate) use setup_git::{set_up_command, setup_git};
pub(crate) use status::status;
pub(crate) use survey::{Stored, Survey};
pub(crate) use switch::switch;
pub(crate) use token::token;
pub(crate) use uninstall::uninstall;
pub(crate) use whoami::whoami;
