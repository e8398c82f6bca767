//! The policy: which credential for which host.
//!
//! Apart from [`crate::git`] and [`crate::docker`], which know their protocols but not what is behind them. Both ask the
//! one question [`Broker::credential_for`]; the order is: what was explicitly stored, the environment's token, the
//! session (refreshed if stale), the device flow.
//!
//! Rules: a host gets a token only if [`Origin::may_receive`] says so, for itself or for the instance it is bound to; a
//! person is asked only on a terminal, and never about an instance that they did not choose.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::{self, EnvironmentToken};
use crate::failure::Failure;
use crate::lock::{Held, Lock};
use crate::login::{DEFAULT_SCOPES, DeviceLogin, NotLoggedIn};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::session::{self, Unusable};
use crate::store::{self, Binding, Change, Client, Marks, Match, Session, Store, View};
use crate::terminal::{Browser, Terminal};
use crate::world::{Timestamp, World};

/// Longest a `get` waits for a person.
const LOGIN: Duration = Duration::from_secs(300);

/// Longest the question before a login waits for its answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long "no" is remembered, in milliseconds: `docker build` asks for every host it knows.
const DECLINED: i64 = 10 * 60 * 1000;

/// How long `store` and `erase` wait for a refresh in another process.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves the helpers from one directory.
pub struct Broker<'a> {
    world: &'a World,
    dir: PathBuf,
}

/// What a program asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which protocol it speaks.
    pub client: Client,
    /// What stored credentials are found by, in our tables.
    pub server: &'a str,
    /// What a binding is found by, in our tables.
    pub host: &'a str,
    /// The host; `None` where no session could be served, whatever it is bound to.
    pub origin: Option<&'a Origin>,
    /// The path, where it counts.
    pub path: Option<&'a str>,
    /// The user that is wanted.
    pub username: Option<&'a str>,
    /// Whether a credential with an `authtype` would be understood.
    pub authtype: bool,
}

/// What it gets.
#[derive(Debug)]
pub enum Credential {
    /// As it was stored.
    Stored(store::Credential),
    /// An access token.
    Token {
        /// The token.
        token: Secret,
        /// When it dies, if known.
        expires_at: Option<Timestamp>,
        /// The user name that the binding wants.
        username: Option<String>,
    },
}

/// Why it gets nothing.
#[derive(Debug)]
pub enum Absence {
    /// The host is not ours, and nothing is stored for it.
    NotOurs,
    /// The person said no: nobody should ask again.
    Declined(Failure),
    /// The host is ours, but there is no token now.
    Unavailable(anyhow::Error),
}

impl From<anyhow::Error> for Absence {
    fn from(error: anyhow::Error) -> Absence {
        Absence::Unavailable(error)
    }
}

impl<'a> Broker<'a> {
    /// A broker for the environment's directory.
    ///
    /// # Errors
    /// There is no such directory to be had.
    pub fn new(world: &'a World) -> anyhow::Result<Broker<'a>> {
        Ok(Broker {
            world,
            dir: world.config_dir()?,
        })
    }

    /// The world it acts in.
    pub fn world(&self) -> &'a World {
        self.world
    }

    /// The credential for a host.
    ///
    /// # Errors
    /// [`Absence`].
    pub fn credential_for(&self, request: &Request<'_>) -> Result<Credential, Absence> {
        self.find(request).inspect_err(|absence| {
            self.trace(request, || match absence {
                Absence::NotOurs => "nothing".to_owned(),
                Absence::Declined(failure) => format!("declined: {failure}"),
                Absence::Unavailable(error) => format!("{error:#}"),
            });
        })
    }

    fn trace(&self, request: &Request<'_>, found: impl FnOnce() -> String) {
        self.world
            .trace(|| format!("{}: {}", request.server, found()));
    }

    fn find(&self, request: &Request<'_>) -> Result<Credential, Absence> {
        let environment = environment::token(self.world);
        // A token from the environment works without a database, and with one that cannot be read.
        let store = match Store::open(&self.dir) {
            Ok(store) => store,
            Err(error) => return self.without_store(request, environment, error),
        };
        let Some(store) = store else {
            return self.without_session(request, environment, None);
        };
        let view = store.view()?;
        let wanted = Match {
            server: request.server,
            path: request.path,
            username: request.username,
            secret: None,
        };
        let suits =
            |credential: &store::Credential| credential.authtype.is_none() || request.authtype;
        if let Some(stored) = view.credential(&wanted, self.world.now(), suits)? {
            self.trace(request, || "a stored credential".to_owned());
            return Ok(Credential::Stored(stored));
        }
        let binding = view.binding(request.host)?;
        let sessions = view.sessions()?;
        drop(view);
        if binding.as_ref().is_some_and(|binding| binding.signed_out) {
            return Err(Absence::NotOurs);
        }
        let instance = request
            .origin
            .map(|origin| binding.as_ref().map_or(origin, |binding| &binding.origin));
        let session = instance.and_then(|instance| pick(&sessions, instance, request.username));
        if let (Some(_), Err(failure)) = (session, &environment) {
            // It may have been meant for this instance: told before the session is tried.
            return Err(Absence::Unavailable(failure.clone().into()));
        }
        let Some(session) = session.filter(|_| !may_serve(&environment, instance)) else {
            return self.without_session(request, environment, binding);
        };
        let username = binding.and_then(|binding| binding.username);
        match session::usable(self.world, &store, session, None) {
            Ok(usable) => {
                self.trace(request, || format!("the session of {}", session.origin));
                Ok(token_of(usable.into_tokens(), username))
            }
            Err(Unusable::Trouble(error)) => Err(Absence::Unavailable(error)),
            Err(Unusable::Dead(failure)) => self.log_in(
                request.client,
                &session.origin,
                Known::Before,
                failure,
                username,
            ),
        }
    }

