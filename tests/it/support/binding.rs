//! Reads the helpers' own tables: bindings of hosts, and stored credentials.

use crate::sandbox::Sandbox;

impl Sandbox {
    /// Binds `git <origin>` or `docker <host>` to an instance, for this user name or the usual one.
    #[track_caller]
    pub fn bind(&self, server: &str, instance: &str, username: Option<&str>) {
        let (client, host) = server.split_once(' ').expect("two words");
        let (command, option) = match client {
            "git" => ("setup-git", "--host"),
            _ => ("setup-docker", "--registry"),
        };
        let mut setup = self.sentry(&["auth", command, option, host, "--url", instance]);
        if let Some(username) = username {
            setup = setup.args(["--username", username]);
        }
        setup.run().success();
    }

    /// What is bound, as `git <origin> -> <instance>` or `docker <host> -> <instance>`, sorted.
    pub fn bindings(&self) -> Vec<String> {
        let store = self.database().expect("a store");
        let sql = "SELECT server || ' -> ' || origin FROM helper_binding ORDER BY server";
        let mut statement = store.prepare(sql).expect("a table");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("text")).collect()
    }

    /// How many credentials git and docker have stored.
    pub fn stored_credentials(&self) -> i64 {
        let Some(store) = self.database() else {
            return 0;
        };
        let made: i64 = store
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'helper_credential'",
                [],
                |row| row.get(0),
            )
            .expect("a readable schema");
        if made == 0 {
            return 0;
        }
        store
            .query_row("SELECT count(*) FROM helper_credential", [], |row| {
                row.get(0)
            })
            .expect("a count")
    }
}
