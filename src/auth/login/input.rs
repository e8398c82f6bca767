//! The token or the setup code that a login is given, and the instance that it names.
//!
//! Separate from the login because nothing here opens a connection or stores anything.

use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;

use crate::auth::context::ConfigDir;
use crate::cli::LoginArgs;
use crate::environment;
use crate::failure::Failure;
use crate::login::{SetupCode, TIMEOUT};
use crate::origin::Origin;
use crate::printable::quoted;
use crate::secret::{MAX_TOKEN, Secret, TokenInputError};
use crate::terminal::Terminal;
use crate::world::{self, Stdin, World};

/// Timeout for reading a token from standard input.
const INPUT_TIMEOUT: Duration = Duration::from_secs(10);

/// Holds a one-time code for a login without a browser.
const SETUP_CODE: &str = "SENTRY_SETUP_CODE";

/// The one-time code from the variable, else from standard input.
pub(super) fn setup_code(world: &World, args: &LoginArgs) -> anyhow::Result<SetupCode> {
    let code = match world.variable_os(SETUP_CODE) {
        Some(value) => Secret::from_input(value.as_encoded_bytes())
            .map_err(|why| unusable(SETUP_CODE, "setup code", why, args))?,
        None => from_stdin(world, "setup code", args)?,
    };
    let code = SetupCode::parse(code)?;
    match &args.instance.url {
        Some(url) if !url.may_receive(&code.origin) => {
            let what = format!("this setup code belongs to {}, not to {url}", code.origin);
            Err(Failure::new(what).into_usage().into())
        }
        _ => Ok(code),
    }
}

/// Reads a secret from standard input, or from the user at the terminal.
pub(super) fn from_stdin(world: &World, noun: &str, args: &LoginArgs) -> anyhow::Result<Secret> {
    if world::terminal_on_stdin() {
        let typed = Terminal::of_user(world)
            .and_then(|terminal| terminal.ask_secretly(world, &format!("{noun}:"), TIMEOUT))
            .with_context(|| not_entered(noun, args))?;
        return Secret::from_input(typed.as_bytes())
            .map_err(|why| unusable("the entered text", noun, why, args));
    }
    // UTF-16 takes twice the space.
    let limit = 2 * MAX_TOKEN + 16;
    // Growing the vector would leave copies behind.
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(limit + 64));
    Stdin::with_timeout(INPUT_TIMEOUT)
        .take(limit as u64)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the {noun}"))?;
    Secret::from_input(&bytes).map_err(|why| unusable("standard input", noun, why, args))
}

/// Where the terminal shows what is typed, nothing is asked: mintty, the one of Git Bash, is no console.
fn not_entered(noun: &str, args: &LoginArgs) -> String {
    let option = match noun {
        "token" => "--with-token",
        _ => "--setup-code",
    };
    let login = command(args);
    format!("no {noun} was entered; `{login} {option} <FILE` reads one from a file")
}

fn unusable(what: &str, noun: &str, why: TokenInputError, args: &LoginArgs) -> anyhow::Error {
    let failure = match why {
        TokenInputError::Empty => Failure::new(format!("there is no {noun}: {what} is empty")),
        _ => Failure::new(format!("cannot use {what} as a {noun}: {why}")),
    };
    match why {
        TokenInputError::Utf16 if noun == "token" => {
            let login = command(args);
            failure.hint(format!(
                "`iconv -f UTF-16 -t UTF-8 <FILE | {login} --with-token`"
            ))
        }
        _ => failure,
    }
    .into()
}

/// An organization token names its instance.
pub(super) fn instance_of(
    world: &World,
    config: &ConfigDir,
    url: Option<&Origin>,
    token: &Secret,
) -> anyhow::Result<Origin> {
    let claimed = environment::origin_claimed_by(token, "this login")?;
    let named = match url {
        Some(url) => Some(url.clone()),
        None => environment::instance(world)?,
    };
    match (claimed, named) {
        (Some(claimed), Some(named)) if !named.may_receive(&claimed) => {
            let what = format!("this token belongs to {claimed}, not to {named}");
            Err(Failure::new(what)
                .hint(format!("`sentry auth login --url {claimed} --with-token`"))
                .into())
        }
        (Some(claimed), _) => Ok(claimed),
        (None, _) => Ok(config.session(world, url)?.0),
    }
}

/// The typed command, as far as another login needs it.
pub(super) fn command(args: &LoginArgs) -> String {
    let mut command = "sentry auth login".to_owned();
    if let Some(url) = &args.instance.url {
        command.push_str(&format!(" --url {url}"));
    }
    if let Some(email) = &args.email {
        command.push_str(&format!(" {}", quoted(email)));
    }
    if !args.scope.is_empty() {
        command.push_str(&format!(" --scope {}", quoted(&args.scope.join(","))));
    }
    if args.read_only {
        command.push_str(" --read-only");
    }
    if args.no_browser {
        command.push_str(" --no-browser");
    }
    command
}
