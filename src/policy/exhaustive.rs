//! Checks the invariants of the policy in every case of a small world: two instances, a host that may be bound, two
//! accounts, stored credentials, the environment, the administrator's file, and the user names a request may have. A
//! third of a million decisions.
//!
//! The invariants are written independently of the code under test: by equality of names, not by
//! [`Origin::may_receive`].

use super::host::ChosenBy;
use super::hosts::bindings_in_force;
use super::reason::Reason;
use super::table::session;
use super::{Decision, Facts, Request, Server, USERNAME, Use, Verdict, decide};
use crate::account::Session;
use crate::environment::{Environment, EnvironmentToken};
use crate::failure::Failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{Binding, Client, Credential};
use crate::world::Timestamp;

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const HOST: &str = "https://host.example";

/// An account may be at an instance, and its session may have ended.
const ACCOUNTS: [Option<(&str, bool)>; 4] =
    [None, Some((A, true)), Some((A, false)), Some((B, true))];

/// Instance, account, user name, signed out.
type Bound = (
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    bool,
);

const BINDINGS: [Option<Bound>; 8] = [
    None,
    Some((A, None, None, false)),
    Some((B, None, None, false)),
    Some((A, Some("jane"), None, false)),
    Some((A, Some("joe"), None, false)),
    Some((A, None, Some("robot"), false)),
    Some((A, None, None, true)),
    Some((A, Some("joe"), None, true)),
];

#[derive(Clone, Copy, Debug)]
enum Variable {
    None,
    Of(&'static str),
    Broken,
}

const VARIABLES: [Variable; 4] = [
    Variable::None,
    Variable::Of(A),
    Variable::Of(B),
    Variable::Broken,
];

const STORED: [Option<&str>; 4] = [None, Some("ann"), Some(USERNAME), Some("joe")];

const NAMES: [Option<&str>; 5] = [
    None,
    Some("ann"),
    Some(USERNAME),
    Some("joe"),
    Some("robot"),
];

/// The instance that the administrator's file binds the host to. The other client's line for the same host names the
/// other instance.
const ROLLED_OUT: [Option<&str>; 3] = [None, Some(A), Some(B)];

/// One case, but for the user name in the request.
struct Case {
    client: Client,
    asked: &'static str,
    binding: Option<Bound>,
    rolled_out: Option<&'static str>,
    variable: Variable,
    stored: Option<&'static str>,
    facts: Facts<'static>,
}

impl Case {
    fn server(&self) -> String {
        match self.client {
            Client::Git => self.client.server(self.asked),
            Client::Docker => self.client.server(&self.asked["https://".len()..]),
        }
    }

    /// The binding in force: the user's, else the administrator's, unless the user has a login for the host itself.
    fn in_force(&self) -> Option<Bound> {
        let by_administrator = self.rolled_out.filter(|_| !self.serves_itself());
        self.binding
            .or_else(|| by_administrator.map(|instance| (instance, None, None, false)))
    }

    fn serves_itself(&self) -> bool {
        let mut origins = self
            .facts
            .sessions
            .iter()
            .map(|session| session.origin.to_string());
        origins.any(|origin| origin == self.asked)
            || matches!(self.variable, Variable::Of(instance) if instance == self.asked)
    }

    /// The instance whose tokens the host may receive.
    fn instance(&self) -> &'static str {
        self.in_force().map_or(self.asked, |bound| bound.0)
    }

    fn is_signed_out(&self) -> bool {
        self.binding.is_some_and(|bound| bound.3)
    }

    /// Whether the instance has a login, live or ended; of the account that the binding names.
    fn has_login(&self) -> bool {
        let wanted = self.in_force().and_then(|bound| bound.1);
        self.facts.sessions.iter().any(|session| {
            session.origin.to_string() == self.instance()
                && wanted.is_none_or(|wanted| wanted == session.account)
        })
    }

    fn has_variable(&self) -> bool {
        match self.variable {
            Variable::None => false,
            Variable::Of(instance) => instance == self.instance(),
            // It may have been meant for this instance, if it is one.
            Variable::Broken => {
                let named = self.facts.environment.named();
                let is_named = named.is_some_and(|named| named.to_string() == self.instance());
                self.in_force().is_some() || self.has_login() || is_named || self.is_rolled_out()
            }
        }
    }

    /// Whether the administrator's file names the instance, for whatever host.
    fn is_rolled_out(&self) -> bool {
        let mut lines = self.facts.administrators.iter();
        lines.any(|line| line.origin.to_string() == self.instance())
    }

