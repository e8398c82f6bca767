//! `sentry auth setup-git`: what it writes to git's configuration, and what `--undo` restores.

use crate::fake_sentry::FakeSentry;
use crate::git_server::{Challenge, GitServer};
use crate::helpers::with_session;
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::service::{tool, tools};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

const INSTANCE: [&str; 2] = ["--url", "https://sentry.example.com"];

fn setup_git(machine: &Sandbox, args: &[&str]) -> Cmd {
    machine.sentry(&["auth", "setup-git"]).args(args)
}

/// `setup-git` for one host.
fn set_up(machine: &Sandbox) -> Cmd {
    setup_git(machine, &["--host", "git.example.com"]).args(INSTANCE)
}

fn undo(machine: &Sandbox) -> Cmd {
    setup_git(machine, &["--undo"])
}

#[track_caller]
fn git(machine: &Sandbox, args: &[&str]) -> String {
    machine.command("git").args(args).run().success().stdout
}

fn configuration(machine: &Sandbox) -> String {
    fs::read_to_string(machine.home().join(".gitconfig")).unwrap_or_default()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn setup_git_forgets_other_helpers_for_the_host_and_adds_ours() {
    let machine = Sandbox::new();
    set_up(&machine).run().success().stdout_is("").stderr_is(
        "git uses the login of https://sentry.example.com for https://git.example.com\n",
    );
    assert_eq!(
        configuration(&machine),
        "[credential \"https://git.example.com\"]\n\thelper = \n\thelper = sentry\n"
    );
    assert_eq!(
        machine.bindings(),
        ["git https://git.example.com -> https://sentry.example.com"]
    );
}

#[test]
fn setup_git_without_a_host_means_the_instance() {
    let machine = Sandbox::new().env("SENTRY_URL", "https://sentry.example.com");
    // That its own host is bound to it goes without saying.
    setup_git(&machine, &[])
        .run()
        .success()
        .stderr_is("git uses the login of https://sentry.example.com\n");
    assert_eq!(
        machine.bindings(),
        ["git https://sentry.example.com -> https://sentry.example.com"]
    );
}

#[test]
fn a_bare_name_of_this_machine_means_both_schemes() {
    let machine = Sandbox::new();
    let hosts = ["--host", "[::1]:3000", "--host", "http://localhost:8081"];
    setup_git(&machine, &hosts).args(INSTANCE).run().success();
    assert_eq!(
        machine.bindings(),
        [
            "git http://[::1]:3000 -> https://sentry.example.com",
            "git http://localhost:8081 -> https://sentry.example.com",
            "git https://[::1]:3000 -> https://sentry.example.com",
        ]
    );
}

#[test]
fn setup_git_twice_changes_nothing() {
    let machine = Sandbox::new();
    set_up(&machine).run().success();
    let before = configuration(&machine);
    set_up(&machine)
        .run()
        .success()
        .stderr_is("nothing to change for https://git.example.com\n");
    assert_eq!(configuration(&machine), before);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn undo_brings_back_what_was_there() {
    let machine = Sandbox::new();
    let key = "credential.https://git.example.com.helper";
    git(&machine, &["config", "--global", "user.name", "Jane"]);
    git(&machine, &["config", "--global", "--add", key, "store"]);
    git(
        &machine,
        &["config", "--global", "--add", key, "cache --timeout=60"],
    );
    let before = configuration(&machine);
    set_up(&machine).run().success().stderr_is(
        "git uses the login of https://sentry.example.com for https://git.example.com, no longer `store`, `cache`\n",
    );
    // A second time must not take our own values for those from before.
    set_up(&machine).run().success();
    undo(&machine).run().success().stdout_is("").stderr_is(
        "removed `credential.https://git.example.com.helper=` from git's global configuration\n\
         removed `credential.https://git.example.com.helper=sentry` from git's global configuration\n\
         added `credential.https://git.example.com.helper=store` to git's global configuration\n\
         added `credential.https://git.example.com.helper=cache --timeout=60` to git's global configuration\n\
         unbound https://git.example.com from https://sentry.example.com\n",
    );
    assert_eq!(configuration(&machine), before);
    assert_eq!(machine.bindings(), [""; 0]);
    undo(&machine)
        .run()
        .success()
        .stderr_is("nothing to undo\n");
}

#[test]
fn undo_on_a_new_machine_leaves_no_database() {
    let machine = Sandbox::new();
    undo(&machine)
        .run()
        .success()
        .stderr_is("nothing to undo\n");
    assert!(!machine.db().exists());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn undo_leaves_what_others_wrote_since() {
    let machine = Sandbox::new();
    let key = "credential.https://git.example.com.helper";
    set_up(&machine).run().success();
    git(&machine, &["config", "--global", "--add", key, "store"]);
    undo(&machine).run().success().stderr_is(
        "removed `credential.https://git.example.com.helper=sentry` from git's global configuration\n\
         warning: `credential.https://git.example.com.helper` was changed since; other values are left as they are\n\
         unbound https://git.example.com from https://sentry.example.com\n",
    );
    assert_eq!(
        git(&machine, &["config", "--global", "--get-all", key]),
        "\nstore\n"
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn undo_of_one_host_keeps_the_others() {
    let machine = Sandbox::new();
    let hosts = ["--host", "a.example", "--host", "b.example"];
    setup_git(&machine, &hosts).args(INSTANCE).run().success();
    setup_git(&machine, &["--undo", "--host", "a.example"])
        .run()
        .success();
    assert_eq!(
        machine.bindings(),
        ["git https://b.example -> https://sentry.example.com"]
    );
    assert_eq!(
        configuration(&machine),
        "[credential \"https://b.example\"]\n\thelper = \n\thelper = sentry\n"
    );
}

#[test]
fn a_host_stays_bound_until_it_is_undone_everywhere() {
    let machine = Sandbox::new();
    let local = |args: &[&str]| {
        let setup = setup_git(&machine, &["--local"]).args(args);
        setup.current_dir(machine.home().join("my work"))
    };
    git(&machine, &["init", "--quiet", "my work"]);
    set_up(&machine).run().success();
    local(&["--host", "git.example.com"])
        .args(INSTANCE)
        .run()
        .success()
        .stderr_is(
            "git, in this repository, uses the login of https://sentry.example.com for https://git.example.com\n",
        );
    let bound = ["git https://git.example.com -> https://sentry.example.com"];
    undo(&machine).run().success();
    assert_eq!(machine.bindings(), bound);
    local(&["--undo"]).run().success();
    assert_eq!(machine.bindings(), [""; 0]);
}

#[test]
fn outside_a_repository_there_is_no_local_configuration() {
    let machine = Sandbox::new();
    setup_git(&machine, &["--local"])
        .run()
        .fails(1)
        .stderr_has("git failed: fatal: not a git repository");
    assert!(!machine.db().exists());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn all_users_of_a_machine_have_one_configuration_and_bindings_of_their_own() {
    let machine = Sandbox::new();
    let system = machine.root().join("gitconfig");
    let machine = machine.env("GIT_CONFIG_SYSTEM", &system);
    set_up(&machine).arg("--system").run().success().stderr_is(
        "git uses the login of https://sentry.example.com for https://git.example.com\n\
         other users must run this command too, without `--system`\n",
    );
    assert_eq!(
        fs::read_to_string(system).unwrap(),
        "[credential \"https://git.example.com\"]\n\thelper = \n\thelper = sentry\n"
    );
    assert_eq!(configuration(&machine), "");
}

#[test]
fn git_sees_no_token_while_it_is_configured() {
    let machine = Sandbox::new();
    let (bin, seen) = (machine.root().join("bin"), machine.root().join("seen"));
    fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nenv >> '{}'\nexec '{}' \"$@\"\n",
        seen.display(),
        tool("git").display()
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), Permissions::from_mode(0o755)).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", bin.display(), programs.display());
    let machine = machine
        .env("PATH", path)
        .env("SENTRY_AUTH_TOKEN", "hush-1")
        .env("SENTRY_TOKEN", "hush-2");
    setup_git(&machine, &[]).run().success();
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("HOME=") && !seen.contains("hush"), "{seen}");
}

#[test]
fn a_helper_that_is_not_on_path_is_named_by_the_path_that_was_typed() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().env("PATH", "/usr/bin:/bin");
    let pair = sentry.issue();
    machine.seed_session(&sentry, &pair, Age::FRESH);
    let bin = machine.root().join("it's mine");
    fs::create_dir(&bin).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_sentry")).parent().unwrap();
    for name in ["sentry", "git-credential-sentry"] {
        symlink(programs.join(name), bin.join(name)).unwrap();
    }
    machine
        .command(bin.join("sentry"))
        .args(["auth", "setup-git", "--host", "git.example.com"])
        .run()
        .success();
    let helpers = "credential.https://git.example.com.helper";
    assert_eq!(
        git(&machine, &["config", "--global", "--get-all", helpers]),
        format!(
            "\n!\"{}/it's mine/git-credential-sentry\"\n",
            machine.root().display()
        )
    );
    let filled = machine
        .command("git")
        .args(["credential", "fill"])
        .stdin("protocol=https\nhost=git.example.com\n\n")
        .run()
        .success();
    filled.stdout_has(&format!("password={}\n", pair.access));
}

#[test]
fn without_a_helper_nothing_is_written() {
    let machine = Sandbox::new().env("PATH", "/usr/bin:/bin");
    machine.copy(env!("CARGO_BIN_EXE_sentry"), &machine.root().join("sentry"));
    machine
        .command(machine.root().join("sentry"))
        .args(["auth", "setup-git"])
        .run()
        .fails(1)
        .stderr_is("error: `git-credential-sentry` is neither on PATH nor beside this program\n");
    assert_eq!(configuration(&machine), "");
    assert!(!machine.db().exists());
}

#[test]
fn the_user_name_that_was_asked_for_is_the_one_that_git_sends() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new();
    machine.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let args = ["--host", "git.example.com", "--username", "jane"];
    setup_git(&machine, &args)
        .run()
        .success()
        .stderr_has(&format!(
            "git uses the login of {} for https://git.example.com as jane\n",
            sentry.url()
        ));
    machine
        .command("git")
        .args(["credential", "fill"])
        .stdin("protocol=https\nhost=git.example.com\n\n")
        .run()
        .success()
        .stdout_has("username=jane\n");
}

#[test]
fn hosts_may_stand_alone() {
    let machine = Sandbox::new();
    let hosts = ["a.example", "--host", "b.example", "https://a.example/"];
    setup_git(&machine, &hosts).args(INSTANCE).run().success();
    assert_eq!(
        machine.bindings(),
        [
            "git https://a.example -> https://sentry.example.com",
            "git https://b.example -> https://sentry.example.com"
        ]
    );
}

#[test]
fn without_a_login_no_instance_is_guessed() {
    let machine = Sandbox::new();
    for args in [&[][..], &["--host", "git.example.com"], &["--dry-run"]] {
        setup_git(&machine, args).run().fails(1).stderr_is(
            "error: no login yet; log in first, or name the instance with `--url`\n\
             hint: `sentry auth login`\n",
        );
    }
    assert!(!machine.db().exists() && configuration(&machine).is_empty());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn a_dry_run_writes_nothing() {
    let machine = Sandbox::new();
    let dry = |args: &[&str]| {
        let setup = setup_git(&machine, &["--dry-run", "--host", "git.example.com"]);
        setup.args(args).run().success().stdout_is("")
    };
    dry(&INSTANCE).stderr_is(
        "would bind https://git.example.com to https://sentry.example.com\n\
         would add `credential.https://git.example.com.helper=` to git's global configuration\n\
         would add `credential.https://git.example.com.helper=sentry` to git's global configuration\n",
    );
    assert_eq!(fs::read_dir(machine.home()).unwrap().count(), 0);
    set_up(&machine).run().success();
    let before = (configuration(&machine), machine.bindings());
    dry(&["--undo"]).stderr_is(
        "would remove `credential.https://git.example.com.helper=` from git's global configuration\n\
         would remove `credential.https://git.example.com.helper=sentry` from git's global configuration\n\
         would unbind https://git.example.com from https://sentry.example.com\n",
    );
    assert_eq!((configuration(&machine), machine.bindings()), before);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn a_helper_that_came_later_is_overruled() {
    let machine = Sandbox::new();
    let url = "credential.https://git.example.com";
    let set = |key: &str, value: &str| git(&machine, &["config", "--global", "--add", key, value]);
    set("user.name", "Jane");
    set_up(&machine).run().success();
    set(&format!("{url}.username"), "jane");
    set("credential.helper", "store");
    set("credential.https://*.example.com/team.helper", "cache");
    set_up(&machine).run().success().stderr_is(
        "git uses the login of https://sentry.example.com for https://git.example.com, no longer `store`\n",
    );
    assert_eq!(
        configuration(&machine),
        "[user]\n\tname = Jane\n\
         [credential \"https://git.example.com\"]\n\tusername = jane\n\
         [credential]\n\thelper = store\n\
         [credential \"https://*.example.com/team\"]\n\thelper = cache\n\
         [credential \"https://git.example.com\"]\n\thelper = \n\thelper = sentry\n"
    );
    set_up(&machine)
        .run()
        .success()
        .stderr_is("nothing to change for https://git.example.com\n");
    undo(&machine).run().success();
    assert_eq!(
        configuration(&machine),
        "[user]\n\tname = Jane\n\
         [credential \"https://git.example.com\"]\n\tusername = jane\n\
         [credential]\n\thelper = store\n\
         [credential \"https://*.example.com/team\"]\n\thelper = cache\n"
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn a_helper_of_a_file_that_is_included_is_overruled() {
    let machine = Sandbox::new();
    fs::write(
        machine.home().join("more"),
        "[credential]\n\thelper = store\n",
    )
    .unwrap();
    set_up(&machine).run().success();
    git(&machine, &["config", "--global", "include.path", "more"]);
    set_up(&machine).run().success().stderr_is(
        "git uses the login of https://sentry.example.com for https://git.example.com, no longer `store`\n",
    );
    assert!(configuration(&machine).ends_with(
        "\tpath = more\n[credential \"https://git.example.com\"]\n\thelper = \n\thelper = sentry\n"
    ));
}

/// git 2.39 passes a working credential to all helpers of the chain.
#[test]
fn no_helper_that_came_later_gets_a_copy_of_the_token() {
    for program in tools("git") {
        let sentry = FakeSentry::start();
        let server = GitServer::start(&sentry, Challenge::Basic);
        let machine = with_session(&sentry, Age::FRESH).env("GIT_TERMINAL_PROMPT", "0");
        let url = format!("http://{}", server.host());
        let setup = || setup_git(&machine, &["--host", &url]).run().success();
        setup();
        git(
            &machine,
            &["config", "--global", "credential.helper", "store"],
        );
        let doctor = || machine.sentry(&["auth", "doctor"]).run().success();
        doctor().stdout_has(&format!(
            "warning  git: for {url} git also calls `store`, which may store a copy of the token\n         \
             hint: `sentry auth setup-git --host {url} --url {}`\n",
            sentry.url()
        ));
        setup();
        doctor().stdout_has(&format!("ok       git: git calls this program for {url}\n"));
        let demo = format!("{url}/demo.git");
        let clone = machine
            .command(&program)
            .args(["clone", "--quiet", &demo, "work"]);
        clone.run().success();
        assert!(
            !machine.home().join(".git-credentials").exists(),
            "{}",
            program.display()
        );
    }
}

#[test]
fn a_helper_of_a_later_file_is_named() {
    let machine = Sandbox::new();
    git(&machine, &["init", "--quiet", "work"]);
    let work = machine.home().join("work");
    let here = |args: &[&str]| {
        let config = machine.command("git").args(args).current_dir(&work);
        config.run().success();
    };
    here(&["config", "credential.helper", "store"]);
    set_up(&machine)
        .current_dir(&work)
        .run()
        .success()
        .stderr_has(&format!(
            "warning: for https://git.example.com git also calls `store`, which is configured in {}/.git/config and may store a \
             copy of the token\n\
             hint: `sentry auth setup-git --host https://git.example.com --url https://sentry.example.com --local`\n",
            work.display()
        ));
    let local = set_up(&machine).arg("--local").current_dir(&work).run();
    let local = local.success();
    assert!(!local.stderr.contains("warning"), "{}", local.stderr);
    here(&["config", "extensions.worktreeConfig", "true"]);
    here(&[
        "config",
        "--worktree",
        "credential.helper",
        "cache --timeout=9",
    ]);
    let told = set_up(&machine).arg("--local").current_dir(&work).run();
    told.success().stderr_has(&format!(
        "hint: `git config --file {}/.git/config.worktree --unset-all credential.helper '^cache( |$)'`\n",
        work.display()
    ));
}

#[test]
fn undo_needs_no_log() {
    let machine = Sandbox::new();
    git(&machine, &["config", "--global", "user.name", "Jane"]);
    let before = configuration(&machine);
    let hosts = ["--host", "a.example", "--host", "b.example"];
    setup_git(&machine, &hosts).args(INSTANCE).run().success();
    let part = "credential.https://*.example/team.helper";
    git(
        &machine,
        &[
            "config",
            "--global",
            part,
            "!'/opt/x y/git-credential-sentry'",
        ],
    );
    fs::remove_dir_all(machine.config_dir()).unwrap();
    undo(&machine).run().success();
    assert_eq!(configuration(&machine), before);
    assert!(!machine.config_dir().exists());
}

#[test]
fn undo_never_brings_this_program_back() {
    let machine = Sandbox::new();
    let key = "credential.https://git.example.com.helper";
    for value in ["", "sentry", "store"] {
        git(&machine, &["config", "--global", "--add", key, value]);
    }
    set_up(&machine).run().success();
    undo(&machine).run().success();
    let left = git(&machine, &["config", "--global", "--get-all", key]);
    assert_eq!(left, "store\n");
}

#[test]
fn undo_reports_what_is_not_its_own() {
    let machine = Sandbox::new();
    git(
        &machine,
        &["config", "--global", "credential.helper", "sentry"],
    );
    undo(&machine).run().success().stderr_is(&format!(
        "nothing to undo\n\
         git's global configuration still makes git call this program for all hosts\n\
         hint: `git config --file {}/.gitconfig --unset-all credential.helper '^sentry( |$)'`\n",
        machine.home().display()
    ));
}

/// A binding is removed whatever happened to the configuration file.
#[test]
fn a_binding_does_not_outlive_its_repository() {
    for host in [&[][..], &["--host", "git.example.com"]] {
        let machine = Sandbox::new();
        git(&machine, &["init", "--quiet", "work"]);
        let work = machine.home().join("work");
        let local = set_up(&machine).arg("--local").current_dir(&work);
        local.run().success();
        fs::remove_dir_all(&work).unwrap();
        set_up(&machine).run().success();
        undo(&machine).args(host).run().success();
        assert_eq!(machine.bindings(), [""; 0], "{host:?}");
    }
    // Even where no other file has it.
    let machine = Sandbox::new();
    git(&machine, &["init", "--quiet", "work"]);
    let work = machine.home().join("work");
    let local = set_up(&machine).arg("--local").current_dir(&work);
    local.run().success();
    undo(&machine).run().success().stderr_is(&format!(
        "https://git.example.com stays set up: {0} names this program\nhint: `{1}`\n",
        work.join(".git/config").display(),
        ending(&work.join(".git/config"))
    ));
    fs::remove_dir_all(&work).unwrap();
    undo(&machine)
        .run()
        .success()
        .stderr_is("unbound https://git.example.com from https://sentry.example.com\n");
}

#[test]
fn undo_of_a_host_that_is_named_always_unbinds() {
    let machine = Sandbox::new();
    git(&machine, &["init", "--quiet", "work"]);
    let work = machine.home().join("work");
    let local = set_up(&machine).arg("--local").current_dir(&work);
    local.run().success();
    setup_git(&machine, &["--undo", "git.example.com"])
        .run()
        .success()
        .stderr_is(&format!(
            "unbound https://git.example.com from https://sentry.example.com\n\
             warning: {0} still names this program for https://git.example.com\n\
             hint: `{1}`\n",
            work.join(".git/config").display(),
            ending(&work.join(".git/config"))
        ));
    assert_eq!(machine.bindings(), [""; 0]);
}

/// The command that removes the helper from a file.
fn ending(file: &Path) -> String {
    let file = file.display();
    format!(
        "git config --file {file} --unset-all credential.https://git.example.com.helper '^sentry( |$)'"
    )
}

#[test]
fn undo_names_what_it_leaves_set_up() {
    let machine = Sandbox::new();
    set_up(&machine).run().success();
    let included = machine.home().join("included");
    let content = "[credential \"https://git.example.com\"]\n\thelper =\n\thelper = sentry\n";
    fs::write(&included, content).unwrap();
    let path = included.display().to_string();
    git(&machine, &["config", "--global", "include.path", &path]);
    let left = format!(
        "https://git.example.com stays set up: {path} names this program\nhint: `{}`\n",
        ending(&included)
    );
    undo(&machine).run().success().stderr_has(&left);
    assert_eq!(machine.bindings().len(), 1);
    // What the hint says ends it.
    let end = machine.command("sh").args(["-c", &ending(&included)]);
    end.run().success();
    undo(&machine)
        .run()
        .success()
        .stderr_is("unbound https://git.example.com from https://sentry.example.com\n");
}

#[test]
fn undo_removes_what_was_stored_for_the_host() {
    let machine = Sandbox::new();
    let store = |host: &str| {
        let credential = format!("protocol=https\nhost={host}\nusername=ann\npassword=needle\n");
        machine
            .git_credential("store")
            .stdin(credential)
            .run()
            .success();
    };
    store("git.example.com");
    store("other.example");
    set_up(&machine).run().success();
    undo(&machine)
        .run()
        .success()
        .stderr_has("removed the password that git had stored for https://git.example.com\n");
    assert_eq!(machine.stored_credentials(), 1);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn a_file_among_the_dotfiles_stays_one() {
    let machine = Sandbox::new();
    let dotfile = machine.home().join("dotfiles/gitconfig");
    fs::create_dir(dotfile.parent().unwrap()).unwrap();
    fs::write(&dotfile, "[user]\n\tname = Jane\n").unwrap();
    fs::set_permissions(&dotfile, Permissions::from_mode(0o640)).unwrap();
    symlink("dotfiles/gitconfig", machine.home().join(".gitconfig")).unwrap();
    set_up(&machine).run().success();
    assert!(machine.home().join(".gitconfig").is_symlink());
    assert!(
        fs::read_to_string(&dotfile)
            .unwrap()
            .contains("helper = sentry")
    );
    assert_eq!(
        fs::metadata(&dotfile).unwrap().permissions().mode() & 0o777,
        0o640
    );
    undo(&machine).run().success();
    assert_eq!(
        fs::read_to_string(&dotfile).unwrap(),
        "[user]\n\tname = Jane\n"
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the helper by its name")]
fn the_file_is_the_one_that_git_writes_to() {
    for (variable, value, there, file) in [
        ("XDG_CONFIG_HOME", "cfg", "cfg/git/config", "cfg/git/config"),
        ("XDG_CONFIG_HOME", "cfg", "", ".gitconfig"),
        ("TERM", "dumb", ".config/git/config", ".config/git/config"),
        ("GIT_CONFIG_GLOBAL", "mine", ".gitconfig", "mine"),
    ] {
        let machine = Sandbox::new();
        if !there.is_empty() {
            let there = machine.home().join(there);
            fs::create_dir_all(there.parent().unwrap()).unwrap();
            fs::write(there, "[user]\n\tname = Jane\n").unwrap();
        }
        let value = match variable {
            "TERM" => value.into(),
            _ => machine.home().join(value),
        };
        let machine = machine.env(variable, value);
        set_up(&machine).run().success();
        let text = fs::read_to_string(machine.home().join(file)).unwrap();
        assert!(
            text.contains("helper = sentry"),
            "{variable}, {there}: {text}"
        );
    }
}
