//! Several accounts: how they are named, which one a command selects, and what happens to the others.

use serde_json::{Value, json};

use crate::fake_sentry::{CLIENT_ID, Endpoint, FakeSentry, User};
use crate::sandbox::{Age, Cmd, Layout, Output, Sandbox};

pub const JANE: (&str, &str) = ("42", "jane");
pub const BOB: (&str, &str) = ("43", "bob");

pub fn user((id, name): (&str, &str)) -> User {
    User {
        id: id.to_owned(),
        name: format!("{name} Doe"),
        username: name.to_owned(),
        email: format!("{name}@example.com"),
    }
}

/// A token of an organization; `version` makes another one of the same.
pub fn organization_token(instance: &str, slug: &str, version: u8) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let claims = json!({"iat": 1, "url": instance, "region_url": instance, "org": slug});
    let claims = BASE64_STANDARD.encode(claims.to_string());
    format!("sntrys_{claims}_secret{version}")
}

/// One instance, and a machine without variables that name it.
pub struct Scene {
    pub sentry: FakeSentry,
    pub machine: Sandbox,
}

impl Scene {
    pub fn new() -> Scene {
        let sentry = FakeSentry::start();
        sentry.set_interval(Some(1));
        let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
        Scene { sentry, machine }
    }

    pub fn auth(&self, args: &[&str]) -> Cmd {
        self.machine.sentry(&["auth"]).args(args)
    }

    /// A login that this user approves.
    pub fn login_of(&self, who: (&str, &str), args: &[&str]) -> Output {
        self.sentry.set_user(user(who));
        self.sentry.approve_next();
        let url = self.sentry.url();
        self.auth(&["login", "--url", &url, "--force"])
            .args(args)
            .run()
    }

    /// A login with a new token of this organization; the token.
    #[track_caller]
    pub fn login_of_organization(&self, slug: &str, version: u8) -> String {
        let token = organization_token(&self.sentry.url(), slug, version);
        self.sentry.add_org_token(&token);
        let login = self.auth(&["login", "--with-token"]).stdin(&token);
        login.run().success();
        token
    }

    /// jane, bob, acme, umbrella, in this order; the access tokens.
    #[track_caller]
    pub fn with_four(&self) -> [String; 4] {
        self.login_of(JANE, &[]).success();
        let jane = self.sentry.current_access();
        self.login_of(BOB, &[]).success();
        let bob = self.sentry.current_access();
        [
            jane,
            bob,
            self.login_of_organization("acme", 1),
            self.login_of_organization("umbrella", 1),
        ]
    }

