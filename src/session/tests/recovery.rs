//! Recovery files: which are imported, removed, or left where they are.

use std::fs;

use super::*;
use crate::session::record::Record;
use crate::session::recovery;
use crate::session::reserve::Reserve;

/// Writes a recovery file for a refresh of jane's session, and imports it.
fn imported(machine: &Machine, old: &Tokens) -> Option<Tokens> {
    let (world, store, dir) = (machine.world(), machine.store(), machine.dir());
    let new = Age::FRESH.tokens("new");
    let jane = machine.sessions().pop();
    let session = jane.unwrap_or_else(|| Machine::new().session(Age::FRESH).active());
    let record = Record::of_refresh(&session, old, &new, Some("another-client"));
    Reserve::default().write(&dir, &record).unwrap();
    assert!(import_pending(&world, &store).unwrap());
    assert!(recovery::pending(&dir).unwrap().is_empty());
    machine.sessions().pop().and_then(|session| session.tokens)
}

#[test]
fn a_refresh_that_waits_is_imported_while_the_row_has_what_it_replaces() {
    let (old, new) = (Age::STALE.tokens("jane"), Age::FRESH.tokens("new"));
    let machine = Machine::new().session(Age::STALE);
    assert_eq!(imported(&machine, &old), Some(new.clone()));
    let client = machine.active().refresh_state.client_id;
    assert!(matches!(client, Some(OAuthClient::Recorded(id)) if id == "another-client"));
    // Another program cleared the spent pair.
    let machine = Machine::new().session(Age::STALE);
    machine.sql("UPDATE accounts SET token = NULL, refresh_token = NULL");
    assert_eq!(imported(&machine, &old), Some(new));
    // The row has another pair, or the session was removed.
    let machine = Machine::new().session(Age::STALE);
    let another = Age::STALE.tokens("another");
    assert_eq!(imported(&machine, &another), Some(old.clone()));
    let machine = Machine::new().session(Age::STALE);
    machine.sql("DELETE FROM accounts");
    assert_eq!(imported(&machine, &old), None);
}

#[test]
fn a_file_that_was_cut_short_is_removed_and_one_of_a_newer_version_stays() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let path = recovery::path(&machine.dir());
    for content in ["", "{\"origin\":\"https://sentry.io\",\"tok", "[]"] {
        fs::write(&path, content).unwrap();
        assert!(import_pending(&world, &store).unwrap());
        assert!(!path.exists(), "{content}");
    }
    fs::write(&path, r#"{"version":2,"origin":"https://sentry.io"}"#).unwrap();
    assert!(import_pending(&world, &store).is_err() && path.exists());
    assert_eq!(machine.sessions().len(), 1);
}

// Makes symlinks, which needs a privilege on Windows.
#[cfg(unix)]
#[test]
fn what_is_not_a_file_of_ours_is_not_imported() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let path = recovery::path(&machine.dir());
    let elsewhere = machine.home().join("elsewhere");
    let record = Record::of_login(&login(SELF, "mallory"));
    fs::write(&elsewhere, record.render().unwrap().as_bytes()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(import_pending(&world, &store).is_err());
    assert_eq!(machine.sessions().len(), 1);
    assert!(elsewhere.exists());
}

#[test]
fn a_logout_discards_what_waits_for_its_session_and_nothing_else() {
    let machine = Machine::new().session(Age::STALE);
    let (world, store, dir) = (machine.world(), machine.store(), machine.dir());
    let session = machine.active();
    let (old, new) = (Age::STALE.tokens("jane"), Age::FRESH.tokens("new"));
    for record in [
        Record::of_refresh(&session, &old, &new, None),
        Record::of_login(&login(SELF, "joe")),
    ] {
        Reserve::default().write(&dir, &record).unwrap();
    }
    let held = credential_lock(&dir);
    let change = store.change(&held, world.clock()).unwrap();
    recovery::discard(&dir, &change, &session).unwrap();
    drop((change, held));
    assert_eq!(recovery::pending(&dir).unwrap().len(), 1);
    assert!(import_pending(&world, &store).unwrap());
    assert_eq!(machine.active().label(), "joe");
    recovery::discard_all(&world, &dir).unwrap();
}

#[test]
fn a_record_reads_back_and_one_of_the_first_version_is_understood() {
    let record = Record::of_login(&login(SELF, "joe")).render().unwrap();
    let back = Record::parse(record.as_bytes()).unwrap().unwrap();
    assert_eq!(back.origin(), SELF);
    assert_eq!(back.render().unwrap(), record);
    let first = r#"{"origin":"https://self.example","account":"a","old_token":"o","old_refresh_token":null,
        "token":"t","refresh_token":null,"issued_at":null,"expires_at":null,"client_id":null,"user":null}"#;
    assert!(Record::parse(first.as_bytes()).unwrap().is_some());
}
