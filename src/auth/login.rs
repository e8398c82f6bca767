//! `sentry auth login`: by device flow, or with an API token.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::context::{ConfigDir, described};
use super::output::say;
use crate::account::{Identity, Session, Tokens};
use crate::cli::LoginArgs;
use crate::environment;
use crate::failure::Failure;
use crate::login::{Approver, DEFAULT_SCOPES, DeviceLogin, LoggedIn, NotLoggedIn, TIMEOUT};
use crate::mirror::{self, Mirror};
use crate::oauth::{Check, OAuth};
use crate::origin::Origin;
use crate::policy::{account_called, active_account};
use crate::printable::quoted;
use crate::secret::{MAX_TOKEN, Secret, TokenInputError};
use crate::session::{self, Demand, NewLogin, Usable};
use crate::store::Store;
use crate::terminal::{Browser, Terminal};
use crate::world::{self, Stdin, World};

/// How long a program may take to hand over a token.
const INPUT_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn login(world: &World, args: &LoginArgs) -> anyhow::Result<ExitCode> {
    let place = ConfigDir::of(world)?;
    let token = match args.with_token {
        true => Some(token_from_stdin(world, args)?),
        false => args.token.clone(),
    };
    let instance = match &token {
        Some(token) => instance_of(world, &place, args.instance.url.as_ref(), token)?,
        None => place.session(world, args.instance.url.as_ref())?.0,
    };
    match environment::token(world) {
        Ok(None) => {}
        Ok(Some(found)) => say(&format!(
            "warning: the token in {} is used before any session",
            found.variable
        )),
        // It has to be fixed, but not before this login.
        Err(failure) => say(&format!("warning: {failure}")),
    }
    if !may_replace(world, &place, &instance)? {
        bail!("nothing was changed");
    }
    if args.no_keyring {
        forget_keyring(world, &place)?;
    }
    if args.keyring {
        place.change(world, |change| {
            change.set(mirror::SETTING.0, Some(mirror::SETTING.1))
        })?;
    }
    let session = match token {
        Some(token) => with_token(world, &place, &instance, token, args)?,
        None => match with_device_flow(world, &place, &instance, args)? {
            Some(session) => session,
            None => return Ok(ExitCode::SUCCESS),
        },
    };
    let name = session.name();
    let name = name.map_or_else(String::new, |name| format!(" as {name}"));
    say(&format!("logged in to {instance}{name}"));
    say(&format!(
        "the token is stored in {} (readable by you only)",
        place.dir.join("cli.db").display()
    ));
    if !is_set_up(world, &place)? {
        say(
            "hint: `sentry auth setup-git --host HOST` lets git use this login, and \
             `sentry auth setup-docker --registry REGISTRY` docker",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the user knows already what comes after a login.
fn is_set_up(world: &World, place: &ConfigDir) -> anyhow::Result<bool> {
    // The login may have made the database.
    let store = Store::open(world, &place.dir)?;
    let bound = store.map_or(Ok(Vec::new()), |store| store.read()?.bound())?;
    Ok(!bound.is_empty())
}

fn forget_keyring(world: &World, place: &ConfigDir) -> anyhow::Result<()> {
    let Some(store) = &place.store else {
        return Ok(());
    };
    for session in place.sessions()? {
        Mirror::for_removal(world, store).remove(&session);
    }
    place.change(world, |change| change.set(mirror::SETTING.0, None))
}

/// `None`: there was nothing to do.
fn with_device_flow(
    world: &World,
    place: &ConfigDir,
    instance: &Origin,
    args: &LoginArgs,
) -> anyhow::Result<Option<Session>> {
    if !args.force && is_there(world, place, instance, args)? {
        return Ok(None);
    }
    let url = args.instance.url.as_ref();
    let client_id = environment::client_id_by(world, instance, url).ok_or_else(|| {
        Failure::new(format!("the OAuth client id for {instance} is not known")).hint(format!(
            "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance, \
             or `sentry auth login --url {instance} --with-token`"
        ))
    })?;
    let login = DeviceLogin {
        origin: instance,
        client_id: &client_id,
        scope: &scopes(args),
        timeout: args.timeout.unwrap_or(TIMEOUT),
        browser: if args.no_browser {
            Browser::Never
        } else {
            Browser::Open
        },
        approver: args
            .email
            .as_deref()
            .map_or(Approver::Any, Approver::Called),
        consent: None,
    };
    match login.run(world, &place.dir, &Terminal::stderr(world)) {
        Ok(LoggedIn::Here(session)) => Ok(Some(*session)),
        Ok(LoggedIn::Elsewhere) => {
            say(&format!(
                "another process logged in to {instance} meanwhile"
            ));
            Ok(None)
        }
        Err(NotLoggedIn::Denied(failure)) => Err(failure.into()),
        Err(NotLoggedIn::Declined) => bail!("nothing was changed"),
        Err(NotLoggedIn::Failed(error)) => Err(error),
    }
}

fn scopes(args: &LoginArgs) -> String {
    let wanted: Vec<&str> = match args.scope.is_empty() {
        true => DEFAULT_SCOPES.split_whitespace().collect(),
        false => args.scope.iter().map(String::as_str).collect(),
    };
    let kept = wanted
        .into_iter()
        .filter(|scope| !args.read_only || scope.ends_with(":read"));
    kept.collect::<Vec<_>>().join(" ")
}

/// Whether there is nothing to do, which is said: the account has a working session, and is the active one now.
fn is_there(
    world: &World,
    place: &ConfigDir,
    instance: &Origin,
    args: &LoginArgs,
) -> anyhow::Result<bool> {
    let sessions = place.sessions()?;
    let session = match &args.email {
        Some(email) => account_called(&sessions, instance, email),
        None => active_account(&sessions, instance),
    };
    let (Some(store), Some(session)) = (&place.store, session) else {
        return Ok(false);
    };
    let Some(tokens) = working(world, store, session) else {
        return Ok(false);
    };
    let again = command(args);
    let wants_scopes = args.read_only || !args.scope.is_empty();
    if wants_scopes && !has_scopes(world, &session.origin, &tokens, &scopes(args)) {
        let what = format!(
            "the session of {instance} has other scopes; a login with these needs `--force`"
        );
        return Err(Failure::new(what).hint(format!("`{again} --force`")).into());
    }
    let who = args.email.as_ref();
    let who = who.map_or_else(String::new, |email| format!(" as {email}"));
    say(&format!("already logged in to {instance}{who}"));
    say(&format!("hint: `{again} --force` logs in again"));
    if args.email.is_some() && !session.active {
        place.change(world, |change| change.activate(session, world.now()))?;
        say(&format!(
            "the session of {} is the active one now",
            described(session, &sessions)
        ));
    }
    Ok(true)
}

/// The tokens of a session that works.
fn working(world: &World, store: &Store, session: &Session) -> Option<Tokens> {
    match session::usable(world, store, session, Demand::Usable) {
        Ok(Usable::Current(tokens)) => {
            let check = OAuth::new(world, &session.origin, "").check(&tokens.access);
            (!matches!(check, Check::Rejected)).then_some(tokens)
        }
        Ok(usable) => Some(usable.into_tokens()),
        Err(_) => None,
    }
}

fn has_scopes(world: &World, instance: &Origin, tokens: &Tokens, wanted: &str) -> bool {
    let had = OAuth::new(world, instance, "").scopes(&tokens.access);
    let wanted: BTreeSet<&str> = wanted.split_whitespace().collect();
    had.is_some_and(|had| had.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted)
}

/// What was typed, as far as another login would need it.
fn command(args: &LoginArgs) -> String {
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

/// The old layout has room for one session: replacing another instance's wants a yes.
fn may_replace(world: &World, place: &ConfigDir, instance: &Origin) -> anyhow::Result<bool> {
    let Some(store) = &place.store else {
        return Ok(true);
    };
    let view = store.read()?;
    let other = view
        .sessions()?
        .into_iter()
        .find(|session| session.tokens.is_some() && session.origin != *instance);
    let (Some(other), true) = (other, view.holds_one_session()) else {
        return Ok(true);
    };
    let question = format!(
        "this database holds one session; replace the one of {}? [y/N]",
        other.origin
    );
    let Some(terminal) = Terminal::of_user(world) else {
        let what = format!(
            "the database holds one session, and that is one of {}",
            other.origin
        );
        return Err(Failure::new(what)
            .hint(format!("`sentry auth logout --url {}` first", other.origin))
            .into());
    };
    let answer = terminal
        .ask(&question, TIMEOUT)
        .unwrap_or_default()
        .to_ascii_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}

fn token_from_stdin(world: &World, args: &LoginArgs) -> anyhow::Result<Secret> {
    if world::terminal_on_stdin() {
        let typed = Terminal::of_user(world)
            .and_then(|terminal| terminal.ask_secretly(world, "token:", TIMEOUT))
            .context("nobody typed a token")?;
        return Secret::from_input(typed.as_bytes())
            .map_err(|why| unusable("what was typed", why, args));
    }
    // UTF-16 takes twice the room.
    let limit = 2 * MAX_TOKEN + 16;
    // A vector that grows leaves copies behind.
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(limit + 64));
    Stdin::with_timeout(INPUT_TIMEOUT)
        .take(limit as u64)
        .read_to_end(&mut bytes)
        .context("cannot read the token")?;
    Secret::from_input(&bytes).map_err(|why| unusable("standard input", why, args))
}

fn unusable(what: &str, why: TokenInputError, args: &LoginArgs) -> anyhow::Error {
    let failure = match why {
        TokenInputError::Empty => Failure::new(format!("there is no token: {what} is empty")),
        _ => Failure::new(format!("cannot use {what} as a token: {why}")),
    };
    match why {
        TokenInputError::Utf16 => {
            let login = command(args);
            failure.hint(format!(
                "`iconv -f UTF-16 -t UTF-8 <FILE | {login} --with-token`"
            ))
        }
        _ => failure,
    }
    .into()
}

/// An organisation token says which instance it is for.
fn instance_of(
    world: &World,
    place: &ConfigDir,
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
        (None, _) => Ok(place.session(world, url)?.0),
    }
}

fn with_token(
    world: &World,
    place: &ConfigDir,
    instance: &Origin,
    token: Secret,
    args: &LoginArgs,
) -> anyhow::Result<Session> {
    let user = match OAuth::new(world, instance, "").check(&token) {
        Check::Accepted(user) => user,
        Check::Rejected => bail!("{instance} does not accept this token; nothing was stored"),
        Check::Forbidden => bail!("{instance} does not let this token in; nothing was stored"),
        Check::Unknown(why) => {
            let what = format!("cannot check the token with {instance}: {why}; nothing was stored");
            return Err(why.with_text(what).into());
        }
    };
    if let Some(email) = &args.email
        && !user.is_called(email)
    {
        let whose = match Identity::label(&user, Some(&token)) {
            Some(label) => format!("this token is one of {label}, not of {email}"),
            None => format!("{instance} does not say whose token this is"),
        };
        bail!("{whose}; nothing was stored");
    }
    let store = Store::open_or_create(world, &place.dir)?;
    let tokens = Tokens {
        access: token,
        refresh: None,
        issued_at: Some(world.now()),
        expires_at: None,
    };
    let login = NewLogin {
        origin: instance.clone(),
        user,
        tokens,
        client_id: None,
    };
    // Not tried for long: the user still has the token.
    session::record_login(world, &store, login)
}