    fn decide<T>(&self, username: Option<&str>, look: impl FnOnce(Decision<'_>) -> T) -> T {
        let server = self.server();
        let origin = Origin::parse(self.asked).unwrap();
        let request = Request {
            client: self.client,
            server: &server,
            host: &server,
            origin: Some(&origin),
            path: None,
            username,
            authtype: true,
        };
        look(decide(&self.facts, &request, Timestamp::from_millis(0)))
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let accounts: Vec<_> = self
            .facts
            .sessions
            .iter()
            .map(|session| {
                let (alive, active) = (session.tokens.is_some(), session.active);
                format!("{} at {} {alive} {active}", session.account, session.origin)
            })
            .collect();
        write!(
            f,
            "{:?} of {}, bound {:?}, rolled out {:?}, {:?}, stored {:?}, {accounts:?}",
            self.client, self.asked, self.binding, self.rolled_out, self.variable, self.stored
        )
    }
}

fn each_case(mut check: impl FnMut(&Case)) {
    let environments: Vec<(Variable, Environment)> = VARIABLES
        .into_iter()
        .flat_map(|variable| [None, Some(A)].map(|named| (variable, environment(variable, named))))
        .collect();
    // Leaked: they outlive each case, and the process ends with the test.
    let environments: &'static [_] = environments.leak();
    let all_sessions: Vec<Vec<Session>> = all_sessions().collect();
    for client in [Client::Git, Client::Docker] {
        for asked in [A, B, HOST] {
            for (binding, rolled_out) in product(&BINDINGS, &ROLLED_OUT) {
                // Account, user name and signing out are the same with the file and without it.
                let is_plain = matches!(binding, None | Some((_, None, None, false)));
                if rolled_out.is_some() && !is_plain {
                    continue;
                }
                let stored = match rolled_out {
                    Some(_) => &STORED[..2],
                    None => &STORED[..],
                };
                for (variable, environment) in environments {
                    for (stored, sessions) in product(stored, &all_sessions) {
                        let mut case = Case {
                            client,
                            asked,
                            binding,
                            rolled_out,
                            variable: *variable,
                            stored,
                            facts: Facts::of_environment(environment),
                        };
                        let server = case.server();
                        case.facts
                            .bindings
                            .extend(binding.map(|of| bound(&server, of)));
                        case.facts.administrators = lines(&case);
                        case.facts
                            .credentials
                            .extend(stored.map(|username| credential(&server, username)));
                        case.facts.sessions = sessions;
                        check(&case);
                    }
                }
            }
        }
    }
}

fn product<A: Clone, B: Clone>(all: &[A], others: &[B]) -> Vec<(A, B)> {
    let pairs = all.iter().flat_map(|one| {
        let others = others.iter().cloned();
        others.map(move |other| (one.clone(), other))
    });
    pairs.collect()
}

/// The administrator's file: for the host, and for the same host of the other client, which gets another instance.
fn lines(case: &Case) -> Vec<Binding> {
    let Some(instance) = case.rolled_out else {
        return Vec::new();
    };
    let other_instance = if instance == A { B } else { A };
    let other = Case {
        client: match case.client {
            Client::Git => Client::Docker,
            Client::Docker => Client::Git,
        },
        facts: Facts::of_environment(case.facts.environment),
        ..*case
    };
    let line = |server: String, instance| bound(&server, (instance, None, None, false));
    vec![
        line(other.server(), other_instance),
        line(case.server(), instance),
    ]
}

fn environment(variable: Variable, named: Option<&str>) -> Environment {
    Environment {
        token: match variable {
            Variable::None => Ok(None),
            Variable::Of(instance) => Ok(Some(EnvironmentToken {
                token: Secret::new("of-the-environment"),
                origin: Origin::parse(instance).unwrap(),
                variable: "SENTRY_TOKEN",
            })),
            Variable::Broken => Err(Failure::new("broken")),
        },
        instance: Ok(named.map(|named| Origin::parse(named).unwrap())),
    }
}

fn all_sessions() -> impl Iterator<Item = Vec<Session>> {
    let of = |name, state: Option<(&str, bool)>, active| {
        state.map(|(instance, alive)| {
            let mut session = session(name, instance, active);
            session.tokens = session.tokens.filter(|_| alive);
            session
        })
    };
    ACCOUNTS.into_iter().flat_map(move |jane| {
        ACCOUNTS.into_iter().flat_map(move |joe| {
            [true, false].into_iter().map(move |jane_is_active| {
                let mut sessions = Vec::new();
                sessions.extend(of("jane", jane, jane_is_active));
                sessions.extend(of("joe", joe, !jane_is_active));
                // As the store reads them.
                sessions.sort_by_key(|session| !session.active);
                sessions
            })
        })
    })
}

fn bound(server: &str, (instance, account, username, signed_out): Bound) -> Binding {
    Binding {
        server: server.to_owned(),
        origin: Origin::parse(instance).unwrap(),
        username: username.map(str::to_owned),
        signed_out,
        account: account.map(str::to_owned),
    }
}

fn credential(server: &str, username: &str) -> Credential {
    Credential {
        server: server.to_owned(),
        path: None,
        username: Some(username.to_owned()),
        secret: Secret::new("stored"),
        authtype: None,
        expiry: None,
        refresh_token: None,
    }
}

#[test]
fn the_invariants_hold_in_every_case() {
    each_case(|case| {
        a_token_goes_to_its_instance_and_to_hosts_that_are_bound_to_it(case);
        nothing_stored_outranks_environment_or_login_unless_the_request_names_its_user(case);
        the_account_at_a_bound_host_never_depends_on_the_request(case);
        where_somebody_is_logged_in_nobody_is_asked_to_log_in(case);
        every_decision_has_a_reason_of_one_line(case);
        after_a_logout_nothing_answers_where_a_login_did(case);
        after_an_undo_nothing_answers_at_a_host_that_is_no_instance(case);
        what_is_stored_is_used_as_it_is_said_to_be(case);
        a_binding_or_login_of_the_users_own_wins_over_the_administrators_file(case);
        whoever_gets_something_is_listed(case);
    });
}

fn a_token_goes_to_its_instance_and_to_hosts_that_are_bound_to_it(case: &Case) {
    for name in NAMES {
        case.decide(name, |decision| {
            let origin = match decision.verdict {
                Verdict::Session(session) => &session.origin,
                Verdict::Environment(found) => &found.origin,
                Verdict::Login(login) => login.instance,
                _ => return,
            };
            assert_eq!(origin.to_string(), case.instance(), "{case:?} as {name:?}");
            assert!(!case.is_signed_out(), "{case:?} as {name:?}");
        });
    }
}

fn nothing_stored_outranks_environment_or_login_unless_the_request_names_its_user(case: &Case) {
    for name in NAMES {
        case.decide(name, |decision| {
            let is_outranked = case.has_variable() || case.has_login();
            let Verdict::Stored(stored) = decision.verdict else {
                return;
            };
            assert_eq!(stored.username.as_deref(), case.stored);
            if is_outranked && !case.is_signed_out() {
                let is_named = name == case.stored && name != Some(USERNAME);
                assert!(is_named, "{case:?} as {name:?}");
                assert!(matches!(decision.reason, Reason::Named(_)), "{case:?}");
            }
        });
    }
}

fn the_account_at_a_bound_host_never_depends_on_the_request(case: &Case) {
    let is_itself = case.instance() == case.asked;
    let account = case.binding.and_then(|bound| bound.1);
    let mut served = None;
    for name in NAMES {
        case.decide(name, |decision| {
            let Verdict::Session(session) = decision.verdict else {
                return;
            };
            let first = served.get_or_insert_with(|| session.account.clone());
            if account.is_some() || !is_itself {
                assert_eq!(*first, session.account, "{case:?} as {name:?}");
                assert!(
                    account.is_none_or(|account| account == session.account),
                    "{case:?}"
                );
            }
            // Where the account does depend on the request, it is the one that was named.
            if let Reason::Session(_, ChosenBy::Request) = decision.reason {
                assert!(
                    is_itself && name == Some(&*session.account),
                    "{case:?} as {name:?}"
                );
            }
        });
    }
}

fn where_somebody_is_logged_in_nobody_is_asked_to_log_in(case: &Case) {
    for name in NAMES {
        case.decide(name, |decision| {
            if let Verdict::Login(_) = decision.verdict {
                let is_there = case.has_login() || case.has_variable() || case.is_signed_out();
                assert!(!is_there, "{case:?} as {name:?}");
                assert_eq!(case.stored.filter(|_| name.is_none()), None, "{case:?}");
            }
        });
    }
}

fn every_decision_has_a_reason_of_one_line(case: &Case) {
    let reason = case.decide(None, |decision| decision.reason.to_string());
    assert!(!reason.is_empty() && !reason.contains('\n'), "{case:?}");
    assert!(!reason.contains("of-the-environment") && !reason.contains("token-of-"));
}

/// What `logout` and `--undo` do with the facts.
fn without(case: &Case, sessions: bool, binding: bool) -> Facts<'static> {
    let mut facts = Facts::of_environment(case.facts.environment);
    facts.bindings = case.facts.bindings.clone();
    facts.administrators = case.facts.administrators.clone();
    let all = bindings_in_force(
        facts.bindings.clone(),
        &facts.administrators,
        &case.facts.sessions,
    );
    let server = Server::parse(&case.server()).unwrap();
    let is_over = match sessions {
        true => case
            .facts
            .sessions
            .iter()
            .any(|session| server.is_removed_with(session, &all)),
        false => true,
    };
    if !is_over {
        facts.credentials = case.facts.credentials.clone();
    }
    if !sessions {
        facts.sessions = case.facts.sessions.clone();
    }
    if binding {
        facts.bindings.clear();
    }
    facts
}

