//! Grants that wait beside the database: each in a file of its own, a login before every refresh of a former one, and
//! none that a logout or a later login has ended.

use std::fs;

use serde_json::{Value, json};

use crate::fake_sentry::{CLIENT_ID, Endpoint, Pair};
use crate::machine::Machine;
use crate::sandbox::{Age, Layout};
use crate::storage::{files_with, set_mode};

const LAYOUTS: [Layout; 2] = [Layout::Accounts, Layout::Auth];

/// Writes a recovery file with a login; `user` is the id that the server reported.
fn keep_login(scene: &Machine, name: &str, pair: &Pair, user: Option<&str>, issued_at: i64) {
    let content = json!({
        "version": 1, "account": null, "origin": scene.sentry.url(),
        "old_token": null, "old_refresh_token": null, "client_id": CLIENT_ID,
        "token": pair.access, "refresh_token": pair.refresh, "issued_at": issued_at, "expires_at": null,
        "user": {"id": user, "email": null, "username": null, "name": null},
    });
    let path = scene.file(name);
    fs::write(&path, content.to_string()).expect("a file");
    set_mode(&path, 0o600);
}

/// When the pair of the active session was issued.
fn issued_at(scene: &Machine, layout: Layout) -> i64 {
    let sql = match layout {
        Layout::Accounts => "SELECT issued_at FROM accounts WHERE is_active = 1",
        Layout::Auth => "SELECT issued_at FROM auth",
    };
    let database = scene.database();
    database
        .query_row(sql, [], |row| row.get(0))
        .expect("a row")
}

fn sessions(scene: &Machine) -> i64 {
    let sql = "SELECT count(*) FROM accounts";
    scene
        .database()
        .query_row(sql, [], |row| row.get(0))
        .expect("a count")
}

