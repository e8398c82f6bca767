//! Our own tables in past and future versions: each file is served as it is before anything is written to it; an older
//! one is completed by the first write, and a newer one keeps its additions.

use rusqlite::Connection;

use crate::machine::Machine;
use crate::sandbox::{Age, Layout};

/// As created by version 1.
const VERSION_1: &str = "
    CREATE TABLE helper_credential (server, seq, path, username, secret, authtype, expiry, refresh_token, PRIMARY KEY (server, seq)) WITHOUT ROWID;
    CREATE TABLE helper_binding (server PRIMARY KEY, origin, username, signed_out) WITHOUT ROWID;
    CREATE TABLE helper_session (account PRIMARY KEY, origin, client_id, suspect, retry_at, intent, intent_at) WITHOUT ROWID;
    CREATE TABLE helper_former (digest PRIMARY KEY, at) WITHOUT ROWID;
    CREATE TABLE helper_setting (key PRIMARY KEY, value) WITHOUT ROWID;";

/// Added by version 2.
const VERSION_2: &str = "
    ALTER TABLE helper_binding ADD COLUMN account;
    ALTER TABLE helper_binding ADD COLUMN created_at;
    ALTER TABLE helper_session ADD COLUMN rejected;
    ALTER TABLE helper_session ADD COLUMN rejected_at;
    ALTER TABLE helper_session ADD COLUMN checked_at;
    ALTER TABLE helper_session ADD COLUMN retry_reason;
    ALTER TABLE helper_session ADD COLUMN stored;
    ALTER TABLE helper_session ADD COLUMN login_at;
    INSERT INTO helper_setting VALUES ('schema', 2);";

/// A future version may add this.
const VERSION_3: &str = "
    CREATE TABLE helper_tomorrow (key PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO helper_tomorrow VALUES ('k', 'v');
    ALTER TABLE helper_binding ADD COLUMN color DEFAULT 'blue';
    ALTER TABLE helper_session ADD COLUMN mood;
    UPDATE helper_setting SET value = 3 WHERE key = 'schema';";

/// The rows of every version, in those of the tables that it has.
const ROWS: [&str; 4] = [
    "INSERT INTO helper_credential (server, seq, username, secret) VALUES ('git https://other.example', 1, 'u', 'p')",
    "INSERT INTO helper_binding (server, origin, username, signed_out) VALUES ('git https://g.example', :url, 'bot', 0)",
    "INSERT INTO helper_binding (server, origin, username, signed_out) VALUES ('docker r.example', :url, NULL, 0)",
    "INSERT INTO helper_setting (key, value) VALUES ('keyring', 'off')",
];

/// A file of ours in some version.
struct File {
    name: &'static str,
    sql: Vec<&'static str>,
    /// The missing table.
    lacks: Option<&'static str>,
}

fn files() -> Vec<File> {
    let whole = |name, sql: &[&'static str]| File {
        name,
        sql: sql.to_vec(),
        lacks: None,
    };
    let before = |lacks, drop| File {
        name: "a version before 1",
        sql: vec![VERSION_1, drop],
        lacks: Some(lacks),
    };
    vec![
        whole("1", &[VERSION_1]),
        whole("2", &[VERSION_1, VERSION_2]),
        whole("3", &[VERSION_1, VERSION_2, VERSION_3]),
        before("helper_credential", "DROP TABLE helper_credential"),
        before("helper_binding", "DROP TABLE helper_binding"),
        before("helper_session", "DROP TABLE helper_session"),
        before("helper_former", "DROP TABLE helper_former"),
        before("helper_setting", "DROP TABLE helper_setting"),
    ]
}

fn scene(layout: Layout, age: Age, file: &File) -> Machine {
    let scene = Machine::new().in_layout(layout).session(age);
    for sql in &file.sql {
        scene.sql(sql);
    }
    for row in ROWS {
        if !file.lacks.is_some_and(|table| row.contains(table)) {
            scene.sql(&row.replace(":url", &format!("'{}'", scene.sentry.url())));
        }
    }
    scene
}

/// Names, definitions and rows of our tables.
fn ours(database: &Connection) -> Vec<String> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE name LIKE 'helper\\_%' ESCAPE '\\' ORDER BY name";
    let mut tables = database.prepare(sql).unwrap();
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let mut all = Vec::new();
    for table in tables.unwrap() {
        let (name, sql): (String, String) = table.unwrap();
        let mut statement = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cell = |column| Ok(format!("{:?}", row.get_ref(column)?));
            (0..columns).map(cell).collect::<rusqlite::Result<Vec<_>>>()
        });
        all.push(sql);
        all.extend(
            rows.unwrap()
                .map(|row| format!("{name}: {}", row.unwrap().join(", "))),
        );
    }
    all
}

fn git(scene: &Machine, host: &str) -> String {
    let request = format!("protocol=https\nhost={host}\n\n");
    let get = scene.sandbox.git_credential("get").stdin(request);
    get.run().stdout
}

