//! Logs in with the user at the terminal during a `get`.
//!
//! Separate from the rest of the broker because it holds the rules about prompting: when a helper may ask, about which
//! instance, and how long a "no" is remembered.

use std::time::Duration;

use super::git_setting;
use super::refusal::host_of;
use super::{Broker, Credential, NoCredential, PriorSession, UserResponse};
use crate::environment::{self, Environment};
use crate::failure::Failure;
use crate::login::{Approver, DEFAULT_SCOPES, DeviceLogin, LoggedIn, NotLoggedIn};
use crate::origin::Origin;
use crate::policy::{Facts, LoginBasis, LoginOffer, Request, Verdict};
use crate::session;
use crate::store::{Client, Store};
use crate::terminal::{Browser, Terminal};
use crate::world::Timestamp;

/// How long a `get` waits for the user's approval.
const LOGIN: Duration = Duration::from_secs(300);

/// How long the question before a login waits for its answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a "no" is remembered; no answer counts as "no". `docker build` calls `get` for every registry it knows, and
/// `git fetch --all` for every remote.
const fn declined_for(client: Client) -> Duration {
    match client {
        Client::Docker => Duration::from_secs(600),
        Client::Git => Duration::from_secs(60),
    }
}

fn user_agrees(terminal: &Terminal, basis: LoginBasis) -> bool {
    match basis {
        LoginBasis::Saas | LoginBasis::Before | LoginBasis::ByAdministrator => {
            match terminal.ask("log in now? [Y/n]", ANSWER) {
                Some(answer) => matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes"),
                None => false,
            }
        }
        LoginBasis::ByEnvironment => {
            let question = "only the environment names this instance; type `yes` if you trust it:";
            terminal.ask(question, ANSWER).as_deref() == Some("yes")
        }
    }
}

/// The OAuth client that the instance's session was issued to.
fn client_id_of(facts: &Facts<'_>, instance: &Origin) -> Option<String> {
    let mut sessions = facts.sessions.iter();
    let session = sessions.find(|session| session.origin == *instance)?;
    let client_id = session.refresh_state.client_id.as_ref()?;
    Some(client_id.likely().to_owned())
}

