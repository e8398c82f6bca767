//! The keyring mirror with a failing bus: silent at each stage, of an unsupported kind, locked, empty.
//!
//! Separate from `mirror`, where a real keyring works. Whatever the bus does, a login and a refresh succeed with one
//! warning, a logout that could not remove the copy reports it, and commands that only read never use the bus.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fake_sentry::FakeSentry;
use crate::keyring::Keyring;
use crate::mirror::logged_in;
use crate::sandbox::{Age, Output, Sandbox};

/// A call to the keyring may take 3 s; a command makes one, and sends requests to a server.
const LIMIT: Duration = Duration::from_secs(10);

/// The stage at which a bus stops answering.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Accepts,
    /// The handshake of the D-Bus specification, section "Authentication Protocol".
    Authenticates,
    /// A bus without a keyring, which starts no services.
    SaysHello,
    Rejects,
    Babbles,
    HangsUp,
}

const STAGES: [Stage; 6] = [
    Stage::Accepts,
    Stage::Authenticates,
    Stage::SaysHello,
    Stage::Rejects,
    Stage::Babbles,
    Stage::HangsUp,
];

/// A session bus on a socket of its own; its threads end with the test process.
struct Bus {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Bus {
    fn start(machine: &Sandbox, stage: Stage) -> Bus {
        let path = machine.root().join("bus");
        let listener = UnixListener::bind(&path).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for connection in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let connection = connection.unwrap();
                thread::spawn(move || drop(converse(&connection, stage)));
            }
        });
        Bus {
            address: format!("unix:path={}", path.display()),
            connections,
        }
    }
}