    fn without_store(
        &self,
        request: &Request<'_>,
        environment: Result<Option<EnvironmentToken>, Failure>,
        error: anyhow::Error,
    ) -> Result<Credential, Absence> {
        match may_serve(&environment, request.origin) {
            true => self.without_session(request, environment, None),
            false => Err(Absence::Unavailable(error)),
        }
    }

    /// The environment's token if the host may have it, else a login if the host is an instance's.
    fn without_session(
        &self,
        request: &Request<'_>,
        environment: Result<Option<EnvironmentToken>, Failure>,
        binding: Option<Binding>,
    ) -> Result<Credential, Absence> {
        let Some(origin) = request.origin else {
            return Err(Absence::NotOurs);
        };
        let instance = binding.as_ref().map_or(origin, |binding| &binding.origin);
        let username = binding
            .as_ref()
            .and_then(|binding| binding.username.clone());
        match (environment, self.knowledge_of(instance, binding.is_some())) {
            // Even where nothing else names the instance: an organisation token does so itself.
            (Ok(Some(found)), _) if instance.may_receive(&found.origin) => {
                self.trace(request, || found.variable.to_owned());
                Ok(found.into_credential(username))
            }
            (_, None) => Err(Absence::NotOurs),
            (Err(failure), _) => Err(Absence::Unavailable(failure.into())),
            (_, Some(known)) => self.log_in(
                request.client,
                instance,
                known,
                not_logged_in(instance),
                username,
            ),
        }
    }

    fn is_instance(&self, origin: &Origin) -> bool {
        let named = environment::instance(self.world).ok().flatten();
        origin.is_saas() || named.is_some_and(|named| origin.may_receive(&named))
    }

    fn knowledge_of(&self, instance: &Origin, bound: bool) -> Option<Known> {
        match (instance.is_saas(), bound, self.is_instance(instance)) {
            (true, ..) => Some(Known::Saas),
            (_, true, _) => Some(Known::Before),
            (_, _, true) => Some(Known::ByEnvironment),
            _ => None,
        }
    }

    /// Logs in with the person at the terminal, or says what to run.
    fn log_in(
        &self,
        client: Client,
        instance: &Origin,
        known: Known,
        failure: Failure,
        username: Option<String>,
    ) -> Result<Credential, Absence> {
        let unavailable = || Absence::Unavailable(failure.clone().into());
        let named = self.world.variable("SENTRY_CLIENT_ID");
        let client_id = match known {
            Known::ByEnvironment => named,
            _ => self
                .client_id_of(instance)
                .or(named)
                .or_else(|| environment::client_id(self.world, instance)),
        };
        let (Some(client_id), true) = (client_id, environment::may_ask(self.world)) else {
            return Err(unavailable());
        };
        // `docker build` asks for every host it knows, one after the other.
        if client == Client::Docker && self.declined_lately(instance) {
            return Err(unavailable());
        }
        let Some(terminal) = Terminal::of_person(self.world) else {
            return Err(unavailable());
        };
        terminal.say(&format!(
            "{} needs a login to {instance}: {failure}",
            client.name()
        ));
        if !agrees(&terminal, known) {
            self.remember_declined(instance);
            return Err(Absence::Declined(failure));
        }
        let login = DeviceLogin {
            origin: instance,
            client_id: &client_id,
            scope: DEFAULT_SCOPES,
            timeout: LOGIN,
            browser: Browser::Open,
        };
        match login.run(self.world, &self.dir, &terminal) {
            Ok(logged_in) => {
                terminal.say(&format!("logged in to {instance}"));
                let tokens = logged_in.into_session().tokens;
                tokens
                    .map(|tokens| token_of(tokens, username))
                    .ok_or_else(unavailable)
            }
            Err(NotLoggedIn::Denied(failure)) => Err(Absence::Declined(failure)),
            Err(NotLoggedIn::Failed(error)) => Err(Absence::Unavailable(error)),
        }
    }

    fn client_id_of(&self, instance: &Origin) -> Option<String> {
        let sessions = self.read(|view| view.sessions()).ok()?;
        sessions
            .into_iter()
            .find(|session| session.origin == *instance)?
            .marks
            .client_id
    }