fn after_a_logout_nothing_answers_where_a_login_did(case: &Case) {
    // The session of an account that the binding does not name was not served.
    if !case.has_login() {
        return;
    }
    let after = Case {
        facts: without(case, true, false),
        ..*case
    };
    for name in NAMES {
        after.decide(name, |decision| {
            let is_over = match decision.verdict {
                Verdict::Environment(_) | Verdict::Broken(_) => {
                    case.has_variable() || after.has_variable()
                }
                Verdict::Login(_) | Verdict::Nothing => true,
                Verdict::Stored(_) | Verdict::Session(_) => false,
            };
            assert!(is_over, "{case:?} as {name:?}: {decision}");
        });
    }
}

fn after_an_undo_nothing_answers_at_a_host_that_is_no_instance(case: &Case) {
    if case.binding.is_none() || case.asked != HOST {
        return;
    }
    let after = Case {
        binding: None,
        facts: without(case, false, true),
        ..*case
    };
    if after.in_force().is_some() {
        // What the administrator bound is in force again.
        a_token_goes_to_its_instance_and_to_hosts_that_are_bound_to_it(&after);
        return;
    }
    for name in NAMES {
        after.decide(name, |decision| {
            let is_nothing = matches!(decision.verdict, Verdict::Nothing);
            assert!(is_nothing, "{case:?} as {name:?}: {decision}");
        });
    }
}