    /// What `list` shows, without the instance; the active one has an asterisk.
    #[track_caller]
    pub fn list(&self) -> Vec<String> {
        let listed = self.auth(&["list"]).run().success().stdout;
        let instance = format!("{}  ", self.sentry.url());
        listed
            .lines()
            .map(|line| line.replace(&instance, ""))
            .collect()
    }

    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let told = self.auth(args).arg("--json").run().success().stdout;
        serde_json::from_str(&told).expect("JSON")
    }

    /// The id of the account with this name.
    #[track_caller]
    pub fn id(&self, name: &str) -> String {
        let listed = self.json(&["list"]);
        let mut listed = listed.as_array().expect("an array").iter();
        let account = listed.find(|account| account["user"] == name);
        account.expect(name)["account"]
            .as_str()
            .expect("text")
            .to_owned()
    }

    #[track_caller]
    pub fn token(&self, args: &[&str]) -> String {
        let token = self.auth(&["token"]).args(args).run().success().stdout;
        token.trim_end().to_owned()
    }

    /// All rows of the table of accounts, as text.
    pub fn rows(&self) -> Vec<String> {
        let Some(database) = self.machine.database() else {
            return Vec::new();
        };
        let sql = "SELECT account_id || ' ' || coalesce(user_id, '-') || ' ' || token || ' ' || is_active || ' ' || \
                   updated_at FROM accounts ORDER BY account_id";
        let mut rows = database.prepare(sql).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

#[test]
fn users_and_organizations_of_one_instance_live_side_by_side() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    let tokens = scene.with_four();
    let names = ["jane", "bob", "acme", "umbrella"];
    assert_eq!(
        scene.list(),
        [
            "* umbrella  (API token)",
            "  acme  (API token)",
            "  bob  (refreshed automatically)",
            "  jane  (refreshed automatically)",
        ]
    );
    for (name, token) in names.iter().zip(&tokens) {
        assert_eq!(scene.token(&["--account", name]), *token);
        scene
            .auth(&["whoami", "--account", name])
            .run()
            .success()
            .stdout_is(&format!("{name}\n"));
        scene
            .auth(&["status", "--account", name])
            .run()
            .success()
            .stdout_has(&format!("Authenticated as: {name}\n"));
        scene
            .auth(&["switch", name])
            .run()
            .success()
            .stderr_is(&format!(
                "the session of {name} at {url} is the active one now\n"
            ));
        assert_eq!(scene.token(&[]), *token);
        scene
            .auth(&["whoami"])
            .run()
            .success()
            .stdout_is(&format!("{name}\n"));
    }
    assert_eq!(
        scene.json(&["whoami", "--account", "acme"])["organization"],
        "acme"
    );
    assert_eq!(
        scene.json(&["whoami", "--account", "jane"])["organization"],
        Value::Null
    );
    // Only the selected account is refreshed.
    scene
        .auth(&["refresh", "--force", "--account", "bob@example.com"])
        .run()
        .success();
    assert_ne!(scene.token(&["--account", "bob"]), tokens[1]);
    assert_eq!(scene.token(&["--account", "jane"]), tokens[0]);
    // Logs out one by one; the account that was used last becomes active.
    let logout = |args: &[&str], told: &str| {
        scene
            .auth(&["logout"])
            .args(args)
            .run()
            .success()
            .stderr_has(told);
    };
    logout(
        &["--account", "acme"],
        &format!("logged out of {url} as acme\n"),
    );
    logout(
        &[],
        &format!(
            "logged out of {url} as umbrella\nthe session of bob at {url} is the active one now\n"
        ),
    );
    logout(
        &["--url", &url],
        &format!(
            "logged out of {url} as bob\nthe session of jane at {url} is the active one now\n"
        ),
    );
    logout(&[], &format!("logged out of {url}\n"));
    assert_eq!(scene.rows(), Vec::<String>::new());
}

#[test]
fn a_login_replaces_the_session_of_the_same_account_only() {
    let scene = Scene::new();
    let tokens = scene.with_four();
    let ids = ["jane", "bob", "acme", "umbrella"].map(|name| scene.id(name));
    // The same user under other names.
    scene.sentry.set_user(User {
        id: JANE.0.to_owned(),
        ..user(("", "jane-of-marketing"))
    });
    scene.sentry.approve_next();
    scene
        .auth(&["login", "--url", &scene.sentry.url(), "--force"])
        .run()
        .success()
        .stderr_has("as jane-of-marketing\n");
    let jane = scene.sentry.current_access();
    let acme = scene.login_of_organization("acme", 2);
    let left = ["jane-of-marketing", "bob", "acme", "umbrella"];
    assert_eq!(left.map(|name| scene.id(name)), ids);
    assert_eq!(scene.rows().len(), 4);
    for (name, token) in left.iter().zip([&jane, &tokens[1], &acme, &tokens[3]]) {
        assert_eq!(scene.token(&["--account", name]), *token, "{name}");
    }
}

#[test]
fn a_switch_to_an_instance_with_several_accounts_lists_them() {
    // getsentry/cli#426: it reported a switch, and bob stayed active.
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    let jane = scene.sentry.current_access();
    scene.login_of(BOB, &[]).success();
    let ids = [scene.id("bob"), scene.id("jane")];
    // Accounts that were made at once have ids that begin alike.
    let mut short = 8;
    while ids[0][..short] == ids[1][..short] {
        short += 1;
    }
    let [bob_id, jane_id] = ids.map(|id| id[..short].to_owned());
    scene.auth(&["switch", &url]).run().fails(1).stderr_is(&format!(
        "error: `{url}` matches several accounts:\n  {bob_id}  bob at {url}\n  {jane_id}  jane at {url}\n\
         hint: `sentry auth switch {bob_id}` selects the first of them\n"
    ));
    assert_eq!(scene.list()[0], "* bob  (refreshed automatically)");
    scene.auth(&["switch", &jane_id]).run().success();
    assert_eq!(scene.token(&[]), jane);
    // With one account there, the instance is enough.
    scene.auth(&["logout", "--account", "bob"]).run().success();
    scene.auth(&["switch", &url]).run().success();
}

