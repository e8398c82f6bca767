//! Rows and tables: what a transaction writes and another one reads, in every layout that there is.

use super::*;
use crate::account::{OAuthClient, User};
use crate::platform::files::wider_than_private;
use crate::secret::Secret;
use crate::testing::{
    Age, CLIENT, Machine, NOW, SELF, access, credential, credential_lock, origin, refresh, user,
};
use crate::world::Timestamp;

/// A database as Sentry's official CLI made it up to 0.45, without tables of ours.
const OLD_LAYOUT: &str = "
    CREATE TABLE schema_version (version INTEGER PRIMARY KEY);
    INSERT INTO schema_version VALUES (16);
    CREATE TABLE auth (id INTEGER PRIMARY KEY CHECK (id = 1), token TEXT, refresh_token TEXT, expires_at INTEGER,
        issued_at INTEGER, updated_at INTEGER NOT NULL DEFAULT 0, host TEXT);
    CREATE TABLE user_info (id INTEGER PRIMARY KEY CHECK (id = 1), user_id TEXT NOT NULL, email TEXT, username TEXT,
        name TEXT, updated_at INTEGER NOT NULL DEFAULT 0);
    INSERT INTO auth (id, token, refresh_token, host) VALUES (1, 'access-of-jane', 'refresh-of-jane', 'https://sentry.io');
    INSERT INTO user_info (id, user_id, username) VALUES (1, 'id-of-jane', 'jane');";

/// A machine whose database is made by this SQL.
fn made_by(sql: &str) -> Machine {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql(
        "DROP TABLE accounts; DROP TABLE schema_version; DROP TABLE helper_credential;
         DROP TABLE helper_binding; DROP TABLE helper_session; DROP TABLE helper_former;
         DROP TABLE helper_setting;",
    );
    machine.sql(sql);
    machine
}

fn count(machine: &Machine, what: &str) -> i64 {
    let store = machine.store();
    let sql = format!("SELECT count(*) FROM {what}");
    store
        .connection
        .query_row(&sql, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_new_database_is_accepted_by_the_official_cli() {
    let machine = Machine::new();
    machine.change(|_| {});
    let store = machine.store();
    let examination = store.examine().unwrap();
    assert_eq!(examination.integrity, "ok");
    assert_eq!(examination.journal_mode, "wal");
    assert_eq!(examination.schema_version, Some(21));
    assert_eq!(count(&machine, "accounts"), 0);
    for path in [store.path(), store.directory()] {
        let found = path.metadata().unwrap();
        assert_eq!(wider_than_private(&found, path), None);
    }
}

#[test]
fn what_is_not_committed_is_not_there() {
    let machine = Machine::new().session(Age::FRESH);
    let store = machine.store();
    let held = credential_lock(store.directory());
    let change = store.change(&held, machine.clock()).unwrap();
    change
        .put_credential(&credential("git x", "u", "p"))
        .unwrap();
    assert_eq!(change.credentials(Client::Git).unwrap().len(), 1);
    drop(change);
    assert_eq!(count(&machine, "helper_credential"), 0);
}

#[test]
fn the_old_layout_holds_one_session_which_the_next_login_replaces() {
    let machine = made_by(OLD_LAYOUT);
    let session = machine.active();
    assert_eq!(session.label(), "jane");
    assert_eq!(session.tokens.unwrap().refresh, Some(refresh("jane")));
    assert!(machine.read(|view| view.holds_one_session()));
    let machine = machine.at(SELF).account("joe", Age::FRESH);
    let sessions = machine.sessions();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].label(), "joe");
    assert_eq!(sessions[0].origin, origin(SELF));
    let state = &sessions[0].refresh_state;
    assert!(matches!(&state.client_id, Some(OAuthClient::Recorded(id)) if id == CLIENT));
    assert_eq!(count(&machine, "schema_version WHERE version = 16"), 1);
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
}

#[test]
fn a_row_without_a_host_is_the_saas_s_and_one_with_an_odd_host_is_passed_over() {
    let machine = made_by(OLD_LAYOUT);
    machine.sql("UPDATE auth SET host = NULL");
    assert_eq!(machine.active().origin.to_string(), "https://sentry.io");
    for odd in [
        "http://sentry.io",
        "https://sentry.io/path",
        "sentry.io",
        "",
    ] {
        machine.sql(&format!("UPDATE auth SET host = '{odd}'"));
        assert!(machine.sessions().is_empty(), "{odd}");
    }
}