fn converse(mut connection: &UnixStream, stage: Stage) -> std::io::Result<()> {
    match stage {
        Stage::HangsUp => return Ok(()),
        Stage::Babbles => connection.write_all(&[b'x'; 1 << 20])?,
        Stage::Accepts => {}
        Stage::Authenticates | Stage::SaysHello | Stage::Rejects => {
            let mut lines = BufReader::new(connection);
            let mut line = String::new();
            while lines.read_line(&mut line)? > 0 {
                let answer: &[u8] = match (stage, line.trim_start_matches('\0')) {
                    (Stage::Rejects, _) => b"REJECTED DBUS_COOKIE_SHA1\r\n",
                    (_, auth) if auth.starts_with("AUTH") => {
                        b"OK 0123456789abcdef0123456789abcdef\r\n"
                    }
                    (_, negotiate) if negotiate.starts_with("NEGOTIATE") => b"AGREE_UNIX_FD\r\n",
                    _ => break,
                };
                connection.write_all(answer)?;
                line.clear();
            }
            if let Stage::SaysHello = stage {
                let mut call = [0; 12];
                lines.read_exact(&mut call)?;
                connection.write_all(&hello(&call))?;
            }
        }
    }
    // Listens, and says nothing any more.
    while connection.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// The answer to the first call on a connection, of which this is the beginning: the caller's name. D-Bus
/// specification, sections "Message Protocol" and "org.freedesktop.DBus.Hello".
fn hello(call: &[u8; 12]) -> Vec<u8> {
    let serial = &call[8..];
    // A method return in little endian, version 1, with a body of 9 bytes, and a number of its own.
    let start = b"l\x02\x01\x01\x09\0\0\0\x01\0\0\0";
    // The fields REPLY_SERIAL and SIGNATURE, and what is left to a multiple of 8.
    let fields = [b"\x0f\0\0\0\x05\x01u\0", serial, b"\x08\x01g\0\x01s\0\0"].concat();
    [&start[..], &fields, b"\x04\0\0\0:1.1\0"].concat()
}

fn warnings(output: &Output) -> usize {
    output.stderr.matches("warning: ").count()
}

/// Login, refresh, status, logout with a keyring that cannot be used; each ends in time, each warning is one.
#[track_caller]
fn lives_without_its_keyring(case: &str, machine: &Sandbox, sentry: &FakeSentry, address: &str) {
    let machine_runs = |args: &[&str]| {
        let command = machine
            .sentry(args)
            .env("DBUS_SESSION_BUS_ADDRESS", address)
            .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
        let start = Instant::now();
        let output = command.run();
        assert!(start.elapsed() < LIMIT, "{case}: {args:?}");
        output
    };
    sentry.set_interval(Some(1));
    sentry.approve_next();
    for args in [
        &["auth", "login", "--force"][..],
        &["auth", "refresh", "--force"],
    ] {
        let output = machine_runs(args);
        assert_eq!(
            (output.code, warnings(&output)),
            (0, 1),
            "{case}: {output:?}"
        );
        let output = output.never_says(&sentry.current_access());
        assert_eq!(
            machine.stored_tokens(),
            Some(sentry.current()),
            "{case}: {output:?}"
        );
    }
    let status = machine_runs(&["auth", "status"]);
    assert_eq!(status.code, 0, "{case}: {status:?}");
    assert!(!status.stdout.contains("in sync"), "{case}: {status:?}");
    let logout = machine_runs(&["auth", "logout"]);
    assert_eq!(logout.code, 1, "{case}: {logout:?}");
    assert_eq!(warnings(&logout), 1, "{case}: {logout:?}");
    assert!(machine.stored_row().is_none(), "{case}");
}

#[test]
fn a_bus_that_stops_at_any_stage_costs_a_warning_and_no_more() {
    thread::scope(|stages| {
        for stage in STAGES {
            stages.spawn(move || {
                let sentry = FakeSentry::start();
                let machine = Sandbox::new().for_sentry(&sentry);
                let bus = Bus::start(&machine, stage);
                lives_without_its_keyring(&format!("{stage:?}"), &machine, &sentry, &bus.address);
                assert!(bus.connections.load(Ordering::SeqCst) > 0, "{stage:?}");
            });
        }
    });
}

#[test]
fn an_address_that_is_not_a_socket_of_this_machine_is_not_used() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let bus = Bus::start(&machine, Stage::Accepts);
    let ran = machine.root().join("ran");
    let program = format!("unixexec:path=/bin/touch,argv1={}", ran.display());
    let addresses = [
        program.clone(),
        format!("{};{program}", bus.address),
        format!("{program};{}", bus.address),
        "autolaunch:".to_owned(),
        "nonce-tcp:host=127.0.0.1,port=1,noncefile=/etc/passwd".to_owned(),
        format!("tcp:host=127.0.0.1,port={}", sentry.address().port()),
        "garbage".to_owned(),
        "UNIXEXEC:path=/bin/true".to_owned(),
    ];
    for address in addresses {
        lives_without_its_keyring(&address, &machine, &sentry, &address);
        assert!(!ran.exists(), "{address}");
    }
    assert_eq!(bus.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_bus_that_is_not_there_is_not_started() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let (launch, ran) = (
        machine.root().join("dbus-launch"),
        machine.root().join("ran"),
    );
    let install = "printf '#!/bin/sh\\n: >%s\\n' \"$1\" >\"$0\"; chmod +x \"$0\"";
    let install = machine
        .command("sh")
        .args(["-c", install])
        .arg(&launch)
        .arg(&ran);
    install.run().success();
    let path = format!("{}:/usr/bin:/bin", machine.root().display());
    let machine = {
        let nowhere = machine.root().join("runtime");
        machine.env("PATH", path).env("XDG_RUNTIME_DIR", nowhere)
    };
    lives_without_its_keyring("no address", &machine, &sentry, "");
    lives_without_its_keyring("autolaunch", &machine, &sentry, "autolaunch:");
    assert!(!ran.exists());
}

#[test]
fn an_address_that_leads_nowhere_is_a_warning() {
    for address in [
        "unix:",
        "unix:path=",
        "unix:path=/dev/null",
        "unix:garbage",
        "unix:path=/nonexistent",
    ] {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry);
        lives_without_its_keyring(address, &machine, &sentry, address);
    }
}

