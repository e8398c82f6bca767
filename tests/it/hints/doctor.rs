//! The hints of `sentry auth doctor`.

use super::{Row, Scene, close, row};
use crate::fake_sentry::{Answer, Endpoint};
use crate::keyring::Keyring;
use crate::sandbox::Age;
use crate::storage::digest;
use serde_json::json;
use std::fs;

const DOCTOR: &str = "sentry auth doctor || :";

/// Runs the doctor in the broken environment until it is fixed.
const AHEAD: &str = "[ -e fixed ] && exec sentry auth doctor; faketime -f +2h sentry auth doctor";
const BEHIND: &str = "[ -e fixed ] && exec sentry auth doctor; faketime -f -2h sentry auth doctor";
const LATE: &str = "[ -e fixed ] && exec faketime -f +3h sentry auth doctor; sentry auth doctor";
const WITHOUT_LOCKS: &str = "[ -n \"${SENTRY_CONFIG_DIR-}\" ] || set -- strace -f -qq -o /dev/null -e trace=flock \
     -e inject=flock:error=ENOLCK:when=1+; \"$@\" sentry auth doctor || :";
const OF_ANOTHER: &str = "[ -e fixed ] || set -- strace -f -qq -o /dev/null -e trace=geteuid \
     -e inject=geteuid:retval=4242; \"$@\" sentry auth doctor || :";

const CLOCK: &str = "`timedatectl set-ntp true`";
const FIX: &str = "touch fixed";

