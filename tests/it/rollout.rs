//! The administrator's file, `/etc/sentry-credential/hosts`, as an unprivileged user meets it.
//!
//! The machine's own `/etc` is never touched: each command runs in a mount namespace of its own, where `/etc` is a copy
//! that the test has changed, as a user whose home is empty. Only root can make both, so these tests want root.

use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::git_server::{Challenge, GitServer};
use crate::machine::Machine;
use crate::registry::Registry;
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::server_page::{replaced, shown};
use crate::service::{tool, tools};
use crate::storage::set_mode;
use crate::support::strace::read_trace;
use crate::terminal::TtyUser;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `nobody`.
const USER: u32 = 65534;
const FILE: &str = "/etc/sentry-credential/hosts";
/// Shows the other files.
const PAGE: &str = include_str!("../../docs/rollout.md");
const REGISTRY: &str = "r.example";

/// Runs the rest with the other `/etc`, as the user.
const AS_USER: &str = "mount --bind \"$0/etc\" /etc
    mount --bind \"$PROGRAMS\" \"$0/programs\"
    exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

/// A machine with git's system configuration and the administrator's file, and a user who has configured nothing.
struct ManagedMachine(Sandbox);

impl ManagedMachine {
    #[track_caller]
    fn with(hosts: &str) -> ManagedMachine {
        let sandbox = Sandbox::new();
        let root = sandbox.root().to_owned();
        let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent();
        let path = format!("{}/programs:/usr/local/bin:/usr/bin:/bin", root.display());
        let sandbox = sandbox
            .env("PROGRAMS", programs.expect("a program lies in a directory"))
            .env("PATH", path)
            .env("GIT_CONFIG_NOSYSTEM", "0")
            // A git that was not installed by the system looks elsewhere.
            .env("GIT_CONFIG_SYSTEM", "/etc/gitconfig");
        let copied = sandbox.command("/bin/cp").args(["-a", "/etc"]);
        let _copied = copied.arg(root.join("etc")).run().success();
        fs::create_dir(root.join("programs")).expect("a directory");
        set_mode(&root, 0o755);
        chown(sandbox.home(), Some(USER), Some(USER)).expect("these tests want root");
        let machine = ManagedMachine(sandbox);
        let dir = machine.dir();
        fs::create_dir(&dir).expect("a directory");
        set_mode(&dir, 0o755);
        fs::write(machine.file(), hosts).expect("a file");
        set_mode(&machine.file(), 0o644);
        let host = hosts.lines().find_map(|line| line.strip_prefix("git http"));
        let host = host.and_then(|rest| rest.split(' ').next());
        let host = host.map_or("https://git.example.com".to_owned(), |rest| {
            format!("http{rest}")
        });
        machine.install("/etc/gitconfig", "https://git.example.com", &host);
        machine
    }

    /// A file as the page has it, for another host.
    #[track_caller]
    fn install(&self, path: &str, from: &str, to: &str) {
        let text = shown(PAGE, path);
        fs::write(self.0.root().join(&path[1..]), replaced(&text, from, to)).expect("a file");
    }

    /// The administrator's directory.
    fn dir(&self) -> PathBuf {
        self.0.root().join("etc/sentry-credential")
    }

    fn file(&self) -> PathBuf {
        self.dir().join("hosts")
    }

    fn as_user(&self, program: &str, args: &[&str]) -> Cmd {
        let root = self.0.root().to_str().expect("a plain path");
        let cmd = self.0.command(program).args(args);
        cmd.under(tool("unshare"), &["-m", "/bin/sh", "-euc", AS_USER, root])
    }

    fn auth(&self, args: &[&str]) -> Cmd {
        let auth = self.as_user("sentry", &[&["auth"], args].concat());
        // Without a login the doctor asks https://sentry.io, which is not there.
        auth.env("HTTPS_PROXY", "http://127.0.0.1:1")
    }

    fn docker(&self, action: &str, server: &str) -> Cmd {
        self.as_user("docker-credential-sentry", &[action])
            .stdin(server)
    }

    /// The user's builds have a token of this instance.
    fn with_token(self, sentry: &FakeSentry, token: &str) -> ManagedMachine {
        ManagedMachine(
            self.0
                .env("SENTRY_URL", sentry.url())
                .env("SENTRY_TOKEN", token),
        )
    }
}

