//! Which credential a host gets when repositories and programs of others interfere, with the real clients.
//!
//! Separate from the protocols' own tests, which have single requests. `src/policy/table.rs` lists the order of
//! precedence case by case.

use crate::accounts::{BOB, JANE, Scene, user};
use crate::engine::Engine;
use crate::environment::described;
use crate::fake_sentry::{Answer, Endpoint, FakeSentry, User};
use crate::git_server::{Challenge, GitServer};
use crate::helpers::{alter, with_login, with_session};
use crate::machine::Machine;
use crate::real_docker::docker;
use crate::real_git::configure;
use crate::registry::Registry;
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::service::{tool, tools};
use crate::storage::set_mode;
use crate::terminal::TtyUser;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A token that the server accepts, although it does not look like one.
const ATTACKER: &str = "atk";

fn get(machine: &Sandbox, host: &str, extra: &str) -> Output {
    let request = format!("protocol=http\nhost={host}\n{extra}");
    machine.git_credential("get").stdin(request).run()
}

/// A repository with a submodule that has a user and a password in its URL.
fn repository_with_submodule(server: &GitServer) -> Sandbox {
    let attacker = Sandbox::new();
    let git = |args: &[&str]| {
        let git = attacker.command("git").args([
            "-c",
            "user.name=Eve",
            "-c",
            "user.email=eve@evil.example",
        ]);
        git.args(args).run().success();
    };
    let url = format!("http://evil:{ATTACKER}@{}/demo.git", server.host());
    let modules = format!("[submodule \"pub\"]\n\tpath = pub\n\turl = {url}\n");
    git(&["init", "--quiet", "--initial-branch=main", "."]);
    fs::write(attacker.home().join(".gitmodules"), modules).unwrap();
    git(&["add", ".gitmodules"]);
    let commit = format!("160000,{},pub", server.head());
    git(&["update-index", "--add", "--cacheinfo", &commit]);
    git(&["commit", "--quiet", "--message=a library"]);
    attacker
}

fn clone_with_submodules(machine: &Sandbox, git: &Path, from: &Sandbox) -> Cmd {
    machine
        .command(git)
        .args(["clone", "--quiet", "--recurse-submodules"])
        .arg(from.home())
        .arg("work")
}

#[test]
fn a_submodule_does_not_log_anybody_in_as_unprivileged_else() {
    for git in tools("git") {
        let sentry = FakeSentry::start();
        sentry.add_api_token(ATTACKER);
        let server = GitServer::start(&sentry, Challenge::Basic);
        let machine = with_session(&sentry, Age::FRESH).env("GIT_TERMINAL_PROMPT", "0");
        let session = sentry.current_access();
        configure(&machine, &server);
        let repository = repository_with_submodule(&server);
        clone_with_submodules(&machine, &git, &repository)
            .run()
            .success();
        assert!(machine.home().join("work/pub/README").exists());
        // git stored it, and requests that name its user get it.
        assert_eq!(machine.stored_credentials(), 1);

        let served = |machine: &Sandbox, token: &str| {
            for extra in ["", "username=oauth2\n", "username=jane\n"] {
                let got = get(machine, &server.host(), extra).success();
                got.stdout_has(token).never_says(ATTACKER);
            }
        };
        served(&machine, &session);
        let named = get(&machine, &server.host(), "username=evil\n").success();
        named.stdout_is(&format!("username=evil\npassword={ATTACKER}\n\n"));
        let machine = machine.env("SENTRY_AUTH_TOKEN", "of-the-environment");
        served(&machine, "of-the-environment");
        let machine = machine.env("SENTRY_AUTH_TOKEN", "");
        let fetch = machine
            .command(&git)
            .args(["ls-remote", &server.url()])
            .run()
            .success();
        fetch.stdout_has(&server.head());

        // After its expiry it is not returned.
        let out = machine.sentry(&["auth", "logout", "--all"]).run().success();
        out.stderr_has(&format!(
            "removed the password that git had stored for http://{}",
            server.host()
        ));
        assert_eq!(machine.stored_credentials(), 0);
        get(&machine, &server.host(), "")
            .fails(1)
            .stdout_is("")
            .stderr_has("not logged in to");
        machine.command("rm").args(["-r", "work"]).run().success();
        clone_with_submodules(&machine, &git, &repository)
            .run()
            .success();
        machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
        served(&machine, &sentry.current_access());

        let undo = machine.sentry(&["auth", "setup-git", "--undo"]).run();
        undo.success().stderr_has(&format!(
            "removed the password that git had stored for http://{}",
            server.host()
        ));
        get(&machine, &server.host(), "").success().stdout_is("");
        configure(&machine, &server);
        served(&machine, &sentry.current_access());
    }
}

