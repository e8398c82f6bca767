//! `sentry auth exec`: a command finds a token that works, and otherwise everything as if it were started directly.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::accounts::{BOB, JANE, user};
use crate::fake_sentry::{Endpoint, FakeSentry, Fault};
use crate::helpers::{ENVIRONMENT, with_session, with_token};
use crate::official::CURRENT;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::tool;
use crate::storage::SOON;

const SENTRY: &str = env!("CARGO_BIN_EXE_sentry");

const EXEC: [&str; 3] = ["auth", "exec", "--"];

fn exec(machine: &Sandbox, command: &[&str]) -> Cmd {
    machine.sentry(&EXEC).args(command)
}

/// Sentry's variables in the environment of a command, sorted.
fn variables(cmd: Cmd) -> Vec<String> {
    let told = cmd.run().success();
    let mut lines: Vec<String> = told
        .stdout
        .lines()
        .filter(|line| line.starts_with("SENTRY_") || line.starts_with("MINE"))
        .filter(|line| !line.starts_with("SENTRY_CLIENT_ID="))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_command_gets_the_token_and_its_instance_and_nothing_that_contradicts_them() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::FRESH).env("SENTRY_HOST", sentry.url());
    let (token, url) = (sentry.current_access(), sentry.url());
    let forced = "SENTRY_FORCE_ENV_TOKEN=1".to_owned();
    let expected = vec![
        format!("SENTRY_AUTH_TOKEN={token}"),
        forced,
        format!("SENTRY_URL={url}"),
    ];
    assert_eq!(variables(exec(&machine, &["env"])), expected);
    assert_eq!(
        variables(machine.sentry(&["auth", "exec", "env"])),
        expected
    );
    let mine = machine.sentry(&["auth", "exec", "--env", "MINE", "--env", "MINE_TOO", "env"]);
    assert_eq!(
        variables(mine.env("SENTRY_URL", "https://ignored.example")),
        [
            format!("MINE={token}"),
            format!("MINE_TOO={token}"),
            format!("SENTRY_URL={url}")
        ]
    );
    // Another account than the one that the environment has a token of.
    let other = machine.sentry(&["auth", "exec", "--account", "jane", "env"]);
    let other = other.env("SENTRY_TOKEN", "x").env("SENTRY_AUTH_TOKEN", "y");
    assert_eq!(variables(other), expected);
    // The token of the environment is passed on under its usual name.
    let own = exec(&machine, &["env"]).env("SENTRY_TOKEN", ENVIRONMENT);
    assert_eq!(
        variables(own)[0],
        format!("SENTRY_AUTH_TOKEN={ENVIRONMENT}")
    );
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn a_stale_token_is_refreshed_first_and_a_dead_one_runs_nothing() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    let told = exec(&machine, &["printenv", "SENTRY_AUTH_TOKEN"]).run();
    let told = told.success().stderr_is("");
    told.stdout_is(&format!("{}\n", sentry.current_access()));
    assert_eq!(sentry.refreshes(), 1);

    let dead = with_session(&sentry, Age::EXPIRED);
    sentry.revoke_family(&dead.stored_tokens().unwrap().refresh);
    exec(&dead, &["echo", "ran"]).run().fails(125).stdout_is("");
}

#[test]
fn exit_codes_are_those_of_env() {
    let machine = with_token();
    let script = machine.home().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    machine
        .command("chmod")
        .arg("755")
        .arg(&script)
        .run()
        .success();
    let script = script.to_str().unwrap();
    let cases: [(&[&str], i32); 10] = [
        (&["true"], 0),
        (&["false"], 1),
        (&["sh", "-c", "exit 77"], 77),
        (&["sh", "-c", "kill -TERM $$"], -15),
        (&["no-such-command"], 127),
        (&["/no/such/command"], 127),
        (&[""], 127),
        (&[script], 127),
        (&["/"], 126),
        (&["/etc/passwd"], 126),
    ];
    for (command, code) in cases {
        let ours = exec(&machine, command).run().fails(code);
        ours.never_says(ENVIRONMENT);
        let theirs = machine.command("env").arg("--").args(command);
        theirs.run().fails(code);
    }
    exec(&machine, &["no-such-command"])
        .run()
        .fails(127)
        .stderr_is("error: cannot run `no-such-command`: there is no such command\n");
    exec(&machine, &["/etc/passwd"])
        .run()
        .fails(126)
        .stderr_is("error: cannot run `/etc/passwd`: permission denied\n");
}

