//! The hints about the database, its directory, and files of other programs.

use super::{Row, close, row};
use crate::sandbox::Age;

const OF_ANOTHER: &str = "[ -e fixed ] || set -- strace -f -qq -o /dev/null -e trace=geteuid \
     -e inject=geteuid:retval=4242; \"$@\" sentry auth list";

pub const ROWS: &[Row] = &[
    row(
        &["setup/file.rs: hint"],
        |scene| {
            scene.before("export GIT_CONFIG_GLOBAL=\"$HOME/a b\"");
            scene.run("touch \"$GIT_CONFIG_GLOBAL.lock\"");
        },
        "sentry auth setup-git g.example --url \"$URL\"",
        "`rm '$HOME/a b.lock'`, if no git is running",
    ),
    row(
        &["store/error.rs: \"`sentry auth doctor --repair` sets it aside as `cli.db.corr"],
        |scene| {
            scene.run("mkdir -m 700 .sentry; umask 077; echo no database at all, but long enough > .sentry/cli.db");
        },
        "sentry auth setup-git g.example --url \"$URL\"",
        "`sentry auth doctor --repair` sets it aside as `cli.db.corrupt-<time>`, and a login creates a new one",
    ),
    row(
        &["world/paths.rs: format!( \"`export {CONFIG_DIR}=DIR`, a directory of this use"],
        |scene| {
            scene.token();
            scene.run("mkdir -m 700 private; mkdir others; chown 65534 others || :");
            // As in a container that is started with any user id.
            scene.before(
                "export PRIVATE=\"$HOME/private\"; if [ -O others ]; then HOME=/; else HOME=$HOME/others; fi",
            );
        },
        "sentry auth login --with-token --url \"$URL\"",
        "`export SENTRY_CONFIG_DIR=DIR`, a directory of this user that is private (0700), where there is no sudo",
    )
    .fill(&[("=DIR", "=$$PRIVATE")]),
    row(
        &["store/file.rs: format!( \"`chmod go-w {}`\", quoted(&dir.display().to_string("],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("mkdir 'a b'; mv .sentry 'a b'; chmod 777 'a b/.sentry'");
            scene.before("export HOME=\"$HOME/a b\"");
        },
        "sentry auth list",
        "`chmod go-w '$HOME/a b/.sentry'`",
    ),
    row(
        &["store/file.rs: format!( \"`sudo chown -R \\\"$(id -un)\\\" {}`, if it should be "],
        |scene| {
            scene.login(Age::FRESH);
            scene.program("sudo", "touch fixed; exec \"$@\"");
        },
        OF_ANOTHER,
        "`sudo chown -R \"$(id -un)\" $HOME/.sentry`, if it should be yours",
    ),
    row(
        &["store/file.rs: format!(\"`{}`, if you made it\", remedy.join(\" && \"))"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("mv .sentry 'a b'; chmod 755 'a b'; chmod 644 'a b'/cli.db");
            scene.before("export SENTRY_CONFIG_DIR=\"$HOME/a b\"");
        },
        "sentry auth list",
        "`chmod 700 '$HOME/a b' && chmod 600 '$HOME/a b/cli.db'*`, if you made it",
    ),
    row(
        &["store/file.rs: format!(\"`unset {variable}`\")"],
        |scene| {
            scene.login(Age::FRESH);
            scene.run("mkdir a; mv .sentry a/b; cd a; git init -q; git add b/cli.db");
            scene.before("export SENTRY_CONFIG_DIR=\"$HOME/a/b\"");
        },
        "sentry auth list",
        "`unset SENTRY_CONFIG_DIR`",
    ),
];

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, strace(1)")]
fn what_is_said_about_files_closes() {
    close(ROWS.iter());
}
