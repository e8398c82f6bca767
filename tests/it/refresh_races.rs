//! Changes by another program to the row while our refresh is at the server: the rules of the swap, one by one.
//!
//! The other program does not use our lock, like the official CLI; `concurrency` and `stampede` have our own processes
//! against each other.

use crate::machine::Machine;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::fake_sentry::{Endpoint, FakeSentry, Fault, Pair};
use crate::sandbox::{Age, Layout, Output, Running, Sandbox};

const SOON: Duration = Duration::from_secs(20);

const LAYOUTS: [Layout; 2] = [Layout::Accounts, Layout::Auth];

/// A refresh that the server has granted and not yet answered.
struct InFlight {
    sentry: FakeSentry,
    machine: Sandbox,
    layout: Layout,
    token: Option<Running>,
}

impl InFlight {
    fn start(layout: Layout) -> InFlight {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry);
        machine.seed_session_in(layout, &sentry, &sentry.issue(), Age::EXPIRED);
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let token = machine.sentry(&["auth", "token"]).spawn();
        sentry.wait_for_held(SOON);
        InFlight {
            sentry,
            machine,
            layout,
            token: Some(token),
        }
    }

    /// Changes the one row, as another program would. `{table}` stands for its table.
    #[track_caller]
    fn meanwhile(&self, sql: &str, values: &[&str]) {
        let table = match self.layout {
            Layout::Accounts => "accounts",
            Layout::Auth => "auth",
        };
        let changed = self.machine.database().unwrap().execute(
            &sql.replace("{table}", table),
            rusqlite::params_from_iter(values),
        );
        assert_eq!(changed.unwrap(), 1);
    }

    /// The answer arrives; what becomes of it.
    #[track_caller]
    fn lands(&mut self) -> Output {
        self.sentry.release();
        self.token.take().unwrap().wait()
    }

    #[track_caller]
    fn is_nowhere(&self, pair: &Pair) {
        for entry in fs::read_dir(self.machine.config_dir()).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            for secret in [&pair.access, &pair.refresh] {
                let found = content
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "a discarded token is in {}", path.display());
            }
        }
    }
}

#[test]
fn a_login_that_another_program_stores_meanwhile_wins() {
    for layout in LAYOUTS {
        let mut flight = InFlight::start(layout);
        let ours = flight.sentry.current();
        let theirs = flight.sentry.issue();
        flight.meanwhile(
            "UPDATE {table} SET token = ?, refresh_token = ?, expires_at = (unixepoch() + 86400) * 1000",
            &[&theirs.access, &theirs.refresh],
        );
        let served = format!("{}\n", theirs.access);
        flight.lands().success().stdout_is(&served).stderr_is("");
        assert_eq!(flight.machine.stored_tokens(), Some(theirs));
        flight.is_nowhere(&ours);
        assert_eq!(flight.sentry.refresh_attempts(), 1);
    }
}

#[test]
fn a_pair_that_another_program_clears_meanwhile_is_replaced_by_ours() {
    for layout in LAYOUTS {
        let mut flight = InFlight::start(layout);
        // The loser of a race at the server clears the pair, which it considers invalid.
        flight.meanwhile(
            "UPDATE {table} SET token = NULL, refresh_token = NULL, expires_at = NULL, issued_at = NULL",
            &[],
        );
        let ours = flight.sentry.current();
        let served = format!("{}\n", ours.access);
        flight.lands().success().stdout_is(&served).stderr_is("");
        assert_eq!(flight.machine.stored_tokens(), Some(ours));
    }
}

#[test]
fn a_logout_of_another_program_meanwhile_wins_and_the_new_pair_is_nowhere() {
    for layout in LAYOUTS {
        let mut flight = InFlight::start(layout);
        let url = flight.sentry.url();
        flight.meanwhile("DELETE FROM {table}", &[]);
        flight.lands().fails(1).stdout_is("").stderr_is(&format!(
            "error: the session at {url} was logged out\nhint: `sentry auth login --url {url}`\n"
        ));
        assert!(flight.machine.stored_row().is_none());
        flight.is_nowhere(&flight.sentry.current());
        let request = format!("protocol=http\nhost={}\n", flight.sentry.address());
        let get = flight.machine.git_credential("get").stdin(request).run();
        assert_eq!(get.stdout, "");
    }
}

