//! The tables of the official CLI's versions, older and newer, complete and damaged: what fits is used, the rest is
//! unchanged.

use crate::fake_sentry::{Endpoint, FakeSentry, Fault, Pair};
use crate::machine::Machine;
use crate::sandbox::{Age, Layout};
use crate::storage::SOON;
use rusqlite::Connection;

/// Every row of a table, as text.
fn dump(database: &Connection, table: &str) -> Vec<String> {
    let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cell = |column| Ok(format!("{:?}", row.get_ref(column)?));
        Ok((0..columns)
            .map(cell)
            .collect::<rusqlite::Result<Vec<_>>>()?
            .join(", "))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn schema(database: &Connection) -> Vec<String> {
    dump(
        database,
        "(SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'helper\\_%' ESCAPE '\\' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name)",
    )
}

#[test]
fn each_version_is_used_as_it_is_and_stays_what_it_is() {
    let more_columns = "ALTER TABLE accounts ADD COLUMN region TEXT DEFAULT 'eu'; ALTER TABLE accounts ADD COLUMN extra BLOB";
    for (layout, version, change) in [
        (Layout::Auth, 16, ""),
        (Layout::Auth, 17, ""),
        (Layout::Auth, 16, "DROP TABLE user_info"),
        (
            Layout::Auth,
            16,
            "DROP TABLE schema_version; CREATE TABLE schema_version (version INTEGER PRIMARY KEY)",
        ),
        (Layout::Accounts, 18, ""),
        (Layout::Accounts, 21, ""),
        (Layout::Accounts, 21, more_columns),
        (Layout::Accounts, 99, more_columns),
    ] {
        let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
        scene.sql(&format!(
            "UPDATE schema_version SET version = {version}; {change}; \
             CREATE TABLE defaults (key TEXT, value); INSERT INTO defaults VALUES ('org', x'00ff')"
        ));
        let all = |table| dump(&scene.database(), table);
        let before = [
            all("schema_version"),
            all("defaults"),
            schema(&scene.database()),
        ];
        scene.token().run().success();
        scene.serves(&scene.sentry.current_access());
        scene.refresh().run().success();
        scene.serves(&scene.sentry.current_access());
        let after = [
            all("schema_version"),
            all("defaults"),
            schema(&scene.database()),
        ];
        assert_eq!(before, after, "{layout:?} {version} {change}");
        assert_eq!(scene.sentry.refreshes(), 2);
    }
}

#[test]
fn a_missing_column_is_reported_before_anything_is_spent() {
    for (layout, table) in [(Layout::Accounts, "accounts"), (Layout::Auth, "auth")] {
        for column in [
            "token",
            "refresh_token",
            "expires_at",
            "issued_at",
            "updated_at",
            "host",
        ] {
            let scene = Machine::new().in_layout(layout).session(Age::EXPIRED);
            scene.sql(&format!(
                "ALTER TABLE {table} RENAME COLUMN {column} TO renamed"
            ));
            let before = dump(&scene.database(), table);
            let token = scene.token().run().fails(1).stdout_is("");
            let path = scene.sandbox.db();
            let told = match (layout, column) {
                // Only writing needs it.
                (Layout::Auth, "updated_at") => format!(
                    "error: not refreshed, because the new token could not be stored: cannot use {}: \
                     no such column: updated_at\n",
                    path.display()
                ),
                _ => format!(
                    "error: cannot use {}: no such column: {column}\n",
                    path.display()
                ),
            };
            token.stderr_is(&told);
            assert_eq!(scene.sentry.requests().len(), 0, "{column}");
            assert_eq!(dump(&scene.database(), table), before, "{column}");
        }
    }
    // All columns that are read exist, so a valid token is served.
    let scene = Machine::new().session(Age::STALE);
    scene.sql("ALTER TABLE accounts DROP COLUMN created_at");
    scene.serves(&scene.pair.access);
    assert_eq!(scene.sentry.requests().len(), 0);
}

#[test]
fn an_empty_table_beside_accounts_changes_nothing() {
    // An older CLI that opens a newer file adds it.
    let scene = Machine::new().session(Age::EXPIRED);
    let other = Machine::new().in_layout(Layout::Auth).session(Age::FRESH);
    let copied = |name: &str| -> String {
        let sql = "SELECT sql FROM sqlite_schema WHERE name = ?";
        other
            .database()
            .query_row(sql, [name], |row| row.get(0))
            .unwrap()
    };
    scene.sql(&copied("auth"));
    scene.sql(&copied("user_info"));
    scene.is_alive();
    // Even a row in it does not count.
    scene.sql("INSERT INTO auth (id, token, refresh_token, expires_at, host) VALUES (1, 'ignored', 'ignored', 1, 'https://sentry.io')");
    let before = dump(&scene.database(), "auth");
    scene.serves(&scene.sentry.current_access());
    scene.is_alive();
    scene.sandbox.sentry(&["auth", "logout"]).run().success();
    scene.is_logged_out();
    assert_eq!(dump(&scene.database(), "auth"), before);
}

/// Another account of the same instance; its pair.
fn another(scene: &Machine) -> Pair {
    let pair = scene.sentry.issue();
    scene.sandbox.seed_session(&scene.sentry, &pair, Age::FRESH);
    pair
}

#[test]
fn of_several_accounts_of_a_host_the_active_one_counts_else_the_last_used() {
    let scene = Machine::new().session(Age::FRESH);
    let (second, third) = (another(&scene), another(&scene));
    let first = scene.pair.access.clone();
    let (second, third) = (second.access, third.access);
    let mark = |token: &str, active: u8, used: u32| {
        let sql = "UPDATE accounts SET is_active = ?, last_used_at = ? WHERE token = ?";
        scene
            .database()
            .execute(sql, rusqlite::params![active, used, token])
            .unwrap();
    };
    for (marks, expected) in [
        ([(1, 1), (0, 2), (0, 3)], &first),
        ([(0, 1), (1, 2), (0, 3)], &second),
        ([(0, 1), (0, 3), (0, 2)], &second),
        ([(0, 3), (0, 1), (0, 2)], &first),
        // Two at once: the last used of both.
        ([(1, 1), (0, 3), (1, 2)], &third),
        ([(1, 2), (1, 1), (0, 3)], &first),
    ] {
        for (token, (active, used)) in [&first, &second, &third].into_iter().zip(marks) {
            mark(token, active, used);
        }
        scene.serves(expected);
    }
    // Only the row that was refreshed changes.
    mark(&third, 1, 4);
    mark(&second, 0, 2);
    mark(&first, 0, 1);
    let before = dump(&scene.database(), "accounts");
    scene.is_alive();
    let after = dump(&scene.database(), "accounts");
    assert_eq!(before.iter().filter(|row| after.contains(row)).count(), 2);
    scene.sql("DELETE FROM accounts");
    scene.is_logged_out();
}

#[test]
fn a_session_without_a_host_belongs_to_sentry_io_alone() {
    for layout in [Layout::Accounts, Layout::Auth] {
        let scene = Machine::new().in_layout(layout).session(Age::FRESH);
        let table = match layout {
            Layout::Accounts => "accounts",
            Layout::Auth => "auth",
        };
        scene.sql(&format!("UPDATE {table} SET host = NULL"));
        scene.is_logged_out();
        let get = scene
            .sandbox
            .git_credential("get")
            .stdin("protocol=https\nhost=sentry.io\n");
        get.run().success().stdout_has(&scene.pair.access);
        let token = scene
            .sandbox
            .sentry(&["auth", "token", "--url", "https://sentry.io"]);
        token
            .run()
            .success()
            .stdout_is(&format!("{}\n", scene.pair.access));
        let host: Option<String> = scene
            .database()
            .query_row(&format!("SELECT host FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!((host, scene.sentry.requests().len()), (None, 0));
    }
}

#[test]
fn a_host_that_is_not_an_origin_has_no_session() {
    for host in [
        "",
        "sentry.io.",
        "https://sentry.io/path",
        "https://u@sentry.io",
        "ftp://sentry.io",
        "\u{0}",
    ] {
        let scene = Machine::new().session(Age::FRESH);
        scene
            .database()
            .execute("UPDATE accounts SET host = ?", [host])
            .unwrap();
        scene.is_logged_out();
        let get = scene
            .sandbox
            .git_credential("get")
            .stdin("protocol=https\nhost=sentry.io\n");
        get.run().fails(1).stdout_is("");
        assert_eq!(scene.sentry.requests().len(), 0, "{host:?}");
    }
}

#[test]
fn values_of_odd_types_are_no_tokens_and_no_times() {
    for set in [
        "token = x'6162'",
        "token = 'with space'",
        "token = char(10)",
        "token = ''",
    ] {
        let scene = Machine::new().session(Age::FRESH);
        scene.sql(&format!("UPDATE accounts SET {set}"));
        let url = scene.sentry.url();
        scene.fails_with(&format!("the session at {url} has ended"));
        assert_eq!(scene.sentry.requests().len(), 0, "{set}");
    }
    for set in [
        "expires_at = 'tomorrow'",
        "expires_at = NULL",
        "expires_at = 1e300",
        "issued_at = 'now'",
    ] {
        let scene = Machine::new().session(Age::FRESH);
        scene.sql(&format!("UPDATE accounts SET {set}"));
        scene.serves(&scene.pair.access);
        assert_eq!(scene.sentry.requests().len(), 0, "{set}");
    }
}

/// What migration 18 of the official CLI does, in one transaction.
fn migrate(database: &Connection, current: &FakeSentry) {
    let accounts: String = {
        let template = crate::sandbox::Sandbox::new();
        template.seed_session(current, &current.issue(), Age::FRESH);
        let store = template.database().unwrap();
        store
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'accounts'",
                [],
                |row| row.get(0),
            )
            .unwrap()
    };
    database
        .execute_batch(&format!(
            "BEGIN IMMEDIATE; {accounts}; \
             INSERT INTO accounts (account_id, host, user_id, email, username, name, token, refresh_token, expires_at, \
             issued_at, is_active) SELECT '0199d0b4-0000-7000-8000-000000000001', host, user_id, email, username, name, \
             token, refresh_token, expires_at, issued_at, 1 FROM auth LEFT JOIN user_info USING (id); \
             DROP TABLE auth; DROP TABLE user_info; UPDATE schema_version SET version = 21; COMMIT"
        ))
        .unwrap();
}

#[test]
fn a_migration_in_the_middle_of_a_refresh_costs_nothing() {
    let scene = Machine::new().in_layout(Layout::Auth).session(Age::EXPIRED);
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let running = scene.token().spawn();
    scene.sentry.wait_for_held(SOON);
    let current = scene.sentry.current();
    let database = scene.database();
    let template = FakeSentry::start();
    migrate(&database, &template);
    scene.sentry.release();
    running
        .wait()
        .success()
        .stdout_is(&format!("{}\n", current.access));
    assert_eq!(scene.sandbox.stored_tokens(), Some(current.clone()));
    scene.serves(&current.access);
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    let tables: i64 = database
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'auth'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_migration_before_an_interrupted_refresh_is_taken_up_loses_nothing() {
    // The intent was recorded for the only row of `auth`.
    let scene = Machine::new().in_layout(Layout::Auth).session(Age::EXPIRED);
    scene
        .sentry
        .fault_always(Endpoint::Refresh, Fault::ResetBefore);
    scene.token().run().fails(1);
    scene.sentry.fix();
    migrate(&scene.database(), &FakeSentry::start());
    scene.is_alive();
}
