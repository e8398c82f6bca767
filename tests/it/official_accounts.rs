//! Several accounts, with Sentry's official CLI 0.49 on the same file: after every command of either, both list the
//! same accounts and use the same one.

use std::thread;

use serde_json::Value;

use crate::accounts::{BOB, JANE, organization_token, user};
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::official::{Official, V049};
use crate::sandbox::{Output, Sandbox};

/// Two instances, and a machine without variables that name them.
struct Scene {
    official: Official,
    one: FakeSentry,
    two: FakeSentry,
    machine: Sandbox,
}

/// The program that runs the command.
#[derive(Clone, Copy, Debug)]
enum By {
    Us,
    Them,
}

use By::{Them, Us};

impl Scene {
    fn new(official: Official) -> Scene {
        let (one, two) = (FakeSentry::start(), FakeSentry::start());
        for sentry in [&one, &two] {
            sentry.set_interval(Some(1));
        }
        let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
        let dir = machine.config_dir();
        // By default they would choose `~/.config/sentry`.
        let machine = machine.env("SENTRY_CONFIG_DIR", dir);
        Scene {
            official,
            one,
            two,
            machine,
        }
    }

    fn run(&self, by: By, args: &[&str]) -> Output {
        let args = [&["auth"], args].concat();
        match by {
            Us => self.machine.sentry(&args).run(),
            Them => self.official.run(&self.machine, &args).run(),
        }
    }

    /// A login that this user approves.
    #[track_caller]
    fn login(&self, by: By, sentry: &FakeSentry, who: (&str, &str)) {
        let user = user(who);
        let email = user.email.clone();
        sentry.set_user(user);
        sentry.approve_next();
        let login = ["login", &email, "--url", &sentry.url(), "--force"];
        self.run(by, &login).success();
    }

    #[track_caller]
    fn login_with(&self, by: By, token: &str) {
        self.one.add_org_token(token);
        let url = self.one.url();
        let login = ["login", "--token", token, "--url", &url];
        let _login = match by {
            Us => self.run(by, &login).success(),
            // Without a terminal, they add an account to others only when an address is given.
            Them => self
                .run(by, &[&login[..], &["acme@example.com"]].concat())
                .success(),
        };
    }

    #[track_caller]
    fn list(&self, by: By) -> Vec<Value> {
        let listed = self.run(by, &["list", "--json"]).success().stdout;
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        listed.as_array().expect("an array").clone()
    }

    /// The id of an account, by name and number of the instance.
    #[track_caller]
    fn id(&self, name: &str) -> String {
        let listed = self.list(Us);
        let found = listed.iter().find(|it| self.name(it) == name);
        found.expect(name)["account"].as_str().unwrap().to_owned()
    }

    fn name(&self, listed: &Value) -> String {
        let number = match listed["instance"] == self.one.url() {
            true => 1,
            false => 2,
        };
        // The official CLI does not request the user name.
        let email = listed["email"]
            .as_str()
            .and_then(|email| email.split_once('@'));
        let user = email.map_or(listed["user"].as_str(), |(user, _)| Some(user));
        format!("{}@{number}", user.unwrap_or("-"))
    }

    /// These accounts are stored, the active one first, and both programs use its token. (Starting the official CLI is
    /// slow: its list is compared in [`Scene::agree_on_list`].)
    #[track_caller]
    fn agree(&self, after: &str, accounts: &[&str]) {
        let after = format!("{:?} after {after}", self.official);
        let listed = self.list(Us);
        let active = listed.iter().filter(|it| it["active"] == true);
        let active: Vec<_> = active.map(|it| self.name(it)).collect();
        assert_eq!(active, accounts[..accounts.len().min(1)], "{after}");
        let mut names: Vec<_> = listed.iter().map(|it| self.name(it)).collect();
        let mut expected = accounts.to_vec();
        names.sort();
        expected.sort_unstable();
        assert_eq!(names, expected, "{after}");
        let token = |by| self.run(by, &["token"]).stdout.trim().to_owned();
        let (ours, theirs) = (token(Us), token(Them));
        assert_eq!(ours, theirs, "{after}");
        assert_eq!(ours.is_empty(), accounts.is_empty(), "{after}");
    }

