//! Logins and logouts: which sessions they replace, remove and make active.

use super::*;
use crate::session::recovery;

#[test]
fn a_login_is_active_and_takes_the_place_of_the_same_account_only() {
    let machine = Machine::new().account("joe", Age::FRESH);
    let machine = machine.session(Age::STALE);
    let (world, store) = (machine.world(), machine.store());
    let before = machine.active();
    let again = NewLogin {
        tokens: Age::FRESH.tokens("jane-again"),
        ..login("https://us.sentry.io", "jane")
    };
    let session = record_login(&world, &store, again).unwrap();
    assert_eq!(session.account, before.account);
    record_login(&world, &store, login(SELF, "jane")).unwrap();
    let told: Vec<String> = machine
        .sessions()
        .iter()
        .map(|session| {
            let access = session.tokens.as_ref().unwrap().access.expose();
            format!("{} {access} {}", session.origin, session.active)
        })
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], format!("{SELF} access-of-jane true"));
    assert!(told.contains(&"https://us.sentry.io access-of-jane-again false".to_owned()));
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
}

#[test]
fn an_unknown_identity_replaces_no_account() {
    let machine = Machine::new().session(Age::FRESH);
    for name in ["a", "b"] {
        let unknown = NewLogin {
            user: User::default(),
            ..login("https://sentry.io", name)
        };
        record_login(&machine.world(), &machine.store(), unknown).unwrap();
    }
    assert_eq!(machine.sessions().len(), 3);
}

#[test]
fn a_logout_makes_the_last_used_of_the_others_active() {
    let machine = Machine::new().account("joe", Age::STALE);
    let machine = machine
        .account("ann", Age::FRESH)
        .at(SELF)
        .session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let out = |session: &Session| {
        let next = log_out(&world, &store, session).unwrap();
        next.map(|next| next.label())
    };
    assert_eq!(out(&machine.active()).as_deref(), Some("ann"));
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
    let joe = machine.sessions().remove(1);
    assert_eq!(out(&joe), None, "it was not the active one");
    assert_eq!(out(&joe), None, "it is gone");
    assert_eq!(out(&machine.active()), None);
    assert!(machine.sessions().is_empty());
}

#[test]
fn a_logout_gives_up_on_a_lock_and_a_login_is_kept_in_a_file_then() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let held = credential_lock(&machine.dir());
    assert!(log_out(&world, &store, &machine.active()).is_err());
    let told = record_login(&world, &store, login(SELF, "joe")).unwrap_err();
    assert!(told.to_string().contains("credential.recovery"), "{told:#}");
    // The user still has an API token, so no recovery file is written.
    let api_token = NewLogin {
        tokens: Age::API_TOKEN.tokens("ann"),
        ..login(SELF, "ann")
    };
    assert!(record_login(&world, &store, api_token).is_err());
    assert_eq!(recovery::pending(&machine.dir()).unwrap().len(), 1);
    drop(held);
    assert_eq!(machine.sessions().len(), 1);
    assert!(import_pending(&world, &store).unwrap());
    let labels: Vec<String> = machine.sessions().iter().map(Session::label).collect();
    assert_eq!(labels, ["joe", "jane"]);
}
