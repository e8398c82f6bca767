//! The comparison with Sentry's CLI at the beginning of README.md: an expired token, and git.

use super::document;
use super::world::World;
use crate::official::CURRENT;
use crate::sandbox::Output;

/// The cell of a row in the column of Sentry's CLI.
#[track_caller]
fn cell(row: &str) -> String {
    let readme = document("README.md");
    let mut rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let cells: Vec<&str> = rows.next().expect(row).split(" | ").collect();
    cells[1].to_owned()
}

#[test]
fn an_expired_token_is_refreshed_by_this_program_and_not_by_the_official_one() {
    let world = World::new();
    world.saas.approve_next();
    let machine = world.machine();
    let dir = machine.config_dir();
    // Left alone, the official CLI would choose `~/.config/sentry`.
    let machine = machine.env("SENTRY_CONFIG_DIR", dir);
    let ours = |args: &[&str]| -> Output {
        let run = machine.command("sentry-credential").args(args).run();
        run.success()
    };
    let _logged_in = ours(&["login"]);
    let store = machine.database().expect("a store");
    assert_eq!(
        store.execute("UPDATE accounts SET expires_at = 1000", []),
        Ok(1)
    );
    drop(store);
    let theirs = || CURRENT.run(&machine, &["auth", "token"]).run();
    assert_eq!(
        cell("the access token has expired"),
        "`sentry auth token` fails"
    );
    let _refused = theirs().fails(10).stderr_has("Not authenticated");
    let token = ours(&["token"]).stdout;
    assert_eq!(token.trim_end(), world.saas.current_access());
    assert_eq!(world.saas.refreshes(), 1);
    // And now it works there, too.
    let _accepted = theirs().success().stdout_is(&token);
}