#[test]
fn an_empty_auth_beside_accounts_changes_nothing() {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql("CREATE TABLE auth (id INTEGER PRIMARY KEY, token TEXT)");
    assert_eq!(machine.active().label(), "jane");
    let machine = machine.account("joe", Age::FRESH);
    assert_eq!(machine.sessions().len(), 2);
    assert_eq!(count(&machine, "auth"), 0);
}

#[test]
fn a_file_of_the_first_version_serves_what_it_has_before_it_is_migrated() {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql(
        "DROP TABLE helper_binding; DROP TABLE helper_session; DELETE FROM helper_setting;
         CREATE TABLE helper_binding (server PRIMARY KEY, origin, username, signed_out) WITHOUT ROWID;
         INSERT INTO helper_binding VALUES ('git https://r.example', 'https://sentry.io', NULL, 1);",
    );
    let binding = || {
        machine.read(|view| {
            let mut bound = view.bound().unwrap();
            bound.remove(0)
        })
    };
    assert!(binding().binding.signed_out && binding().since.is_none());
    assert_eq!(machine.active().label(), "jane");
    machine.change(|_| {});
    assert!(binding().binding.signed_out);
    let version = "helper_setting WHERE key = 'schema' AND value = 2";
    assert_eq!(count(&machine, version), 1);
}

#[test]
fn a_file_of_a_newer_version_is_used_as_far_as_it_is_understood() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    machine.sql(
        "UPDATE helper_setting SET value = 9 WHERE key = 'schema';
         ALTER TABLE helper_binding ADD COLUMN news; UPDATE helper_binding SET news = 'kept';",
    );
    let machine = machine.bound_to("r.example");
    assert_eq!(count(&machine, "helper_binding WHERE news = 'kept'"), 2);
    let version = "helper_setting WHERE key = 'schema' AND value = 9";
    assert_eq!(count(&machine, version), 1, "it is never downgraded");
    machine.sql("DROP TABLE helper_former");
    let store = machine.store();
    let held = credential_lock(store.directory());
    let refused = store.change(&held, machine.clock()).err().unwrap();
    assert!(refused.to_string().contains("newer version"), "{refused:#}");
}

#[test]
fn a_view_or_a_trigger_in_the_place_of_a_table_is_refused() {
    for planted in [
        "CREATE TRIGGER t AFTER UPDATE ON ACCOUNTS BEGIN SELECT 1; END",
        "CREATE VIEW helper_news AS SELECT 1",
        "CREATE VIEW METADATA AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON helper_Former BEGIN SELECT 1; END",
    ] {
        let machine = Machine::new().session(Age::FRESH);
        machine.sql(planted);
        let store = machine.store();
        assert!(store.read().is_err(), "{planted}");
        let held = credential_lock(store.directory());
        assert!(store.change(&held, machine.clock()).is_err(), "{planted}");
    }
    let machine = Machine::new().session(Age::FRESH);
    machine.sql("CREATE TABLE mine (x); CREATE VIEW v AS SELECT x FROM mine");
    assert!(machine.store().read().is_ok());
}

#[test]
fn a_database_without_a_table_for_logins_is_refused_for_writing() {
    let machine = made_by("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)");
    assert!(machine.sessions().is_empty());
    let store = machine.store();
    let held = credential_lock(store.directory());
    assert!(store.change(&held, machine.clock()).is_err());
}