#[test]
fn a_request_does_not_choose_the_account_at_a_bound_host() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    sentry.set_user(User {
        id: "43".to_owned(),
        name: "Me".to_owned(),
        username: "me".to_owned(),
        email: "me@private.example".to_owned(),
    });
    let private = sentry.issue().access;
    machine.seed_session(&sentry, &sentry.current(), Age::FRESH);
    sentry.set_user(User::default());
    let work = sentry.issue().access;
    machine.seed_session(&sentry, &sentry.current(), Age::FRESH);
    machine.bind("git https://code.example", &sentry.url(), None);
    machine.bind("docker r.example", &sentry.url(), None);
    for name in ["me@private.example", "me", "ME@private.example", "sam"] {
        let request = format!("protocol=https\nhost=code.example\nusername={name}\n");
        let got = machine.git_credential("get").stdin(request).run().success();
        got.stdout_has(&format!("username={name}\npassword={work}\n"))
            .never_says(&private);
        let url = format!(
            "url=https://{}@code.example/x.git\n",
            name.replace('@', "%40")
        );
        let got = machine.git_credential("get").stdin(url).run().success();
        got.stdout_has(&work).never_says(&private);
    }
    let got = machine.docker_credential("get").stdin("r.example").run();
    got.success().stdout_has(&work).never_says(&private);
    // At the instance itself no third party sees the token.
    let request = format!("{}username=me@private.example\n", described(&sentry.url()));
    let got = machine.git_credential("get").stdin(request).run().success();
    got.stdout_has(&private);
}

#[test]
fn an_ended_session_is_not_replaced_by_another_account() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let joe = sentry.issue();
    machine.seed_session(&sentry, &joe, Age::FRESH);
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    machine.bind("git https://code.example", &sentry.url(), None);
    let store = machine.database().unwrap();
    let ended = "UPDATE accounts SET token = NULL, refresh_token = NULL WHERE is_active = 1";
    assert_eq!(store.execute(ended, []), Ok(1));
    for host in ["https://code.example", &sentry.url()] {
        let get = machine.git_credential("get").stdin(described(host));
        get.run()
            .fails(1)
            .stdout_is("")
            .never_says(&joe.access)
            .stderr_has(&format!("the session at {} has ended", sentry.url()));
        // At a terminal too: the token of the other account does not answer the request.
        let get = machine.git_credential("get");
        let mut user = TtyUser::start_piped(get, described(host));
        user.expect("[Y/n]").type_line("n");
        assert_eq!(user.wait(), 0);
        assert_eq!(user.stdout(), "quit=1\n\n");
        let forgotten = "DELETE FROM helper_setting WHERE key LIKE 'declined %'";
        assert_eq!(store.execute(forgotten, []), Ok(1));
    }
}

#[test]
fn a_host_that_is_bound_to_an_account_gets_no_other() {
    let scene = Scene::new();
    scene.login_of(BOB, &[]).success();
    let host = "https://code.example";
    let bind = ["setup-git", "--host", host, "--account", "bob"];
    scene.auth(&bind).run().success();
    let registry = [
        "setup-docker",
        "--registry",
        "r.example",
        "--account",
        "bob",
    ];
    scene.auth(&registry).run().success();
    let bob = scene.sentry.current_access();
    scene.login_of(JANE, &[]).success();
    let jane = scene.sentry.current_access();
    let git = || scene.machine.git_credential("get").stdin(described(host));
    git().run().success().stdout_has(&bob).never_says(&jane);
    let got = get_of(&scene.machine, "r.example").success();
    got.stdout_has(&bob);

    scene.auth(&["logout", "--account", "bob"]).run().success();
    let told = git().run().fails(1).stdout_is("").never_says(&jane);
    told.stderr_has(&format!(
        "the account at {} that this host is bound to is not logged in",
        scene.sentry.url()
    ));
    get_of(&scene.machine, "r.example")
        .fails(1)
        .never_says(&jane);
    assert_eq!(listed(&scene.machine), json!({}));
    // jane approves, because she is signed in in the browser.
    scene.sentry.set_user(user(JANE));
    scene.sentry.approve_next();
    let mut at_tty = TtyUser::start_piped(git(), described(host));
    at_tty.expect("[Y/n]").type_line("y");
    assert_eq!(at_tty.wait(), 1, "{}", at_tty.screen());
    assert_eq!(at_tty.stdout(), "");
    let told = "jane@example.com approved the login, not the account that the host is bound to";
    assert!(at_tty.screen().contains(told), "{}", at_tty.screen());
    assert_eq!(scene.machine.stored_row().unwrap().token, Some(jane));
    // bob does.
    scene.sentry.set_user(user(BOB));
    scene.sentry.approve_next();
    let mut at_tty = TtyUser::start_piped(git(), described(host));
    at_tty.expect("[Y/n]").type_line("y");
    assert_eq!(at_tty.wait(), 0, "{}", at_tty.screen());
    let bob = scene.sentry.current_access();
    assert!(at_tty.stdout().contains(&bob), "{}", at_tty.stdout());
    get_of(&scene.machine, "r.example")
        .success()
        .stdout_has(&bob);
}

