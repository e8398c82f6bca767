//! `SENTRY_CREDENTIAL_TRACE`: each step, without secrets.

use crate::environment::{described, docker, git, serves};
use crate::fake_sentry::{Answer, Endpoint, FakeSentry};
use crate::sandbox::{Age, Sandbox};
use crate::storage::mode;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// The first line of a trace file.
const HEADER: &str = "# steps of Sentry's credential helpers (SENTRY_CREDENTIAL_TRACE)\n";

/// Time, process and step, one line each.
#[track_caller]
fn steps(trace: &str) -> Vec<String> {
    let step = |line: &str| {
        let (time, rest) = line.split_once(" [").expect("a time");
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        let (pid, step) = rest.split_once("] ").expect("a process");
        assert!(pid.parse::<u32>().is_ok(), "{line}");
        step.to_owned()
    };
    trace.lines().map(step).collect()
}

/// The same for a file, in which each line is a comment.
#[track_caller]
fn steps_in(file: &Path) -> Vec<String> {
    let trace = fs::read_to_string(file).expect("a trace");
    let trace = trace.strip_prefix(HEADER).expect("a header");
    let line = |line: &str| line.strip_prefix("# ").expect("a comment").to_owned() + "\n";
    steps(&trace.lines().map(line).collect::<String>())
}

#[test]
fn a_trace_has_each_step_without_a_secret() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_TRACE", "1");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let former = sentry.current();
    let said = git(&machine, &sentry.url()).success();
    let current = sentry.current();
    // A test cannot know the names of the pairs.
    let named = |step: &str| match step.split_once(['(', '{']) {
        Some((what, _)) if step.starts_with("flow: ") => what.trim_end().to_owned(),
        _ => step.to_owned(),
    };
    let steps: Vec<String> = steps(&said.stderr).iter().map(|step| named(step)).collect();
    let url = sentry.url();
    assert_eq!(
        steps[..1],
        [format!("the token of {url} is stale: Expired")]
    );
    let flow = steps.iter().filter_map(|step| step.strip_prefix("flow: "));
    let done: Vec<&str> = flow
        .map(|step| step.split(" -> ").next().unwrap_or(step))
        .map(|step| step.split(" Usable").next().unwrap_or(step))
        .collect();
    assert_eq!(
        done,
        [
            "begin refresh",
            "TryLock",
            "Import",
            "Read",
            "begin worker",
            "Read",
            "Intend",
            "Post",
            "Swap",
            "End",
            "Delegate",
            "Look",
            "End",
        ]
    );
    let served = format!(
        "git {url}: the session of {url} (it is a Sentry instance, where jane is the active account)"
    );
    assert_eq!(steps.last(), Some(&served));
    for secret in [
        &former.access,
        &former.refresh,
        &current.access,
        &current.refresh,
    ] {
        assert!(!said.stderr.contains(secret));
    }
}

#[test]
fn a_trace_has_the_source_of_a_credential() {
    let machine = Sandbox::new()
        .env("SENTRY_CREDENTIAL_TRACE", "1")
        .env("SENTRY_TOKEN", "token-of-the-environment");
    let store = || machine.git_credential("store");
    store()
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=needle\n")
        .run()
        .success()
        .never_says("needle");
    for (origin, step) in [
        (
            "https://code.example",
            "git https://code.example: a stored credential (it belongs to no Sentry instance)",
        ),
        (
            "https://sentry.io",
            "git https://sentry.io: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)",
        ),
        (
            "https://other.example",
            "git https://other.example: nothing \
             (it belongs to no Sentry instance, and nothing is stored for it)",
        ),
    ] {
        let said = git(&machine, origin).success();
        assert_eq!(steps(&said.stderr), [step]);
    }
    let said = git(&machine, "https://sentry.io\\.evil.com").success();
    assert_eq!(
        steps(&said.stderr),
        ["git https://sentry.io\\\\.evil.com: nothing \
             (no token is sent to such an address (not https, or an ambiguous host name))"]
    );
    let said = docker(&machine, "https://sentry.io/v2/").success();
    assert_eq!(
        steps(&said.stderr),
        ["docker sentry.io/v2: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)"]
    );
}