fn what_is_stored_is_used_as_it_is_said_to_be(case: &Case) {
    let Some(stored) = case.facts.credentials.first() else {
        return;
    };
    let server = Server::parse(&case.server()).unwrap();
    let used = Use::of(&case.facts, &server, stored, Timestamp::from_millis(0));
    let names: &[Option<&str>] = match case.client {
        Client::Git => &NAMES,
        Client::Docker => &[None],
    };
    let answers = |name: &Option<&str>| {
        case.decide(*name, |decision| {
            matches!(decision.verdict, Verdict::Stored(_))
        })
    };
    let is_answered = names.iter().any(answers);
    assert_eq!(used != Use::Never, is_answered, "{case:?}");
    assert_eq!(used == Use::Always, answers(&None), "{case:?}");
}

fn a_binding_or_login_of_the_users_own_wins_over_the_administrators_file(case: &Case) {
    let Some(rolled_out) = case.rolled_out else {
        return;
    };
    let is_own = case.binding.is_some() || case.serves_itself();
    let mut facts = without(case, false, false);
    facts.credentials = case.facts.credentials.clone();
    facts.administrators.clear();
    let alone = Case {
        rolled_out: None,
        facts,
        ..*case
    };
    for name in NAMES {
        case.decide(name, |decision| {
            if is_own {
                // Nothing else is served: a login may be offered for another reason.
                let served = format!("{:?}", decision.verdict);
                let same = alone.decide(name, |alone| match (alone.verdict, decision.verdict) {
                    (Verdict::Login(one), Verdict::Login(other)) => one.instance == other.instance,
                    (one, _) => format!("{one:?}") == served,
                });
                assert!(same, "{case:?} as {name:?}");
            } else if let Verdict::Login(login) = decision.verdict {
                assert_eq!(login.instance.to_string(), rolled_out, "{case:?}");
            }
        });
    }
}

/// docker's `list` and `sentry auth hosts` go through these servers.
fn whoever_gets_something_is_listed(case: &Case) {
    let now = Timestamp::from_millis(0);
    let has_answer = case.decide(None, |decision| decision.has_answer(now, |_| true));
    let server = case.server();
    let listed = super::servers(&case.facts);
    let is_listed = listed.iter().any(|listed| listed.key == server);
    assert!(is_listed || !has_answer, "{case:?}");
    let bound = case.in_force().is_some();
    assert!(is_listed || !bound, "{case:?}");
}