fn waiting(scene: &Machine) -> Vec<String> {
    let mut names = scene.names();
    names.retain(|name| name.starts_with("credential.recovery"));
    names
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn every_pending_grant_is_imported_by_the_next_command() {
    for index in 0..3 {
        let scene = Machine::new().login(Age::EXPIRED);
        let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
        let kept = scene.keep_aside(&new);
        fs::rename(&kept, scene.file("credential.recovery.2")).expect("a file");
        let other = scene.sentry.issue();
        keep_login(&scene, "credential.recovery.7", &other, Some("another"), 1);
        let reader = scene.readers()[index].clone();
        reader.run().success();
        let [first, second] = [&new, &other].map(|pair| {
            let sql = "SELECT count(*) FROM accounts WHERE token = ?1 AND refresh_token = ?2";
            let values = [&pair.access, &pair.refresh];
            scene
                .database()
                .query_row(sql, values, |row| row.get::<_, i64>(0))
        });
        assert_eq!((first, second), (Ok(1), Ok(1)));
        assert_eq!(waiting(&scene), Vec::<String>::new());
        assert_eq!(scene.sentry.refresh_attempts(), 0);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_file_that_cannot_be_imported_keeps_no_other_grant_waiting() {
    let scene = Machine::new().login(Age::FRESH);
    fs::create_dir(scene.file("credential.recovery")).expect("a directory");
    let other = scene.sentry.issue();
    keep_login(&scene, "credential.recovery.2", &other, Some("another"), 1);
    scene.sandbox.sentry(&["auth", "list"]).run().success();
    assert_eq!(sessions(&scene), 2);
    assert_eq!(waiting(&scene), ["credential.recovery"]);
}

#[test]
fn a_logout_removes_every_grant_that_waits_for_its_session() {
    for args in [&["logout"][..], &["logout", "--all"]] {
        let scene = Machine::new().login(Age::EXPIRED);
        let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
        let kept = scene.keep_aside(&new);
        fs::rename(&kept, scene.file("credential.recovery.2")).expect("a file");
        let login = scene.sentry.issue();
        keep_login(
            &scene,
            "credential.recovery.3",
            &login,
            Some(&scene.sentry.user().id),
            i64::MAX / 2,
        );
        let logout = scene.sandbox.sentry(&["auth"]).args(args);
        logout.run().success();
        assert_eq!(sessions(&scene), 0);
        for secret in [&new.access, &new.refresh, &login.access, &login.refresh] {
            assert_eq!(files_with(&scene.dir(), secret), Vec::<String>::new());
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_logout_removes_what_waits_beside_a_database_that_is_gone() {
    let scene = Machine::new().login(Age::FRESH);
    let login = scene.sentry.issue();
    keep_login(&scene, "credential.recovery.2", &login, Some("any"), 1);
    for name in scene
        .names()
        .iter()
        .filter(|name| name.starts_with("cli.db"))
    {
        fs::remove_file(scene.file(name)).expect("a file");
    }
    let out = scene.sandbox.sentry(&["auth", "logout"]).run().fails(1);
    out.stderr_has("not logged in");
    assert_eq!(waiting(&scene), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_login_that_waits_does_not_give_way_to_a_refresh_of_a_former_one() {
    for layout in LAYOUTS {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        let former = issued_at(&scene, layout);
        let user = scene.sentry.user().id;
        let login = scene.sentry.issue();
        scene.refresh().run().success();
        scene.refresh().run().success();
        let refreshed = issued_at(&scene, layout);
        assert!(former + 1 < refreshed);
        // Approved before the refresh was, and after the login that was refreshed.
        keep_login(
            &scene,
            "credential.recovery",
            &login,
            Some(&user),
            former + 1,
        );
        scene.serves(&login.access);
        assert_eq!(scene.sandbox.stored_tokens(), Some(login), "{layout:?}");
        assert_eq!(waiting(&scene), Vec::<String>::new());
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_login_that_waits_gives_way_to_a_later_login() {
    for layout in LAYOUTS {
        // The old layout has space for one session, of any user.
        for is_same_user in [true, false] {
            if layout == Layout::Accounts && !is_same_user {
                continue;
            }
            let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
            let issued_at = issued_at(&scene, layout);
            let user = match is_same_user {
                true => scene.sentry.user().id,
                false => "another".to_owned(),
            };
            let login = scene.sentry.issue();
            // Refreshed or not, it is still the later login.
            scene.refresh().run().success();
            keep_login(
                &scene,
                "credential.recovery",
                &login,
                Some(&user),
                issued_at - 1,
            );
            let stored = scene.sandbox.stored_tokens();
            scene.token().run().success();
            assert_eq!(scene.sandbox.stored_tokens(), stored, "{layout:?}");
            assert_eq!(waiting(&scene), Vec::<String>::new());
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_login_of_an_unknown_user_is_not_stored_again_once_it_was_replaced() {
    let scene = Machine::new().login(Age::FRESH);
    let login = scene.sentry.issue();
    keep_login(&scene, "credential.recovery", &login, None, 1);
    let kept = fs::read(scene.file("credential.recovery")).expect("a file");
    scene.serves(&login.access);
    assert_eq!(sessions(&scene), 2);
    // A power failure can restore the file: while the login exists, after a refresh, and after a logout.
    let back = || fs::write(scene.file("credential.recovery"), &kept).expect("a file");
    back();
    scene.serves(&login.access);
    scene.refresh().run().success();
    let refreshed = scene.sandbox.stored_tokens().expect("a session");
    assert_ne!(refreshed, login);
    back();
    scene.serves(&refreshed.access);
    assert_eq!(sessions(&scene), 2);
    scene.sandbox.sentry(&["auth", "logout"]).run().success();
    back();
    scene.serves(&scene.pair.access);
    assert_eq!(sessions(&scene), 1);
    assert_eq!(waiting(&scene), Vec::<String>::new());
}

#[test]
fn a_client_that_is_noted_for_another_session_at_the_host_proves_nothing() {
    for right in ["another-client", "a-third-client"] {
        let scene = Machine::new().login(Age::FRESH);
        for client in ["another-client", "a-third-client"] {
            scene.sentry.add_client(client);
        }
        // A second account, which the official CLI logged in with its own client.
        let pair = scene.sentry.issue_to(right);
        scene
            .sandbox
            .seed_session(&scene.sentry, &pair, Age::EXPIRED);
        let token = scene
            .token()
            .env("SENTRY_CLIENT_ID", "another-client")
            .run();
        let clients = scene.sentry.requests_to(Endpoint::Refresh);
        let clients: Vec<_> = clients
            .iter()
            .map(|request| request.field("client_id"))
            .collect();
        assert_eq!(clients, [Some(CLIENT_ID), Some("another-client")]);
        if right == "another-client" {
            token.success();
            assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
            assert_eq!(scene.sandbox.remembered_client().as_deref(), Some(right));
        } else {
            let told = token.fails(1);
            told.stderr_has("was this login made with another `SENTRY_CLIENT_ID`?");
            let rejected = "SELECT count(rejected) FROM helper_session";
            let rejected = scene
                .database()
                .query_row(rejected, [], |row| row.get::<_, i64>(0));
            assert_eq!(rejected, Ok(0));
            assert!(scene.sentry.is_refreshable(&pair.refresh));
        }
    }
}

#[test]
fn a_grant_of_a_first_version_is_imported() {
    let scene = Machine::new().login(Age::EXPIRED);
    let new = scene.sentry.refresh_elsewhere(&scene.pair.refresh);
    let kept = scene.keep_aside(&new);
    let content = fs::read_to_string(&kept).expect("a file");
    let mut content: Value = serde_json::from_str(&content).expect("JSON");
    let fields = content.as_object_mut().expect("an object");
    assert!(!fields.contains_key("old_issued_at"));
    let _version = fields.remove("version");
    fs::write(&kept, content.to_string()).expect("a file");
    scene.serves(&new.access);
    assert_eq!(scene.sandbox.stored_tokens(), Some(new));
}
