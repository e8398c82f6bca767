//! Many processes at the same moment: one refresh is spent, and the session survives.
//!
//! `STAMPEDE_ROUNDS` repeats each race; one round is enough to fail if the lock is wrong.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::process::Signal;

use crate::fake_sentry::{Endpoint, FakeSentry, Fault};
use crate::git_server::{Challenge, GitServer};
use crate::helpers::with_session;
use crate::replay::Writers;
use crate::sandbox::{Age, Cmd, Output, Running, Sandbox};
use crate::signals::{random, variable};

const CROWD: usize = 200;
const SOON: Duration = Duration::from_secs(60);

/// Blocks processes until it is opened.
struct Gate {
    file: File,
    path: std::path::PathBuf,
}

impl Gate {
    fn shut(machine: &Sandbox) -> Gate {
        let path = machine.root().join("gate");
        let file = File::create(&path).unwrap();
        rustix::fs::flock(&file, FlockOperation::LockExclusive).unwrap();
        Gate { file, path }
    }

    /// A command that waits at the gate, in the process that then runs it.
    fn hold(&self, machine: &Sandbox, program: &str, args: &[&str]) -> Cmd {
        let flock = machine
            .command("flock")
            .args(["--shared", "--no-fork"])
            .arg(&self.path);
        flock.arg(program).args(args)
    }

    fn open(self) {
        rustix::fs::flock(&self.file, FlockOperation::Unlock).unwrap();
    }
}

struct Scene {
    sentry: FakeSentry,
    machine: Sandbox,
}

impl Scene {
    /// A session with an expired token, bound to a registry; the token endpoint takes half a second.
    fn new() -> Scene {
        let sentry = FakeSentry::start();
        let machine = Sandbox::new().for_sentry(&sentry).traced();
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        let bound = "{\"ServerURL\":\"other.example\",\"Username\":\"u\",\"Secret\":\"p\"}";
        machine
            .docker_credential("store")
            .stdin(bound)
            .run()
            .success();
        let database = machine.database().unwrap();
        let binding = "INSERT INTO helper_binding (server, origin, signed_out) VALUES ('docker r.example', ?, 0)";
        database.execute(binding, [sentry.url()]).unwrap();
        database
            .execute("UPDATE accounts SET expires_at = 1000", [])
            .unwrap();
        sentry.fault_always(Endpoint::Refresh, Fault::Delay(Duration::from_millis(500)));
        Scene { sentry, machine }
    }

    /// git and docker in turn, all at the gate.
    fn crowd(&self, gate: &Gate, size: usize) -> Vec<Running> {
        let git = format!("protocol=http\nhost={}\n", self.sentry.address());
        let one = |index: usize| match index % 2 {
            0 => gate
                .hold(&self.machine, "git-credential-sentry", &["get"])
                .stdin(&git)
                .spawn(),
            _ => gate
                .hold(&self.machine, "docker-credential-sentry", &["get"])
                .stdin("r.example")
                .spawn(),
        };
        (0..size).map(one).collect()
    }
}

fn rounds() -> usize {
    variable("STAMPEDE_ROUNDS").unwrap_or(1)
}

fn has(output: &Output, token: &str) -> bool {
    output.code == 0 && output.stdout.contains(token)
}