// docker.

fn listed(machine: &Sandbox) -> Value {
    let listed = machine.docker_credential("list").run().success();
    serde_json::from_str(&listed.stdout).expect("JSON")
}

#[test]
fn list_leaves_out_what_get_refuses() {
    let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
    machine.bind("docker r.example", &sentry.url(), None);
    // It has not been refused yet.
    assert_eq!(listed(&machine), json!({ "r.example": "oauth2" }));
    sentry.fault_always(
        Endpoint::Refresh,
        Answer::new(500, "text/html", "<h1>no</h1>"),
    );
    let get = || machine.docker_credential("get").stdin("r.example").run();
    get().fails(1).stderr_is("");
    assert_eq!(listed(&machine), json!({}));
    get().fails(1).stderr_is("");

    sentry.fix();
    machine
        .sentry(&["auth", "refresh", "--force"])
        .run()
        .success();
    assert_eq!(listed(&machine), json!({ "r.example": "oauth2" }));
    get().success().stdout_has(&sentry.current_access());

    // An expired API token cannot be refreshed.
    alter(&machine, "refresh_token", &None::<String>);
    alter(&machine, "expires_at", &1000);
    get().fails(1);
    assert_eq!(listed(&machine), json!({}));
    let machine = machine.env("SENTRY_AUTH_TOKEN", "of-the-environment");
    assert_eq!(listed(&machine), json!({ "r.example": "oauth2" }));
    get_of(&machine, "r.example")
        .success()
        .stdout_has("of-the-environment");
    let machine = machine.env("SENTRY_AUTH_TOKEN", "two words");
    assert_eq!(listed(&machine), json!({}));
    get_of(&machine, "r.example").fails(1);
}

fn get_of(machine: &Sandbox, server: &str) -> Output {
    machine.docker_credential("get").stdin(server).run()
}

/// docker-py builds an image: it requests credentials for every configured registry, and sends all that it gets.
fn build_with_docker_py(machine: &Sandbox, engine: &Engine) -> Output {
    let script = "import docker, io, os\n\
                  client = docker.APIClient(base_url=os.environ['DOCKER_HOST'], version='1.41')\n\
                  print(''.join(client.build(fileobj=io.BytesIO(b'FROM scratch\\n'))))\n";
    let above = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let peers = above
        .map(|dir| dir.join("tmp/peers/python"))
        .find(|dir| dir.exists())
        .expect("run tests/run");
    machine
        .command("python3")
        .args(["-c", script])
        .env("PYTHONPATH", peers)
        .env("DOCKER_HOST", engine.docker_host())
        .run()
}

#[test]
fn a_build_continues_without_a_login() {
    let sentry = FakeSentry::start();
    let engine = Engine::start();
    for arguments in [&["--registry", "r.example"][..], &["--default"]] {
        let machine = with_session(&sentry, Age::FRESH);
        let setup = machine.sentry(&["auth", "setup-docker"]).args(arguments);
        setup.run().success();
        machine.bind("docker r.example", &sentry.url(), None);
        let built = build_with_docker_py(&machine, &engine).success();
        built.stdout_has("Successfully built");

        machine.sentry(&["auth", "logout"]).run().success();
        get_of(&machine, "r.example")
            .fails(1)
            .stdout_is("credentials not found in native keychain\n")
            .stderr_is("");
        let built = build_with_docker_py(&machine, &engine).success();
        built.stdout_has("Successfully built");
    }
}

