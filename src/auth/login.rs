//! `sentry auth login`: logs in by device flow, or with an API token.

mod input;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;

use super::context::{ConfigDir, described};
use super::output::say;
use crate::account::{Identity, Session, Tokens};
use crate::cli::LoginArgs;
use crate::environment::{self, BUILT_IN_CLIENT_ID};
use crate::failure::Failure;
use crate::login::{Approver, DEFAULT_SCOPES, DeviceLogin, LoggedIn, NotLoggedIn, TIMEOUT};
use crate::mirror::{self, Mirror};
use crate::oauth::{Check, OAuth};
use crate::origin::Origin;
use crate::platform::files::judged;
use crate::policy::{account_called, active_account};
use crate::secret::Secret;
use crate::session::{self, Demand, NewLogin, Usable};
use crate::store::Store;
use crate::terminal::{Browser, Terminal};
use crate::world::World;

use input::{command, from_stdin, instance_of, setup_code};

pub(crate) fn login(world: &World, args: &LoginArgs) -> anyhow::Result<ExitCode> {
    let config = ConfigDir::of(world)?;
    // Before a token is read or a code is requested that could not be stored.
    config.dir()?;
    let token = match args.with_token {
        true => Some(from_stdin(world, "token", args)?),
        false => args.token.clone(),
    };
    let code = match args.setup_code {
        true => Some(setup_code(world, args)?),
        false => None,
    };
    let instance = match (&token, &code) {
        (Some(token), _) => instance_of(world, &config, args.instance.url.as_ref(), token)?,
        (None, Some(code)) => code.origin.clone(),
        (None, None) => config.session(world, args.instance.url.as_ref())?.0,
    };
    warn_of_variables(world);
    if !may_replace(world, &config, &instance)? {
        bail!("nothing was changed");
    }
    if args.no_keyring {
        forget_keyring(world, &config)?;
    }
    if args.keyring {
        config.change(world, |change| {
            change.set(mirror::SETTING.0, Some(mirror::SETTING.1))
        })?;
    }
    let email = args.email.as_deref();
    let session = match (token, code) {
        (Some(token), _) => store_token(world, &config, &instance, token, email)?,
        (None, Some(code)) => {
            let url = Some(&instance);
            // Without a client id, the code belongs to the instance's own application.
            let client_id = environment::client_id_by(world, &instance, url);
            let client_id = client_id.as_deref().unwrap_or(BUILT_IN_CLIENT_ID);
            code.redeem(world, config.dir()?, client_id, email)?
        }
        (None, None) => match with_device_flow(world, &config, &instance, args)? {
            Some(session) => session,
            None => return Ok(ExitCode::SUCCESS),
        },
    };
    tell(world, &config, &session)?;
    Ok(ExitCode::SUCCESS)
}

/// Warns about a token that outranks the session to be stored.
pub(super) fn warn_of_variables(world: &World) {
    match environment::token(world) {
        Ok(None) => {}
        Ok(Some(found)) => say(&format!(
            "warning: the token in {} is used before any session",
            found.variable
        )),
        // The variable has to be fixed, but it does not prevent this login.
        Err(failure) => say(&format!("warning: {failure}")),
    }
}

/// Reports the login, and the next step.
pub(super) fn tell(world: &World, config: &ConfigDir, session: &Session) -> anyhow::Result<()> {
    let name = session.name();
    let name = name.map_or_else(String::new, |name| format!(" as {name}"));
    say(&format!("logged in to {}{name}", session.origin));
    let database = config.dir()?.join("cli.db");
    let readers = match judged(&database) {
        Ok(()) => "readable by you only",
        Err(why) => why,
    };
    say(&format!(
        "the token is stored in {} ({readers})",
        database.display()
    ));
    if !is_set_up(world, config)? {
        say(
            "hint: `sentry auth setup-git --host HOST` lets git use this login, and \
             `sentry auth setup-docker --registry REGISTRY` docker",
        );
    }
    Ok(())
}

/// Whether a host is set up, so that no hint is needed.
fn is_set_up(world: &World, config: &ConfigDir) -> anyhow::Result<bool> {
    // The login may have created the database.
    let store = Store::open(world, config.dir()?)?;
    let bound = store.map_or(Ok(Vec::new()), |store| store.read()?.bound())?;
    Ok(!bound.is_empty())
}

