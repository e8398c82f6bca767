//! Carries out what [`crate::policy`] decides: refreshes, logs in, and stores what clients ask it to store.
//!
//! Separate from [`crate::git`] and [`crate::docker`], which know the protocols but not the store, and from the
//! decision itself, which performs no I/O. Both helpers enter through [`Broker::credential_for`].

mod git_setting;
mod interactive;
mod refusal;
mod storage;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::account::{Freshness, Session, Tokens};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::login::not_logged_in;
use crate::policy::{self, Decision, Facts, LoginBasis, LoginOffer, Request, Verdict};
use crate::secret::Secret;
use crate::session::{self, Demand, TokenError, Usable};
use crate::store::{self, Binding, ReadTransaction, Store};
use crate::world::{self, Timestamp, World};

/// Serves the helpers from one configuration directory.
pub(crate) struct Broker<'a> {
    world: &'a World,
    dir: OnceCell<PathBuf>,
}

/// The credential that a client gets.
#[derive(Debug)]
pub(crate) enum Credential {
    /// A stored credential.
    Stored(store::Credential),
    /// An access token.
    Token {
        /// The token.
        token: Secret,
        /// When the token expires, if known.
        expires_at: Option<Timestamp>,
        /// The user name that the binding sets.
        username: Option<String>,
    },
}

/// Why a client gets no credential.
#[derive(Debug)]
pub(crate) enum NoCredential {
    /// The host belongs to no instance, and nothing is stored for it.
    NotOurs,
    /// Only a login would help, and there was none.
    NoLogin {
        /// What to report.
        why: Failure,
        /// What became of the session that the host had.
        session: PriorSession,
        /// What the user at the terminal did.
        user: UserResponse,
    },
    /// The host refused the token within the last minutes, and does not get it again; the user is informed.
    Refused(Failure),
    /// The host belongs to an instance, but no token is available now.
    Unavailable(anyhow::Error),
}

/// The session that the host had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PriorSession {
    /// None: the user logged out, or never logged in.
    None,
    /// It ended without an action of the user, who may not know.
    Ended,
}

/// What the user at the terminal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserResponse {
    /// There was no user to ask.
    Absent,
    /// The user declined; the client must not prompt again.
    Declined,
}

impl From<anyhow::Error> for NoCredential {
    fn from(error: anyhow::Error) -> NoCredential {
        NoCredential::Unavailable(error)
    }
}

impl<'a> Broker<'a> {
    /// Creates a broker for the environment's configuration directory.
    pub(crate) fn new(world: &'a World) -> Broker<'a> {
        Broker {
            world,
            dir: OnceCell::new(),
        }
    }

    /// The world that the broker acts in.
    pub(crate) fn world(&self) -> &'a World {
        self.world
    }