pub const ROWS: &[Row] = &[
    row(
        &["doctor/database.rs: \"`export SENTRY_CONFIG_DIR=DIR`, a directory of a local file"],
        fresh,
        WITHOUT_LOCKS,
        "`export SENTRY_CONFIG_DIR=DIR`, a directory of a local file system",
    )
    .fill(&[("=DIR", "='$HOME/a b'")]),
    row(
        &["doctor/database.rs: \"`sentry auth doctor --repair` sets it aside as `cli.db.corr"],
        |scene| {
            scene.login(Age::FRESH);
            // An index that lacks a row.
            scene.sql(
                "CREATE INDEX by_host ON accounts (host); PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX by_host ON accounts (email)' WHERE name = 'by_host'",
            );
        },
        DOCTOR,
        "`sentry auth doctor --repair` sets it aside as `cli.db.corrupt-<time>`, and a login creates a new one",
    ),
    row(
        &["doctor/database.rs: \"`sentry auth login`, then `sentry auth setup-git` and `sent"],
        |scene| {
            scene.before("export SENTRY_URL=\"$URL\"");
            scene.run("mkdir -m 700 .sentry; umask 077; echo no database at all, but long enough > .sentry/cli.db");
        },
        "sentry auth doctor --repair",
        "`sentry auth login`, then `sentry auth setup-git` and `sentry auth setup-docker` where they were in use",
    ),
    // docker
    row(
        &["doctor/docker.rs: remedy"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker r.example --username \"it's me\"; rm .docker/config.json");
        },
        DOCTOR,
        "`sentry auth setup-docker --registry r.example --url $URL --username \"it's me\"`",
    ),
    row(
        &["doctor/docker.rs: remedy"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker r.example; echo r.example | docker-credential-sentry erase");
        },
        DOCTOR,
        "`sentry auth setup-docker --registry r.example --url $URL`",
    ),
    row(
        &["doctor/docker.rs: remedy"],
        |scene| {
            scene.run("mkdir .docker; echo '{\"credHelpers\": {\"https://r.example\": \"sentry\"}}' > .docker/config.json");
        },
        DOCTOR,
        "`sentry auth setup-docker --undo --registry r.example`",
    ),
    row(
        &["doctor/docker.rs: remedy"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("mkdir .docker; echo '{\"credHelpers\": {\"r.example\": \"sentry\"}}' > .docker/config.json");
        },
        DOCTOR,
        "`sentry auth setup-docker --registry r.example`",
    ),
    // The environment
    row(
        &["doctor/environment.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth applica"],
        |scene| scene.before("unset SENTRY_CLIENT_ID; export SENTRY_URL=\"$URL\""),
        DOCTOR,
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance, or `sentry auth login --with-token`",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["doctor/environment.rs: \"`unset SENTRY_HOST`, or SENTRY_URL\""],
        |scene| scene.before("export SENTRY_HOST=\"$URL\" SENTRY_URL=https://x.example"),
        DOCTOR,
        "`unset SENTRY_HOST`, or SENTRY_URL",
    ),
    row(
        &["doctor/environment.rs: \"`unset SENTRY_TOKEN`, or SENTRY_AUTH_TOKEN\""],
        |scene| scene.before("export SENTRY_URL=\"$URL\" SENTRY_TOKEN=a SENTRY_AUTH_TOKEN=b"),
        DOCTOR,
        "`unset SENTRY_TOKEN`, or SENTRY_AUTH_TOKEN",
    ),
    row(
        &["doctor/environment.rs: unset"],
        |scene| {
            scene.login(Age::FRESH);
            scene.sentry.add_api_token("sntryu_x");
            scene.before("export SENTRY_URL=\"$URL\" SENTRY_TOKEN=sntryu_x");
        },
        DOCTOR,
        "`unset SENTRY_TOKEN`",
    ),
    // Files
    row(
        &["doctor/files.rs: \"`sentry auth list` imports it\""],
        |scene| {
            let old = scene.login(Age::EXPIRED);
            let new = scene.sentry.refresh_elsewhere(&old.refresh);
            let database = scene.sandbox.database().unwrap();
            let sql = "SELECT account_id FROM accounts";
            let account: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
            let kept = json!({
                "version": 1, "account": account, "origin": scene.sentry.url(),
                "old_token": old.access, "old_refresh_token": old.refresh,
                "token": new.access, "refresh_token": new.refresh, "issued_at": null, "expires_at": null,
            });
            fs::write(scene.sandbox.config_dir().join("credential.recovery"), kept.to_string()).unwrap();
            scene.run("chmod 600 .sentry/credential.recovery");
        },
        DOCTOR,
        "`sentry auth list` imports it",
    ),
    row(
        &["doctor/files.rs: format!(\"`mv {0} {0}.old`\", quoted(path))"],
        |scene| {
            scene.before("export SENTRY_CONFIG_DIR=\"$HOME/a b\"");
            scene.run("mkdir -m 700 \"$SENTRY_CONFIG_DIR\" \"$SENTRY_CONFIG_DIR/login.lock\"");
        },
        DOCTOR,
        "`mv '$HOME/a b/login.lock' '$HOME/a b/login.lock'.old`",
    ),
    row(
        &["doctor/files.rs: format!(\"`mv {0} {0}.old`\", quoted(dir))"],
        |scene| scene.run("touch .sentry"),
        DOCTOR,
        "`mv $HOME/.sentry $HOME/.sentry.old`",
    ),
    row(
        &["doctor/files.rs: found.remedy()"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("umask 077; touch .sentry/cli.db.corrupt-1 '.sentry/cli.db.corrupt-2 3'");
        },
        DOCTOR,
        "`rm $HOME/.sentry/cli.db.corrupt-1 '$HOME/.sentry/cli.db.corrupt-2 3'`",
    ),
    row(
        &["doctor/files.rs: format!(\"`rmdir {}`\", quoted(&lock_dir))"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("mkdir .sentry/cli.db.lock; touch -d '2 minutes ago' .sentry/cli.db.lock");
        },
        DOCTOR,
        "`rmdir $HOME/.sentry/cli.db.lock`",
    ),
    row(
        &["doctor/files.rs: fix(\"chmod 600\")"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("touch .sentry/login.lock; chmod 644 .sentry/login.lock");
        },
        DOCTOR,
        "`chmod 600 $HOME/.sentry/login.lock`",
    ),
    row(
        &["doctor/files.rs: fix(\"chmod 600\")"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("touch .sentry/login.lock; chmod 400 .sentry/login.lock");
        },
        DOCTOR,
        "`chmod 600 $HOME/.sentry/login.lock`",
    ),
    row(
        &["doctor/files.rs: fix(\"chmod 700\")"],
        |scene| with_mode(scene, "777"),
        DOCTOR,
        "`chmod 700 $HOME/.sentry`",
    ),
    row(
        &["doctor/files.rs: fix(\"chmod 700\")"],
        |scene| with_mode(scene, "500"),
        DOCTOR,
        "`chmod 700 $HOME/.sentry`",
    ),
    row(
        &["doctor/files.rs: fix(\"chmod 700\")"],
        |scene| with_mode(scene, "755"),
        DOCTOR,
        "`chmod 700 $HOME/.sentry`",
    ),
    row(
        &["doctor/files.rs: fix(\"sudo chown -R \\\"$(id -un)\\\"\")"],
        of_another,
        OF_ANOTHER,
        "`sudo chown -R \"$(id -un)\" $HOME/.sentry`",
    ),
    row(
        &["doctor/files.rs: fix(\"sudo chown \\\"$(id -un)\\\"\")"],
        of_another,
        OF_ANOTHER,
        "`sudo chown \"$(id -un)\" $HOME/.sentry/cli.db`",
    ),
    // git
    row(
        &["doctor/git.rs: remedy(last)"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example --username 'jo e'; rm .gitconfig");
        },
        DOCTOR,
        "`sentry auth setup-git --host https://g.example --url $URL --username 'jo e'`",
    ),
    row(
        &["doctor/git.rs: remedy(Some(other))"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example; git config --global credential.helper store");
        },
        DOCTOR,
        "`sentry auth setup-git --host https://g.example --url $URL`",
    ),
    row(
        &["doctor/git.rs: remedy"],
        only_bearer,
        DOCTOR,
        "`git config --global http.https://g.example.postBuffer 500m`",
    ),
    row(
        &["doctor/git.rs: remedy"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("git config --global credential.helper '!/opt/gh auth git-credential'");
        },
        DOCTOR,
        "`git config --file $HOME/.gitconfig --unset-all credential.helper *`",
    ),
    row(
        &["doctor/git.rs: match bound { Some((host, binding)) => format!( \"`{}`\", set_"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run(
                "sentry auth setup-git g.example; git config --global --replace-all \
                 credential.https://g.example.helper /opt/git-credential-sentry",
            );
        },
        DOCTOR,
        "`sentry auth setup-git --host https://g.example --url $URL`",
    ),
    row(
        &["doctor/git.rs: remedy"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("git config --global credential.https://g.example.helper sentry");
        },
        DOCTOR,
        "`sentry auth setup-git --host https://g.example`",
    ),
    // Programs
    row(
        &["doctor/check.rs: command", "doctor/programs.rs: first"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example");
            scene.before("PATH=/usr/local/bin:/usr/bin:/bin");
        },
        "\"$BIN/sentry\" auth doctor || :",
        "`export PATH=$BIN:\"$PATH\"`",
    ),
    row(
        &["doctor/programs.rs: first"],
        |scene| scene.program("sentry", "exit 9"),
        "\"$BIN/sentry\" auth doctor || :",
        "`export PATH=$BIN:\"$PATH\"`",
    ),
    // Sessions
    row(
        &["doctor/sessions.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logge"],
        |scene| {
            scene.session(Age::FRESH);
            scene.before("unset SENTRY_CLIENT_ID");
        },
        DOCTOR,
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["doctor/bound.rs: format!(\"`sentry auth login --url {instance}`\")"],
        |scene| {
            scene.before("export SENTRY_URL=\"$URL\"");
            scene.run("sentry auth setup-git g.example");
        },
        DOCTOR,
        "`sentry auth login --url $URL`",
    ),
    row(
        &["doctor/reach.rs: format!(\"`sentry auth login --url {instance} --with-token` t"],
        |scene| {
            scene.before("export SENTRY_URL=\"$URL\"");
            scene.token();
            let page = Answer::new(403, "text/html", "<html>");
            scene.sentry.fault_always(Endpoint::DeviceCode, page);
        },
        DOCTOR,
        "`sentry auth login --url $URL --with-token` takes an API token",
    ),
    row(
        &["doctor/sessions.rs: \"`sentry auth login`\""],
        |scene| scene.before("export SENTRY_URL=\"$URL\""),
        DOCTOR,
        "`sentry auth login`",
    ),
    row(&["doctor/sessions.rs: set_clock"], clock, AHEAD, CLOCK),
    row(&["doctor/sessions.rs: set_clock"], clock, BEHIND, CLOCK),
    row(
        &["doctor/sessions.rs: set_clock"],
        |scene| {
            from_the_future(scene);
            scene.program("timedatectl", FIX);
        },
        LATE,
        CLOCK,
    ),
    row(
        &["doctor/sessions.rs: refresh(session, snapshot)"],
        |scene| {
            from_the_future(scene);
            with_date(scene);
        },
        DOCTOR,
        "`sentry auth refresh --force --url $URL`",
    ),
    row(
        &["doctor/sessions.rs: FIX"],
        |scene| {
            scene.login(Age::FRESH);
            scene.before("export SENTRY_CREDENTIAL_KEYRING=mirror DBUS_SESSION_BUS_ADDRESS=unixexec:path=/bin/true");
        },
        DOCTOR,
        "`export SENTRY_CREDENTIAL_KEYRING=off`, or unlock it",
    ),
    row(
        &["doctor/sessions.rs: FIX"],
        |scene| {
            scene.login(Age::FRESH);
            scene.before("export SENTRY_CREDENTIAL_KEYRING=mirror DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere");
        },
        DOCTOR,
        "`export SENTRY_CREDENTIAL_KEYRING=off`, or unlock it",
    ),
    row(
        &["doctor/sessions.rs: refresh(session, snapshot)"],
        |scene| {
            scene.login(Age::FRESH);
            let keyring = Keyring::start();
            scene.before(&format!(
                "export SENTRY_CREDENTIAL_KEYRING=mirror DBUS_SESSION_BUS_ADDRESS='{}'",
                keyring.address()
            ));
            scene.keyring = Some(keyring);
        },
        DOCTOR,
        "`sentry auth refresh --force --url $URL`",
    ),
    row(
        &["doctor/sessions.rs: format!(\"`sentry auth status{options}` asks Sentry\")"],
        |scene| {
            two_accounts(scene, "jane");
            mark(scene, "suspect", Token::Access);
        },
        DOCTOR,
        "`sentry auth status --url $URL --account *` asks Sentry",
    ),
    row(
        &["doctor/sessions.rs: login(session, snapshot)"],
        |scene| {
            two_accounts(scene, "jane");
            scene.sql("UPDATE accounts SET token = NULL, refresh_token = NULL WHERE username = 'jane'");
            scene.sentry.set_user(crate::fake_sentry::User::default());
        },
        DOCTOR,
        "`sentry auth login jane@example.com --url $URL --force`",
    ),
    row(
        &["doctor/sessions.rs: login(session, snapshot)"],
        |scene| {
            scene.login(Age::EXPIRED);
            scene.sql("UPDATE accounts SET refresh_token = NULL");
        },
        DOCTOR,
        "`sentry auth login --url $URL --force`",
    ),
    row(
        &["doctor/sessions.rs: fix"],
        |scene| {
            two_accounts(scene, "jane");
            let jane = scene.sandbox.database().unwrap();
            let sql = "SELECT token FROM accounts WHERE username = 'jane'";
            let token: String = jane.query_row(sql, [], |row| row.get(0)).unwrap();
            scene.sentry.expire(&token);
        },
        DOCTOR,
        "`sentry auth refresh --force --url $URL --account *`",
    ),
    row(
        &["doctor/sessions.rs: refresh()"],
        |scene| {
            two_accounts(scene, "jane");
            mark(scene, "intent_at = 1000, intent", Token::Refresh);
        },
        DOCTOR,
        "`sentry auth refresh --url $URL --account *`",
    ),
    row(
        &["doctor/sessions.rs: refresh()"],
        |scene| {
            two_accounts(scene, "jane");
            scene.sql(
                "UPDATE accounts SET expires_at = 2000 WHERE username = 'jane'; UPDATE helper_session SET \
                 retry_at = 4102444800000 WHERE account = (SELECT account_id FROM accounts WHERE username = 'jane')",
            );
        },
        DOCTOR,
        "`sentry auth refresh --url $URL --account *`",
    ),
    // What is stored
    row(
        &["doctor/stored.rs: format!( \"`sentry auth setup-docker --registry {}{url}{usern"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker r.example --username 'ro bot'");
            scene.sql(
                "INSERT INTO helper_credential (server, seq, path, username, secret) \
                 VALUES ('docker r.example', 1, 'r.example', 'ann', 'p')",
            );
        },
        DOCTOR,
        "`sentry auth setup-docker --registry r.example --url $URL --username 'ro bot'`",
    ),
    row(
        &["doctor/stored.rs: format!(\"`{}`\", erasure(server, stored))"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run(
                "sentry auth setup-git g.example; printf \"protocol=https\\nhost=g.example\\nusername=jane\\npath=it's\\npassword=p\\n\" \
                 | git credential-sentry store",
            );
        },
        DOCTOR,
        "`printf '%s\\n' 'protocol=https' 'host=g.example' 'username=jane' \"path=it's\" | git credential-sentry erase`",
    ),
];