#[test]
fn an_account_is_named_by_anything_that_distinguishes_it() {
    let scene = Scene::new();
    let other = Scene::new();
    let [jane, _, acme, _] = scene.with_four();
    // jane has an account at another instance too.
    other.sentry.set_user(user(JANE));
    other.sentry.approve_next();
    let elsewhere = other.sentry.url();
    let login = ["login", "--url", &elsewhere, "jane@example.com"];
    scene.auth(&login).run().success();
    let there = other.sentry.current_access();
    let here = scene.sentry.url();
    for (args, expected) in [
        (vec!["jane@example.com", "--url", &here], &jane),
        (vec!["JANE@Example.com", "--url", &here], &jane),
        (vec!["jane", "--url", &here], &jane),
        (vec!["jane doe", "--url", &here], &jane),
        (vec!["jane", "--url", &elsewhere], &there),
        (vec!["acme"], &acme),
        (vec![&scene.id("acme")], &acme),
        (vec!["ACME", "--url", &here], &acme),
    ] {
        assert_eq!(
            scene.token(&[&["--account"], &args[..]].concat()),
            *expected,
            "{args:?}"
        );
    }
    // The environment's instance decides between two, unless another one is named.
    let token = |name: &str| {
        scene
            .auth(&["token", "--account", name])
            .env("SENTRY_URL", &here)
            .run()
    };
    token("jane").success().stdout_is(&format!("{jane}\n"));
    let token = |name: &str| {
        let elsewhere = scene
            .auth(&["token", "--account", name])
            .env("SENTRY_URL", &elsewhere);
        elsewhere.run()
    };
    token("jane").success().stdout_is(&format!("{there}\n"));
    token("acme").success().stdout_is(&format!("{acme}\n"));
    // A token in the environment is no account.
    let token = scene
        .auth(&["token", "--account", "acme"])
        .env("SENTRY_AUTH_TOKEN", "other");
    token.run().success().stdout_is(&format!("{acme}\n"));
    let refresh = scene
        .auth(&["refresh", "--account", "bob"])
        .env("SENTRY_AUTH_TOKEN", "other");
    refresh.run().success();
    for command in ["token", "status", "whoami", "refresh", "logout"] {
        let told = scene
            .auth(&[command, "--account", "jane"])
            .run()
            .fails(1)
            .stdout_is("");
        told.stderr_has("error: `jane` matches several accounts:\n")
            .stderr_has(&format!("  jane at {here}\n"))
            .stderr_has(&format!("  jane at {elsewhere}\n"))
            .stderr_has("\nname one by its id, as in `--account ");
        let told = scene
            .auth(&[command, "--account", "eve"])
            .run()
            .fails(1)
            .stdout_is("");
        told.stderr_is("error: no account is called `eve`; `sentry auth list` shows them\n");
    }
    let told = scene
        .auth(&["token", "--account", "acme", "--url", &elsewhere])
        .run()
        .fails(1);
    told.stderr_has(&format!("no account at {elsewhere} is called `acme`"));
    assert_eq!(scene.rows().len(), 5);
}

