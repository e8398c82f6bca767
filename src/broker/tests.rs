//! Requests answered from a store: the decisions of [`crate::policy`] are carried out, and obstacles are reported.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;
use crate::origin::Origin;
use crate::platform::files::HOME;
use crate::policy::{Provenance, Server as Host};
use crate::store::Client;
use crate::testing::{
    Age, Canned, Machine, SAAS, SELF, Server, access, credential, origin, refresh, user,
};

/// What a host gets, in a few words.
fn answer(machine: &Machine, client: Client, host: &str, username: Option<&str>) -> String {
    let world = machine.world();
    let server = Host::parse(&client.server(host)).unwrap();
    let request = Request {
        username,
        ..server.request()
    };
    match Broker::new(&world).credential_for(&request) {
        Ok(Credential::Stored(stored)) => format!("stored {}", stored.username.unwrap()),
        Ok(Credential::Token {
            token, username, ..
        }) => match username {
            Some(username) => format!("{} as {username}", token.expose()),
            None => token.expose().to_owned(),
        },
        Err(NoCredential::NotOurs) => "not ours".to_owned(),
        Err(NoCredential::NoLogin { session, user, .. }) => format!("{session:?}, {user:?}"),
        Err(NoCredential::Refused(why)) => format!("refused: {why}"),
        Err(NoCredential::Unavailable(error)) => format!("unavailable: {error:#}"),
    }
}

fn git(machine: &Machine, host: &str) -> String {
    answer(machine, Client::Git, host, None)
}

fn docker(machine: &Machine, host: &str) -> String {
    answer(machine, Client::Docker, host, None)
}

#[test]
fn a_session_serves_its_instance_and_the_regions_of_the_saas_and_no_other_name() {
    let machine = Machine::new().session(Age::FRESH);
    for host in [SAAS, "https://us.sentry.io", "https://de.sentry.io"] {
        assert_eq!(git(&machine, host), "access-of-jane", "{host}");
    }
    for host in [
        "https://docs.sentry.io",
        "https://sentry.io:8443",
        "https://sentry.io.evil.example",
        SELF,
    ] {
        assert_eq!(git(&machine, host), "not ours", "{host}");
    }
    assert_eq!(docker(&machine, "sentry.io"), "access-of-jane");
}

#[test]
fn a_bound_host_gets_the_token_of_its_own_instance() {
    let machine = Machine::new().at(SELF).account("joe", Age::FRESH);
    let machine = machine.bound_to("r.example").at(SAAS).session(Age::FRESH);
    assert_eq!(git(&machine, "https://r.example"), "access-of-joe");
    assert_eq!(docker(&machine, "r.example"), "access-of-joe");
    assert_eq!(git(&machine, SAAS), "access-of-jane");
    assert_eq!(git(&machine, "https://r.example:8443"), "not ours");
}

#[test]
fn a_host_that_is_bound_for_git_gets_nothing_for_docker() {
    let machine = Machine::new().session(Age::FRESH);
    let binding = machine.binding(Client::Git, "r.example");
    let machine = machine.bind(&binding);
    assert_eq!(git(&machine, "https://r.example"), "access-of-jane");
    assert_eq!(docker(&machine, "r.example"), "not ours");
}

#[test]
fn a_bound_account_is_served_whatever_account_is_active_or_named() {
    let machine = Machine::new().account("joe", Age::FRESH);
    let binding = Binding {
        account: Some(machine.active().key()),
        username: Some("robot".into()),
        ..machine.binding(Client::Git, "r.example")
    };
    let machine = machine.bind(&binding).session(Age::FRESH);
    let host = "https://r.example";
    assert_eq!(git(&machine, host), "access-of-joe as robot");
    let named = answer(&machine, Client::Git, host, Some("jane"));
    assert_eq!(named, "access-of-joe as robot");
}

#[test]
fn a_request_names_an_account_at_the_instance_only() {
    let machine = Machine::new().account("joe", Age::FRESH);
    let machine = machine.session(Age::FRESH).bound_to("r.example");
    let named = |host| answer(&machine, Client::Git, host, Some("joe"));
    assert_eq!(named(SAAS), "access-of-joe");
    assert_eq!(named("https://r.example"), "access-of-jane");
}

