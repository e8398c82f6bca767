//! Where users have their files: names with spaces and letters beyond ASCII, long paths, no variables.

use std::fs;
use std::path::Path;

use crate::machine::{Windows, on_windows, programs};

/// As a user of that name has it.
const NAME: &str = "Jürgen Roe (Łódź) 日本";

/// With that name in each path. Wine takes the encoding of file names from the locale.
fn named() -> Windows {
    let windows = Windows::new().env("LC_ALL", "C.UTF-8");
    let home = windows.sandbox.home().join(NAME);
    fs::create_dir(&home).unwrap();
    let store = home.join(".sentry");
    windows.env("SENTRY_CONFIG_DIR", store.to_str().unwrap())
}

#[test]
fn the_store_is_below_the_profile_and_not_below_home() {
    let windows = Windows::new();
    let profile = windows.sandbox.home().join("profile");
    fs::create_dir(&profile).unwrap();
    let profile_there = on_windows(&profile);
    let variables = format!("set USERPROFILE={profile_there}&& set HOME=Z:\\nowhere");
    windows.sentry.approve_next();
    let login = windows.after(&variables, "auth login --no-browser");
    login.run().success();
    assert!(profile.join(".sentry/cli.db").exists());
}

#[test]
fn without_a_variable_the_system_knows_the_profile() {
    let windows = Windows::new();
    let status = windows.after("set USERPROFILE=", "auth status").run();
    status
        .stderr_has("not logged in to")
        .never_says("home directory");
}

#[test]
fn a_name_with_spaces_and_other_letters_is_one_for_all_that_is_started() {
    let windows = named().logged_in();
    let directory = on_windows(&windows.sandbox.config_dir());
    let status = windows.sentry(&["auth", "status"]).run().success();
    status.stdout_has(&format!("Storage: {directory}\\cli.db"));
    // A worker refreshes.
    windows.expires();
    let git = windows.git_get().run().success();
    git.stdout_has(&format!("password={}\n", windows.sentry.current_access()));
    assert_eq!(windows.sentry.refreshes(), 1);
    let doctor = windows.sentry(&["auth", "doctor"]).run();
    doctor
        .stdout_has(&format!("{directory} is private"))
        .stdout_has("the files in it are private");
}

#[test]
fn a_directory_with_a_long_path_is_one_like_others() {
    let windows = Windows::new();
    let long = windows.sandbox.home().join("x".repeat(150));
    let long = long.join("y".repeat(150)).join(".sentry");
    let windows = windows.env("SENTRY_CONFIG_DIR", long.to_str().unwrap());
    let windows = windows.logged_in();
    windows.expires();
    let git = windows.git_get().run().success();
    git.stdout_has(&format!("password={}\n", windows.sentry.current_access()));
    windows.stores_the_current_pair();
    windows.sentry(&["auth", "logout"]).run().success();
    assert_eq!(windows.sandbox.stored_row(), None);
}

#[test]
fn a_directory_that_depends_on_the_current_one_is_refused() {
    let windows = Windows::new();
    for relative in ["store", "C:store", "\\store"] {
        let status = windows.bare("sentry", &["auth", "status"]);
        let status = status.env("SENTRY_CONFIG_DIR", relative).run();
        status.stderr_has("SENTRY_CONFIG_DIR must be an absolute path");
    }
}

#[test]
fn a_directory_is_one_however_it_is_written() {
    let home = "R&D 50%x% (it's) !y!";
    let windows = Windows::new();
    let home = windows.sandbox.home().join(home);
    fs::create_dir(&home).unwrap();
    let there = on_windows(&home);
    let of = |written: &str, args: &[&str]| {
        let command = windows.bare("sentry", args);
        command.env("SENTRY_CONFIG_DIR", written).run()
    };
    windows.sentry.approve_next();
    let store = format!(r"{there}\.sentry");
    of(&store, &["auth", "login", "--no-browser"]).success();
    assert!(home.join(".sentry/cli.db").exists());
    for written in [
        store,
        format!("{}/.sentry/", there.replace('\\', "/")),
        format!(r"\\?\{there}\.sentry"),
        format!(r"\\.\{there}\.sentry"),
        format!(r"{there}\.sentry\..\.sentry\"),
    ] {
        let before = windows.sentry.refreshes();
        of(&written, &["auth", "refresh", "--force"]).success();
        assert_eq!(windows.sentry.refreshes(), before + 1, "{written}");
        let token = of(&written, &["auth", "token"]).success();
        token.stdout_is(&format!("{}\n", windows.sentry.current_access()));
    }
    let names = fs::read_dir(&home).unwrap().count();
    assert_eq!(names, 1, "a second directory");
}

#[test]
fn a_device_is_no_directory_and_gets_no_login() {
    let windows = Windows::new();
    for device in [r"\\.\NUL", r"C:\NUL", r"\\.\CON", r"\\.\pipe\x", r"Q:\x"] {
        let login = windows.bare("sentry", &["auth", "login", "--no-browser"]);
        let refused = login.env("SENTRY_CONFIG_DIR", device).run();
        assert_eq!(refused.code, 1, "{device}");
        refused.stderr_has(device);
        assert_eq!(windows.sentry.device_codes(), 0, "{device}");
    }
}

#[test]
fn programs_run_in_a_directory_of_any_name() {
    let windows = Windows::new().logged_in();
    let directory = windows.sandbox.home().join("R&D 50%x% (x) !y!");
    let alone = windows.sandbox.home().join("alone");
    for (directory, names) in [
        (&directory, &["sentry", "git-credential-sentry"][..]),
        (&alone, &["docker-credential-sentry"]),
    ] {
        fs::create_dir(directory).unwrap();
        for name in names.iter().map(|name| format!("{name}.exe")) {
            fs::copy(programs().join(&name), directory.join(name)).unwrap();
        }
    }
    let config = windows.sandbox.home().join(".gitconfig");
    let windows = windows
        .env("WINEPATH", &on_windows(&programs().join("git")))
        .env("GIT_CONFIG_GLOBAL", config.to_str().unwrap());
    let store = on_windows(&windows.sandbox.config_dir());
    let run = |directory: &Path, name: &str, args: &[&str], input: &str| {
        let program = directory.join(format!("{name}.exe"));
        let wine = windows.sandbox.command("wine").arg(on_windows(&program));
        let wine = wine.args(args).env("SENTRY_CONFIG_DIR", &store);
        wine.stdin(input).run()
    };
    windows.expires();
    let got = run(
        &alone,
        "docker-credential-sentry",
        &["get"],
        &windows.sentry.url(),
    );
    got.success().stdout_has(&windows.sentry.current_access());
    let set_up = ["auth", "setup-git", "--host", "https://g.example"];
    run(&directory, "sentry", &set_up, "").success();
    let helper = on_windows(&directory.join("git-credential-sentry.exe")).replace('\\', "/");
    let read = || fs::read_to_string(&config).unwrap();
    let expected = format!("\thelper = !'{helper}'\n");
    assert!(read().contains(&expected), "{}{expected}", read());
    let undo = [&set_up[..], &["--undo"]].concat();
    run(&directory, "sentry", &undo, "").success();
    assert_eq!(read().trim(), "");
}
