//! The policy: which credential for which host.
//!
//! Apart from [`crate::git`] and [`crate::docker`], which know their protocols but not what is behind them. Both ask the
//! one question [`Broker::credential_for`]; the order is: what was explicitly stored, the environment's token, the
//! session (refreshed if stale), the device flow.
//!
//! Rules: a host gets a token only if [`Origin::may_receive`] says so, for itself or for the instance it is bound to; a
//! person is asked only on a terminal, and never about an instance that they did not choose.

mod interactive;
mod storage;

use std::path::PathBuf;

use crate::account::{Freshness, Session, Tokens};
use crate::environment::{self, EnvironmentToken};
use crate::failure::Failure;
use crate::login::not_logged_in;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::session::{self, Demand, TokenError, Usable};
use crate::store::{self, Binding, Client, Match, ReadTransaction, Store};
use crate::world::{Timestamp, World};

use interactive::Known;

/// User name beside an access token, where nobody wants another.
pub const USERNAME: &str = "oauth2";

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
pub enum NoCredential {
    /// The host is not ours, and nothing is stored for it.
    NotOurs,
    /// The person said no: nobody should ask again.
    Declined(Failure),
    /// The host is ours, but there is no token now.
    Unavailable(anyhow::Error),
}

impl From<anyhow::Error> for NoCredential {
    fn from(error: anyhow::Error) -> NoCredential {
        NoCredential::Unavailable(error)
    }
}

/// What the store has for a request.
enum Found {
    Stored(store::Credential),
    Sessions(Vec<Session>, Option<Binding>),
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
    /// [`NoCredential`].
    pub fn credential_for(&self, request: &Request<'_>) -> Result<Credential, NoCredential> {
        self.find(request).inspect_err(|absence| {
            self.trace(request, || match absence {
                NoCredential::NotOurs => "nothing".to_owned(),
                NoCredential::Declined(failure) => format!("declined: {failure}"),
                NoCredential::Unavailable(error) => format!("{error:#}"),
            });
        })
    }

    fn trace(&self, request: &Request<'_>, found: impl FnOnce() -> String) {
        self.world
            .trace(|| format!("{}: {}", request.server, found()));
    }

    fn find(&self, request: &Request<'_>) -> Result<Credential, NoCredential> {
        let look = |view: &ReadTransaction<'_>| self.look(view, request);
        match Store::at_rest(self.world, &self.dir, look) {
            Some(found) => self.answer(request, found, None),
            None => self.find_in_use(request),
        }
    }

    fn find_in_use(&self, request: &Request<'_>) -> Result<Credential, NoCredential> {
        // A token from the environment works without a database, and with one that cannot be read.
        let store = match Store::open_for_view(self.world, &self.dir) {
            Ok(store) => store,
            Err(error) => return self.without_store(request, error),
        };
        let Some(store) = store else {
            return self.without_session(request, environment::token(self.world), None);
        };
        let found = self.look(&store.view()?, request)?;
        self.answer(request, found, Some(store))
    }

    fn look(&self, view: &ReadTransaction<'_>, request: &Request<'_>) -> anyhow::Result<Found> {
        let wanted = Match {
            server: request.server,
            path: request.path,
            username: request.username,
            secret: None,
        };
        let suits =
            |credential: &store::Credential| credential.authtype.is_none() || request.authtype;
        let known = view.known(request.server, request.host)?;
        if known.credential
            && let Some(stored) = view.credential(&wanted, self.world.now(), suits)?
        {
            return Ok(Found::Stored(stored));
        }
        let binding = match known.binding {
            true => view.binding(request.host)?,
            false => None,
        };
        Ok(Found::Sessions(view.sessions()?, binding))
    }

    /// From what was found; without an open store only if no session has to be looked after.
    fn answer(
        &self,
        request: &Request<'_>,
        found: Found,
        store: Option<Store>,
    ) -> Result<Credential, NoCredential> {
        let (sessions, binding) = match found {
            Found::Sessions(sessions, binding) => (sessions, binding),
            Found::Stored(stored) => {
                self.trace(request, || "a stored credential".to_owned());
                if let Some(store) = store {
                    store.leave();
                }
                return Ok(Credential::Stored(stored));
            }
        };
        let environment = environment::token(self.world);
        // `docker login` shows the registry what it gets here, and `store`s it: that signs in again.
        let signed_out = binding.as_ref().is_some_and(|binding| binding.signed_out);
        if signed_out && !self.world.parent_was_told("login") {
            return Err(NoCredential::NotOurs);
        }
        let instance = request
            .origin
            .map(|origin| binding.as_ref().map_or(origin, |binding| &binding.origin));
        let session = instance.and_then(|instance| pick(&sessions, instance, request.username));
        if let (Some(_), Err(failure)) = (session, &environment) {
            // It may have been meant for this instance: told before the session is tried.
            return Err(NoCredential::Unavailable(failure.clone().into()));
        }
        let Some(session) = session.filter(|_| !may_serve(&environment, instance)) else {
            return self.without_session(request, environment, binding);
        };
        let usable = match (store, &session.tokens) {
            (None, Some(tokens)) if session.freshness(self.world.now()) == Freshness::Fresh => {
                Ok(Usable::Current(tokens.clone()))
            }
            (None, _) => return self.find_in_use(request),
            (Some(store), _) => {
                let usable = session::usable(self.world, &store, session, Demand::Usable);
                if usable.is_ok() {
                    store.leave();
                }
                usable
            }
        };
        let username = binding.and_then(|binding| binding.username);
        match usable {
            Ok(usable) => {
                self.trace(request, || format!("the session of {}", session.origin));
                Ok(token_of(usable.into_tokens(), username))
            }
            Err(TokenError::Unavailable(error)) => Err(NoCredential::Unavailable(error)),
            Err(TokenError::LoginRequired(failure)) => self.log_in(
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
        error: anyhow::Error,
    ) -> Result<Credential, NoCredential> {
        let environment = environment::token(self.world);
        match may_serve(&environment, request.origin) {
            true => self.without_session(request, environment, None),
            false => Err(NoCredential::Unavailable(error)),
        }
    }

    /// The environment's token if the host may have it, else a login if the host is an instance's.
    fn without_session(
        &self,
        request: &Request<'_>,
        environment: Result<Option<EnvironmentToken>, Failure>,
        binding: Option<Binding>,
    ) -> Result<Credential, NoCredential> {
        let Some(origin) = request.origin else {
            return Err(NoCredential::NotOurs);
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
            (_, None) => Err(NoCredential::NotOurs),
            (Err(failure), _) => Err(NoCredential::Unavailable(failure.into())),
            (_, Some(known)) => self.log_in(
                request.client,
                instance,
                known,
                not_logged_in(instance),
                username,
            ),
        }
    }
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

fn token_of(tokens: Tokens, username: Option<String>) -> Credential {
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