#[test]
fn commands_that_only_read_never_connect_to_the_bus() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_KEYRING", "mirror");
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let bus = Bus::start(&machine, Stage::Accepts);
    let machine = machine.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let request = format!("protocol=http\nhost={}\n", sentry.address());
    machine.bind("docker r.example", &sentry.url(), None);
    let runs = [
        machine.sentry(&["auth", "token"]),
        machine.sentry(&["auth", "list"]),
        machine.git_credential("get").stdin(&request),
        machine.docker_credential("get").stdin("r.example"),
        machine.docker_credential("list"),
    ];
    for run in runs {
        run.limit(LIMIT).run().success().stderr_is("");
    }
    assert_eq!(bus.connections.load(Ordering::SeqCst), 0);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_session_that_another_program_removed_is_not_brought_back_from_the_keyring() {
    let keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    let former = sentry.current();
    let database = machine.database().unwrap();
    database.execute("DELETE FROM accounts", []).unwrap();
    let request = format!("protocol=http\nhost={}\n", sentry.address());
    let get = machine.git_credential("get").stdin(request).run();
    get.stdout_is("").never_says(&former.access);
    machine.sentry(&["auth", "token"]).run().fails(1);
    assert!(machine.stored_row().is_none());
    // The next login of the same user replaces the copy, and its logout removes it.
    sentry.approve_next();
    machine.sentry(&["auth", "login"]).run().success();
    let everything = keyring.search_all();
    assert!(!everything.contains(&former.access), "{everything}");
    assert!(
        everything.contains(&sentry.current_access()),
        "{everything}"
    );
    machine.sentry(&["auth", "logout"]).run().success();
    let everything = keyring.search_all();
    assert!(
        !everything.contains(&sentry.current_access()),
        "{everything}"
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_copy_that_comes_late_is_seen_and_mended_by_the_next_refresh() {
    let mut keyring = Keyring::start();
    let (sentry, machine) = logged_in(&keyring);
    let in_sync = || {
        let status = machine.sentry(&["auth", "status"]).run().success();
        status.stdout.contains("Keyring: mirror, in sync\n")
    };
    keyring.fall_silent();
    let refresh = machine.sentry(&["auth", "refresh", "--force"]).run();
    refresh.success().stderr_has("it does not respond");
    keyring.wake_up();
    // Whether or not the call that was given up was carried out in the end: what is shown is what is so.
    let everything = keyring.search_all();
    assert_eq!(in_sync(), everything.contains(&sentry.current_access()));
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success()
        .stderr_has("was refreshed");
    assert!(in_sync());
    machine.sentry(&["auth", "logout"]).run().success();
    let everything = keyring.search_all();
    assert!(!everything.contains("sntryu_"), "{everything}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_locked_collection_is_a_warning_and_logout_reports_it() {
    let mut keyring = Keyring::with_password();
    let (sentry, machine) = logged_in(&keyring);
    keyring.lock();
    let refresh = machine.sentry(&["auth", "refresh", "--force"]).run();
    let refresh = refresh.success();
    assert_eq!(warnings(&refresh), 1, "{refresh:?}");
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    let logout = machine.sentry(&["auth", "logout"]).run().fails(1);
    assert_eq!(warnings(&logout), 1, "{logout:?}");
    logout.stderr_has("the copy in the keyring may still be there");
    assert!(machine.stored_row().is_none());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_keyring_without_a_collection_costs_a_warning() {
    let keyring = Keyring::empty();
    let (sentry, machine) = logged_in(&keyring);
    let refresh = machine.sentry(&["auth", "refresh", "--force"]).run();
    let refresh = refresh.success();
    assert_eq!(warnings(&refresh), 1, "{refresh:?}");
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
    // There is nothing to remove.
    machine.sentry(&["auth", "logout"]).run().success();
}