#[test]
fn a_trace_goes_to_a_file_of_ones_own() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "token-of-the-environment");
    let file = machine.root().join("trace");
    let machine = machine.env("SENTRY_CREDENTIAL_TRACE", &file);
    let script = "umask 000; exec git-credential-sentry get";
    for _ in 0..2 {
        machine
            .command("/bin/sh")
            .args(["-c", script])
            .stdin(described("https://sentry.io"))
            .run()
            .success()
            .stderr_is("");
    }
    let step =
        "git https://sentry.io: SENTRY_TOKEN (it is the instance of the token in SENTRY_TOKEN)";
    assert_eq!(steps_in(&file), [step; 2]);
    let trace = fs::read_to_string(&file).expect("a trace");
    assert!(!trace.contains("token-of-the-environment"));
    assert_eq!(mode(&file), 0o600);
}

/// The token is served, and the reason for the missing trace is reported once.
#[track_caller]
fn is_not_traced(machine: &Sandbox, why: &str) {
    let served = git(machine, "https://sentry.io").success();
    let told = served.stdout_has("password=tok\n");
    told.stderr_is(&format!(
        "warning: no trace by SENTRY_CREDENTIAL_TRACE: {why}\n"
    ));
    let quiet = machine.docker_credential("get").stdin("sentry.io").run();
    quiet.success().stderr_is("");
}

#[test]
fn a_trace_that_cannot_be_written_changes_nothing_and_is_reported() {
    let plain = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let root = plain.root().to_owned();
    let at = |name: &str| root.join(name).display().to_string();
    let target = root.join("target");
    symlink(&target, root.join("link")).expect("a symlink");
    let mut machine = plain.env("SENTRY_CREDENTIAL_TRACE", "0");
    serves(&machine, "https://sentry.io", "tok");
    for place in ["true", "relative"] {
        machine = machine.env("SENTRY_CREDENTIAL_TRACE", place);
        is_not_traced(&machine, "it is neither `1` nor an absolute path");
    }
    for (place, why) in [
        (at("link"), "it is not a regular file"),
        (at("absent/trace"), "no such file or directory"),
        (at(""), "is a directory"),
    ] {
        machine = machine.env("SENTRY_CREDENTIAL_TRACE", &place);
        is_not_traced(&machine, &format!("{place}: {why}"));
    }
    assert!(!target.exists());
    assert!(!machine.home().join("relative").exists());
}

#[test]
fn a_trace_is_never_written_into_a_file_that_is_not_one() {
    let plain = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let root = plain.root().to_owned();
    let at = |name: &str| root.join(name);
    let put = |name: &str, content: &str, mode: u32| {
        fs::write(at(name), content).expect("a file");
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("our own file");
    };
    put("bashrc", "# mine\n", 0o600);
    put("longer", &"#".repeat(4096), 0o600);
    put("empty", "", 0o600);
    put("readable", HEADER, 0o644);
    put("executable", HEADER, 0o700);
    put("twice", HEADER, 0o600);
    fs::hard_link(at("twice"), at("second")).expect("a link");
    let fifo = plain.command("mkfifo").arg(at("fifo"));
    fifo.args(["-m", "600"]).run().success();
    let no_trace = "it is no trace, and stays as it is";
    let mut machine = plain;
    for (name, why) in [
        ("bashrc", no_trace),
        ("longer", no_trace),
        ("empty", no_trace),
        ("readable", "its mode is not 0600"),
        ("executable", "its mode is not 0600"),
        ("twice", "it has a second name (hard link)"),
        ("fifo", "it is not a regular file"),
    ] {
        let before = (name != "fifo").then(|| fs::read(at(name)).expect("a file"));
        machine = machine.env("SENTRY_CREDENTIAL_TRACE", at(name));
        is_not_traced(&machine, &format!("{}: {why}", at(name).display()));
        assert_eq!(
            before,
            before.as_ref().map(|_| fs::read(at(name)).expect("a file"))
        );
    }
}

#[test]
fn a_refresh_without_a_trace_reports_why_once() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SENTRY_CREDENTIAL_TRACE", "relative");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    git(&machine, &sentry.url()).success().stderr_is(
        "warning: no trace by SENTRY_CREDENTIAL_TRACE: it is neither `1` nor an absolute path\n",
    );
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn many_programs_may_begin_one_trace_at_once() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let file = machine.root().join("trace");
    let machine = machine.env("SENTRY_CREDENTIAL_TRACE", &file);
    let get = || {
        machine
            .git_credential("get")
            .stdin(described("https://sentry.io"))
    };
    let running: Vec<_> = (0..16).map(|_| get().spawn()).collect();
    for program in running {
        program.wait().success().stderr_is("");
    }
    assert_eq!(steps_in(&file).len(), 16);
}