#[test]
fn an_unknown_user_replaces_no_account() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    scene
        .sentry
        .rewrite(Endpoint::Api, |answer| answer["user"] = Value::Null);
    let login = |token: &str| {
        scene.sentry.add_api_token(token);
        let login = scene.auth(&["login", "--url", &scene.sentry.url(), "--with-token"]);
        login.stdin(token).run().success();
    };
    login("first");
    login("second");
    // The same token is the same login.
    login("first");
    assert_eq!(scene.rows().len(), 3);
    let listed = scene.json(&["list"]);
    let unknown = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|account| account["user"].is_null());
    let ids: Vec<&str> = unknown
        .map(|account| account["account"].as_str().unwrap())
        .collect();
    let tokens: Vec<String> = ids
        .iter()
        .map(|id| scene.token(&["--account", id]))
        .collect();
    assert_eq!(tokens, ["first", "second"]);
    // Nor does the account that was named before become active.
    for line in &scene.list()[..2] {
        assert!(
            line.contains(&ids[0][..8]) && !line.contains("jane"),
            "{line}"
        );
    }
}

#[test]
fn a_user_that_the_token_answer_does_not_name_is_found_again() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    let id = scene.id("jane");
    scene.sentry.rewrite(Endpoint::Poll, |answer| {
        answer.as_object_mut().unwrap().remove("user");
    });
    scene.login_of(JANE, &[]).success();
    assert_eq!(scene.list(), ["* jane  (refreshed automatically)"]);
    assert_eq!(
        scene.token(&["--account", "jane"]),
        scene.sentry.current_access()
    );
    assert_ne!(
        scene.id("jane"),
        id,
        "until the server was asked it was another account"
    );
}

#[test]
fn a_login_that_another_user_approves_is_refused() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    let before = scene.rows();
    let url = scene.sentry.url();
    let hint = format!(
        "hint: `sentry auth login --url {url} jane@example.com`, signed in as jane@example.com in the browser\n"
    );
    let told = scene
        .login_of(BOB, &["jane@example.com"])
        .fails(1)
        .stdout_is("");
    told.stderr_has(&format!(
        "error: bob@example.com approved the login, not jane@example.com; nothing was stored\n{hint}"
    ));
    assert_eq!(scene.rows(), before);
    assert!(
        !scene
            .machine
            .config_dir()
            .join("credential.recovery")
            .exists()
    );
    // If the token answer has no e-mail address, the server is queried.
    scene.sentry.rewrite(Endpoint::Poll, |answer| {
        answer["user"].as_object_mut().unwrap().remove("email");
    });
    let told = scene.login_of(BOB, &["jane@example.com"]).fails(1);
    told.stderr_has("bob@example.com approved the login");
    scene.login_of(JANE, &["Jane@Example.com"]).success();
    assert_eq!(scene.token(&[]), scene.sentry.current_access());
    let before = scene.rows();
    // An approval without an identity is refused too.
    scene
        .sentry
        .rewrite(Endpoint::Api, |answer| answer["user"] = Value::Null);
    let told = scene.login_of(JANE, &["jane@example.com"]).fails(1);
    told.stderr_has(&format!(
        "error: {url} did not report who approved the login; nothing was stored\n{hint}"
    ));
    assert_eq!(scene.rows(), before);
    scene.sentry.fix();
    // The same for a token.
    scene.sentry.set_user(user(BOB));
    scene.sentry.add_api_token("of-bob");
    let organization = organization_token(&url, "acme", 1);
    scene.sentry.add_org_token(&organization);
    for (token, whose) in [("of-bob", "bob"), (&*organization, "acme")] {
        let login = scene.auth(&["login", "jane@example.com", "--url", &url, "--with-token"]);
        let told = login.stdin(token).run().fails(1);
        told.stderr_is(&format!(
            "error: this token is one of {whose}, not of jane@example.com; nothing was stored\n"
        ));
    }
    assert_eq!(scene.rows(), before);
    let login = scene.auth(&["login", "bob@example.com", "--url", &url, "--with-token"]);
    login.stdin("of-bob").run().success();
    assert_eq!(scene.rows().len(), 2);
    let usage = scene.auth(&["login", "jane"]).run().fails(2);
    usage.stderr_has("an e-mail address looks like `jane@example.com`");
}