#[test]
fn a_build_fails_if_a_session_has_ended() {
    let sentry = FakeSentry::start();
    let engine = Engine::start();
    let machine = with_login(&sentry, Age::EXPIRED);
    machine.bind("docker r.example", &sentry.url(), None);
    sentry.revoke_family(&sentry.current_access());
    let told = build_with_docker_py(&machine, &engine).fails(1);
    told.stderr_has(&format!("the session at {} has ended", sentry.url()));
}

#[test]
fn docker_login_says_what_it_does_not_keep() {
    let sentry = FakeSentry::start();
    let (bound, unbound) = (Registry::start(&sentry), Registry::start(&sentry));
    let engine = Engine::start();
    let machine = with_session(&sentry, Age::FRESH).env("DOCKER_HOST", engine.docker_host());
    let token = sentry.current_access();
    let set_up = |host: &str| machine.bind(&format!("docker {host}"), &sentry.url(), None);
    let default = machine.sentry(&["auth", "setup-docker", "--default"]);
    default.run().success();
    set_up(&bound.host());
    let login = |user: &str, secret: &str, host: &str| {
        let args = ["login", "--username", user, "--password-stdin", host];
        docker(&machine, &args).stdin(secret).run()
    };

    // A login with another user name is stored.
    login("robot", &token, &bound.host())
        .success()
        .stdout_has("Login Succeeded");
    let got = get_of(&machine, &bound.host()).success();
    got.stdout_has("\"Username\":\"robot\"").stdout_has(&token);
    assert_eq!(listed(&machine), json!({ bound.host(): "robot" }));
    login("oauth2", &token, &bound.host()).success();
    assert_eq!(listed(&machine), json!({ bound.host(): "oauth2" }));

    // A registry that is not bound does not get the token.
    let told = login("robot", &token, &unbound.host()).fails(1);
    let host = unbound.host();
    told
        .stderr_has(&format!(
            "this is the token of jane at {}; `sentry auth setup-docker --registry {host}` lets {host} use it",
            sentry.url()
        ))
        .never_says(&token);
    get_of(&machine, &host).fails(1);
    set_up(&host);
    login("robot", &token, &host).success();
    get_of(&machine, &host).success().stdout_has("robot");

    // Nor does a bound one get another.
    sentry.add_api_token("sntryu_of_unprivileged_else");
    let told = login("robot", "sntryu_of_unprivileged_else", &bound.host()).fails(1);
    told.stderr_has("this is a Sentry token that belongs to no login here")
        .stderr_has("`sentry auth login --url ")
        .never_says("sntryu_of_unprivileged_else");
    assert_eq!(machine.stored_credentials(), 0);
    get_of(&machine, &bound.host()).success().stdout_has(&token);
}

#[test]
fn the_last_docker_login_is_the_one_in_force() {
    let sentry = FakeSentry::start();
    let registry = Registry::start_with_password("joe", "p4ss");
    let engine = Engine::start();
    let machine = with_session(&sentry, Age::FRESH).env("DOCKER_HOST", engine.docker_host());
    let host = registry.host();
    let set_up = || {
        let setup = ["auth", "setup-docker", "--registry", &host];
        machine.sentry(&setup).run().success()
    };
    set_up();
    let args = ["login", "--username", "joe", "--password-stdin", &host];
    let login = docker(&machine, &args).stdin("p4ss");
    login.run().success().stdout_has("Login Succeeded");
    let got = get_of(&machine, &host).success();
    got.stdout_has("\"Username\":\"joe\",\"Secret\":\"p4ss\"");
    assert_eq!(listed(&machine), json!({ &host: "joe" }));

    set_up().stderr_has(&format!(
        "removed the login that docker had stored for {host}"
    ));
    let got = get_of(&machine, &host).success();
    got.stdout_has(&sentry.current_access()).never_says("p4ss");
    assert_eq!(machine.stored_credentials(), 0);
    assert_eq!(listed(&machine), json!({ &host: "oauth2" }));
}

// Without a home.

