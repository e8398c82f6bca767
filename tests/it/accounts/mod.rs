//! Several accounts: how they are named, which one a command selects, and what happens to the others.

mod bound_hosts;
mod logins;
mod logouts;
mod names;

use serde_json::{Value, json};

use crate::fake_sentry::{CLIENT_ID, FakeSentry, User};
use crate::sandbox::{Cmd, Output, Sandbox};

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