fn forget_keyring(world: &World, config: &ConfigDir) -> anyhow::Result<()> {
    let Some(store) = &config.store else {
        return Ok(());
    };
    for session in config.sessions()? {
        Mirror::for_removal(world, store).remove(&session);
    }
    config.change(world, |change| change.set(mirror::SETTING.0, None))
}

/// `None`: no login was needed.
fn with_device_flow(
    world: &World,
    config: &ConfigDir,
    instance: &Origin,
    args: &LoginArgs,
) -> anyhow::Result<Option<Session>> {
    if !args.force && already_logged_in(world, config, instance, args)? {
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
        scope: &scopes(&args.scope, args.read_only),
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
    match login.run(world, config.dir()?, &Terminal::stderr(world)) {
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

/// The scopes to request: these, else the default ones.
pub(super) fn scopes(scope: &[String], read_only: bool) -> String {
    let requested: Vec<&str> = match scope.is_empty() {
        true => DEFAULT_SCOPES.split_whitespace().collect(),
        false => scope.iter().map(String::as_str).collect(),
    };
    let selected = requested
        .into_iter()
        .filter(|scope| !read_only || scope.ends_with(":read"));
    selected.collect::<Vec<_>>().join(" ")
}

/// Whether no login is needed, which is reported: the account has a working session, and is made the active one.
fn already_logged_in(
    world: &World,
    config: &ConfigDir,
    instance: &Origin,
    args: &LoginArgs,
) -> anyhow::Result<bool> {
    let sessions = config.sessions()?;
    let session = match &args.email {
        Some(email) => account_called(&sessions, instance, email),
        None => active_account(&sessions, instance),
    };
    let (Some(store), Some(session)) = (&config.store, session) else {
        return Ok(false);
    };
    let Some(tokens) = working(world, store, session) else {
        return Ok(false);
    };
    let again = command(args);
    let wants_scopes = args.read_only || !args.scope.is_empty();
    if wants_scopes
        && !has_scopes(
            world,
            &session.origin,
            &tokens,
            &scopes(&args.scope, args.read_only),
        )
    {
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
        config.change(world, |change| change.activate(session, world.now()))?;
        say(&format!(
            "the session of {} is the active one now",
            described(session, &sessions)
        ));
    }
    Ok(true)
}

/// The tokens of a session, if they work.
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

fn has_scopes(world: &World, instance: &Origin, tokens: &Tokens, requested: &str) -> bool {
    let oauth = OAuth::new(world, instance, "");
    let (_, granted) = oauth.check_with_scopes(&tokens.access);
    let requested: BTreeSet<&str> = requested.split_whitespace().collect();
    granted.is_some_and(|granted| {
        granted.iter().map(String::as_str).collect::<BTreeSet<_>>() == requested
    })
}

/// The old layout holds one session; replacing that of another instance needs confirmation.
pub(super) fn may_replace(
    world: &World,
    config: &ConfigDir,
    instance: &Origin,
) -> anyhow::Result<bool> {
    let Some(store) = &config.store else {
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
        "this database holds only one session; replace the session of {}? [y/N]",
        other.origin
    );
    let Some(terminal) = Terminal::of_user(world) else {
        let what = format!(
            "the database holds only one session, which is at {}",
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

/// Stores an API token, of this user if one is named, once the instance has accepted it.
pub(super) fn store_token(
    world: &World,
    config: &ConfigDir,
    instance: &Origin,
    token: Secret,
    email: Option<&str>,
) -> anyhow::Result<Session> {
    let user = match OAuth::new(world, instance, "").check(&token) {
        Check::Accepted(user) => user,
        Check::Rejected => bail!("{instance} does not accept this token; nothing was stored"),
        Check::Forbidden => bail!("{instance} refuses access with this token; nothing was stored"),
        Check::Unknown(why) => {
            let what = format!("cannot check the token with {instance}: {why}; nothing was stored");
            return Err(why.with_text(what).into());
        }
    };
    if let Some(email) = email
        && !user.is_called(email)
    {
        let what = match Identity::label(&user, Some(&token)) {
            Some(label) => format!("this token is one of {label}, not of {email}"),
            None => format!("{instance} does not report the owner of this token"),
        };
        bail!("{what}; nothing was stored");
    }
    let store = Store::open_or_create(world, config.dir()?)?;
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
    // Not retried: the user still has the token.
    session::record_login(world, &store, login)
}
