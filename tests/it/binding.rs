//! A host bound to an instance, as `sentry auth setup-git` and `setup-docker` leave it in the store.

use crate::sandbox::Sandbox;

impl Sandbox {
    /// Binds `git <origin>` or `docker <host>` to an instance, for this user name or the usual one.
    #[track_caller]
    pub fn bind(&self, server: &str, instance: &str, username: Option<&str>) {
        // The first change makes the helpers' tables.
        let _made = self
            .docker_credential("store")
            .stdin(r#"{"ServerURL":"first.invalid","Username":"u","Secret":"s"}"#)
            .run()
            .success();
        let _gone = self
            .docker_credential("erase")
            .stdin("first.invalid")
            .run()
            .success();
        let store = self.database().expect("a store");
        store
            .execute(
                "INSERT OR REPLACE INTO helper_binding (server, origin, username, signed_out) VALUES (?, ?, ?, 0)",
                (server, instance, username),
            )
            .expect("a new row");
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