#[test]
fn a_login_of_a_logged_in_user_makes_that_account_the_active_one() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    let jane = scene.sentry.current_access();
    scene.login_of(BOB, &[]).success();
    let codes = scene.sentry.device_codes();
    let login = scene.auth(&["login", "jane@example.com", "--url", &url]);
    login.run().success().stderr_is(&format!(
        "already logged in to {url} as jane@example.com\n\
         hint: `sentry auth login --url {url} jane@example.com --force` logs in again\n\
         the session of jane at {url} is the active one now\n"
    ));
    assert_eq!(scene.token(&[]), jane);
    // One whose session has ended logs in.
    scene.sentry.revoke_family(&jane);
    scene.sentry.set_user(user(JANE));
    scene.sentry.approve_next();
    let login = scene.auth(&["login", "jane@example.com", "--url", &url]);
    login
        .run()
        .success()
        .stderr_has(&format!("logged in to {url} as jane\n"));
    assert_eq!(scene.sentry.device_codes(), codes + 1);
    assert_eq!(scene.rows().len(), 2);
}

#[test]
fn the_old_layout_has_one_account_and_knows_it_by_its_names() {
    let scene = Scene::new();
    let layout = Layout::Auth;
    scene.sentry.set_user(user(JANE));
    scene
        .machine
        .seed_session_in(layout, &scene.sentry, &scene.sentry.issue(), Age::FRESH);
    let jane = scene.sentry.current_access();
    for name in ["jane", "jane@example.com", "auth"] {
        assert_eq!(scene.token(&["--account", name]), jane);
    }
    scene.auth(&["token", "--account", "bob"]).run().fails(1);
    let told = scene.login_of(BOB, &["jane@example.com"]).fails(1);
    told.stderr_has("bob@example.com approved the login");
    assert_eq!(scene.token(&["--account", "jane"]), jane);
    scene.login_of(BOB, &[]).success();
    scene.auth(&["token", "--account", "jane"]).run().fails(1);
    assert_eq!(
        scene.token(&["--account", "bob"]),
        scene.sentry.current_access()
    );
}

#[test]
fn a_logout_that_could_mean_several_accounts_asks_which() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    scene.login_of(BOB, &[]).success();
    let other = FakeSentry::start();
    scene
        .machine
        .seed_session(&other, &other.issue(), Age::FRESH);
    // The active account is one of another instance.
    let before = scene.rows();
    for logout in [
        scene.auth(&["logout", "--url", &url]),
        scene.auth(&["logout"]).env("SENTRY_URL", &url),
    ] {
        let told = logout.run().fails(1);
        told.stderr_has(&format!("error: `{url}` matches several accounts:\n"))
            .stderr_has("hint: `sentry auth logout --account ");
    }
    assert_eq!(scene.rows(), before);
    scene
        .auth(&["logout", "--account", "jane", "--url", &url])
        .run()
        .success();
    scene.auth(&["logout", "--url", &url]).run().success();
    let usage = scene
        .auth(&["logout", "--all", "--account", "jane"])
        .run()
        .fails(2);
    usage.stderr_has("cannot be used with");
}

/// A host of git's and a registry for each account, by name.
fn bind_each(scene: &Scene, names: &[&str]) {
    for name in names {
        let git = format!("https://{name}.example");
        let docker = format!("{name}.registry.example");
        for setup in [
            ["setup-git", "--host", &git, "--account", name],
            ["setup-docker", "--registry", &docker, "--account", name],
        ] {
            scene.auth(&setup).run().success();
        }
    }
}

/// What git and docker get for the hosts of an account.
fn served(scene: &Scene, name: &str) -> [Option<String>; 2] {
    let request = format!("protocol=https\nhost={name}.example\n\n");
    let git = scene.machine.git_credential("get").stdin(request).run();
    let git = git
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("password="));
    let git = git.map(str::to_owned);
    let docker = scene.machine.docker_credential("get");
    let docker = docker
        .stdin(format!("{name}.registry.example"))
        .run()
        .stdout;
    let docker: Option<Value> = serde_json::from_str(&docker).ok();
    let docker = docker.map(|docker| docker["Secret"].as_str().expect("a secret").to_owned());
    [git, docker]
}