#[test]
fn a_script_without_an_interpreter_is_run_by_the_shell() {
    let machine = Sandbox::new().env("SENTRY_TOKEN", ENVIRONMENT);
    let bin = machine.home().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(
        bin.join("plain"),
        "printf '[%s]' \"$@\"; test -n \"$SENTRY_AUTH_TOKEN\" && echo; exit 5\n",
    )
    .unwrap();
    fs::write(bin.join("broken"), b"\x7fELF\0\n").unwrap();
    let chmod = machine.command("chmod").args(["-R", "755"]).arg(&bin);
    chmod.run().success();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let plain = bin.join("plain").display().to_string();
    for name in ["plain", &plain] {
        let run = |cmd: Cmd| cmd.env("PATH", &path).run().fails(5);
        let ours = run(exec(&machine, &[name, "two words", "-x", ""]));
        ours.stdout_is("[two words][-x][]\n").stderr_is("");
    }
    let broken = exec(&machine, &["broken"]).env("PATH", &path).run();
    assert!(
        broken.code != 0 && broken.stdout.is_empty(),
        "{}",
        broken.code
    );
    broken.never_says(ENVIRONMENT);
}

#[test]
fn without_a_login_nothing_runs_and_the_exit_code_is_not_one_of_the_command() {
    let machine = Sandbox::new();
    exec(&machine, &["echo", "ran"])
        .run()
        .fails(125)
        .stdout_is("")
        .stderr_is("error: not logged in to https://sentry.io\nhint: `sentry auth login`\n");
    let odd = exec(&machine, &["echo", "ran"]).env("SENTRY_AUTH_TOKEN", "two words");
    odd.run().fails(125).stdout_is("").never_says("two words");
}

#[test]
fn wrong_usage_runs_nothing() {
    let machine = with_token();
    let cases: [&[&str]; 9] = [
        &[],
        &["--"],
        &["--acount", "jane", "true"],
        &["--", "--account", "jane", "true"],
        &["--env", "SENTRY_URL", "true"],
        &["--env", "SENTRY_HOST", "true"],
        &["--env", "1A", "true"],
        &["--env", "A=B", "true"],
        &["--min-validity", "soon", "true"],
    ];
    for args in cases {
        let cmd = machine.sentry(&["auth", "exec"]).args(args);
        cmd.run().fails(2).stdout_is("");
    }
}

#[test]
fn arguments_are_handed_on_byte_by_byte() {
    let machine = with_token();
    let script = r#"printf '[%s]' "$@""#;
    for (dashes, args) in [
        (&["--"][..], &["--", "-x", "", "a b", "--env"][..]),
        (&[], &["-x", "--", "--url", "$HOME"]),
    ] {
        let cmd = machine.sentry(&["auth", "exec"]).args(dashes);
        let cmd = cmd.args(["sh", "-c", script, "sh"]).args(args);
        let expected: String = args.iter().map(|arg| format!("[{arg}]")).collect();
        cmd.run().success().stdout_is(&expected);
    }
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\n\x01");
    let told = exec(&machine, &["printf", "%s"]).arg(bytes).run().success();
    assert_eq!(told.stdout_bytes, b"\xff\n\x01");
}

/// What a process inherits, as the kernel reports it.
const STATUS: &str = "grep -E '^(Sig(Blk|Ign|Cgt)|NoNewPrivs|Seccomp):' /proc/self/status; ulimit -c; ulimit -Hc; umask";

/// A session that is refreshed by a worker, by the process itself, or not at all.
fn sessions() -> Vec<(&'static str, FakeSentry, Sandbox)> {
    let made = [
        ("fresh", Age::FRESH),
        ("worker", Age::EXPIRED),
        ("itself", Age::EXPIRED),
    ];
    let made = made.into_iter().map(|(case, age)| {
        let sentry = FakeSentry::start();
        let machine = with_session(&sentry, age);
        (case, sentry, machine)
    });
    made.collect()
}