#[test]
fn a_login_to_another_instance_in_the_one_row_of_the_old_layout_is_left_alone() {
    let mut flight = InFlight::start(Layout::Auth);
    let other = FakeSentry::start();
    let theirs = other.issue();
    flight.meanwhile(
        "UPDATE {table} SET token = ?, refresh_token = ?, host = ?",
        &[&theirs.access, &theirs.refresh, &other.url()],
    );
    flight.lands().fails(1).stdout_is("");
    assert_eq!(flight.machine.stored_tokens(), Some(theirs));
    let row = flight.machine.stored_row().unwrap();
    assert_eq!(row.host, Some(other.url()));
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_session_that_the_official_cli_migrates_meanwhile_gets_its_new_pair() {
    let mut flight = InFlight::start(Layout::Auth);
    let before = flight.machine.stored_row().unwrap();
    // Migration 18: two tables become one, and the row gets a key of its own.
    let migration = "BEGIN IMMEDIATE;
        CREATE TABLE accounts (account_id TEXT PRIMARY KEY, host TEXT, user_id TEXT, email TEXT, username TEXT,
            name TEXT, token TEXT, refresh_token TEXT, expires_at INTEGER, issued_at INTEGER,
            is_active INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
            updated_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
            last_used_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000));
        INSERT INTO accounts (account_id, host, user_id, email, username, name, token, refresh_token, expires_at,
            issued_at, is_active)
            SELECT '01900000-0000-7000-8000-000000000000', host, user_id, email, username, name, token,
                refresh_token, expires_at, issued_at, 1 FROM auth JOIN user_info USING (id);
        DROP TABLE auth;
        DROP TABLE user_info;
        UPDATE schema_version SET version = 21;
        COMMIT;";
    let database = flight.machine.database().unwrap();
    database.execute_batch(migration).unwrap();
    let ours = flight.sentry.current();
    let served = format!("{}\n", ours.access);
    flight.lands().success().stdout_is(&served);
    assert_eq!(flight.machine.stored_tokens(), Some(ours));
    assert_eq!(flight.machine.stored_row().unwrap().email, before.email);
    // No intent is left for the row, whatever its key.
    flight.machine.sentry(&["auth", "token"]).run().success();
    assert_eq!(flight.sentry.refresh_attempts(), 1);
    let refresh = flight.machine.sentry(&["auth", "refresh", "--force"]);
    refresh.run().success();
    assert_eq!(
        flight.machine.stored_tokens(),
        Some(flight.sentry.current())
    );
}

#[test]
fn what_is_sent_was_read_under_the_lock() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let before = sentry.issue();
    machine.seed_session(&sentry, &before, Age::EXPIRED);
    let mut holder = machine
        .command("flock")
        .arg("--no-fork")
        .arg(machine.config_dir().join("credential.lock"))
        .args(["sh", "-c", "echo held >&2; exec sleep 1000"])
        .spawn();
    holder.wait_for_stderr("held");
    let token = machine.sentry(&["auth", "token"]);
    let token = token.env("SENTRY_CREDENTIAL_TRACE", "1").spawn();
    // It has read the old pair, and waits.
    token.wait_for_stderr("is stale: Expired");
    let after = sentry.issue();
    let theirs = "UPDATE accounts SET token = ?, refresh_token = ?";
    let database = machine.database().unwrap();
    database
        .execute(theirs, [&after.access, &after.refresh])
        .unwrap();
    holder.signal(Signal::KILL);
    token.wait().success();
    let sent = sentry.requests_to(Endpoint::Refresh);
    let sent: Vec<_> = sent
        .iter()
        .map(|request| request.field("refresh_token").unwrap())
        .collect();
    assert_eq!(sent, [after.refresh.as_str()]);
    assert!(sentry.is_refreshable(&before.refresh));
}