#[test]
fn a_host_that_is_bound_to_an_account_gets_its_token_whichever_is_active() {
    let scene = Scene::new();
    let mut tokens = scene.with_four();
    let names = ["jane", "bob", "acme", "umbrella"];
    bind_each(&scene, &names);
    let is_served = |name: &str, token: Option<&String>| {
        assert_eq!(
            served(&scene, name),
            [token.cloned(), token.cloned()],
            "{name}"
        );
    };
    for active in names {
        scene.auth(&["switch", active]).run().success();
        for (name, token) in names.iter().zip(&tokens) {
            is_served(name, Some(token));
        }
    }
    // Each follows its own account: a refresh, another token, a logout, a login.
    scene
        .auth(&["refresh", "--force", "--account", "bob"])
        .run()
        .success();
    tokens[1] = scene.token(&["--account", "bob"]);
    tokens[2] = scene.login_of_organization("acme", 2);
    scene.auth(&["logout", "--account", "jane"]).run().success();
    is_served("jane", None);
    for (name, token) in names.iter().zip(&tokens).skip(1) {
        is_served(name, Some(token));
    }
    scene.login_of(JANE, &[]).success();
    is_served("jane", Some(&scene.sentry.current_access()));
    scene.auth(&["logout", "--all"]).run().success();
    for name in names {
        is_served(name, None);
    }
}

#[test]
fn a_host_is_not_bound_to_an_account_that_is_not_there() {
    let scene = Scene::new();
    scene.login_of(JANE, &[]).success();
    for setup in [
        [
            "setup-git",
            "--host",
            "https://g.example",
            "--account",
            "bob",
        ],
        [
            "setup-docker",
            "--registry",
            "r.example",
            "--account",
            "bob",
        ],
    ] {
        let told = scene.auth(&setup).run().fails(1);
        told.stderr_has("error: no account is called `bob`");
    }
    assert_eq!(scene.machine.bindings(), Vec::<String>::new());
    assert!(!scene.machine.home().join(".gitconfig").exists());
    assert!(!scene.machine.home().join(".docker/config.json").exists());
}

#[test]
fn a_logout_names_what_stays_set_up_and_its_hint_ends_that() {
    let scene = Scene::new();
    let url = scene.sentry.url();
    scene.login_of(JANE, &[]).success();
    scene.login_of(BOB, &[]).success();
    let bind = |command: &str, option: &str, host: &str, more: &[&str]| {
        let setup = scene
            .auth(&[command, option, host, "--url", &url])
            .args(more);
        setup.run().success();
    };
    bind("setup-git", "--host", "https://both.example", &[]);
    bind(
        "setup-git",
        "--host",
        "https://jane.example",
        &["--account", "jane"],
    );
    bind(
        "setup-docker",
        "--registry",
        "bob.example",
        &["--account", "bob"],
    );
    scene
        .auth(&["logout", "--account", "bob"])
        .run()
        .success()
        .stderr_has(
            "git stays set up for https://both.example\n\
         hint: `sentry auth setup-git --undo --host https://both.example` ends that\n\
         docker stays set up for bob.example\n\
         hint: `sentry auth setup-docker --undo --registry bob.example` ends that\n",
        );
    let told = scene.auth(&["logout", "--all"]).run().success().stderr;
    let expected = "git stays set up for https://both.example, https://jane.example\n\
                    hint: `sentry auth setup-git --undo --host https://both.example --host https://jane.example` ends that\n";
    assert!(
        told.contains(expected) && !told.contains("docker"),
        "{told}"
    );
    let hints = told
        .lines()
        .filter_map(|line| line.strip_prefix("hint: `sentry auth ")?.split_once('`'));
    let hints: Vec<&str> = hints.map(|(command, _)| command).collect();
    let [hint] = hints[..] else { panic!("{told}") };
    let undo: Vec<&str> = hint.split(' ').collect();
    scene.auth(&undo).run().success();
    assert_eq!(
        scene.machine.bindings(),
        [format!("docker bob.example -> {url}")]
    );
}

#[test]
fn the_organizations_of_a_user_are_not_names_of_the_account() {
    let scene = Scene::new();
    scene.sentry.set_organizations(&["acme"]);
    scene.login_of(JANE, &[]).success();
    let told = scene.auth(&["token", "--account", "acme"]).run().fails(1);
    told.stderr_has("no account is called `acme`");
}