#[test]
fn verbose_shows_the_steps_of_any_command_and_leaves_its_result_alone() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let url = sentry.url();
    let refresh = machine.sentry(&["auth", "refresh", "-v"]).run().success();
    let said = &refresh.stderr;
    for step in [
        &format!("the token of {url} is stale: Expired"),
        // By the worker, which is another process.
        "flow: begin worker",
        &format!("POST {url}/oauth/token/ -> HTTP 200"),
    ] {
        assert!(said.contains(step), "{step}: {said}");
    }
    let current = sentry.current();
    assert!(!said.contains(&current.access) && !said.contains(&current.refresh));
    for command in ["status", "whoami", "list", "hosts", "token"] {
        let plain = machine.sentry(&["auth", command]).run().success();
        let verbose = machine.sentry(&["auth", "--verbose", command]).run();
        let verbose = verbose.success().stdout_is(&plain.stdout);
        let _steps = steps(&verbose.stderr);
        plain.stderr_is("");
    }
    let status = machine.sentry(&["auth", "status", "-v"]).run().success();
    let asked = format!("GET {url}/api/0/ -> HTTP 200");
    assert!(steps(&status.stderr).contains(&asked), "{}", status.stderr);
    let git = machine
        .command("git")
        .args(["credential-sentry", "status", "--verbose"]);
    assert!(steps(&git.run().success().stderr).contains(&asked));
}

#[test]
fn verbose_shows_what_stopped_a_request() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let url = sentry.url();
    sentry.fault(Endpoint::Api, Answer::new(200, "text/html", "<h1>hi</h1>"));
    let page = machine.sentry(&["auth", "status", "-v"]).run();
    page.stderr_has(&format!("GET {url}/api/0/ -> HTTP 200, a web page\n"));
    drop(sentry);
    let gone = machine.sentry(&["auth", "status", "-v"]).run().success();
    gone.stderr_has(&format!("GET {url}/api/0/ -> the connection to "));
}

#[test]
fn verbose_wins_over_the_variable() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let file = machine.root().join("trace");
    let set_up = |host: &str| {
        let args = [
            "auth",
            "setup-git",
            "-v",
            host,
            "--url",
            "https://s.example",
        ];
        machine.sentry(&args)
    };
    let shown = [
        "bound https://g.example to https://s.example",
        "added `credential.https://g.example.helper=` to git's global configuration",
        "added `credential.https://g.example.helper=sentry` to git's global configuration",
    ];
    let result = "git uses the login of https://s.example for https://g.example\n";
    let said = set_up("g.example").env("SENTRY_CREDENTIAL_TRACE", &file);
    let said = said.run().success();
    let traced = said.stderr.strip_suffix(result).expect("a result");
    assert_eq!(steps(traced), shown);
    assert_eq!(fs::read_to_string(&file).expect("a trace"), HEADER);
    // One that cannot be used is of no interest then.
    let undone = machine.sentry(&["auth", "setup-git", "--undo", "--verbose"]);
    let undone = undone.env("SENTRY_CREDENTIAL_TRACE", "relative").run();
    undone.success().stderr_has("unbound https://g.example");
    // The variable alone shows the same steps.
    let args = [
        "auth",
        "setup-git",
        "g.example",
        "--url",
        "https://s.example",
    ];
    let said = machine.sentry(&args).env("SENTRY_CREDENTIAL_TRACE", "1");
    let said = said.run().success();
    assert_eq!(
        steps(said.stderr.strip_suffix(result).expect("a result")),
        shown
    );
}

#[test]
fn a_trace_is_a_comment_to_a_shell() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", "tok");
    let file = machine.home().join(".bash_profile");
    let command = "x\n;>executed;$(>executed)`>executed`#'\"\\";
    let chosen = machine.root().join(command);
    let helper = machine
        .git_credential("get")
        .env("SENTRY_CREDENTIAL_TRACE", &file)
        .env("SENTRY_CONFIG_DIR", &chosen);
    let described = "protocol=https\nhost=sentry.io;>executed\n";
    let _traced = helper.stdin(described).run();
    let login = machine
        .sentry(&["auth", "logout", "--url", "https://s.example"])
        .env("SENTRY_CREDENTIAL_TRACE", &file)
        .env("SENTRY_CONFIG_DIR", &chosen);
    let _traced = login.run();
    assert_ne!(steps_in(&file), Vec::<String>::new());
    for shell in ["sh", "bash"] {
        let read = machine.command(shell).arg(&file);
        read.run().success().stdout_is("").stderr_is("");
    }
    assert!(!machine.home().join("executed").exists());
    assert!(!Path::new("executed").exists());
}
