//! The command line of `sentry`: names, arguments, help text. No behaviour.
//!
//! Separate from [`crate::auth`] so that the help text can be read in one place. `man/sentry-auth.1` repeats it, and a
//! test compares their commands and options.

mod duration;
mod programs;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::origin::Origin;
use crate::secret::Secret;
use duration::duration;
use values::{
    email, name, no_git_host, program_name, registry, scope, seconds, token, username, variable,
};

pub(crate) use programs::{LinkArgs, Task, Typed, command_line, is_command, is_ours, parse};

/// `sentry`
#[derive(Parser)]
#[command(
    name = "sentry",
    version,
    about = "One Sentry login for git, docker and scripts",
    arg_required_else_help = true,
    after_help = "git and docker start `git-credential-sentry` and `docker-credential-sentry` by themselves, once \
                  `sentry auth setup-git` or `sentry auth setup-docker` has configured them."
)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(crate) topic: Topic,
}

/// `sentry …`
#[derive(Subcommand)]
pub(crate) enum Topic {
    /// Log in, log out, and see what is stored
    ///
    /// Without a command: logs in when logged out, shows the status when logged in.
    Auth {
        /// How much to report
        #[command(flatten)]
        output: OutputArgs,
        /// What to do
        #[command(subcommand)]
        command: Option<Command>,
    },
}

/// `--verbose`
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct OutputArgs {
    /// Report each step on standard error, without secrets, as SENTRY_CREDENTIAL_TRACE=1 does
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// `sentry auth …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Log in to a Sentry instance
    Login(LoginArgs),
    /// Import the login of sentry-cli's `.sentryclirc`
    Import(ImportArgs),
    /// Remove a session from this machine
    Logout(LogoutArgs),
    /// Show who is logged in, and until when
    Status(StatusArgs),
    /// Refresh the access token if it is due
    Refresh(RefreshArgs),
    /// Print the access token, refreshed if necessary
    Token(TokenArgs),
    /// Run a command with the token in its environment
    Exec(ExecArgs),
    /// Print who is logged in
    Whoami(WhoamiArgs),
    /// List the accounts that are logged in
    List(ListArgs),
    /// Make another account the active one
    Switch(SwitchArgs),
    /// Show which hosts get a token or a stored credential, and why
    Hosts(HostsArgs),
    /// Configure git to use this login for a host
    SetupGit(SetupGitArgs),
    /// Configure docker, podman and others to use this login for a registry
    SetupDocker(SetupDockerArgs),
    /// Check for problems that affect the login
    Doctor(DoctorArgs),
    /// Undo every set-up, and remove all sessions and the database
    Uninstall(UninstallArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// `--url`
#[derive(Args, Clone, Default)]
#[allow(rustdoc::bare_urls, reason = "clap shows the text as it is")]
pub(crate) struct UrlArgs {
    /// The Sentry instance [default: SENTRY_HOST or SENTRY_URL, else the active session's, else `https://sentry.io`]
    #[arg(long, value_name = "URL", value_parser = Origin::instance_from_setting)]
    pub(crate) url: Option<Origin>,
}

/// `--url`, `--account`
#[derive(Args, Clone, Default)]
#[allow(rustdoc::bare_urls, reason = "clap shows the text as it is")]
pub(crate) struct SessionArgs {
    /// The Sentry instance [default: SENTRY_HOST or SENTRY_URL, else the active session's, else `https://sentry.io`]
    #[arg(long, value_name = "URL", value_parser = Origin::instance_from_setting)]
    pub(crate) url: Option<Origin>,
    /// The account: its e-mail address, user name, name, organization, or the first characters of its id
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) account: Option<String>,
}

/// `login`
#[derive(Args, Default)]
pub(crate) struct LoginArgs {
    /// Log in as this user only: an approval by anyone else is refused
    #[arg(value_name = "EMAIL", value_parser = email)]
    pub(crate) email: Option<String>,
    /// Which instance
    #[command(flatten)]
    pub(crate) instance: UrlArgs,
    /// Use an API token; other users can see it in the process list, so prefer `--with-token`
    #[arg(long, value_name = "TOKEN", value_parser = token, conflicts_with = "with_token")]
    pub(crate) token: Option<Secret>,
    /// Read an API token from standard input
    #[arg(long)]
    pub(crate) with_token: bool,
    /// Use a one-time code from Sentry's pages, in SENTRY_SETUP_CODE or on standard input
    #[arg(long, conflicts_with_all = ["token", "with_token", "scope", "read_only"])]
    pub(crate) setup_code: bool,
    /// Request these scopes instead of the default ones; repeatable, comma-separated
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = scope)]
    pub(crate) scope: Vec<String>,
    /// Request only the scopes that end in `:read`
    #[arg(long)]
    pub(crate) read_only: bool,
    /// How long to wait for the approval, in seconds
    #[arg(long, value_name = "SECS", default_value = "900", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Log in again even if there is a working session
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not open a browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Copy the access token to the desktop's keyring, now and after each refresh
    #[arg(long, conflicts_with = "no_keyring")]
    pub(crate) keyring: bool,
    /// Stop copying it, and remove the copies
    #[arg(long)]
    pub(crate) no_keyring: bool,
}