/// Seconds that a caller may need: 12 for its own request or 20 for another's, and a margin for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(26);

#[test]
fn no_command_waits_for_a_silent_server_for_longer_than_the_limit() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let pair = sentry.issue();
    machine.seed_session(&sentry, &pair, Age::EXPIRED);
    sentry.fault_always(Endpoint::Refresh, Fault::Hang);
    let token = || machine.sentry(&["auth", "token"]).limit(TIMEOUT).spawn();
    let caller = token();
    sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
    let mut waiters = [token(), token()];
    let told = caller.wait().fails(1).stdout_is("");
    assert!(told.stderr.starts_with("error: "), "{told:?}");
    // The worker keeps waiting, and so do they.
    assert!(waiters.iter_mut().all(Running::is_running));
    for waiter in waiters {
        let told = waiter.wait().fails(1).stdout_is("");
        told.stderr_has("a refresh that began at 20");
    }
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(pair));
}

#[test]
fn a_suspect_token_that_has_expired_is_not_asked_about() {
    let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
    suspect(&sentry, &machine);
    let expired = "UPDATE accounts SET expires_at = 1000";
    machine.database().unwrap().execute(expired, []).unwrap();
    machine.sentry(&["auth", "token"]).run().success();
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 0);
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_check_that_takes_long_is_followed_by_a_refresh_at_the_latest_of_the_next() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let pair = sentry.issue();
    machine.seed_session(&sentry, &pair, Age::FRESH);
    suspect(&sentry, &machine);
    sentry.expire(&pair.access);
    sentry.fault(Endpoint::Api, Fault::Delay(Duration::from_secs(7)));
    let token = || machine.sentry(&["auth", "token"]).limit(TIMEOUT).run();
    let first = token().success();
    let new = sentry.current_access();
    let served = [&pair.access, &new].map(|access| format!("{access}\n"));
    assert!(served.contains(&first.stdout), "{first:?}");
    token()
        .success()
        .stdout_is(&format!("{}\n", sentry.current_access()));
    assert_eq!(sentry.refreshes(), 1);
}

/// git reports the current token as rejected.
#[track_caller]
fn suspect(sentry: &FakeSentry, machine: &Sandbox) {
    let rejected = format!(
        "protocol=http\nhost={}\nusername=oauth2\npassword={}\n",
        sentry.address(),
        sentry.current_access()
    );
    machine
        .git_credential("erase")
        .stdin(rejected)
        .run()
        .success();
}

#[test]
fn a_request_that_was_not_sent_is_sent_again_once() {
    // At once, and after the longest wait for a connection.
    for delay in [Duration::ZERO, Duration::from_secs(6)] {
        let sentry = FakeSentry::start();
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = proxy.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        thread::spawn({
            let calls = Arc::clone(&calls);
            move || {
                for connection in proxy.incoming() {
                    let mut connection = connection.unwrap();
                    calls.fetch_add(1, Ordering::SeqCst);
                    let head = BufReader::new(&connection).lines();
                    head.map_while(Result::ok)
                        .take_while(|line| !line.is_empty())
                        .for_each(drop);
                    thread::sleep(delay);
                    let _gone = connection.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
                }
            }
        });
        let machine = Sandbox::new()
            .env("SENTRY_URL", "https://sentry.example")
            .env("SENTRY_CLIENT_ID", "x")
            .env("HTTPS_PROXY", format!("http://{address}"));
        let pair = sentry.issue();
        machine.seed_session(&sentry, &pair, Age::EXPIRED);
        let elsewhere = "UPDATE accounts SET host = 'https://sentry.example'";
        machine.database().unwrap().execute(elsewhere, []).unwrap();
        machine
            .sentry(&["auth", "token"])
            .limit(TIMEOUT)
            .run()
            .fails(1)
            .stderr_has("error: cannot refresh the token of https://sentry.example: ");
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{delay:?}");
        assert_eq!(machine.stored_tokens(), Some(pair));
    }
}