/// One of our programs without HOME, for a user without an entry in the password database: as in many containers.
fn homeless(machine: &Sandbox, program: &str, operation: &str, input: &str) -> Output {
    set_mode(machine.root(), 0o755);
    // Where that user can start it.
    let copy = machine.root().join(Path::new(program).file_name().unwrap());
    if !copy.exists() {
        machine.copy(program, &copy);
    }
    let unprivileged: &[&str] = match rustix::process::geteuid().is_root() {
        true => &[
            "setpriv",
            "--reuid=54321",
            "--regid=54321",
            "--clear-groups",
        ],
        false => &["unshare", "--user", "--map-user=54321"],
    };
    machine
        .command(tool(unprivileged[0]))
        .args(&unprivileged[1..])
        .arg(copy)
        .args(operation.split(' '))
        .env_remove("HOME")
        .current_dir("/")
        .stdin(input)
        .run()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn without_a_home_there_is_still_the_environment() {
    let git = |machine: &Sandbox, operation: &str, input: &str| {
        homeless(
            machine,
            env!("CARGO_BIN_EXE_git-credential-sentry"),
            operation,
            input,
        )
    };
    let docker = |machine: &Sandbox, action: &str, input: &str| {
        homeless(
            machine,
            env!("CARGO_BIN_EXE_docker-credential-sentry"),
            action,
            input,
        )
    };
    let (sentry, other) = (
        "protocol=https\nhost=sentry.io\n",
        "protocol=https\nhost=code.example\n",
    );
    let with_token = Sandbox::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    git(&with_token, "get", sentry)
        .success()
        .stderr_is("")
        .stdout_is("username=oauth2\npassword=of-the-environment\n\n");
    let served = docker(&with_token, "get", "sentry.io").success();
    served.stdout_has("of-the-environment");
    for operation in ["store", "erase"] {
        let input = format!("{sentry}username=oauth2\npassword=of-the-environment\n");
        git(&with_token, operation, &input).success().stderr_is("");
    }
    let login =
        json!({ "ServerURL": "sentry.io", "Username": "oauth2", "Secret": "of-the-environment" });
    let store = docker(&with_token, "store", &login.to_string());
    store.success().stdout_is("");

    let bare = Sandbox::new();
    for machine in [&with_token, &bare] {
        git(machine, "get", other)
            .success()
            .stdout_is("")
            .stderr_is("");
        docker(machine, "get", "r.example")
            .fails(1)
            .stdout_is("credentials not found in native keychain\n");
        docker(machine, "list", "").success().stdout_is("{}\n");
        docker(machine, "erase", "r.example")
            .success()
            .stdout_is("");
        git(machine, "erase", other).success().stderr_is("");
        // Writing needs a directory.
        let input = format!("{other}username=ann\npassword=secret\n");
        git(machine, "store", &input)
            .fails(1)
            .stderr_is("git-credential-sentry: there is no home directory: set HOME\n");
    }
    git(&bare, "get", sentry)
        .fails(1)
        .stdout_is("")
        .stderr_is("git-credential-sentry: there is no home directory: set HOME\n");
    // One registry must not end a build that uses others.
    docker(&bare, "get", "sentry.io")
        .fails(1)
        .stdout_is("credentials not found in native keychain\n");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn a_command_needs_a_home_only_to_write_something() {
    let auth = |machine: &Sandbox, command: &str| {
        let program = env!("CARGO_BIN_EXE_sentry");
        homeless(machine, program, &format!("auth {command}"), "")
    };
    let with_token = Sandbox::new().env("SENTRY_AUTH_TOKEN", "of-the-environment");
    let status = auth(&with_token, "status --offline").success();
    status.stdout_has("Source: SENTRY_AUTH_TOKEN\n");
    let hosts = auth(&with_token, "hosts").success();
    hosts.stdout_has("https://us.sentry.io (git, docker): the token in SENTRY_AUTH_TOKEN");
    for logout in ["logout", "logout --all"] {
        auth(&with_token, logout).fails(1).stderr_is(
            "error: the token in SENTRY_AUTH_TOKEN is still used\nhint: `unset SENTRY_AUTH_TOKEN`\n",
        );
    }
    let bare = Sandbox::new();
    let list = auth(&bare, "list").success();
    list.stderr_has("no sessions\n");
    let status = auth(&bare, "status").fails(1);
    status.stderr_has("not logged in to https://sentry.io\n");
    // Before anything is asked for.
    for login in ["login", "login --with-token", "login --setup-code"] {
        auth(&bare, login)
            .fails(1)
            .stderr_is("error: there is no home directory: set HOME\n");
    }
}