fn fresh(scene: &mut Scene) {
    scene.login(Age::FRESH);
}

fn with_mode(scene: &mut Scene, mode: &str) {
    scene.login(Age::FRESH);
    scene.run(&format!("chmod {mode} .sentry"));
}

fn of_another(scene: &mut Scene) {
    scene.login(Age::FRESH);
    scene.program("sudo", "touch fixed; exec \"$@\"");
}

/// The server sends its time.
fn with_date(scene: &Scene) {
    let now = jiff::Timestamp::now();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .unwrap();
    let body = json!({"version": "0", "auth": {"scopes": []}, "user": {"username": "jane"}});
    let answer = Answer::json(200, &body).header("Date", &date);
    scene.sentry.fault_always(Endpoint::Api, answer);
}

fn clock(scene: &mut Scene) {
    scene.login(Age::FRESH);
    with_date(scene);
    scene.program("timedatectl", FIX);
}

fn from_the_future(scene: &mut Scene) {
    scene.login(Age::FRESH);
    scene.sql("UPDATE accounts SET issued_at = (unixepoch() + 7200) * 1000");
}

/// Valid sessions of jane and bob at one instance; this one is not active.
pub fn two_accounts(scene: &mut Scene, passive: &str) {
    scene.login(Age::FRESH);
    scene.bob();
    scene.login(Age::FRESH);
    scene.sql(&format!(
        "UPDATE accounts SET is_active = (username <> '{passive}')"
    ));
}