/// `import`
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// The file [default: `~/.sentryclirc`]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Show what was found, without contacting the server or storing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `logout`
#[derive(Args)]
pub(crate) struct LogoutArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Remove the sessions of all accounts
    #[arg(long, conflicts_with_all = ["url", "account"])]
    pub(crate) all: bool,
}

/// `status`
#[derive(Args, Default)]
pub(crate) struct StatusArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the access token
    #[arg(long)]
    pub(crate) show_token: bool,
    /// Do not contact the server
    #[arg(long)]
    pub(crate) offline: bool,
}

/// `refresh`
#[derive(Args)]
pub(crate) struct RefreshArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Refresh it even if it is not due
    #[arg(long)]
    pub(crate) force: bool,
    /// Log in again for these scopes; repeatable, comma-separated
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = scope, conflicts_with = "read_only")]
    pub(crate) scope: Vec<String>,
    /// Log in again for the scopes that end in `:read` only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `token`
#[derive(Args)]
pub(crate) struct TokenArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Refresh a token that expires sooner than this, such as `10m` or `1h30m`; fail if the new one does too
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) min_validity: Option<Duration>,
    /// The output format
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_possible_values = false
    )]
    pub(crate) format: TokenFormat,
}

/// How `token` prints.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenFormat {
    /// The token
    #[default]
    Plain,
    /// An `Authorization` header
    Header,
    /// A line for `curl --config -`
    Curl,
    /// Variables for `eval` and env files
    Env,
    /// An object with instance, account and expiry
    Json,
}

/// `exec`
#[derive(Args)]
pub(crate) struct ExecArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Refresh a token that expires sooner than this, such as `10m` or `1h30m`; fail if the new one does too
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) min_validity: Option<Duration>,
    /// The variable that holds the token; repeatable [default: SENTRY_AUTH_TOKEN]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    pub(crate) env: Vec<String>,
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<OsString>,
}

/// `whoami`
#[derive(Args)]
pub(crate) struct WhoamiArgs {
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `list`
#[derive(Args)]
pub(crate) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `switch`
#[derive(Args)]
pub(crate) struct SwitchArgs {
    /// The account that becomes the active one, or the instance if it has one account
    #[arg(value_name = "NAME|URL", value_parser = name)]
    pub(crate) account: String,
}

/// `hosts`
#[derive(Args)]
pub(crate) struct HostsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Remove the host's binding, and the credentials stored for it
    #[arg(long, value_name = "HOST", conflicts_with = "json")]
    pub(crate) forget: Option<String>,
}