#[test]
fn a_token_of_the_environment_comes_before_the_session_of_its_instance() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
    assert_eq!(git(&machine, SAAS), "of-the-environment");
    assert_eq!(docker(&machine, "r.example"), "of-the-environment");
    let machine = machine.variable("SENTRY_URL", SELF);
    assert_eq!(git(&machine, SELF), "of-the-environment");
    assert_eq!(git(&machine, SAAS), "access-of-jane");
}

#[test]
fn a_stored_password_waits_behind_the_login_unless_its_user_is_named() {
    let stored = credential("git https://r.example", "ann", "password");
    let machine = Machine::new().bound_to("r.example").stored(&stored);
    let host = "https://r.example";
    assert_eq!(git(&machine, host), "stored ann");
    let machine = machine.session(Age::FRESH);
    assert_eq!(git(&machine, host), "access-of-jane");
    let named = answer(&machine, Client::Git, host, Some("ann"));
    assert_eq!(named, "stored ann");
}

#[test]
fn without_a_login_and_a_user_only_a_login_helps() {
    let machine = Machine::new().bound_to("r.example");
    assert_eq!(git(&machine, SAAS), "None, Absent");
    assert_eq!(docker(&machine, "r.example"), "None, Absent");
    // Without a store, too, and none is made.
    let machine = Machine::new();
    assert_eq!(git(&machine, SAAS), "None, Absent");
    assert_eq!(git(&machine, "https://r.example"), "not ours");
    assert!(!machine.has_store());
}

#[test]
fn a_session_that_ended_differs_from_one_that_never_existed() {
    let machine = Machine::new().session(Age::EXPIRED_API_TOKEN);
    assert_eq!(git(&machine, SAAS), "Ended, Absent");
    let machine = Machine::new().session(Age::FRESH);
    machine.change(|change| {
        let session = change.sessions().unwrap().remove(0);
        let pair = refresh("jane").digest();
        let now = machine.now();
        change
            .mark_rejected(&session, &pair, &access("jane"), now)
            .unwrap();
    });
    assert_eq!(git(&machine, SAAS), "Ended, Absent");
}

#[test]
fn a_bound_account_that_is_not_logged_in_is_not_replaced_by_another() {
    let machine = Machine::new().session(Age::FRESH);
    let binding = Binding {
        account: Some("user id-of-joe".into()),
        ..machine.binding(Client::Git, "r.example")
    };
    let machine = machine.bind(&binding);
    assert_eq!(git(&machine, "https://r.example"), "None, Absent");
}

#[test]
fn a_registry_that_docker_was_logged_out_of_gets_no_token() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let binding = Binding {
        signed_out: true,
        ..machine.binding(Client::Docker, "r.example")
    };
    let machine = machine.bind(&binding).variable("SENTRY_TOKEN", "x");
    assert_eq!(docker(&machine, "r.example"), "not ours");
    assert_eq!(git(&machine, "https://r.example"), "x");
}

#[test]
fn an_invalid_variable_is_reported_for_hosts_of_ours_only() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let machine = machine.variable("SENTRY_AUTH_TOKEN", "\"quoted\"");
    for host in [SAAS, "https://r.example"] {
        let told = git(&machine, host);
        assert!(told.starts_with("unavailable: cannot use the value of SENTRY_AUTH_TOKEN"));
        assert!(!told.contains("quoted\""), "{told}");
    }
    assert_eq!(git(&machine, "https://x.example"), "not ours");
}

#[test]
fn without_a_home_the_environment_is_served_and_a_relative_one_is_an_error() {
    let machine = Machine::new().variable(HOME, "relative");
    let told = git(&machine, SAAS);
    assert!(
        told.starts_with(&format!("unavailable: {HOME} must be")),
        "{told}"
    );
    assert!(git(&machine, "https://x.example").starts_with("unavailable"));
    let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
    assert_eq!(git(&machine, SAAS), "of-the-environment");
}

#[test]
fn a_database_that_cannot_be_read_hides_no_token_of_the_environment() {
    type Change = fn(&Machine);
    let changes: [(Change, &str); 3] = [
        (
            |machine| fs::write(machine.dir().join("cli.db"), "no database").unwrap(),
            "cli.db is damaged",
        ),
        (
            |machine| machine.sql("CREATE VIEW helper_news AS SELECT 1"),
            "it has a view on `helper_news`",
        ),
        (
            |machine| machine.sql("ALTER TABLE accounts DROP COLUMN token"),
            "no such column: token",
        ),
    ];
    for (change, why) in changes {
        let machine = Machine::new().session(Age::FRESH);
        change(&machine);
        let without = git(&machine, SAAS);
        assert!(without.contains(why), "{without}");
        let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
        assert_eq!(git(&machine, SAAS), "of-the-environment", "{why}");
    }
}

