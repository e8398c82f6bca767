//! The keyring mirror, against a real gnome-keyring.

use crate::fake_sentry::{Endpoint, FakeSentry};
use crate::keyring::Keyring;
use crate::sandbox::{Age, Sandbox};

/// A working keyring, and a session that is mirrored in it.
pub fn logged_in(keyring: &Keyring) -> (FakeSentry, Sandbox) {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().success();
    (sentry, machine)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn the_access_token_is_in_the_keyring_from_login_to_logout() {
    let keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    let first = sentry.current();
    let copy = keyring
        .lookup(&[("service", "sentry-credential-helper")])
        .unwrap();
    assert!(
        copy.contains(&first.access) && copy.contains(&sentry.url()),
        "{copy}"
    );
    machine
        .sentry(&["auth", "status"])
        .run()
        .success()
        .stdout_has("Keyring: mirror, in sync\n");

    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    let second = sentry.current();
    let everything = keyring.search_all();
    assert!(everything.contains(&second.access), "{everything}");
    for secret in [&first.access, &first.refresh, &second.refresh] {
        assert!(!everything.contains(secret), "{everything}");
    }

    machine.sentry(&["auth", "logout"]).run().success();
    assert!(!keyring.search_all().contains(&second.access));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_user_whom_the_server_names_later_has_one_copy() {
    let keyring = Keyring::start();
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.rewrite(Endpoint::Poll, |answer| {
        answer.as_object_mut().unwrap().remove("user");
    });
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().success();
    let access = sentry.current_access();
    let status = machine.sentry(&["auth", "status"]).run().success();
    status.stdout_has("Keyring: mirror, in sync\n");
    assert_eq!(keyring.search_all().matches(&access).count(), 1);
    machine.sentry(&["auth", "logout"]).run().success();
    assert!(!keyring.search_all().contains(&access));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn copies_are_removed_even_when_the_mirror_is_off_by_then() {
    for last in [&["auth", "logout"][..], &["auth", "login", "--no-keyring"]] {
        let keyring = Keyring::start();
        let (sentry, machine) = logged_in(&keyring);
        assert!(keyring.search_all().contains(&sentry.current_access()));
        machine
            .sentry(last)
            .env("SENTRY_CREDENTIAL_KEYRING", "off")
            .run()
            .success();
        assert!(
            !keyring.search_all().contains(&sentry.current_access()),
            "{last:?}"
        );
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_login_turns_the_mirror_on_and_off_for_good() {
    let keyring = Keyring::start();
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    sentry.approve_next();
    machine
        .sentry(&["auth", "login", "--keyring"])
        .run()
        .success();
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    assert!(keyring.search_all().contains(&sentry.current_access()));
    machine
        .sentry(&["auth", "login", "--no-keyring"])
        .run()
        .success();
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    assert!(!keyring.search_all().contains("sntryu_access"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn two_configuration_directories_never_share_an_entry() {
    let keyring = Keyring::start();
    let (one, _first) = logged_in(&keyring);
    let (two, second) = logged_in(&keyring);
    second.sentry(&["auth", "logout"]).run().success();
    let everything = keyring.search_all();
    assert!(
        everything.contains(&one.current_access()) && !everything.contains(&two.current_access())
    );
}

#[test]
fn without_a_bus_a_login_works_with_one_warning() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    sentry.approve_next();
    let login = machine.sentry(&["auth", "login"]).run().success();
    assert_eq!(
        login.stderr.matches("warning: ").count(),
        1,
        "{}",
        login.stderr
    );
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_bus_address_that_runs_a_program_is_not_used() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let ran = machine.root().join("ran");
    let address = format!("unixexec:path=/bin/touch,argv1={}", ran.display());
    let refresh = machine
        .sentry(&["auth", "refresh", "--force"])
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .run();
    refresh
        .success()
        .stderr_has("warning: the session bus address is not a `unix:` address\n");
    assert!(!ran.exists());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_silent_keyring_delays_a_refresh_but_does_not_stop_it() {
    let mut keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    keyring.fall_silent();
    let refresh = machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    refresh.stderr_has("warning: the token was not copied to the keyring: it does not respond\n");
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    machine
        .sentry(&["auth", "logout"])
        .run()
        .fails(1)
        .stderr_has("the copy in the keyring may still be there");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn docker_hears_nothing_of_a_keyring_that_fails() {
    let keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    machine.bind("docker r.example", &sentry.url(), None);
    let machine = machine.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let expired = "UPDATE accounts SET expires_at = 1000";
    machine.database().unwrap().execute(expired, []).unwrap();
    let get = machine.docker_credential("get").stdin("r.example").run();
    get.success()
        .stdout_has(&sentry.current_access())
        .stderr_is("");
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_cached_get_never_touches_the_keyring() {
    let mut keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    keyring.fall_silent();
    let token = machine.sentry(&["auth", "token"]).run();
    token
        .success()
        .stdout_is(&format!("{}\n", sentry.current_access()))
        .stderr_is("");
}