    fn declined_lately(&self, instance: &Origin) -> bool {
        let declined = self
            .read(|view| view.setting(&declined_key(instance)))
            .ok()
            .flatten();
        let at = declined.and_then(|at| at.parse::<i64>().ok());
        at.is_some_and(|at| (0..DECLINED).contains(&(self.world.now().millis() - at)))
    }

    fn remember_declined(&self, instance: &Origin) {
        let now = self.world.now().millis().to_string();
        // Forgetting it means another question, no more.
        self.change(|change| change.set(&declined_key(instance), Some(&now)))
            .ok();
    }

    /// Reads, if there is a database.
    ///
    /// # Errors
    /// The store's.
    pub fn read<T: Default>(
        &self,
        read: impl FnOnce(&View<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        match Store::open(&self.dir)? {
            Some(store) => read(&store.view()?),
            None => Ok(T::default()),
        }
    }

    /// Writes under the lock; makes the database if there is none.
    ///
    /// # Errors
    /// The store's and the lock's.
    pub fn change<T>(
        &self,
        write: impl FnOnce(&Change<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let store = Store::open_or_create(&self.dir)?;
        let held: Held =
            Lock::credential(&self.dir).acquire(self.world.clock(), PATIENCE, || false)?;
        let change = store.change(&held, self.world.clock())?;
        let done = write(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// Whether a secret came from us: from the environment, or from a session, now or formerly.
    ///
    /// # Errors
    /// The store's.
    pub fn is_ours(&self, secret: &Secret) -> anyhow::Result<bool> {
        if matches!(environment::token(self.world), Ok(Some(found)) if found.token == *secret) {
            return Ok(true);
        }
        self.read(|view| Ok(owner(view, secret)?.is_some() || view.is_former(secret)?))
    }

    /// Marks a session's access token as suspect after a server rejected it. Other secrets change nothing.
    ///
    /// # Errors
    /// The store's.
    pub fn suspect(&self, secret: &Secret) -> anyhow::Result<()> {
        if self
            .read(|view| Ok(owner(view, secret)?.map(drop)))?
            .is_none()
        {
            return Ok(());
        }
        self.change(|change| match owner(change, secret)? {
            Some(session) => {
                let marks = Marks {
                    suspect: Some(secret.digest()),
                    ..session.marks.clone()
                };
                change.mark(&session, &marks)
            }
            None => Ok(()),
        })
    }
}

/// Why an instance may be logged in to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Sentry's own.
    Saas,
    /// The person logged in to it, or bound a host to it.
    Before,
    /// Only `SENTRY_URL` names it: whoever set that may not be the person.
    ByEnvironment,
}

fn agrees(terminal: &Terminal, known: Known) -> bool {
    match known {
        Known::Saas | Known::Before => match terminal.ask("log in now? [Y/n]", ANSWER) {
            Some(answer) => matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes"),
            None => false,
        },
        Known::ByEnvironment => {
            let question = "only the environment names this instance; type `yes` if you trust it:";
            terminal.ask(question, ANSWER).as_deref() == Some("yes")
        }
    }
}

fn not_logged_in(instance: &Origin) -> Failure {
    let command = match instance.is_saas() {
        true => "`sentry auth login`".to_owned(),
        false => format!("`sentry auth login --url {instance}`"),
    };
    Failure::new(format!("not logged in to {instance}")).hint(format!("run {command}"))
}

fn declined_key(instance: &Origin) -> String {
    format!("declined {instance}")
}

/// Whether the environment's token is for an instance, or is broken, which is told before anything else is tried.
fn may_serve(
    environment: &Result<Option<EnvironmentToken>, Failure>,
    instance: Option<&Origin>,
) -> bool {
    match environment {
        Ok(None) => false,
        Ok(Some(found)) => instance.is_some_and(|instance| instance.may_receive(&found.origin)),
        Err(_) => true,
    }
}

impl EnvironmentToken {
    fn into_credential(self, username: Option<String>) -> Credential {
        Credential::Token {
            token: self.token,
            expires_at: None,
            username,
        }
    }
}

fn token_of(tokens: store::Tokens, username: Option<String>) -> Credential {
    Credential::Token {
        token: tokens.access,
        expires_at: tokens.expires_at,
        username,
    }
}

/// The session for an instance: of the user that is asked for, else the active one, else the last used.
pub fn pick<'a>(
    sessions: &'a [Session],
    instance: &Origin,
    username: Option<&str>,
) -> Option<&'a Session> {
    let candidates = || {
        sessions
            .iter()
            .filter(|session| instance.may_receive(&session.origin))
    };
    let named = username.and_then(|name| candidates().find(|session| session.user.is_called(name)));
    let exact = || candidates().find(|session| session.origin == *instance);
    named
        .or_else(|| candidates().find(|session| session.active))
        .or_else(exact)
        .or_else(|| candidates().next())
}

fn owner(view: &View<'_>, secret: &Secret) -> anyhow::Result<Option<Session>> {
    let has = |session: &Session| {
        session
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.access == *secret)
    };
    Ok(view.sessions()?.into_iter().find(has))
}