enum Token {
    Access,
    Refresh,
}

/// Sets a column of jane's refresh state to the digest of her token.
fn mark(scene: &Scene, column: &str, token: Token) {
    let token = match token {
        Token::Access => "token",
        Token::Refresh => "refresh_token",
    };
    let sql = format!("SELECT {token} FROM accounts WHERE username = 'jane'");
    let database = scene.sandbox.database().unwrap();
    let token: String = database.query_row(&sql, [], |row| row.get(0)).unwrap();
    drop(database);
    scene.sql(&format!(
        "UPDATE helper_session SET {column} = {} \
         WHERE account = (SELECT account_id FROM accounts WHERE username = 'jane')",
        digest(&token)
    ));
}

/// git connects to a host that accepts tokens only as `Bearer`.
pub fn only_bearer(scene: &mut Scene) {
    scene.session(Age::FRESH);
    scene.run(
        "sentry auth setup-git g.example; asked='protocol=https\nhost=g.example\n'
         printf \"capability[]=authtype\n${asked}wwwauth[]=Bearer realm=x\n\" | git credential-sentry get >answer
         { printf \"$asked\"; cat answer; } | git credential-sentry store",
    );
}

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "gnome-keyring, nss_wrapper, strace(1)"
)]
fn what_doctor_says_about_its_directory_and_its_files_closes() {
    close(
        ROWS.iter()
            .filter(|row| is_about(row, &["database", "files"])),
    );
}

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "gnome-keyring, nss_wrapper, strace(1)"
)]
fn what_doctor_says_about_sessions_and_the_environment_closes() {
    close(
        ROWS.iter()
            .filter(|row| is_about(row, &["sessions", "environment", "reach", "bound"])),
    );
}

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "gnome-keyring, nss_wrapper, strace(1)"
)]
fn what_doctor_says_about_other_programs_closes() {
    close(
        ROWS.iter()
            .filter(|row| is_about(row, &["docker", "git", "check", "programs", "stored"])),
    );
}

fn is_about(row: &Row, files: &[&str]) -> bool {
    let file = row.sites[0].split(['/', '.']).nth(1).unwrap();
    files.contains(&file)
}