#[test]
fn two_hundred_gets_cost_one_refresh_and_get_one_answer() {
    for _ in 0..rounds() {
        let scene = Scene::new();
        let gate = Gate::shut(&scene.machine);
        let crowd = scene.crowd(&gate, CROWD);
        gate.open();
        let answers: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        let token = scene.sentry.current_access();
        let served = answers
            .iter()
            .filter(|answer| has(answer, &token) && answer.stderr.is_empty())
            .count();
        assert_eq!(
            served,
            CROWD,
            "{:?}",
            answers.iter().find(|answer| !has(answer, &token))
        );
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        assert_eq!(scene.machine.stored_tokens(), Some(scene.sentry.current()));
        let replayed = scene.machine.replays(Writers::Traced, "a stampede");
        assert_eq!((replayed.posts, replayed.grants), (1, 1));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn gets_that_are_killed_do_not_keep_the_others_from_their_token() {
    let seed = variable("STAMPEDE_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let mut state = seed;
    for round in 0..rounds() {
        let scene = Scene::new();
        let gate = Gate::shut(&scene.machine);
        let mut crowd = scene.crowd(&gate, CROWD);
        scene.sentry.fix();
        scene.sentry.fault_always(Endpoint::Refresh, Fault::Held);
        gate.open();
        scene.sentry.wait_for_held(SOON);
        // The one whose request is under way, and 19 of the others.
        let holder = holder_of(&scene);
        let position = crowd
            .iter()
            .position(|one| one.pid().as_raw_pid() == holder);
        let mut victims = BTreeSet::from([position.unwrap()]);
        while victims.len() < 20 {
            victims.insert(usize::try_from(random(&mut state, CROWD as u64)).unwrap());
        }
        for victim in &victims {
            crowd[*victim].signal(Signal::KILL);
        }
        scene.sentry.release();
        let answers: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        let token = scene.sentry.current_access();
        let case = format!("STAMPEDE_SEED={seed}, round {round}");
        for (index, answer) in answers.iter().enumerate() {
            match victims.contains(&index) {
                true => assert_eq!(answer.code, -9, "{case}"),
                false => assert!(has(answer, &token), "{case}: {answer:?}"),
            }
        }
        assert_eq!(scene.sentry.refresh_attempts(), 1, "{case}");
        assert_eq!(scene.machine.stored_tokens(), Some(scene.sentry.current()));
        let replayed = scene.machine.replays(Writers::Traced, &case);
        assert_eq!((replayed.posts, replayed.grants), (1, 1), "{case}");
    }
}

/// The holder of the credential lock, as the kernel reports it.
fn holder_of(scene: &Scene) -> i32 {
    use std::os::unix::fs::MetadataExt as _;
    let inode = scene
        .machine
        .config_dir()
        .join("credential.lock")
        .metadata()
        .unwrap()
        .ino()
        .to_string();
    // The kernel may leave a line out of a list that changes while it is read.
    let holder = |_| {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let is_ours = |line: &&str| line.contains("FLOCK") && line.contains(&format!(":{inode} "));
        let ours = locks.lines().find(is_ours)?;
        ours.split_whitespace().nth(4)?.parse().ok()
    };
    (0..20).find_map(holder).expect("a holder")
}

#[test]
fn a_holder_that_is_killed_before_its_request_leaves_the_refresh_to_the_next() {
    let scene = Scene::new();
    scene.sentry.fix();
    let lock = scene.machine.config_dir().join("credential.lock");
    let mut holder = scene
        .machine
        .command("flock")
        .arg("--no-fork")
        .arg(&lock)
        .args(["sh", "-c", "echo ready >&2; exec sleep 600"])
        .spawn();
    holder.wait_for_stderr("ready");
    let gate = Gate::shut(&scene.machine);
    let crowd = scene.crowd(&gate, 20);
    gate.open();
    holder.signal(Signal::KILL);
    drop(holder);
    let answers: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
    let token = scene.sentry.current_access();
    assert!(
        answers.iter().all(|answer| has(answer, &token)),
        "{answers:?}"
    );
    assert_eq!(scene.sentry.refresh_attempts(), 1);
}

#[test]
fn a_logout_in_the_middle_of_a_refresh_wins() {
    for _ in 0..rounds() {
        let scene = Scene::new();
        let gate = Gate::shut(&scene.machine);
        let crowd = scene.crowd(&gate, CROWD / 4);
        gate.open();
        scene.sentry.wait_for_requests(Endpoint::Refresh, 1, SOON);
        scene.machine.sentry(&["auth", "logout"]).run().success();
        let _ended: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        assert!(scene.machine.stored_row().is_none());
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        scene.machine.replays(Writers::Traced, "a logout");
    }
}

#[test]
fn a_login_in_the_middle_of_a_refresh_wins() {
    for _ in 0..rounds() {
        let scene = Scene::new();
        scene.sentry.set_interval(Some(1));
        scene.sentry.approve_next();
        let gate = Gate::shut(&scene.machine);
        let crowd = scene.crowd(&gate, CROWD / 4);
        let login = scene.machine.sentry(&["auth", "login", "--force"]).spawn();
        gate.open();
        login.wait().success();
        let _ended: Vec<Output> = crowd.into_iter().map(Running::wait).collect();
        assert_eq!(scene.machine.stored_tokens(), Some(scene.sentry.current()));
        assert!(scene.sentry.is_valid(&scene.sentry.current_access()));
        scene.machine.replays(Writers::Traced, "a login");
    }
}

#[test]
fn near_expiry_one_process_refreshes_and_all_get_the_new_token() {
    for _ in 0..rounds() {
        let scene = Scene::new();
        let soon = "UPDATE accounts SET expires_at = (unixepoch() + 600) * 1000, \
                    issued_at = unixepoch() * 1000 - 86400000";
        scene.machine.database().unwrap().execute(soon, []).unwrap();
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let old = scene.sentry.current_access();
        let gate = Gate::shut(&scene.machine);
        let crowd = scene.crowd(&gate, 20);
        gate.open();
        scene.sentry.wait_for_held(SOON);
        // From here on the old token is invalid.
        assert!(!scene.sentry.is_valid(&old));
        scene.sentry.release();
        for one in crowd {
            let served = one.wait().success().never_says(&old);
            served.stdout_has(&scene.sentry.current_access());
        }
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
}

#[test]
fn a_cached_get_is_unaffected_by_a_login_that_waits_for_its_user() {
    let scene = Scene::new();
    let later = "UPDATE accounts SET expires_at = (unixepoch() + 86400) * 1000";
    scene
        .machine
        .database()
        .unwrap()
        .execute(later, [])
        .unwrap();
    let login = scene.machine.sentry(&["auth", "login", "--force"]).spawn();
    scene.sentry.wait_for_code(SOON);
    let gate = Gate::shut(&scene.machine);
    let crowd = scene.crowd(&gate, 50);
    gate.open();
    for one in crowd {
        one.wait()
            .success()
            .stdout_has(&scene.sentry.current_access());
    }
    drop(login);
    assert_eq!(scene.sentry.refresh_attempts(), 0);
}

#[test]
fn signals_to_a_fetch_never_cost_the_session() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let machine = with_session(&sentry, Age::FRESH).env("GIT_TERMINAL_PROMPT", "0");
    let _tables = machine
        .git_credential("store")
        .stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n")
        .run();
    let database = machine.database().unwrap();
    let server_key = format!("git http://{}", server.host());
    let binding = "INSERT INTO helper_binding (server, origin, signed_out) VALUES (?, ?, 0)";
    database
        .execute(binding, [server_key, sentry.url()])
        .unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        database
            .execute("UPDATE accounts SET expires_at = 1000", [])
            .unwrap();
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let fetch = ["-c", "credential.helper=sentry", "ls-remote", &server.url()];
        let fetch = machine.command("git").args(fetch).spawn();
        sentry.wait_for_held(SOON);
        // To the whole process group, as the terminal does it.
        rustix::process::kill_process_group(fetch.pid(), signal).unwrap();
        // The helper, and with it git's standard error, ends only after the answer is stored.
        sentry.release();
        let _ended = fetch.wait();
        // The next command waits for the lock, and so for the commit.
        machine.sentry(&["auth", "token"]).run().success();
        assert_eq!(machine.stored_tokens(), Some(sentry.current()));
        assert!(sentry.is_valid(&sentry.current_access()), "{signal:?}");
    }
    assert_eq!(sentry.refresh_attempts(), 3);
}