    /// The same accounts, under the same ids, one of them active.
    #[track_caller]
    fn agree_on_list(&self) {
        let keys = |by, names: [&str; 3]| -> Vec<String> {
            let key = |it: &Value| names.map(|name| it[name].to_string()).join(" ");
            let mut keys: Vec<_> = self.list(by).iter().map(key).collect();
            keys.sort();
            keys
        };
        assert_eq!(
            keys(Us, ["account", "instance", "active"]),
            keys(Them, ["id", "host", "active"]),
            "{:?}",
            self.official
        );
    }

    fn default_url(&self) -> Option<String> {
        let database = self.machine.database()?;
        let sql = "SELECT value FROM metadata WHERE key = 'defaults.url'";
        database.query_row(sql, [], |row| row.get(0)).ok()
    }
}

/// Once for each Node, at the same time.
fn with_each(test: impl Fn(Official) + Sync) {
    thread::scope(|threads| {
        for official in V049 {
            let test = &test;
            threads.spawn(move || test(official));
        }
    });
}

#[test]
fn after_every_command_of_either_both_use_the_same_account() {
    with_each(|official| {
        let scene = Scene::new(official);
        let (one, two) = (scene.one.url(), scene.two.url());
        scene.login(Them, &scene.one, JANE);
        scene.agree("their login of jane", &["jane@1"]);
        assert_eq!(scene.default_url(), Some(one.clone()), "{official:?}");
        scene.login(Us, &scene.two, BOB);
        scene.agree("our login of bob at two", &["bob@2", "jane@1"]);
        assert_eq!(scene.default_url(), Some(two.clone()), "{official:?}");
        scene.login(Us, &scene.one, BOB);
        scene.agree("our login of bob", &["bob@1", "bob@2", "jane@1"]);
        scene.login(Them, &scene.two, JANE);
        let all = ["jane@2", "bob@1", "bob@2", "jane@1"];
        scene.agree("their login of jane at two", &all);
        scene.agree_on_list();
        let switch = |by: By, args: &[&str], active: &str| {
            scene.run(by, &[&["switch"], args].concat()).success();
            let others = all.iter().filter(|name| **name != active);
            let expected: Vec<&str> = [active].into_iter().chain(others.copied()).collect();
            scene.agree(&format!("{by:?}: switch {args:?}"), &expected);
        };
        switch(Us, &[&scene.id("jane@1")], "jane@1");
        switch(Them, &["bob@example.com", "--url", &two], "bob@2");
        switch(Us, &[&scene.id("bob@1")], "bob@1");
        switch(Them, &["jane@example.com", "--url", &two], "jane@2");
        scene.agree_on_list();
        // The account that was used last becomes active.
        scene.run(Us, &["logout"]).success();
        scene.agree("our logout", &["bob@1", "bob@2", "jane@1"]);
        scene.run(Them, &["logout"]).success();
        scene.agree("their logout", &["bob@2", "jane@1"]);
        scene.login(Them, &scene.one, BOB);
        scene.agree("their login of bob", &["bob@1", "bob@2", "jane@1"]);
        // The same account again, by the other program: the account is replaced, not doubled.
        scene.login(Us, &scene.one, BOB);
        scene.agree("our login of bob again", &["bob@1", "bob@2", "jane@1"]);
        scene.login(Them, &scene.one, BOB);
        scene.agree("their login of bob again", &["bob@1", "bob@2", "jane@1"]);
        scene.agree_on_list();
        scene
            .run(Us, &["logout", "--account", "jane@example.com"])
            .success();
        scene.agree("our logout of jane", &["bob@1", "bob@2"]);
        let out = scene.run(Them, &["logout", "bob@example.com", "--url", &two]);
        out.success();
        scene.agree("their logout of bob at two", &["bob@1"]);
        scene.run(Us, &["logout"]).success();
        scene.agree("our last logout", &[]);
        scene.login(Them, &scene.two, JANE);
        scene.login(Us, &scene.one, JANE);
        scene.agree("a login of each", &["jane@1", "jane@2"]);
        scene.run(Them, &["logout", "all"]).success();
        scene.agree("their logout of all", &[]);
        scene.login(Us, &scene.two, BOB);
        scene.agree("our first login", &["bob@2"]);
        scene.run(Us, &["logout", "--all"]).success();
        scene.agree("our logout of all", &[]);
    });
}

