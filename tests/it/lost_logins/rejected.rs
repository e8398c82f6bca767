//! `invalid_grant` marks a pair and removes nothing: a process that posted the same pair and has not received its
//! answer finds the row unchanged.

use super::SOON;
use crate::fake_sentry::{Answer, CLIENT_ID, Endpoint, FakeSentry, Fault, Replay};
use crate::machine::Machine;
use crate::official::CURRENT;
use crate::sandbox::{Age, Layout, Output, Sandbox};
use crate::terminal::TtyUser;

/// Another program has posted the pair and waits for its answer; this program posts it too.
fn beaten(age: Age) -> (Machine, Output) {
    let scene = Machine::new().login(age);
    scene.sentry.set_replay(Replay::Refused);
    scene.sentry.refresh_elsewhere(&scene.pair.refresh);
    let told = scene.refresh().run();
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    (scene, told)
}

/// The other program stores its pair, if the row still has the one that it posted.
#[track_caller]
fn their_answer_comes(scene: &Machine) {
    let new = scene.sentry.current();
    let theirs = "UPDATE accounts SET token = ?, refresh_token = ?, issued_at = unixepoch() * 1000, \
                  expires_at = (unixepoch() + 86400) * 1000 WHERE refresh_token = ?";
    let values = [&new.access, &new.refresh, &scene.pair.refresh];
    let stored = scene.database().execute(theirs, values);
    assert_eq!(stored, Ok(1), "the row has changed under the other program");
}

#[test]
fn a_pair_that_the_server_rejects_stays_in_its_row() {
    for layout in [Layout::Accounts, Layout::Auth] {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        scene.sandbox.remember_client(CLIENT_ID);
        scene.sentry.revoke_family(&scene.pair.refresh);
        let before = scene.sandbox.stored_row();
        scene.token().run().fails(1).stdout_is("");
        assert_eq!(scene.sandbox.stored_row(), before, "{layout:?}");
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{layout:?}");
    }
}

#[test]
fn another_program_whose_answer_is_slow_can_still_store_its_pair() {
    for age in [Age::EXPIRED, Age::FRESH] {
        let (scene, told) = beaten(age);
        told.fails(1).stdout_is("");
        their_answer_comes(&scene);
        // The rejection was recorded for the other pair.
        scene.serves(&scene.sentry.current_access());
        let status = scene.sandbox.sentry(&["auth", "status"]);
        status.run().success().stdout_has("Authenticated as: jane");
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{age:?}");
        scene.is_alive();
    }
}

#[test]
fn a_pair_that_the_server_has_rejected_is_as_good_as_none() {
    // Its access token expires in a month, or has expired.
    for age in [Age::FRESH, Age::EXPIRED] {
        let (scene, told) = beaten(age);
        told.fails(1);
        for reader in scene.readers() {
            let told = reader.run().fails(1).never_says(&scene.pair.access);
            let said = told.stdout + &told.stderr;
            let hints = ["`sentry auth login", "`git credential-sentry login"];
            assert!(hints.iter().any(|hint| said.contains(hint)), "{said}");
        }
        let status = scene.sandbox.sentry(&["auth", "status", "--json"]);
        status
            .run()
            .fails(1)
            .stdout_has("\"authenticated\": false")
            .never_says(&scene.pair.access);
        scene.sandbox.sentry(&["auth", "whoami"]).run().fails(1);
        for command in ["status", "refresh"] {
            let told = scene.sandbox.sentry(&["auth", command]).run().fails(1);
            told.stderr_has("sentry auth login");
        }
        // It is neither posted again nor used for an API request.
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{age:?}");
        assert_eq!(scene.sentry.requests_to(Endpoint::Api).len(), 0, "{age:?}");
    }
}

#[test]
fn a_pair_that_the_server_has_rejected_is_not_in_dockers_list() {
    let scene = Machine::new().login(Age::FRESH);
    scene
        .sandbox
        .bind("docker r.example", &scene.sentry.url(), None);
    let list = || scene.sandbox.docker_credential("list").run().success();
    list().stdout_has("r.example");
    scene.sentry.revoke_family(&scene.pair.refresh);
    scene.refresh().run().fails(1);
    assert!(!list().stdout.contains("r.example"));
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
}

#[test]
fn a_new_login_replaces_a_rejected_pair_and_a_logout_removes_it() {
    let rejected = || {
        let scene = Machine::new().login(Age::EXPIRED);
        scene.sentry.revoke_family(&scene.pair.refresh);
        scene.token().run().fails(1);
        scene
    };
    let scene = rejected();
    scene.sentry.set_interval(Some(1));
    scene.sentry.approve_next();
    scene.sandbox.sentry(&["auth", "login"]).run().success();
    scene.serves(&scene.sentry.current_access());
    scene.is_alive();

    let scene = rejected();
    scene.sandbox.sentry(&["auth", "logout"]).run().success();
    assert_eq!(scene.sandbox.stored_row(), None);
}

#[test]
fn a_rejected_pair_is_followed_by_a_login_where_a_user_can_be_asked() {
    let (scene, told) = beaten(Age::FRESH);
    told.fails(1);
    scene.sentry.set_interval(Some(1));
    scene.sentry.approve_next();
    let request = format!("protocol=http\nhost={}\n", scene.sentry.address());
    let mut user = TtyUser::start_piped(scene.sandbox.git_credential("get"), request);
    user.expect("[Y/n]").type_line("y");
    assert_eq!(user.wait(), 0, "{}", user.screen());
    assert!(user.stdout().contains(&scene.sentry.current_access()));
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
}

#[test]
fn any_other_pair_in_the_row_ends_the_mark() {
    let scene = Machine::new().login(Age::EXPIRED);
    let refused = Answer::error(400, "invalid_grant");
    scene.sentry.fault(Endpoint::Refresh, refused);
    scene.token().run().fails(1);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    let other = scene.sentry.issue();
    let expired = "UPDATE accounts SET token = ?, refresh_token = ?";
    let theirs = scene
        .database()
        .execute(expired, [&other.access, &other.refresh]);
    assert_eq!(theirs, Ok(1));
    // It has expired like the one before it, and is refreshed.
    let token = scene.token().run().success();
    token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
    assert_ne!(scene.sentry.current(), other);
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
    assert_eq!(scene.sentry.refresh_attempts(), 2);
}

/// The official CLI posts first and is answered last.
#[track_caller]
fn beside_the_official_cli(sentry: &FakeSentry, machine: &Sandbox) {
    sentry.set_replay(Replay::Refused);
    sentry.fault(Endpoint::Refresh, Fault::Held);
    let refresh = ["auth", "refresh", "--force"];
    let theirs = CURRENT.run(machine, &refresh).spawn();
    sentry.wait_for_held(SOON);
    machine.sentry(&refresh).run().fails(1);
    sentry.release();
    theirs.wait().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    let token = machine.sentry(&["auth", "token"]).run().success();
    token.stdout_is(&format!("{}\n", sentry.current_access()));
    CURRENT.run(machine, &refresh).run().success();
    machine.sentry(&refresh).run().success();
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn the_official_cli_keeps_the_pair_that_it_was_granted_while_ours_was_rejected() {
    // The client of a login by the official CLI is only guessed.
    for is_ours in [true, false] {
        let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
        if is_ours {
            machine.remember_client(CLIENT_ID);
        }
        beside_the_official_cli(&sentry, &machine);
    }
}
