//! Limits of the process and of the file system: the session survives each of them.

use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Output};
use crate::service::tool;

fn limited(cmd: Cmd, limit: &str) -> Cmd {
    cmd.under(tool("prlimit"), &[limit])
}

/// The token, or one clear error; and the stored pair is the one that the server accepts.
#[track_caller]
fn token_or_plain_error(scene: &Machine, said: &Output) {
    let current = scene.sentry.current();
    match said.code {
        0 => assert_eq!(said.stdout, format!("{}\n", current.access)),
        1 => {
            assert_eq!(said.stdout, "");
            assert!(said.stderr.starts_with("error: "), "{said:?}");
            assert_eq!(said.stderr.matches("error: ").count(), 1, "{said:?}");
        }
        _ => panic!("{said:?}"),
    }
    assert!(!said.stderr.contains("internal error"), "{said:?}");
    assert_eq!(scene.sandbox.stored_tokens(), Some(current));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn few_open_files_are_an_error_that_costs_nothing() {
    for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
        for files in 4..16 {
            let scene = Machine::new().session(age);
            let said = limited(scene.token(), &format!("--nofile={files}")).run();
            // With fewer the program cannot even be loaded.
            if said.code != 127 {
                token_or_plain_error(&scene, &said);
            }
            scene.is_alive();
        }
    }
    let scene = Machine::new().session(Age::FRESH);
    scene.serves_to(&scene.pair.access, |cmd| limited(cmd, "--nofile=10"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn a_limit_on_the_size_of_files_is_an_error_that_costs_nothing() {
    for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
        for size in [
            0, 1, 100, 4096, 8192, 12_288, 16_384, 20_480, 24_576, 32_768, 65_536, 131_072,
        ] {
            let scene = Machine::new().session(age);
            let said = limited(scene.token(), &format!("--fsize={size}")).run();
            token_or_plain_error(&scene, &said);
            if age != Age::EXPIRED {
                assert_eq!(said.code, 0, "{size}: {said:?}");
            }
            scene.is_alive();
        }
    }
    let scene = Machine::new().session(Age::FRESH);
    let store = scene.sandbox.git_credential("store");
    let store = store.stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n");
    let told = limited(store, "--fsize=4096").run().fails(1).stdout_is("");
    assert!(
        told.stderr.starts_with("git-credential-sentry: "),
        "{}",
        told.stderr
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "prlimit(1)")]
fn little_memory_is_an_error_that_costs_nothing() {
    for megabytes in (8..64).chain([96, 128, 256]) {
        let scene = Machine::new().session(Age::EXPIRED);
        let said = limited(scene.token(), &format!("--as={}", megabytes << 20)).run();
        // With less the program cannot be loaded or started: its output is then unrelated to tokens.
        // So does the process that refreshes.
        let it_was_killed = said.stderr.ends_with(" was killed\n");
        match said.code {
            127 | -11 | -6 => assert!(megabytes < 32, "{megabytes}: {said:?}"),
            1 if it_was_killed => assert!(megabytes < 32, "{megabytes}: {said:?}"),
            _ => token_or_plain_error(&scene, &said),
        }
        if megabytes >= 64 {
            assert_eq!(said.code, 0, "{megabytes}: {said:?}");
        }
        scene.is_alive();
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn where_no_thread_can_be_started_a_living_token_is_served_and_none_is_spent() {
    let threadless = |cmd: Cmd| cmd.with_injected("clone,clone3:error=EAGAIN:when=1+");
    let scene = Machine::new().session(Age::STALE);
    scene.serves_to(&scene.pair.access, threadless);
    let scene = Machine::new().session(Age::EXPIRED);
    threadless(scene.token())
        .run()
        .fails(1)
        .stdout_is("")
        .stderr_is(
            "error: not refreshed, because the new token could not be stored: signals cannot be deferred: \
             resource temporarily unavailable\n",
        );
    assert_eq!(scene.sentry.requests().len(), 0);
    scene.is_alive();
}

// Network file systems.

/// The command on a file system of this kind, as statfs(2) reports it.
fn on_a_file_system(magic: u32) -> impl Fn(Cmd) -> Cmd {
    let bytes: String = u64::from(magic)
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    move |cmd| cmd.with_injected(&format!("statfs:poke_exit=@arg2={bytes}"))
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "file system types")]
fn a_new_database_on_a_network_file_system_has_no_log() {
    for (kind, magic, mode) in [
        ("ext4", 0xef53, "wal"),
        ("nfs", 0x6969, "delete"),
        ("cifs", 0xff53_4d42, "delete"),
        ("smb2", 0xfe53_4d42, "delete"),
        ("9p", 0x0102_1997, "delete"),
        ("fuse", 0x6573_5546, "delete"),
    ] {
        let scene = Machine::new().session(Age::FRESH);
        std::fs::remove_file(scene.sandbox.db()).unwrap();
        scene.sentry.add_api_token("api-token");
        let login = scene.sandbox.sentry(&["auth", "login", "--with-token"]);
        on_a_file_system(magic)(login.stdin("api-token"))
            .run()
            .success();
        let found: String = scene
            .database()
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, mode, "{kind}");
        scene.serves_to("api-token", on_a_file_system(magic));
        assert!(!scene.file("cli.db.lock").exists());
    }
    // One that is there stays as it is: others have it open.
    let scene = Machine::new().session(Age::EXPIRED);
    on_a_file_system(0x6969)(scene.token()).run().success();
    let found: String = scene
        .database()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "wal");
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.sentry.current()));
}
