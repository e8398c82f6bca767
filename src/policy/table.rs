//! The decision table: facts, request, verdict and reason, case by case.
//!
//! Read from top to bottom, it is the order of precedence. Each row is a request and the facts, followed by the verdict
//! and the reason as a user reads them.

use super::{Decision, Facts, Request, Verdict, decide};
use crate::account::{RefreshState, Session, Tokens, User};
use crate::environment::{Environment, EnvironmentToken};
use crate::failure::Failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{Binding, Client, Credential};
use crate::world::Timestamp;

use Fact::{
    Account, Bound, BoundTo, BrokenVariable, Dead, Named, RolledOut, RolledOutElsewhere, SignedOut,
    SigningIn, Stored, StoredWith, Variable,
};

const SAAS: &str = "https://sentry.io";
const SELF: &str = "https://self.example";

/// A fact. Stored credentials and bindings are for the host of the request.
#[derive(Clone, Copy)]
enum Fact {
    /// An account that is logged in to an instance; the first one is active.
    Account(&'static str, &'static str),
    /// An account whose session has ended.
    Dead(&'static str, &'static str),
    /// A stored credential of this user; the first one is the newest.
    Stored(&'static str),
    /// A stored credential with an `authtype` and without a user.
    StoredWith(&'static str),
    /// `SENTRY_AUTH_TOKEN` contains a token of the instance.
    Variable(&'static str),
    /// `SENTRY_AUTH_TOKEN` does not contain a valid token.
    BrokenVariable,
    /// `SENTRY_URL` names the instance.
    Named(&'static str),
    /// The host is bound to an instance.
    Bound(&'static str),
    /// The host is bound to an account at an instance, with its own user name.
    BoundTo(&'static str, &'static str, Option<&'static str>),
    /// The administrator's file binds the host to an instance.
    RolledOut(&'static str),
    /// The administrator's file binds another host to an instance.
    RolledOutElsewhere(&'static str),
    /// The registry is bound to an instance and signed out.
    SignedOut(&'static str),
    /// The caller is `docker login`.
    SigningIn,
}

#[rustfmt::skip]
const GIT: &[(&str, &[Fact], &str, &str)] = &[
    // A host that belongs to no instance gets only a credential that was stored for it.
    ("https://x.example", &[],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),
    ("https://x.example", &[Account("jane", SAAS), Variable(SELF), Named(SELF)],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),
    ("https://x.example", &[BrokenVariable],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),
    ("https://x.example", &[Account("jane", SAAS), Variable(SAAS), Stored("ann")],
     "stored ann", "it belongs to no Sentry instance"),
    ("https://docs.sentry.io", &[Account("jane", SAAS), Variable(SAAS)],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),

    // 1. A stored credential whose user the request names.
    ("https://ann@x.example", &[Bound(SAAS), Variable(SAAS), Account("jane", SAAS), Stored("bob"), Stored("ann")],
     "stored ann", "the request names the user \"ann\", for whom a credential is stored"),
    ("https://ann@sentry.io", &[BrokenVariable, Stored("ann")],
     "stored ann", "the request names the user \"ann\", for whom a credential is stored"),
    // Not by a user name that is returned with tokens: git repeats it, and a repository can put it into a URL.
    ("https://oauth2@x.example", &[Bound(SAAS), Account("jane", SAAS), Stored("oauth2")],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("https://robot@x.example", &[BoundTo("jane", SAAS, Some("robot")), Account("jane", SAAS), Stored("robot")],
     "session jane as robot", "it is bound to the account jane at https://sentry.io"),
    ("https://jane@x.example", &[Bound(SAAS), Account("jane", SAAS), Stored("jane")],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),

    // 2. The environment's token.
    (SAAS, &[Variable(SAAS), Account("jane", SAAS), Stored("ann")],
     "SENTRY_AUTH_TOKEN", "it is the instance of the token in SENTRY_AUTH_TOKEN"),
    ("https://de.sentry.io", &[Variable(SAAS)],
     "SENTRY_AUTH_TOKEN", "it is the instance of the token in SENTRY_AUTH_TOKEN"),
    ("https://ann@x.example", &[Bound(SAAS), Variable(SAAS), Account("jane", SAAS), Stored("bob")],
     "SENTRY_AUTH_TOKEN", "it is bound to https://sentry.io, the instance of the token in SENTRY_AUTH_TOKEN"),
    ("https://x.example", &[Bound(SELF), Variable(SAAS), Account("jane", SAAS), Account("joe", SELF)],
     "session joe", "it is bound to https://self.example, where joe is the active account"),
    (SAAS, &[BrokenVariable, Account("jane", SAAS), Stored("ann")],
     "broken", "a variable that should hold a token cannot be used"),

    // 3. The session of the account that the binding names, else of the active one.
    (SAAS, &[Account("jane", SAAS), Account("joe", SAAS), Stored("ann")],
     "session jane", "it is a Sentry instance, where jane is the active account"),
    ("https://us.sentry.io", &[Account("jane", SAAS)],
     "session jane", "it is a Sentry instance, where jane is the active account"),
    (SELF, &[Account("jane", SAAS), Account("joe", SELF)],
     "session joe", "it is a Sentry instance, where joe is the active account"),
    ("https://x.example", &[Bound(SAAS), Account("jane", SAAS), Account("joe", SAAS), Stored("ann")],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("https://x.example", &[BoundTo("joe", SAAS, None), Account("jane", SAAS), Account("joe", SAAS)],
     "session joe", "it is bound to the account joe at https://sentry.io"),
    // The request selects among the accounts of the instance itself …
    ("https://joe@sentry.io", &[Account("jane", SAAS), Account("joe", SAAS)],
     "session joe", "the request names joe, an account at https://sentry.io"),
    ("https://joe@sentry.io", &[Bound(SAAS), Account("jane", SAAS), Account("joe", SAAS)],
     "session joe", "the request names joe, an account at https://sentry.io"),
    ("https://joe@sentry.io", &[Account("jane", SAAS), Account("joe", SELF)],
     "session jane", "it is a Sentry instance, where jane is the active account"),
    // … and nowhere else.
    ("https://joe@x.example", &[Bound(SAAS), Account("jane", SAAS), Account("joe", SAAS)],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("https://joe@x.example", &[BoundTo("jane", SAAS, None), Account("joe", SAAS), Account("jane", SAAS)],
     "session jane", "it is bound to the account jane at https://sentry.io"),
    ("https://joe@sentry.io", &[BoundTo("jane", SAAS, None), Account("joe", SAAS), Account("jane", SAAS)],
     "session jane", "it is bound to the account jane at https://sentry.io"),
    // A session that has ended is refreshed, or logged in again; no other account and no stored credential replaces it.
    ("https://x.example", &[Bound(SAAS), Dead("jane", SAAS), Account("joe", SAAS), Stored("ann")],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),

    // 4. A stored credential, if there is neither.
    ("https://x.example", &[Bound(SAAS), Account("joe", SELF), Stored("bob"), Stored("ann")],
     "stored bob", "no account is logged in to https://sentry.io"),
    ("https://x.example", &[BoundTo("joe", SAAS, None), Account("jane", SAAS), Stored("ann")],
     "stored ann", "the account at https://sentry.io that it is bound to is not logged in"),
    (SAAS, &[StoredWith("Bearer"), Stored("ann")],
     "stored ann", "no account is logged in to https://sentry.io"),

    // 5. A login.
    (SAAS, &[],
     "login https://sentry.io, Saas", "no account is logged in to https://sentry.io"),
    (SELF, &[Named(SELF)],
     "login https://self.example, ByEnvironment", "no account is logged in to https://self.example"),
    ("https://x.example", &[Bound(SELF), Account("jane", SAAS)],
     "login https://self.example, Before", "no account is logged in to https://self.example"),
    ("https://joe@x.example", &[BoundTo("joe", SELF, None), Account("jane", SELF)],
     "login https://self.example, Before", "the account at https://self.example that it is bound to is not logged in"),

    // The administrator's file stands in for a binding of the user's.
    ("https://x.example", &[RolledOut(SELF), Account("jane", SAAS)],
     "login https://self.example, ByAdministrator", "no account is logged in to https://self.example"),
    ("https://x.example", &[RolledOut(SELF), Named(SELF)],
     "login https://self.example, ByAdministrator", "no account is logged in to https://self.example"),
    (SELF, &[RolledOutElsewhere(SELF)],
     "login https://self.example, ByAdministrator", "no account is logged in to https://self.example"),
    ("https://x.example", &[RolledOutElsewhere(SELF), Account("jane", SELF)],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),
    ("https://x.example", &[RolledOut(SELF), Account("jane", SAAS), Account("joe", SELF), Stored("ann")],
     "session joe", "it is bound to https://self.example, where joe is the active account"),
    ("https://x.example", &[RolledOut(SELF), Variable(SELF)],
     "SENTRY_AUTH_TOKEN", "it is bound to https://self.example, the instance of the token in SENTRY_AUTH_TOKEN"),
    // The user's own comes first, and so does a login to the host itself.
    ("https://x.example", &[RolledOut(SELF), Bound(SAAS), Account("jane", SAAS), Account("joe", SELF)],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("https://x.example", &[RolledOut(SELF), BoundTo("joe", SELF, None), Account("jane", SELF), Account("joe", SELF)],
     "session joe", "it is bound to the account joe at https://self.example"),
    (SELF, &[RolledOut(SAAS), Account("jane", SAAS), Account("joe", SELF)],
     "session joe", "it is a Sentry instance, where joe is the active account"),
    (SAAS, &[RolledOut(SELF), Account("joe", SELF)],
     "login https://sentry.io, Saas", "no account is logged in to https://sentry.io"),
];

#[rustfmt::skip]
const DOCKER: &[(&str, &[Fact], &str, &str)] = &[
    ("https://r.example", &[Account("jane", SAAS), Variable(SAAS)],
     "nothing", "it belongs to no Sentry instance, and nothing is stored for it"),
    ("https://r.example", &[Account("jane", SAAS), Stored("ann")],
     "stored ann", "it belongs to no Sentry instance"),
    ("https://r.example", &[Bound(SAAS), Account("jane", SAAS), Variable(SAAS)],
     "SENTRY_AUTH_TOKEN", "it is bound to https://sentry.io, the instance of the token in SENTRY_AUTH_TOKEN"),
    ("https://r.example", &[BoundTo("jane", SAAS, Some("robot")), Account("jane", SAAS)],
     "session jane as robot", "it is bound to the account jane at https://sentry.io"),
    // An earlier version kept both.
    ("https://r.example", &[Bound(SAAS), Account("jane", SAAS), Stored("ann")],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    // `docker logout`.
    ("https://r.example", &[SignedOut(SAAS), Account("jane", SAAS), Variable(SAAS)],
     "nothing", "docker is logged out of it, so it gets no token of https://sentry.io"),
    ("https://r.example", &[SignedOut(SAAS), BrokenVariable],
     "nothing", "docker is logged out of it, so it gets no token of https://sentry.io"),
    // `docker login -u ann -p …`.
    ("https://r.example", &[SignedOut(SAAS), Account("jane", SAAS), Variable(SAAS), Stored("ann")],
     "stored ann", "docker is logged out of it, so it gets no token of https://sentry.io"),
    // `docker login`.
    ("https://r.example", &[SignedOut(SAAS), Account("jane", SAAS), SigningIn],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("https://r.example", &[SignedOut(SAAS), Account("jane", SAAS), Stored("ann"), SigningIn],
     "stored ann", "docker is logged out of it, so it gets no token of https://sentry.io"),
    ("https://r.example", &[RolledOut(SAAS), SignedOut(SAAS), Account("jane", SAAS)],
     "nothing", "docker is logged out of it, so it gets no token of https://sentry.io"),
    ("https://r.example", &[RolledOut(SAAS), Account("jane", SAAS)],
     "session jane", "it is bound to https://sentry.io, where jane is the active account"),
    ("http://r.example", &[RolledOut(SAAS), Account("jane", SAAS)],
     "nothing", "no token is sent to such an address (not https, or an ambiguous host name)"),
    // `docker login http://r.example`: no token goes over plain http.
    ("http://r.example", &[Bound(SAAS), Account("jane", SAAS)],
     "nothing", "no token is sent to such an address (not https, or an ambiguous host name)"),
    ("http://r.example", &[Bound(SAAS), Account("jane", SAAS), Stored("ann")],
     "stored ann", "no token is sent to such an address (not https, or an ambiguous host name)"),
];

#[test]
fn who_gets_what_and_why() {
    for (client, table) in [(Client::Git, GIT), (Client::Docker, DOCKER)] {
        for (url, facts, verdict, reason) in table {
            let decided = decided(client, url, facts);
            let expected = (verdict.to_string(), reason.to_string());
            assert_eq!(decided, expected, "{} {url}, row {reason}", client.name());
        }
    }
}

fn decided(client: Client, url: &str, facts: &[Fact]) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (username, host) = match rest.split_once('@') {
        Some((username, host)) => (Some(username), host),
        None => (None, rest),
    };
    let server = client.server(&match client {
        Client::Git => format!("{scheme}://{host}"),
        Client::Docker => host.to_owned(),
    });
    let environment = environment(facts);
    let facts = facts_of(&environment, &server, facts);
    let origin = Origin::from_parts(scheme, host).ok();
    let request = Request {
        client,
        server: &server,
        host: &server,
        origin: origin.as_ref(),
        path: None,
        username,
        authtype: false,
    };
    let decision = decide(&facts, &request, Timestamp::from_millis(0));
    (verdict(&decision), decision.reason.to_string())
}

fn verdict(decision: &Decision<'_>) -> String {
    let verdict = match decision.verdict {
        Verdict::Stored(stored) => format!("stored {}", stored.username.as_deref().unwrap()),
        Verdict::Environment(found) => found.variable.to_owned(),
        Verdict::Session(session) => format!("session {}", session.account),
        Verdict::Login(login) => format!("login {}, {:?}", login.instance, login.basis),
        Verdict::Broken(_) => "broken".to_owned(),
        Verdict::Nothing => "nothing".to_owned(),
    };
    match decision.username {
        Some(username) => format!("{verdict} as {username}"),
        None => verdict,
    }
}

fn environment(facts: &[Fact]) -> Environment {
    let mut environment = Environment {
        token: Ok(None),
        instance: Ok(None),
    };
    for fact in facts {
        match fact {
            Variable(instance) => {
                environment.token = Ok(Some(EnvironmentToken {
                    token: Secret::new("of-the-environment"),
                    origin: Origin::parse(instance).unwrap(),
                    variable: "SENTRY_AUTH_TOKEN",
                }));
            }
            BrokenVariable => environment.token = Err(Failure::new("no token")),
            Named(instance) => environment.instance = Ok(Origin::parse(instance).ok()),
            _ => {}
        }
    }
    environment
}

fn facts_of<'a>(environment: &'a Environment, server: &str, facts: &[Fact]) -> Facts<'a> {
    let mut gathered = Facts::of_environment(environment);
    let binding = |instance: &str| Binding {
        server: server.to_owned(),
        origin: Origin::parse(instance).unwrap(),
        username: None,
        signed_out: false,
        account: None,
    };
    let credential = |username: Option<&str>, authtype: Option<&str>| Credential {
        server: server.to_owned(),
        path: None,
        username: username.map(str::to_owned),
        secret: Secret::new("stored"),
        authtype: authtype.map(str::to_owned),
        expiry: None,
        refresh_token: None,
    };
    for fact in facts {
        match *fact {
            Account(name, instance) | Dead(name, instance) => {
                let active = gathered.sessions.is_empty();
                let mut session = session(name, instance, active);
                if let Dead(..) = fact {
                    session.tokens = None;
                }
                gathered.sessions.push(session);
            }
            Stored(username) => gathered.credentials.push(credential(Some(username), None)),
            StoredWith(authtype) => gathered.credentials.push(credential(None, Some(authtype))),
            Bound(instance) => gathered.bindings.push(binding(instance)),
            RolledOut(instance) => gathered.administrators.push(binding(instance)),
            RolledOutElsewhere(instance) => gathered.administrators.push(Binding {
                server: "git https://another.example".to_owned(),
                ..binding(instance)
            }),
            BoundTo(account, instance, username) => gathered.bindings.push(Binding {
                account: Some(account.to_owned()),
                username: username.map(str::to_owned),
                ..binding(instance)
            }),
            SignedOut(instance) => gathered.bindings.push(Binding {
                signed_out: true,
                ..binding(instance)
            }),
            SigningIn => gathered.signing_in = true,
            Variable(_) | BrokenVariable | Named(_) => {}
        }
    }
    gathered
}

/// A session that does not expire; its account has the name of its user.
pub(super) fn session(name: &str, instance: &str, active: bool) -> Session {
    Session {
        account: name.to_owned(),
        origin: Origin::parse(instance).unwrap(),
        user: User {
            username: Some(name.to_owned()),
            ..User::default()
        },
        tokens: Some(Tokens {
            access: Secret::new(format!("token-of-{name}")),
            refresh: None,
            issued_at: None,
            expires_at: None,
        }),
        active,
        refresh_state: RefreshState::default(),
    }
}