fn json_of(output: Output) -> Value {
    serde_json::from_str(&output.success().stdout).expect("JSON")
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn an_empty_home_and_a_terminal_are_enough_for_git_clone() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let server = GitServer::start(&sentry, Challenge::Both);
        let (host, instance) = (format!("http://{}", server.host()), sentry.url());
        let machine = ManagedMachine::with(&format!(
            "git {host} {instance} {CLIENT_ID} # for everybody\n"
        ));
        let git = git.to_str().expect("a plain path");
        let clone = machine.as_user(git, &["clone", "--quiet", &server.url(), "work"]);
        let mut user = TtyUser::start(clone.clone());
        user.expect(&format!(
            "git needs a login to Sentry for {}: not logged in to {instance}",
            server.host()
        ));
        user.expect("log in now? [Y/n]").type_line("");
        sentry.approve(&sentry.wait_for_code(Duration::from_secs(30)));
        user.expect(&format!("logged in to {instance} as jane"));
        assert_eq!(user.wait(), 0, "{}", user.screen());
        let readme = fs::read_to_string(machine.0.home().join("work/README"));
        assert_eq!(readme.expect("a clone"), "hello\n");

        // From then on it is a login like any other.
        let again = machine.as_user(git, &["ls-remote", &server.url()]).run();
        let _again = again.success().stderr_is("");
        let line = format!(
            "{host} (git): the token of jane, because it is bound to {instance}, where \
             jane is the active account; set by the administrator in {FILE}\n"
        );
        machine.auth(&["hosts"]).run().success().stdout_has(&line);
        let hosts = json_of(machine.auth(&["hosts", "--json"]).run());
        let of_host = |name: &str| {
            let mut hosts = hosts.as_array().expect("a list").iter();
            hosts
                .find(|entry| entry["host"] == name)
                .expect("the host")
                .clone()
        };
        let bound = of_host(&host);
        assert_eq!(
            (&bound["bound"], &bound["administrator"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(of_host(&instance)["administrator"], json!(false));
        let report = machine.auth(&["doctor"]).run().success();
        let _report = report
            .stdout_has(&format!(
                "ok       administrator: {FILE} binds git {host} to {instance}\n"
            ))
            .stdout_has(&format!(
                "ok       git: git calls this program for {host}\n"
            ));

        let stays =
            format!("{host} stays bound to {instance}; set by the administrator in {FILE}\n");
        let undo = machine.auth(&["setup-git", "--undo"]).run();
        let _undone = undo
            .success()
            .stderr_is(&format!("nothing to undo\n{stays}"));
        let undo = machine
            .auth(&["setup-git", "--undo", "--host", "other.example"])
            .run();
        let _undone = undo.success().stderr_is("nothing to undo\n");
        let forget = machine.auth(&["hosts", "--forget", &host]).run();
        let _still = forget
            .fails(1)
            .stderr_has(&stays)
            .stderr_has("still gets a token");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn nobody_at_a_terminal_is_told_what_to_type() {
    let sentry = FakeSentry::start();
    let server = GitServer::start(&sentry, Challenge::Basic);
    let (host, instance) = (server.host(), sentry.url());
    let machine = ManagedMachine::with(&format!("git http://{host} {instance} {CLIENT_ID}\n"));
    let clone = machine.as_user("git", &["ls-remote", &server.url()]);
    let refused = clone.env("GIT_TERMINAL_PROMPT", "0").run().fails(128);
    refused.stderr_has(&format!("`git credential-sentry login --url {instance}`"));
    // And it works: the client id is the file's.
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let login = ["login", "--url", &instance, "--no-browser"];
    machine.auth(&login).run().success();
    machine
        .as_user("git", &["ls-remote", &server.url()])
        .run()
        .success();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn docker_is_served_and_a_logout_of_the_users_own_counts() {
    let sentry = FakeSentry::start();
    let token = sentry.issue().access;
    let line = format!("docker {REGISTRY} {} {CLIENT_ID}\n", sentry.url());
    let machine = ManagedMachine::with(&line).with_token(&sentry, &token);
    let list = || json_of(machine.docker("list", "").run())[REGISTRY].clone();
    let get = || machine.docker("get", REGISTRY).run();
    let not_found = "credentials not found in native keychain\n";
    assert_eq!(list(), json!("oauth2"));
    assert_eq!(json_of(get())["Secret"], json!(token));
    // The user's own: docker was logged out.
    machine.docker("erase", REGISTRY).run().success();
    assert_eq!(list(), Value::Null);
    let _out = get().fails(1).stdout_is(not_found);
    let hosts = machine.auth(&["hosts"]).run().success();
    assert!(!hosts.stdout.contains("administrator"), "{}", hosts.stdout);
    // Another login of the user's.
    let login = json!({"ServerURL": REGISTRY, "Username": "ann", "Secret": "p4ss"});
    machine.docker("store", &login.to_string()).run().success();
    assert_eq!(
        (list(), json_of(get())["Secret"].clone()),
        (json!("ann"), json!("p4ss"))
    );
    machine.docker("erase", REGISTRY).run().success();
    // A set-up signs it in again; without it the administrator's line counts again.
    let set_up = ["setup-docker", "--registry", REGISTRY];
    machine.auth(&set_up).run().success();
    assert_eq!(list(), json!("oauth2"));
    let undo = machine
        .auth(&[&set_up[..], &["--undo"]].concat())
        .run()
        .success();
    let _undone = undo.stderr_has(&format!(
        "{REGISTRY} stays bound to {}; set by the administrator in {FILE}\n",
        sentry.url()
    ));
    assert_eq!(list(), json!("oauth2"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn a_binding_of_the_users_own_wins() {
    let sentry = FakeSentry::start();
    let token = sentry.issue().access;
    let machine = ManagedMachine::with(&format!(
        "docker {REGISTRY} https://sentry.example.com id\ngit git.example https://sentry.example.com\n"
    ));
    let machine = machine.with_token(&sentry, &token);
    let get = || machine.docker("get", REGISTRY).run();
    let git = || {
        let asked = "protocol=https\nhost=git.example\n\n";
        let get = machine.as_user("git-credential-sentry", &["get"]);
        get.stdin(asked).env("CI", "true").run().stdout
    };
    let _not_theirs = get().fails(1).never_says(&token);
    assert!(!git().contains(&token));
    let url = sentry.url();
    for set_up in [
        ["setup-docker", "--registry", REGISTRY, "--url", &url],
        ["setup-git", "--host", "git.example", "--url", &url],
    ] {
        machine.auth(&set_up).run().success();
    }
    assert_eq!(json_of(get())["Secret"], json!(token));
    assert!(git().contains(&token));
    let report = machine.auth(&["doctor"]).run();
    let _said = report.stdout_has("binds no host that you have not bound yourself\n");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn what_git_stored_for_an_instance_goes_with_its_login_wherever_the_file_binds_it() {
    let sentry = FakeSentry::start();
    let url = sentry.url();
    sentry.add_api_token("sntryu_x");
    let machine = ManagedMachine::with(&format!("git {url} https://sentry.example.com\n"));
    let login = machine.auth(&["login", "--with-token", "--url", &url]);
    login.stdin("sntryu_x").run().success();
    let host = format!("protocol=http\nhost={}\n", sentry.address());
    let helper = |operation| machine.as_user("git-credential-sentry", &[operation]);
    let store = helper("store").stdin(format!("{host}username=ann\npassword=p4ssword\n"));
    store.run().success();
    let get = || helper("get").stdin(format!("{host}username=ann\n")).run();
    get().success().stdout_has("password=p4ssword\n");
    let logout = machine.auth(&["logout", "--url", &url]).run().success();
    logout.stderr_has(&format!(
        "removed the password that git had stored for {url}\n"
    ));
    get().never_says("p4ssword");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn registries_need_no_set_up_by_the_user() {
    let sentry = FakeSentry::start();
    let token = sentry.issue().access;
    let registry = Registry::start(&sentry);
    let (image, host) = (registry.push_image("feas/hello:1"), registry.host());
    let machine = ManagedMachine::with(&format!("docker {host} {}\n", sentry.url()));
    let machine = machine.with_token(&sentry, &token);
    let from = format!("docker://{image}");
    let skopeo = || {
        machine
            .as_user("skopeo", &["inspect", "--tls-verify=false", &from])
            .run()
    };
    let docker = || {
        let script =
            "[ ! -e /etc/profile.d/sentry-credential.sh ] || . /etc/profile.d/sentry-credential.sh
            docker manifest inspect --insecure \"$1\"";
        machine
            .as_user("/bin/sh", &["-euc", script, "sh", &image])
            .run()
    };
    let _before = skopeo().fails(1);
    let _before = docker().fails(1);
    let registries = "/etc/containers/registries.conf.d/50-sentry.conf";
    machine.install(registries, "\"sentry\"", "\"sentry\"");
    let _after = skopeo().success();
    let profile = "/etc/profile.d/sentry-credential.sh";
    machine.install(profile, "registry.example.com", &host);
    let _after = docker().success().stdout_has("rootfs.diff.tar");
    // What the user wrote there stays.
    let config = machine.0.home().join(".docker/config.json");
    fs::write(&config, "{}").expect("a file");
    let _own = docker().fails(1);
    assert_eq!(fs::read_to_string(&config).expect("a file"), "{}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn the_example_of_the_page_has_no_line_that_cannot_be_used() {
    let machine = ManagedMachine::with(&shown(PAGE, FILE));
    let report = machine.auth(&["doctor"]).run();
    let _said = report.stdout_has(&format!(
        "ok       administrator: {FILE} binds git https://git.example.com to https://sentry.example.com, \
         docker registry.example.com to https://sentry.example.com\n"
    ));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn a_refresh_uses_the_client_id_of_the_file_although_its_process_is_confined() {
    let sentry = FakeSentry::start();
    let machine = ManagedMachine::with(&format!("git git.example {} {CLIENT_ID}\n", sentry.url()));
    machine
        .0
        .seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let own = machine.0.command("/bin/chown").args(["-R", "65534:65534"]);
    let _own = own.arg(machine.0.home()).run().success();
    let git = machine.as_user("git-credential-sentry", &["get"]);
    let got = git.stdin("protocol=https\nhost=git.example\n\n").run();
    let got = got.success().stderr_is("");
    assert_eq!(sentry.refreshes(), 1);
    let _token = got.stdout_has(&format!("password={}\n", sentry.current_access()));
    let stays = format!(
        "https://git.example stays bound to {}; set by the administrator in {FILE}\n",
        sentry.url()
    );
    let out = machine.auth(&["logout"]).run().success();
    let _out = out.stderr_has(&stays);
    // One that is refused is refused once, and names no client.
    machine
        .0
        .seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    let own = machine.0.command("/bin/chown").args(["-R", "65534:65534"]);
    let _own = own.arg(machine.0.home()).run().success();
    set_mode(&machine.file(), 0o666);
    let token = machine.auth(&["token"]).run().fails(1);
    assert_eq!(
        token.stderr.matches("refusing to use").count(),
        1,
        "{}",
        token.stderr
    );
    assert_eq!(sentry.refreshes(), 1);
}

/// The administrator's mistake, and the reason that is reported.
type Fault = (fn(&ManagedMachine), &'static str);

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn a_file_that_somebody_else_could_have_written_is_refused_with_one_warning() {
    let faults: [Fault; 12] = [
        (
            |machine| own(&machine.file()),
            "it belongs to uid 65534, not to root",
        ),
        (
            |machine| own(&machine.dir()),
            "its directory belongs to uid 65534, not to root",
        ),
        (
            |machine| set_mode(&machine.file(), 0o664),
            "it can be written by others (mode 0664)",
        ),
        (
            |machine| set_mode(&machine.file(), 0o646),
            "it can be written by others (mode 0646)",
        ),
        (
            |machine| set_mode(&machine.dir(), 0o775),
            "its directory can be written by others (mode 0775)",
        ),
        (
            |machine| set_mode(&machine.dir(), 0o1777),
            "its directory can be written by others (mode 1777)",
        ),
        (
            |machine| {
                fs::rename(machine.file(), machine.dir().join("other")).unwrap();
                symlink("other", machine.file()).unwrap();
            },
            "it is a symlink",
        ),
        (
            |machine| {
                let other = machine.dir().with_file_name("other");
                fs::rename(machine.dir(), &other).unwrap();
                symlink("other", machine.dir()).unwrap();
            },
            "its directory is a symlink",
        ),
        (
            |machine| {
                fs::remove_file(machine.file()).unwrap();
                fs::create_dir(machine.file()).unwrap();
            },
            "it is not a regular file",
        ),
        (
            |machine| {
                fs::remove_file(machine.file()).unwrap();
                let fifo = machine.0.command("mkfifo").arg("-m644").arg(machine.file());
                let _made = fifo.run().success();
            },
            "it is not a regular file",
        ),
        (
            |machine| set_mode(&machine.file(), 0o600),
            "cannot open it: permission denied",
        ),
        (
            |machine| fs::write(machine.file(), "#".repeat(1 << 20) + "#").unwrap(),
            "it is longer than 1 MiB",
        ),
    ];
    let sentry = FakeSentry::start();
    let token = sentry.issue().access;
    for (spoil, why) in faults {
        let url = sentry.url();
        let text = format!("docker {REGISTRY} {url}\ngit git.example {url}\n");
        let machine = ManagedMachine::with(&text).with_token(&sentry, &token);
        let docker = || machine.docker("get", REGISTRY).run();
        let git = || {
            let get = machine.as_user("git-credential-sentry", &["get"]);
            get.stdin("protocol=https\nhost=git.example\n\n")
                .run()
                .success()
        };
        assert_eq!(json_of(docker())["Secret"], json!(token), "before: {why}");
        assert!(git().stdout.contains(&token), "before: {why}");
        spoil(&machine);
        let warning = format!("warning: refusing to use {FILE}: {why}\n");
        let _refused = docker().fails(1).never_says(&token).stderr_is("");
        let _refused = git().stdout_is("").stderr_is(&warning);
        let hosts = machine.auth(&["hosts"]).run().success().stderr_is(&warning);
        assert!(!hosts.stdout.contains(REGISTRY), "{}", hosts.stdout);
        let report = machine.auth(&["doctor"]).run();
        let _said = report.stdout_has(&format!(
            "warning  administrator: {FILE} is not used: {why}\n"
        ));
    }
}

fn own(path: &Path) {
    chown(path, Some(USER), Some(USER)).expect("these tests want root");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn doctor_names_the_lines_that_cannot_be_used() {
    let sentry = FakeSentry::start();
    let token = sentry.issue().access;
    let url = sentry.url();
    let text = format!(
        "# hosts\ngit\nsvn git.example {url}\ndocker {REGISTRY} {url}\ndocker {REGISTRY} {url}\n"
    );
    let machine = ManagedMachine::with(&text).with_token(&sentry, &token);
    assert_eq!(
        json_of(machine.docker("get", REGISTRY).run())["Secret"],
        json!(token)
    );
    let report = machine.auth(&["doctor"]).run();
    let mut report = report;
    for (number, why) in [
        (
            2,
            "it has not the form `git|docker HOST INSTANCE [CLIENT_ID]`",
        ),
        (3, "it begins with neither `git` nor `docker`"),
        (5, "a line before it has the same host"),
    ] {
        let line = format!("warning  administrator: line {number} of {FILE} is not used: {why}\n");
        report = report.stdout_has(&line);
    }
    // The client of a line need not be there, or in use: that is a warning, and the command ends it.
    let set_up = format!("sentry auth setup-docker --registry {REGISTRY} --url {url}");
    let _warned = report.stdout_has(&format!(
        "warning  docker: docker does not call this program for {REGISTRY}\n         hint: `{set_up}`\n"
    ));
    machine.as_user("/bin/sh", &["-c", &set_up]).run().success();
    let after = machine.auth(&["doctor"]).run();
    assert!(!after.stdout.contains("does not call"), "{}", after.stdout);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn the_file_is_opened_once_and_only_where_the_users_own_facts_do_not_answer() {
    let scene = Machine::new().session(Age::FRESH);
    let opened = |cmd: Cmd| {
        let trace = scene.sandbox.root().join("trace");
        let _output = cmd.traced("all", &trace).run();
        let trace = read_trace(trace);
        let calls = trace
            .lines()
            .filter(|line| line.contains("/etc/sentry-credential"));
        calls.map(str::to_owned).collect::<Vec<_>>()
    };
    for cached in [scene.git_get(), scene.docker_get(), scene.token()] {
        assert_eq!(opened(cached), [""; 0]);
    }
    let unknown = scene.sandbox.git_credential("get");
    let calls = opened(unknown.stdin("protocol=https\nhost=unknown.example\n\n"));
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(
        calls[0].contains("openat(") && calls[0].contains("ENOENT"),
        "{calls:?}"
    );
}
