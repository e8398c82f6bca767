//! Asking the person: when, about which instance, and what a "no" means.

use std::time::Duration;

use super::{Broker, Credential, NoCredential, token_of};
use crate::environment;
use crate::failure::Failure;
use crate::login::{DEFAULT_SCOPES, DeviceLogin, LoggedIn, NotLoggedIn};
use crate::origin::Origin;
use crate::store::Client;
use crate::terminal::{Browser, Terminal};
use crate::world::Timestamp;

/// Longest a `get` waits for a person.
const LOGIN: Duration = Duration::from_secs(300);

/// Longest the question before a login waits for its answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long "no" is remembered, in milliseconds: `docker build` asks for every host it knows.
const DECLINED: i64 = 10 * 60 * 1000;

/// Why an instance may be logged in to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
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

fn declined_key(instance: &Origin) -> String {
    format!("declined {instance}")
}

impl Broker<'_> {
    fn is_instance(&self, origin: &Origin) -> bool {
        let named = environment::instance(self.world).ok().flatten();
        origin.is_saas() || named.is_some_and(|named| origin.may_receive(&named))
    }

    pub(super) fn knowledge_of(&self, instance: &Origin, bound: bool) -> Option<Known> {
        match (instance.is_saas(), bound, self.is_instance(instance)) {
            (true, ..) => Some(Known::Saas),
            (_, true, _) => Some(Known::Before),
            (_, _, true) => Some(Known::ByEnvironment),
            _ => None,
        }
    }

    /// Logs in with the person at the terminal, or says what to run.
    pub(super) fn log_in(
        &self,
        client: Client,
        instance: &Origin,
        known: Known,
        failure: Failure,
        username: Option<String>,
    ) -> Result<Credential, NoCredential> {
        let unavailable = || NoCredential::Unavailable(failure.clone().into());
        let client_id = match known {
            Known::ByEnvironment => self.world.variable("SENTRY_CLIENT_ID"),
            _ => self
                .client_id_of(instance)
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
        // Several programs may ask on one terminal: the person answers one of them, and for all.
        let start = self.world.now();
        let consent = || {
            if self.was_declined(instance, start) {
                return false;
            }
            let client = client.name();
            terminal.say(&format!("{client} needs a login to Sentry: {failure}"));
            let agreed = agrees(&terminal, known);
            if !agreed {
                self.remember_declined(instance);
            }
            agreed
        };
        let login = DeviceLogin {
            origin: instance,
            client_id: &client_id,
            scope: DEFAULT_SCOPES,
            timeout: LOGIN,
            browser: Browser::Open,
            consent: Some(&consent),
        };
        let session = match login.run(self.world, &self.dir, &terminal) {
            Ok(LoggedIn::Here(session)) => {
                terminal.say(&format!("logged in to {instance}"));
                session
            }
            Ok(LoggedIn::Elsewhere(session)) => session,
            Err(NotLoggedIn::Declined) => return Err(NoCredential::Declined(failure)),
            Err(NotLoggedIn::Denied(failure)) => return Err(NoCredential::Declined(failure)),
            Err(NotLoggedIn::Failed(error)) => return Err(NoCredential::Unavailable(error)),
        };
        let token = |tokens| token_of(tokens, username);
        session.tokens.map(token).ok_or_else(unavailable)
    }

    fn client_id_of(&self, instance: &Origin) -> Option<String> {
        let sessions = self.read(|view| view.sessions()).ok()?;
        sessions
            .into_iter()
            .find(|session| session.origin == *instance)?
            .marks
            .client_id
    }

    fn declined_at(&self, instance: &Origin) -> Option<i64> {
        let declined = self
            .read(|view| view.setting(&declined_key(instance)))
            .ok()
            .flatten();
        declined?.parse().ok()
    }

    fn declined_lately(&self, instance: &Origin) -> bool {
        self.declined_at(instance)
            .is_some_and(|at| (0..DECLINED).contains(&(self.world.now().millis() - at)))
    }

    /// Whether the person said no to another program since then.
    fn was_declined(&self, instance: &Origin, since: Timestamp) -> bool {
        self.declined_at(instance)
            .is_some_and(|at| at >= since.millis())
    }

    fn remember_declined(&self, instance: &Origin) {
        let now = self.world.now().millis().to_string();
        // Forgetting it means another question, no more.
        self.change(|change| change.set(&declined_key(instance), Some(&now)))
            .ok();
    }
}