#[test]
fn organizations_are_accounts_to_both() {
    with_each(|official| {
        let scene = Scene::new(official);
        let url = scene.one.url();
        scene.login(Us, &scene.one, JANE);
        scene.login_with(Them, &organization_token(&url, "acme", 1));
        scene.agree("their login with a token of acme", &["acme@1", "jane@1"]);
        scene.login_with(Us, &organization_token(&url, "umbrella", 1));
        let all = ["umbrella@1", "acme@1", "jane@1"];
        scene.agree("our login with a token of umbrella", &all);
        scene.login_with(Us, &organization_token(&url, "acme", 2));
        let acme_first = ["acme@1", "umbrella@1", "jane@1"];
        scene.agree("our login with another token of acme", &acme_first);
        scene.agree_on_list();
        scene.run(Us, &["switch", "umbrella"]).success();
        scene.agree("our switch to umbrella", &all);
        scene.run(Them, &["switch", "jane@example.com"]).success();
        scene.agree("their switch to jane", &["jane@1", "umbrella@1", "acme@1"]);
        // They know organizations by the account's id.
        scene.run(Them, &["switch", &scene.id("acme@1")]).success();
        scene.agree("their switch to acme", &acme_first);
        scene.run(Us, &["whoami"]).success().stdout_is("acme\n");
        scene.run(Them, &["whoami"]).success().stdout_has("acme");
        scene.run(Them, &["logout"]).success();
        scene.agree("their logout of acme", &["jane@1", "umbrella@1"]);
        scene.run(Us, &["logout"]).success();
        scene.agree("our logout of jane", &["umbrella@1"]);
    });
}

#[test]
fn a_host_stays_bound_to_an_account_that_they_log_in_to_again() {
    with_each(|official| {
        let scene = Scene::new(official);
        scene.login(Us, &scene.one, JANE);
        for setup in [
            [
                "setup-git",
                "--host",
                "https://g.example",
                "--account",
                "jane",
            ],
            [
                "setup-docker",
                "--registry",
                "r.example",
                "--account",
                "jane",
            ],
        ] {
            scene.run(Us, &setup).success();
        }
        let answers = || {
            let git = scene.machine.git_credential("get");
            let git = git.stdin("protocol=https\nhost=g.example\n\n").run();
            let docker = scene.machine.docker_credential("get");
            let docker = docker.stdin("r.example").run();
            [git.stdout, docker.stdout]
        };
        let before = scene.id("jane@1");
        scene.login(Them, &scene.one, JANE);
        let jane = scene.one.current_access();
        scene.login(Them, &scene.one, BOB);
        assert_ne!(scene.id("jane@1"), before, "{official:?}");
        for answer in answers() {
            assert!(answer.contains(&jane), "{official:?}: {answer}");
        }
        // No other account becomes active.
        scene.run(Them, &["logout", "jane@example.com"]).success();
        let bob = scene.one.current_access();
        for answer in answers() {
            assert!(!answer.contains(&bob), "{official:?}: {answer}");
        }
        scene.login(Us, &scene.one, JANE);
        let jane = scene.one.current_access();
        for answer in answers() {
            assert!(answer.contains(&jane), "{official:?}: {answer}");
        }
    });
}

#[test]
fn sentry_io_is_an_instance_like_any_other() {
    with_each(|official| {
        let scene = Scene::new(official);
        scene.login(Them, &scene.one, JANE);
        let jane = scene.one.current_access();
        let database = scene.machine.database().unwrap();
        database
            .execute_batch(
                "INSERT INTO accounts (account_id, host, user_id, email, token) VALUES \
                 ('0192f0aa-0000-7000-8000-000000000001', 'https://sentry.io', '7', 'jim@example.com', 'of-sentry-io')",
            )
            .unwrap();
        drop(database);
        let switch = |by, email: &str, token: &str| {
            scene.run(by, &["switch", email]).success();
            for by in [Us, Them] {
                let told = scene.run(by, &["token"]).success();
                assert_eq!(told.stdout.trim(), token, "{official:?}: {by:?}");
            }
        };
        let url = Some(scene.one.url());
        let saas = Some("https://sentry.io".to_owned());
        for (by, default, none) in [(Us, &url, &saas), (Them, &url, &None), (Us, &None, &None)] {
            switch(by, "jim@example.com", "of-sentry-io");
            assert_eq!(scene.default_url(), *none, "{by:?}");
            switch(by, "jane@example.com", &jane);
            assert_eq!(scene.default_url(), *default, "{by:?}");
            if let (Them, Some(_)) = (by, default) {
                // As after a login of theirs to sentry.io.
                let database = scene.machine.database().unwrap();
                database
                    .execute("DELETE FROM metadata WHERE key = 'defaults.url'", [])
                    .unwrap();
            }
        }
    });
}