    /// The directory of the database; resolved only when it is needed.
    fn dir(&self) -> anyhow::Result<&Path> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir);
        }
        let dir = self.world.config_dir()?;
        Ok(self.dir.get_or_init(|| dir))
    }

    /// Returns the credential for a host.
    pub(crate) fn credential_for(&self, request: &Request<'_>) -> Result<Credential, NoCredential> {
        let environment = Environment::of(self.world);
        let gather = |view: &ReadTransaction<'_>| {
            Facts::for_request(self.world, &environment, view, request)
        };
        let dir = match self.dir() {
            Ok(dir) => dir,
            Err(error) => return self.without_store(&environment, request, error),
        };
        let suffices = |facts: &Facts<'_>| {
            let is_fresh =
                |session: &Session| session.freshness(self.world.now()) == Freshness::Fresh;
            // Whichever is chosen: mostly there is one, and nothing to decide twice.
            facts.sessions.iter().all(is_fresh) || !self.needs_refresh(&self.decide(facts, request))
        };
        let (facts, store) = match Store::gather(self.world, dir, gather, suffices) {
            Ok(Some(gathered)) => gathered,
            Ok(None) => {
                let facts = Facts::without_store(self.world, &environment, Some(request));
                (facts, None)
            }
            // A token from the environment works with a database that cannot be read.
            Err(error) => return self.without_store(&environment, request, error),
        };
        let decision = self.decide(&facts, request);
        self.carry_out(&decision, &facts, request, store)
    }

    /// Decides without the store; if the store could change the decision, reports why it cannot be read.
    fn without_store(
        &self,
        environment: &Environment,
        request: &Request<'_>,
        error: anyhow::Error,
    ) -> Result<Credential, NoCredential> {
        let facts = Facts::without_store(self.world, environment, Some(request));
        let decision = self.decide(&facts, request);
        match decision.verdict {
            Verdict::Environment(_) | Verdict::Broken(_) => {
                self.carry_out(&decision, &facts, request, None)
            }
            // Without a home directory there is no store that could decide otherwise.
            Verdict::Nothing if error.is::<world::NoHome>() => Err(NoCredential::NotOurs),
            Verdict::Login(_) if error.is::<world::NoHome>() => Err(NoCredential::NoLogin {
                why: Failure::of(&error),
                session: PriorSession::None,
                user: UserResponse::Absent,
            }),
            _ => Err(NoCredential::Unavailable(error)),
        }
    }

    fn decide<'f>(&self, facts: &'f Facts<'_>, request: &'f Request<'_>) -> Decision<'f> {
        policy::decide(facts, request, self.world.now())
    }

    fn needs_refresh(&self, decision: &Decision<'_>) -> bool {
        let Verdict::Session(session) = decision.verdict else {
            return false;
        };
        session.freshness(self.world.now()) != Freshness::Fresh
    }

    fn carry_out(
        &self,
        decision: &Decision<'_>,
        facts: &Facts<'_>,
        request: &Request<'_>,
        store: Option<Store>,
    ) -> Result<Credential, NoCredential> {
        let mut done = self.perform(decision, facts, request, store);
        if facts.signing_in && matches!(done, Ok(Credential::Token { .. })) {
            done = done.and_then(|token| self.sign_in(facts).map(|()| token).map_err(Into::into));
        }
        self.world.trace(|| {
            let what = match &done {
                Ok(_) | Err(NoCredential::NotOurs) => decision.to_string(),
                Err(NoCredential::NoLogin { why, user, .. }) => match user {
                    UserResponse::Absent => why.to_string(),
                    UserResponse::Declined => format!("declined: {why}"),
                },
                Err(NoCredential::Refused(why)) => why.to_string(),
                Err(NoCredential::Unavailable(error)) => format!("{error:#}"),
            };
            format!("{}: {what}", request.server)
        });
        done
    }

    /// Ends a logout from a registry. podman, skopeo and buildah verify with the registry what `get` returned when they
    /// log in, and do not `store` it.
    fn sign_in(&self, facts: &Facts<'_>) -> anyhow::Result<()> {
        self.change(|change| {
            for binding in &facts.bindings {
                if let Some(binding) = change.binding(&binding.server)? {
                    change.bind(&Binding {
                        signed_out: false,
                        ..binding
                    })?;
                }
            }
            Ok(())
        })
    }

    fn perform(
        &self,
        decision: &Decision<'_>,
        facts: &Facts<'_>,
        request: &Request<'_>,
        store: Option<Store>,
    ) -> Result<Credential, NoCredential> {
        let username = || decision.username.map(str::to_owned);
        match decision.verdict {
            Verdict::Stored(stored) => {
                leave(store);
                Ok(Credential::Stored(stored.clone()))
            }
            Verdict::Environment(found) => {
                leave(store);
                self.check_environment(facts, request, found)?;
                Ok(Credential::Token {
                    token: found.token.clone(),
                    expires_at: None,
                    username: username(),
                })
            }
            Verdict::Session(session) => {
                let usable = match (&store, &session.tokens) {
                    (Some(store), _) => session::usable(self.world, store, session, Demand::Usable),
                    (None, tokens) => tokens
                        .clone()
                        .map(Usable::Current)
                        .ok_or_else(|| TokenError::LoginRequired(not_logged_in(&session.origin))),
                };
                match usable {
                    Ok(usable) => {
                        leave(store);
                        self.check_session(facts, request, &usable)?;
                        Ok(token_of(usable.into_tokens(), username()))
                    }
                    Err(TokenError::Unavailable(error)) => Err(NoCredential::Unavailable(error)),
                    Err(TokenError::LoginRequired(why)) => {
                        drop(store);
                        let login = LoginOffer {
                            instance: &session.origin,
                            basis: LoginBasis::Before,
                            account: decision.account,
                        };
                        self.log_in(request, &login, facts, PriorSession::Ended, why)
                    }
                }
            }
            Verdict::Login(login) => {
                let why = not_logged_in_as(&login);
                self.log_in(request, &login, facts, PriorSession::None, why)
            }
            Verdict::Broken(failure) => Err(NoCredential::Unavailable(failure.clone().into())),
            Verdict::Nothing => Err(NoCredential::NotOurs),
        }
    }
}

/// Closes the store without a checkpoint: the process is about to exit.
fn leave(store: Option<Store>) {
    if let Some(store) = store {
        store.leave();
    }
}

/// Why a host has no session of the instance, or of the account that it is bound to.
fn not_logged_in_as(login: &LoginOffer<'_>) -> Failure {
    let instance = login.instance;
    if login.account.is_none() {
        return not_logged_in(instance);
    }
    let what = format!("the account at {instance} that this host is bound to is not logged in");
    let hint = format!("as that account, `sentry auth login --url {instance} --force`");
    Failure::new(what).hint(hint)
}

fn token_of(tokens: Tokens, username: Option<String>) -> Credential {
    Credential::Token {
        token: tokens.access,
        expires_at: tokens.expires_at,
        username,
    }
}

#[cfg(test)]
mod tests;