fn docker(scene: &Machine, host: &str) -> String {
    scene
        .sandbox
        .docker_credential("get")
        .stdin(host)
        .run()
        .stdout
}

/// Credentials, bindings and logins are served, as far as the file has them.
#[track_caller]
fn serves(scene: &Machine, file: &File, access: &str) {
    let has = |table| file.lacks != Some(table);
    let answers = |answer: &str, what: &str| answer.contains(what);
    assert_eq!(
        [
            answers(&git(scene, "other.example"), "password=p\n"),
            answers(&git(scene, "g.example"), access),
            answers(&git(scene, "g.example"), "username=bot\n"),
            answers(&docker(scene, "r.example"), access),
        ],
        [
            has("helper_credential"),
            has("helper_binding"),
            has("helper_binding"),
            has("helper_binding"),
        ],
        "{}",
        file.name
    );
    scene.serves(access);
}

#[test]
fn a_file_of_any_version_serves_what_it_has_before_anything_is_written() {
    for layout in [Layout::Accounts, Layout::Auth] {
        for file in files() {
            let scene = scene(layout, Age::FRESH, &file);
            let before = ours(&scene.database());
            serves(&scene, &file, &scene.pair.access);
            // Idle, the file is read in another way.
            let _mode: String = scene
                .database()
                .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
                .unwrap();
            scene.settle();
            serves(&scene, &file, &scene.pair.access);
            scene.sandbox.sentry(&["auth", "list"]).run().success();
            scene.sandbox.docker_credential("list").run().success();
            assert_eq!(ours(&scene.database()), before, "{}", file.name);
        }
    }
}

#[test]
fn the_first_write_to_a_file_of_an_earlier_version_completes_it() {
    let made = scene(Layout::Accounts, Age::FRESH, &files()[1]);
    let whole = ours(&made.database());
    for file in files().iter().filter(|file| file.name != "3") {
        let scene = scene(Layout::Accounts, Age::EXPIRED, file);
        scene.token().run().success();
        serves(&scene, file, &scene.sentry.current_access());
        assert_eq!(scene.sentry.refreshes(), 1, "{}", file.name);
        let columns = |schema: &[String]| -> Vec<String> {
            let tables = schema.iter().filter(|line| line.starts_with("CREATE"));
            tables.cloned().collect()
        };
        assert_eq!(
            columns(&ours(&scene.database())),
            columns(&whole),
            "{}",
            file.name
        );
        let version: i64 = scene
            .database()
            .query_row(
                "SELECT value FROM helper_setting WHERE key = 'schema'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(version, 2, "{}", file.name);
        // Every kind of write works now.
        scene
            .sandbox
            .bind("git https://h.example", &scene.sentry.url(), None);
        let stored = r#"{"ServerURL":"s.example","Username":"u","Secret":"q"}"#;
        scene
            .sandbox
            .docker_credential("store")
            .stdin(stored)
            .run()
            .success();
        assert!(git(&scene, "h.example").contains(&scene.sentry.current_access()));
        assert!(docker(&scene, "s.example").contains(r#""Secret":"q""#));
    }
}

#[test]
fn a_file_of_a_newer_version_is_written_to_and_keeps_what_it_has() {
    let file = &files()[2];
    let scene = scene(Layout::Accounts, Age::EXPIRED, file);
    scene.sql(
        "UPDATE helper_binding SET color = 'red'; \
         INSERT INTO helper_session (account, mood) SELECT account_id, 'good' FROM accounts",
    );
    scene.token().run().success();
    serves(&scene, file, &scene.sentry.current_access());
    scene
        .sandbox
        .bind("git https://g.example", &scene.sentry.url(), Some("robot"));
    scene
        .sandbox
        .docker_credential("erase")
        .stdin("r.example")
        .run()
        .success();
    let kept = ours(&scene.database());
    let is_kept = |line: &str| kept.iter().any(|kept| kept.contains(line));
    for line in [
        "helper_tomorrow: Text([107]), Text([118])",
        "color DEFAULT 'blue'",
        "helper_setting: Text([115, 99, 104, 101, 109, 97]), Integer(3)",
    ] {
        assert!(is_kept(line), "{line} is not in {kept:#?}");
    }
    let colors: i64 = scene
        .database()
        .query_row(
            "SELECT count(*) FROM helper_binding WHERE color = 'red'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(colors, 2);
    let mood: String = scene
        .database()
        .query_row("SELECT mood FROM helper_session", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mood, "good");
    assert!(git(&scene, "g.example").contains("username=robot\n"));
    // A table that the newer version removed is not created again.
    scene.sql("DROP TABLE helper_former");
    let before = ours(&scene.database());
    let words = format!(
        "error: not refreshed, because the new token could not be stored: {} was written by a newer version; \
         a newer `sentry-credential` is needed\n",
        scene.sandbox.db().display()
    );
    scene.refresh().run().fails(1).stderr_is(&words);
    assert_eq!(ours(&scene.database()), before);
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    scene.serves(&scene.sentry.current_access());
}