// Sets modes.
#[cfg(unix)]
#[test]
fn a_directory_that_a_variable_selects_has_to_be_private() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let planted = machine.home().join("planted");
    fs::rename(machine.dir(), &planted).unwrap();
    let machine = machine.variable("SENTRY_CONFIG_DIR", planted.to_str().unwrap());
    let set =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    assert_eq!(git(&machine, "https://r.example"), "access-of-jane");
    set(&planted, 0o755).unwrap();
    assert!(git(&machine, "https://r.example").starts_with("unavailable"));
    set(&planted, 0o700).unwrap();
    set(&planted.join("cli.db"), 0o644).unwrap();
    assert!(git(&machine, "https://r.example").starts_with("unavailable"));
}

#[test]
fn a_stale_session_is_refreshed_once_and_served_from_the_store_then() {
    let server = Server::start(vec![Canned::grant("jane-again")]);
    let machine = Machine::new().at(&server.origin).session(Age::STALE);
    let machine = machine.without_worker().bound_to("r.example");
    assert_eq!(git(&machine, "https://r.example"), "access-of-jane-again");
    assert_eq!(docker(&machine, "r.example"), "access-of-jane-again");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_token_that_still_works_is_served_when_its_refresh_fails() {
    let server = Server::start(vec![Canned::json(503, "")]);
    let machine = Machine::new().at(&server.origin).session(Age::EXPIRES_SOON);
    let machine = machine.without_worker();
    for _ in 0..2 {
        assert_eq!(git(&machine, &server.origin), "access-of-jane");
    }
    assert_eq!(server.requests().len(), 1, "the second one came too soon");
}

#[test]
fn a_host_that_refused_a_token_which_sentry_accepts_does_not_get_it_for_a_minute() {
    let server = Server::start(vec![Canned::accepted(), Canned::accepted()]);
    let machine = Machine::new().at(&server.origin).session(Age::FRESH);
    let machine = machine.without_worker().bound_to("r.example");
    let refuse = || {
        let world = machine.world();
        let broker = Broker::new(&world);
        broker.refused("git https://r.example", &access("jane"))
    };
    refuse().unwrap();
    for _ in 0..2 {
        let told = git(&machine, "https://r.example");
        assert!(told.starts_with("refused: r.example refuses"), "{told}");
        assert_eq!(docker(&machine, "r.example"), "access-of-jane");
    }
    machine.clock().pass(Duration::from_secs(61));
    assert_eq!(git(&machine, "https://r.example"), "access-of-jane");
    assert_eq!(server.requests().len(), 1, "Sentry is asked once a minute");
}

#[test]
fn a_token_of_the_environment_that_was_refused_is_named() {
    let machine = Machine::new().bound_to("r.example");
    let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
    let world = machine.world();
    let token = Secret::new("of-the-environment");
    let broker = Broker::new(&world);
    broker.refused("git https://r.example", &token).unwrap();
    let told = git(&machine, "https://r.example");
    assert_eq!(told, "refused: `SENTRY_TOKEN` was refused by r.example");
    assert_eq!(git(&machine, SAAS), "of-the-environment");
}

#[test]
fn a_refusal_of_another_secret_changes_nothing_and_creates_no_store() {
    let machine = Machine::new();
    let world = machine.world();
    let refuse = |secret: &Secret| Broker::new(&world).refused("git https://r.example", secret);
    refuse(&Secret::new("password")).unwrap();
    assert!(!machine.has_store());
    let machine = machine.session(Age::FRESH);
    for secret in [Secret::new("password"), refresh("jane")] {
        refuse(&secret).unwrap();
    }
    assert!(machine.active().refresh_state.suspect.is_none());
    assert!(machine.read(|view| view.refusal("git https://r.example").unwrap().is_none()));
}

#[test]
fn that_a_host_takes_bearer_only_is_noted_once_and_makes_no_store() {
    let machine = Machine::new();
    let world = machine.world();
    let note = |only| {
        let recorded = Broker::new(&world).note_only_bearer("git https://r.example", only);
        recorded.unwrap();
    };
    note(true);
    assert!(!machine.has_store());
    let machine = machine.session(Age::FRESH);
    let is_noted = || machine.read(|view| view.takes_only_bearer("git https://r.example").unwrap());
    note(true);
    assert!(is_noted());
    note(false);
    assert!(!is_noted());
}

#[test]
fn a_change_removes_what_has_expired_and_cannot_be_refreshed() {
    let past = Some(Timestamp::from_millis(1));
    let expired = crate::store::Credential {
        expiry: past,
        ..credential("git https://x.example", "gone", "p")
    };
    let renewable = crate::store::Credential {
        refresh_token: Some(Secret::new("r")),
        expiry: past,
        ..credential("git https://y.example", "stays", "p")
    };
    let machine = Machine::new().stored(&expired).stored(&renewable);
    let world = machine.world();
    Broker::new(&world).change(|_| Ok(())).unwrap();
    let left = machine.credentials(Client::Git).into_iter();
    let left: Vec<_> = left.map(|one| one.username.unwrap()).collect();
    assert_eq!(left, ["stays"]);
}

#[test]
fn a_secret_is_judged_by_who_has_it() {
    let machine = Machine::new().session(Age::FRESH);
    let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
    machine.change(|change| {
        let now = change.sessions().unwrap()[0].tokens.clone().unwrap();
        let at = now.issued_at.unwrap();
        change.remember_former(&access("former"), at).unwrap();
    });
    let world = machine.world();
    let server = Host::parse("git https://r.example").unwrap();
    let judged = |secret: &str| {
        let judge = |_: &Facts<'_>, from: Provenance<'_>| match from {
            Provenance::Session(session) => format!("session of {}", session.label()),
            other => format!("{other:?}"),
        };
        let broker = Broker::new(&world);
        let secret = Secret::new(secret);
        broker.judge(&server.request(), &secret, judge).unwrap()
    };
    for (secret, expected) in [
        ("of-the-environment", "Environment"),
        ("access-of-jane", "session of jane"),
        ("refresh-of-jane", "session of jane"),
        ("access-of-former", "Former"),
        ("sntryu_0123456789", "Token"),
        ("hunter2", "Foreign"),
    ] {
        assert_eq!(judged(secret), expected, "{secret}");
    }
}

#[test]
fn signing_in_ends_a_logout_and_keeps_the_rest_of_the_binding() {
    let machine = Machine::new().session(Age::FRESH);
    let binding = Binding {
        signed_out: true,
        username: Some("robot".into()),
        ..machine.binding(Client::Docker, "r.example")
    };
    let machine = machine.bind(&binding);
    let (world, environment) = (machine.world(), Environment::of(&machine.world()));
    let facts = Facts {
        bindings: vec![binding],
        ..Facts::of_environment(&environment)
    };
    Broker::new(&world).sign_in(&facts).unwrap();
    assert_eq!(docker(&machine, "r.example"), "access-of-jane as robot");
}

#[test]
fn an_empty_machine_reads_nothing_and_a_change_makes_its_store() {
    let machine = Machine::new();
    let world = machine.world();
    let sessions = Broker::new(&world).read(|view| view.sessions()).unwrap();
    assert!(sessions.is_empty() && !machine.has_store());
    let now = world.now();
    let declined = |view: &ReadTransaction<'_>| view.declined_at(&Origin::saas());
    Broker::new(&world)
        .change(|change| change.note_declined(&Origin::saas(), now))
        .unwrap();
    assert_eq!(Broker::new(&world).read(declined).unwrap(), Some(now));
}

#[test]
fn a_login_forgets_that_the_user_declined_one_at_the_same_instance() {
    let machine = Machine::new();
    let now = machine.now();
    let instances = [origin("https://us.sentry.io"), origin(SELF)];
    machine.change(|change| {
        for instance in &instances {
            change.note_declined(instance, now).unwrap();
        }
    });
    let machine = machine.session(Age::FRESH);
    let [us, other] = instances.map(|one| machine.read(|view| view.declined_at(&one).unwrap()));
    assert_eq!((us, other), (None, Some(now)));
    assert_eq!(machine.active().user, user("jane"));
}