/// Without a pipe there is no worker.
fn run_as(case: &str, cmd: Cmd) -> Cmd {
    match case {
        "itself" => cmd.with_injected("pipe2:error=EMFILE:when=1+"),
        _ => cmd,
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, strace(1)")]
fn signals_limits_and_umask_are_what_they_would_be_without_us() {
    let odd = [
        "--ignore-signal=PIPE",
        "--ignore-signal=INT",
        "--ignore-signal=XFSZ",
        "--block-signal=TERM",
    ];
    for how in [&[][..], &odd] {
        for (case, sentry, machine) in sessions() {
            let script = ["sh", "-c", STATUS];
            let directly = machine.command("sh").args(&script[1..]);
            let directly = directly.under(tool("env"), how).run().success();
            let ours = exec(&machine, &script).under(tool("env"), how);
            let ours = run_as(case, ours).run().success();
            assert_eq!(ours.stdout, directly.stdout, "{case} {how:?}");
            assert_eq!(sentry.refreshes(), usize::from(case != "fresh"));
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, strace(1)")]
fn streams_and_other_descriptors_are_handed_on() {
    for (case, _sentry, machine) in sessions() {
        let file = machine.root().join("file");
        let told = |start: &str| {
            fs::write(&file, "").unwrap();
            let script = r#"exec 7>>"$FILE" 8</dev/null; $START sh -c '
                cat; echo seven >&7; echo two >&2; ls /proc/self/fd'"#;
            let script = machine.command("sh").args(["-c", script]);
            let script = script.env("START", start).env("FILE", &file);
            let told = run_as(case, script.stdin("zero\n")).run().success();
            assert_eq!(fs::read_to_string(&file).unwrap(), "seven\n", "{case}");
            let told = told.stderr_has("two\n").stdout_has("zero\n");
            told.stdout_has("7\n8\n").stdout
        };
        // Without strace last: the first run refreshes.
        let ours = told(&format!("{SENTRY} auth exec --"));
        assert_eq!(ours, told(""), "{case}");
    }
}

#[test]
fn the_command_is_the_process_and_signals_reach_it() {
    let machine = with_token();
    let script = r#"trap 'echo caught; exit 9' TERM; echo $$ >&2; echo ready >&2; while :; do sleep 0.01; done"#;
    let mut command = exec(&machine, &["sh", "-c", script]).spawn();
    command.wait_for_stderr("ready");
    let pid = command.pid().as_raw_pid().to_string();
    assert!(command.stderr().lines().any(|line| line == pid));
    command.signal(Signal::TERM);
    command.wait().fails(9).stdout_is("caught\n");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, strace(1)")]
fn a_signal_during_the_refresh_takes_effect_and_the_command_does_not_run() {
    for (case, sentry, machine) in sessions().split_off(1) {
        sentry.fault(Endpoint::Refresh, Fault::Held);
        let cmd = run_as(case, exec(&machine, &["echo", "ran"]));
        let mut running = cmd.spawn();
        sentry.wait_for_held(SOON);
        match case {
            "worker" => running.signal(Signal::TERM),
            // The only child of strace.
            _ => rustix::process::kill_process(running.exchange(), Signal::TERM).unwrap(),
        }
        sentry.release();
        running.wait().fails(-15).stdout_is("");
        // The login is intact.
        let deadline = Instant::now() + SOON;
        while machine.stored_tokens() != Some(sentry.current()) {
            assert!(Instant::now() < deadline, "{case}");
            thread::yield_now();
        }
    }
}

/// The arguments of all processes, with NUL between them.
fn all_arguments() -> Vec<Vec<u8>> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .collect()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc, strace(1)")]
fn the_token_is_in_no_argument_and_in_no_file() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    let (calls, done) = (machine.root().join("calls"), machine.root().join("done"));
    let script = r#"echo ready >&2; while [ ! -e "$DONE" ]; do sleep 0.01; done"#;
    let cmd = exec(&machine, &["sh", "-c", script]).env("DONE", &done);
    let running = cmd.traced("execve", &calls).spawn();
    running.wait_for_stderr("ready");
    let token = sentry.current_access();
    for arguments in all_arguments() {
        let found = arguments
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "{}", arguments.escape_ascii());
    }
    fs::write(&done, "").unwrap();
    running.wait().success();
    let calls = fs::read_to_string(calls).unwrap();
    // The program, its worker, the shell, and what that starts.
    assert!(calls.matches("execve(").count() >= 4, "{calls}");
    for call in calls.lines().filter(|line| line.contains("execve(")) {
        let arguments = call.split("], [").next().unwrap();
        assert!(!arguments.contains(&token), "{call}");
    }
    let held = machine.command("grep").args(["-rlF", &token, "."]).run();
    held.success().stdout_is("./.sentry/cli.db\n");

    // For the token of the environment there is no trace of it at all.
    let machine = with_token();
    exec(&machine, &["true"]).run().success();
    assert_eq!(fs::read_dir(machine.home()).unwrap().count(), 0);
}

/// What `tests/run` installed.
fn peer(name: &str) -> PathBuf {
    let above = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut peers = above
        .ancestors()
        .map(|dir| dir.join("tmp/peers").join(name));
    let found = peers.find(|path| path.exists());
    found.expect("run tests/run")
}

/// sentry-cli, as its npm package starts it.
fn sentry_cli(machine: &Sandbox, args: &[&str]) -> Cmd {
    let program = peer("sentry-cli/node_modules/@sentry/cli/bin/sentry-cli");
    let args = [&[program.to_str().unwrap()], args].concat();
    exec(machine, &["node"]).args(args)
}

#[test]
fn sentry_cli_tells_who_it_is_and_uploads_source_maps_with_a_token_that_was_expired() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    let told = sentry_cli(&machine, &["info"]).run().success();
    let told = told.stdout_has(&format!("Sentry Server: {}", sentry.url()));
    told.stdout_has("Method: Auth Token")
        .stdout_has("User: jane@example.com");
    let token = sentry.current_access();
    assert_eq!(sentry.refreshes(), 1);

    let dist = machine.home().join("dist");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("a.js"), "f()\n//# sourceMappingURL=a.js.map\n").unwrap();
    let map =
        r#"{"version":3,"sources":["a.ts"],"sourcesContent":["f()"],"names":[],"mappings":"AAAA"}"#;
    fs::write(dist.join("a.js.map"), map).unwrap();
    let upload = [
        "sourcemaps",
        "upload",
        "--org",
        "my-org",
        "--project",
        "web",
    ];
    let upload = sentry_cli(&machine, &upload).args(["--release", "1.0", "dist"]);
    upload.run().success();
    assert_eq!(sentry.uploads(), 1);
    let made = [
        "releases",
        "new",
        "--org",
        "my-org",
        "--project",
        "web",
        "1.0",
    ];
    sentry_cli(&machine, &made).run().success();
    assert_eq!(sentry.releases(), ["1.0"]);
    // Each request has the refreshed token, and no other.
    let bearer = format!("Bearer {token}");
    let asked = sentry.requests_to(Endpoint::Api);
    assert!(asked.len() >= 6, "{asked:?}");
    for request in asked {
        assert_eq!(request.authorization.as_ref(), Some(&bearer), "{request:?}");
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn the_official_cli_uses_the_token_that_it_is_given_and_not_the_login_that_is_active() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.set_user(user(JANE));
    let jane = sentry.issue();
    machine.seed_session(&sentry, &jane, Age::FRESH);
    sentry.set_user(user(BOB));
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let whoami = CURRENT.run(&machine, &["auth", "token"]);
    let account = ["auth", "exec", "--account", "jane", "--"];
    whoami
        .under(SENTRY, &account)
        .run()
        .success()
        .stdout_is(&format!("{}\n", jane.access));
}

/// What a developer has in `build.mjs`: the plugin finds token and instance in the environment.
const BUILD: &str = r#"
import { createRequire } from "node:module";
const require = createRequire(process.env.PEERS + "/");
const { sentryEsbuildPlugin } = require("@sentry/esbuild-plugin");
await require("esbuild").build({
    entryPoints: ["app.ts"], bundle: true, sourcemap: true, outdir: "dist", logLevel: "error",
    plugins: [sentryEsbuildPlugin({
        org: "my-org", project: "web", telemetry: false, release: { name: "1.0", inject: false, create: false, finalize: false },
        errorHandler(error) { throw error; },
    })],
});
"#;

#[test]
fn a_bundler_with_sentrys_plugin_uploads_source_maps_with_a_token_that_was_expired() {
    let sentry = FakeSentry::start();
    let machine = with_session(&sentry, Age::EXPIRED);
    let home = machine.home();
    fs::write(home.join("build.mjs"), BUILD).unwrap();
    fs::write(home.join("app.ts"), "console.log('app' as string);\n").unwrap();
    let peers = peer("bundler/node_modules");
    let build = exec(&machine, &["node", "build.mjs"]).env("PEERS", peers.parent().unwrap());
    let built = build.current_dir(&home).run().success();
    let token = sentry.current_access();
    built.never_says(&token);
    assert_eq!(sentry.refreshes(), 1);
    assert!(home.join("dist/app.js").exists());
    assert!(sentry.uploads() >= 1);
    // All of it with the one token, which is in no file of the project.
    for request in sentry.requests() {
        if request.path.contains("/chunk-upload/") {
            let bearer = format!("Bearer {token}");
            assert_eq!(
                request.authorization.as_ref(),
                Some(&bearer),
                "{}",
                request.path
            );
        }
    }
    let held = machine.command("grep").args(["-rlF", &token, "."]).run();
    held.success().stdout_is("./.sentry/cli.db\n");
    // Without a login the same build fails, and says why.
    let alone = machine.sentry(&["auth", "logout"]).run();
    alone.success();
    let without = exec(&machine, &["node", "build.mjs"]).run();
    without.fails(125).stderr_has("not logged in to ");
}