/// `setup-git`
#[derive(Args)]
pub(crate) struct SetupGitArgs {
    /// A host that serves git with this login; repeatable [default: the instance itself]
    #[arg(long, value_name = "HOST", value_parser = GitHost::from_setting)]
    pub(crate) host: Vec<GitHost>,
    /// The same as `--host`
    #[arg(value_name = "HOST", value_parser = GitHost::from_setting)]
    pub(crate) hosts: Vec<GitHost>,
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// The user name that git sends
    #[arg(long, value_name = "NAME", value_parser = username)]
    pub(crate) username: Option<String>,
    /// Which of git's configuration files
    #[command(flatten)]
    pub(crate) scope: GitScope,
    /// Show what would change, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Undo the changes that this command made
    #[arg(long)]
    pub(crate) undo: bool,
}

/// The origins that git may use for a host.
#[derive(Clone)]
pub(crate) struct GitHost(pub(crate) Vec<Origin>);

impl GitHost {
    /// Like [`Origin::from_setting`], but a bare name of this machine also means `http`.
    fn from_setting(text: &str) -> Result<GitHost, String> {
        let origin = Origin::from_setting(text).map_err(|why| no_git_host(text, why))?;
        if text.contains("://") || !origin.is_loopback() {
            return Ok(GitHost(vec![origin]));
        }
        let authority = text.strip_suffix('/').unwrap_or(text);
        Ok(GitHost(vec![
            Origin::from_parts("http", authority).map_err(|why| no_git_host(text, why))?,
            origin,
        ]))
    }
}

/// `--local`, `--global`, `--system`
#[derive(Args, Default)]
#[group(multiple = false)]
pub(crate) struct GitScope {
    /// This repository only
    #[arg(long)]
    pub(crate) local: bool,
    /// All repositories of this user (the default)
    #[arg(long)]
    pub(crate) global: bool,
    /// All users of this machine
    #[arg(long)]
    pub(crate) system: bool,
}

/// `setup-docker`
#[derive(Args)]
pub(crate) struct SetupDockerArgs {
    /// A registry that accepts this login; repeatable
    #[arg(long, alias = "host", value_name = "REGISTRY", required_unless_present_any = ["default", "registries", "undo"], value_parser = registry)]
    pub(crate) registry: Vec<String>,
    /// The same as `--registry`
    #[arg(value_name = "REGISTRY", value_parser = registry)]
    pub(crate) registries: Vec<String>,
    /// Make this the helper for all registries (`credsStore`)
    #[arg(long)]
    pub(crate) default: bool,
    /// Which session
    #[command(flatten)]
    pub(crate) instance: SessionArgs,
    /// The user name that is sent to the registry
    #[arg(long, value_name = "NAME", value_parser = username)]
    pub(crate) username: Option<String>,
    /// Write podman's auth.json instead of docker's config.json
    #[arg(long, conflicts_with = "default")]
    pub(crate) podman: bool,
    /// Show what would change, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Undo the changes that this command made
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `doctor`
#[derive(Args)]
#[command(
    after_help = "To see whether a problem comes from the fast way to read the database, or from the allocator, run the \
                  command again with SENTRY_CREDENTIAL_FAST=off in the environment."
)]
pub(crate) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Move a damaged database aside
    #[arg(long)]
    pub(crate) repair: bool,
}

/// `uninstall`
#[derive(Args)]
pub(crate) struct UninstallArgs {
    /// Show what would be undone and removed, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `completions`
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: Shell,
    /// The name that is typed: `sentry`, `sentry-credential`, that of a helper, or an alias [default: the one that was
    /// started]
    #[arg(long, value_name = "NAME", value_parser = program_name)]
    pub(crate) name: Option<String>,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For users.
    Text,
    /// For programs.
    Json,
}

impl From<bool> for Format {
    /// From `--json`.
    fn from(json: bool) -> Format {
        if json { Format::Json } else { Format::Text }
    }
}

#[cfg(test)]
mod tests;