impl Broker<'_> {
    /// Logs in with the user at the terminal and decides again, or reports the command to run.
    pub(super) fn log_in(
        &self,
        request: &Request<'_>,
        login: &LoginOffer<'_>,
        facts: &Facts<'_>,
        session: PriorSession,
        why: Failure,
    ) -> Result<Credential, NoCredential> {
        let instance = login.instance;
        let no_login = |why: &Failure, user| NoCredential::NoLogin {
            why: why.clone(),
            session,
            user,
        };
        let absent = || no_login(&why, UserResponse::Absent);
        // A grant that waits to be imported is a login, too.
        if self.imports_pending_grant() {
            return self.credential_for(request);
        }
        let client_id = self.client_id_for(login, facts);
        let (Some(client_id), true) = (client_id, environment::may_prompt(self.world)) else {
            return Err(absent());
        };
        let is_declined = self.declined_lately(request.client, instance);
        if request.client == Client::Docker && is_declined {
            return Err(absent());
        }
        let Some(terminal) = Terminal::of_user(self.world) else {
            return Err(absent());
        };
        if is_declined {
            return Err(no_login(&why, UserResponse::Declined));
        }
        if git_setting::forbids_prompts(self.world) {
            return Err(absent());
        }
        // Several programs may prompt on one terminal: the user's answer to one of them counts for all.
        let start = self.world.now();
        let consent = || {
            if self.was_declined(instance, start) {
                return false;
            }
            self.agrees(request, login, &terminal, &why)
        };
        let flow = DeviceLogin {
            origin: instance,
            client_id: &client_id,
            scope: DEFAULT_SCOPES,
            timeout: LOGIN,
            browser: Browser::Open,
            approver: login.account.map_or(Approver::Any, Approver::Account),
            consent: Some(&consent),
        };
        match flow.run(self.world, self.dir()?, &terminal) {
            Ok(LoggedIn::Here(session)) => {
                // Anyone who has seen the code may have approved it instead of the user.
                let name = session.name();
                let name = name.map_or_else(String::new, |name| format!(" as {name}"));
                terminal.say(&format!("logged in to {instance}{name}"));
            }
            Ok(LoggedIn::Elsewhere) => {}
            Err(NotLoggedIn::Declined) => return Err(no_login(&why, UserResponse::Declined)),
            Err(NotLoggedIn::Denied(denied)) => {
                self.remember_declined(instance);
                return Err(no_login(&denied, UserResponse::Declined));
            }
            Err(NotLoggedIn::Failed(error)) => return Err(NoCredential::Unavailable(error)),
        }
        self.after_login(request, instance)
    }

    /// The OAuth client to log in with: the one of the instance's session, unless only the environment names the instance.
    fn client_id_for(&self, login: &LoginOffer<'_>, facts: &Facts<'_>) -> Option<String> {
        match login.basis {
            LoginBasis::ByEnvironment => self.world.variable("SENTRY_CLIENT_ID"),
            LoginBasis::Saas | LoginBasis::Before | LoginBasis::ByAdministrator => {
                client_id_of(facts, login.instance)
                    .or_else(|| environment::client_id(self.world, login.instance))
            }
        }
    }

    /// Asks the user whether to log in, and remembers a "no".
    fn agrees(
        &self,
        request: &Request<'_>,
        login: &LoginOffer<'_>,
        terminal: &Terminal,
        why: &Failure,
    ) -> bool {
        let client = request.client.name();
        let host = host_of(request);
        let host = match host == login.instance.authority() {
            true => String::new(),
            false => format!(" for {host}"),
        };
        terminal.say(&format!("{client} needs a login to Sentry{host}: {why}"));
        let agreed = user_agrees(terminal, login.basis);
        if !agreed {
            self.remember_declined(login.instance);
        }
        agreed
    }

    fn imports_pending_grant(&self) -> bool {
        let store = self.dir().and_then(|dir| Store::open(self.world, dir));
        let Ok(Some(store)) = store else {
            return false;
        };
        session::import_pending(self.world, &store).unwrap_or(false)
    }

    /// Decides again, as for any request: the new session may not be the one that serves this host.
    fn after_login(
        &self,
        request: &Request<'_>,
        instance: &Origin,
    ) -> Result<Credential, NoCredential> {
        let environment = Environment::of(self.world);
        let facts = self
            .read(|view| Facts::for_request(self.world, &environment, view, request).map(Some))?;
        let facts =
            facts.unwrap_or_else(|| Facts::without_store(self.world, &environment, Some(request)));
        let decision = self.decide(&facts, request);
        match decision.verdict {
            Verdict::Session(_) if !self.needs_refresh(&decision) => {
                self.perform(&decision, &facts, request, None)
            }
            _ => {
                let what = format!(
                    "the new login to {instance} does not serve this host: {}",
                    decision.reason
                );
                Err(NoCredential::Unavailable(Failure::new(what).into()))
            }
        }
    }

    fn declined_at(&self, instance: &Origin) -> Option<Timestamp> {
        let declined = self.read(|view| view.declined_at(instance));
        declined.ok().flatten()
    }

    fn declined_lately(&self, client: Client, instance: &Origin) -> bool {
        let now = self.world.now();
        self.declined_at(instance)
            .is_some_and(|at| at <= now && at.until(now) < declined_for(client))
    }

    /// Whether the user declined a prompt of another process since then.
    fn was_declined(&self, instance: &Origin, since: Timestamp) -> bool {
        self.declined_at(instance).is_some_and(|at| at >= since)
    }

    fn remember_declined(&self, instance: &Origin) {
        let now = self.world.now();
        // If it is not remembered, the user is asked once more.
        self.change(|change| change.note_declined(instance, now))
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Age, CLIENT, Machine, SAAS, SELF, origin};
    use crate::world::Clock as _;

    #[test]
    fn no_is_remembered_for_ten_minutes_by_docker_and_for_one_by_git() {
        let machine = Machine::new();
        let world = machine.world();
        let broker = Broker::new(&world);
        broker.remember_declined(&Origin::saas());
        for (seconds, by_docker, by_git) in [
            (0, true, true),
            (59, true, true),
            (60, true, false),
            (599, true, false),
            (600, false, false),
        ] {
            let passed = machine.clock().uptime();
            machine.clock().pass(Duration::from_secs(seconds) - passed);
            let is_declined = |client| broker.declined_lately(client, &Origin::saas());
            assert_eq!(is_declined(Client::Docker), by_docker, "{seconds}");
            assert_eq!(is_declined(Client::Git), by_git, "{seconds}");
            assert!(!broker.declined_lately(Client::Docker, &origin(SELF)));
        }
    }

    #[test]
    fn a_no_that_a_later_clock_noted_counts_for_nothing() {
        let machine = Machine::new();
        let later = machine.now().after(Duration::from_secs(5));
        machine.change(|change| change.note_declined(&Origin::saas(), later).unwrap());
        let world = machine.world();
        let broker = Broker::new(&world);
        assert!(!broker.declined_lately(Client::Docker, &Origin::saas()));
        // To a question that waits for its answer it is one that was given meanwhile.
        assert!(broker.was_declined(&Origin::saas(), world.now()));
    }

    #[test]
    fn a_login_from_a_helper_uses_the_client_of_the_sessions_there() {
        let machine = Machine::new().at(SELF).session(Age::FRESH);
        let world = machine.world();
        let environment = Environment::of(&world);
        let facts = Facts {
            sessions: machine.sessions(),
            ..Facts::of_environment(&environment)
        };
        let id = |instance| client_id_of(&facts, &origin(instance));
        assert_eq!(id(SELF).as_deref(), Some(CLIENT));
        assert_eq!(id(SAAS), None);
    }
}