#[test]
fn the_instance_of_the_official_cli_follows_the_active_account() {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql("CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
    let default = |machine: &Machine| Store::official_default(&machine.world(), "url");
    let machine = machine.at(SELF).account("joe", Age::FRESH);
    assert_eq!(default(&machine), None, "nothing is added");
    machine.sql("INSERT INTO metadata VALUES ('defaults.url', 'https://sentry.io'), ('defaults.org', 'acme')");
    let machine = machine.account("ann", Age::FRESH);
    assert_eq!(default(&machine).as_deref(), Some(SELF));
    let mut sessions = machine.sessions().into_iter();
    let jane = sessions.find(|one| one.label() == "jane").unwrap();
    machine.change(|change| change.activate(&jane, Timestamp::from_millis(NOW)).unwrap());
    assert_eq!(default(&machine).as_deref(), Some("https://sentry.io"));
    assert_eq!(count(&machine, "metadata WHERE value = 'acme'"), 1);
}

#[test]
fn names_are_added_to_the_session_that_has_the_token_and_doubles_go() {
    let machine = Machine::new().session(Age::STALE);
    machine.change(|change| {
        let tokens = Age::FRESH.tokens("unknown");
        let now = Timestamp::from_millis(NOW);
        let origin = crate::origin::Origin::saas();
        change
            .log_in(&origin, &User::default(), &tokens, None, now)
            .unwrap();
    });
    assert_eq!(machine.sessions().len(), 2);
    let name = |access: &Secret| {
        let mut is_named = false;
        machine.change(|change| is_named = change.name_user(access, &user("jane")).unwrap());
        is_named
    };
    assert!(!name(&access("nobody")));
    assert!(name(&access("unknown")));
    let sessions = machine.sessions();
    assert_eq!(sessions.len(), 1, "it is jane, who was there already");
    assert_eq!(sessions[0].user, user("jane"));
    assert!(sessions[0].has_token(&access("unknown")));
}

#[test]
fn a_login_with_a_token_that_is_there_keeps_the_names_that_are_known() {
    let machine = Machine::new().session(Age::API_TOKEN);
    machine.change(|change| {
        let tokens = Age::API_TOKEN.tokens("jane");
        let now = Timestamp::from_millis(NOW);
        let origin = crate::origin::Origin::saas();
        change
            .log_in(&origin, &User::default(), &tokens, None, now)
            .unwrap();
    });
    assert_eq!(machine.sessions().len(), 1);
    assert_eq!(machine.active().user, user("jane"));
}

#[test]
fn a_swap_of_tokens_forgets_what_was_noted_about_the_old_ones() {
    let machine = Machine::new().session(Age::STALE);
    let at = Timestamp::from_millis(NOW);
    let session = machine.active();
    let (old, new) = (Age::STALE.tokens("jane"), Age::FRESH.tokens("new"));
    machine.change(|change| {
        change.suspect(&session, access("jane").digest()).unwrap();
        change
            .intend(&session, refresh("jane").digest(), at)
            .unwrap();
        change.pause(&session, at, Some("why")).unwrap();
    });
    let state = machine.active().refresh_state;
    assert!(state.suspect.is_some() && state.intent.is_some());
    assert_eq!(state.retry_reason.as_deref(), Some("why"));
    machine.change(|change| {
        let replaced = change.replace_tokens(&session, &old, &new, Some("another"), at);
        replaced.unwrap();
    });
    let after = machine.active();
    assert_eq!(after.tokens, Some(new));
    let state = after.refresh_state;
    assert!(state.suspect.is_none() && state.intent.is_none() && state.retry_at.is_none());
    assert!(matches!(state.client_id, Some(OAuthClient::Recorded(id)) if id == "another"));
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
}

#[test]
fn the_first_intent_about_a_pair_keeps_its_time() {
    let machine = Machine::new().session(Age::STALE);
    let session = machine.active();
    let intend = |name: &str, at: i64| {
        let (digest, at) = (refresh(name).digest(), Timestamp::from_millis(at));
        machine.change(|change| change.intend(&session, digest, at).unwrap());
        machine.active().refresh_state.intent.unwrap().1.millis()
    };
    assert_eq!(intend("jane", NOW), NOW);
    assert_eq!(intend("jane", NOW + 5), NOW);
    assert_eq!(intend("another", NOW + 9), NOW + 9);
}

#[test]
fn a_client_that_is_noted_for_another_session_at_the_instance_is_a_guess() {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql("UPDATE accounts SET account_id = 'moved'");
    let client = machine.active().refresh_state.client_id;
    assert!(matches!(client, Some(OAuthClient::Guessed(id)) if id == CLIENT));
    machine.sql("UPDATE accounts SET host = 'https://self.example'");
    assert!(machine.active().refresh_state.client_id.is_none());
}

#[test]
fn a_session_is_found_again_under_another_key_by_its_tokens() {
    let machine = Machine::new().session(Age::FRESH);
    let known = machine.active();
    machine.sql("UPDATE accounts SET account_id = 'moved'");
    let again = machine.read(|view| view.session(&known).unwrap().unwrap());
    assert_eq!(again.account, "moved");
    machine.sql("UPDATE accounts SET token = 'another'");
    assert!(machine.read(|view| view.session(&known).unwrap().is_none()));
}

#[test]
fn a_former_token_is_recognized_for_a_year_and_a_month() {
    let machine = Machine::new().session(Age::FRESH);
    let remember = |name: &str, days: i64| {
        let at = Timestamp::from_millis(NOW + days * 24 * 3_600_000);
        machine.change(|change| change.remember_former(&access(name), at).unwrap());
    };
    let is_known = |name: &str| machine.read(|view| view.is_former(&access(name)).unwrap());
    remember("a", 0);
    remember("b", 400);
    assert!(is_known("a") && is_known("b"));
    remember("c", 401);
    assert!(!is_known("a") && is_known("b") && is_known("c"));
}

#[test]
fn a_binding_keeps_its_age_until_it_serves_another_instance_or_account() {
    let machine = Machine::new().bound_to("r.example");
    machine.sql("UPDATE helper_binding SET created_at = 1");
    let since = |binding: &Binding| {
        machine.change(|change| change.bind(binding).unwrap());
        let found = machine.read(|view| view.bound().unwrap());
        let mut found = found.into_iter().filter(|one| one.binding == *binding);
        found.next().unwrap().since.unwrap().millis()
    };
    let binding = machine.binding(Client::Git, "r.example");
    let named = Binding {
        username: Some("robot".into()),
        ..binding.clone()
    };
    assert_eq!(since(&named), 1);
    let another = Binding {
        account: Some("user 7".into()),
        ..binding
    };
    assert!(since(&another) > 1);
}

#[test]
fn what_is_stored_for_a_host_is_forgotten_below_its_paths_and_nowhere_else() {
    let machine = Machine::new();
    for server in [
        "docker r.example",
        "docker r.example/v1",
        "docker r.example:5000",
        "docker r.example.evil",
    ] {
        let stored = credential(server, "u", "p");
        machine.change(|change| change.put_credential(&stored).unwrap());
    }
    let mut removed = 0;
    machine.change(|change| removed = change.forget_credentials("docker r.example").unwrap());
    assert_eq!((removed, machine.credentials(Client::Docker).len()), (2, 2));
}

#[test]
fn settings_are_found_by_the_beginning_of_their_keys() {
    let machine = Machine::new();
    machine.change(|change| {
        for key in ["undo git b", "undo git a", "undo", "undo docker a"] {
            change.set(key, Some("1")).unwrap();
        }
        change.set("undo docker a", None).unwrap();
        change.set("undo git a", Some("2")).unwrap();
    });
    let found = machine.read(|view| view.settings("undo git ").unwrap());
    let found: Vec<String> = found.into_iter().map(|(key, value)| key + &value).collect();
    assert_eq!(found, ["a2", "b1"]);
    assert_eq!(
        machine.read(|view| view.setting("undo docker a").unwrap()),
        None
    );
}

/// Whether the store is opened for the number of sessions, if that many suffice.
fn opens(machine: &Machine, sufficient: usize) -> bool {
    let world = machine.world();
    let count = |view: &ReadTransaction<'_>| Ok(view.sessions()?.len());
    let gathered = Store::gather(&world, &machine.dir(), count, |found| *found == sufficient);
    let (found, store) = gathered.unwrap().unwrap();
    assert_eq!(found, 1);
    store.is_some()
}

#[test]
#[cfg_attr(portable, ignore = "local file systems")]
fn an_idle_database_is_read_without_locks_unless_that_is_turned_off_or_does_not_suffice() {
    // The machine's clock is years ahead of the file system's.
    let machine = Machine::new().session(Age::FRESH);
    assert_eq!(opens(&machine, 1), !crate::fast::IN_BUILD);
    assert!(opens(&machine, 2));
    let machine = machine.variable("SENTRY_CREDENTIAL_FAST", "off");
    assert!(opens(&machine, 1));
}

#[test]
fn a_database_that_is_in_use_is_read_with_locks() {
    let machine = Machine::new().session(Age::FRESH);
    let store = machine.store();
    assert!(store.read().unwrap().sessions().is_ok());
    assert!(opens(&machine, 1));
}

#[test]
fn a_damaged_database_is_set_aside_whole_and_nothing_is_deleted() {
    let machine = Machine::new().session(Age::FRESH);
    let dir = machine.dir();
    std::fs::write(dir.join("cli.db"), "damaged").unwrap();
    std::fs::write(dir.join("cli.db-wal"), "beside").unwrap();
    let error = Store::open(&machine.world(), &dir).err().unwrap();
    assert!(is_damaged(&error) && !is_temporary(&error), "{error:#}");
    let held = credential_lock(&dir);
    let repair = set_aside(&dir, &held, machine.clock()).unwrap();
    assert_eq!(
        std::fs::read_to_string(&repair.moved_to).unwrap(),
        "damaged"
    );
    assert!(!machine.has_store());
    drop(held);
    assert!(machine.sessions().is_empty(), "a new one is made");
}
