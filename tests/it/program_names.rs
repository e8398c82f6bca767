//! The names of the program: `sentry`, which Sentry's official CLI has too, `sentry-credential`, and
//! `git credential-sentry`. Whichever program is first on `PATH`, the right one answers.

use crate::fake_sentry::FakeSentry;
use crate::machine::Machine;
use crate::official::{CURRENT, peers};
use crate::sandbox::{Age, Cmd, Output, Sandbox};
use crate::service::tools;
use crate::terminal::TtyUser;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const SENTRY: &str = env!("CARGO_BIN_EXE_sentry");

/// Commands of Sentry's official CLI, whichever program is called `sentry`.
const THEIRS: [&str; 20] = [
    "issue list",
    "issue --help",
    "issue list --json",
    "--json issue list",
    "org list",
    "project list",
    "event --help",
    "log --help",
    "trace --help",
    "api --help",
    "api /organizations/",
    "schema issues",
    "cli --help",
    "team list",
    "release --help",
    "help issue",
    "auth bootstrap",
    "auth bootstrap --help",
    "-v",
    "no-such-command",
];

/// Commands of this program, if it comes first.
const OURS: [&str; 20] = [
    "auth status",
    "auth status --json",
    "auth status --offline",
    "auth token",
    "auth whoami",
    "auth whoami --json",
    "auth list",
    "auth list --json",
    "auth hosts",
    "auth hosts --json",
    "auth refresh",
    "auth login --no-browser",
    "auth login --help",
    "auth switch nobody",
    "auth completions bash",
    "auth help status",
    "auth --help",
    "help",
    "--version",
    "auth",
];

/// A machine with a session, which Sentry's official CLI finds too.
fn logged_in() -> Machine {
    let machine = Machine::new().session(Age::FRESH);
    let dir = machine.sandbox.config_dir();
    machine
        // Left alone, the official CLI would choose `~/.config/sentry`.
        .env("SENTRY_CONFIG_DIR", dir)
        .env("SENTRY_CLI_NO_TELEMETRY", "1")
        .env("SENTRY_CLI_NO_UPDATE_CHECK", "1")
        .env("NO_COLOR", "1")
}

impl Machine {
    /// A directory that may be put on `PATH`.
    fn subdir(&self, name: &str) -> PathBuf {
        let dir = self.sandbox.root().join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// A directory in which this program is called `name`.
    fn linked(&self, dir: &str, name: &str) -> PathBuf {
        let dir = self.subdir(dir);
        symlink(SENTRY, dir.join(name)).unwrap();
        dir
    }

    /// A directory with the official CLI, as npm installs it.
    fn official(&self) -> PathBuf {
        let dir = self.subdir("official");
        symlink(CURRENT.script(), dir.join("sentry")).unwrap();
        dir
    }

    /// A directory with a script called `sentry`.
    fn script(&self, dir: &str, script: &str) -> PathBuf {
        let dir = self.subdir(dir);
        let new = dir.join("new");
        fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
        // By another process, so that none of ours has it open when it is started.
        self.sandbox
            .copy(new.to_str().unwrap(), &dir.join("sentry"));
        dir
    }

    /// A command that a shell looks up in these directories, and in those of the system.
    fn typed(&self, dirs: &[&Path], words: &str) -> Cmd {
        let dirs = dirs.iter().map(|dir| dir.display().to_string());
        let node = peers().join("node-22/bin").display().to_string();
        let system = [node, "/usr/local/bin:/usr/bin:/bin".to_owned()];
        let path: Vec<String> = dirs.chain(system).collect();
        let shell = self.sandbox.command("/bin/sh").args(["-c", words]);
        shell.env("PATH", path.join(":"))
    }
}

#[track_caller]
fn same(found: &Output, expected: &Output, words: &str) {
    assert_eq!(found.code, expected.code, "{words}: {}", found.stderr);
    assert_eq!(found.stdout, expected.stdout, "{words}");
    assert_eq!(found.stderr, expected.stderr, "{words}");
}

/// Starts all of a kind at once: Sentry's official CLI takes most of a second each time.
fn all<'a>(words: &[&'a str], command: impl Fn(&str) -> Cmd) -> Vec<(&'a str, Output)> {
    let run = |part: &[&'a str]| {
        let running: Vec<_> = part.iter().map(|words| command(words).spawn()).collect();
        let ended = running.into_iter().map(|running| running.wait());
        part.iter().copied().zip(ended).collect::<Vec<_>>()
    };
    words.chunks(5).flat_map(run).collect()
}

#[test]
fn whoever_is_first_on_path_twenty_commands_of_each_program_reach_it() {
    let machine = logged_in();
    let official = machine.official();
    let ours = machine.linked("ours", "sentry");
    symlink(SENTRY, ours.join("sentry-credential")).unwrap();
    let helper = Path::new(SENTRY).with_file_name("git-credential-sentry");
    symlink(helper, ours.join("git-credential-sentry")).unwrap();
    let split = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let orders = [[&*ours, &*official], [&*official, &*ours]];
    let theirs = all(&THEIRS, |words| {
        CURRENT.run(
            &machine.sandbox,
            &split(words).iter().map(String::as_str).collect::<Vec<_>>(),
        )
    });
    for order in &orders {
        let found = all(&THEIRS, |words| {
            machine.typed(order, &format!("sentry {words}"))
        });
        for ((words, found), (_, expected)) in found.iter().zip(&theirs) {
            same(found, expected, words);
        }
    }
    // `sentry auth` is the first one's; the names of our own reach ours in both orders.
    for words in OURS {
        let direct = machine
            .sandbox
            .sentry(&split(words).iter().map(String::as_str).collect::<Vec<_>>());
        let direct = direct.run();
        let found = machine.typed(&orders[0], &format!("sentry {words}")).run();
        same(&found, &direct, words);
        let Some(command) = words.strip_prefix("auth ") else {
            continue;
        };
        // Help and scripts are about the name that was started.
        if command.contains("help") || command.contains("completions") {
            for order in &orders {
                let found = machine
                    .typed(order, &format!("sentry-credential {command}"))
                    .run();
                assert!(
                    found.stdout.contains("sentry-credential"),
                    "{command}: {}",
                    found.stdout
                );
            }
            continue;
        }
        let as_typed = |text: &str| text.replace("sentry auth", "sentry-credential");
        for order in &orders {
            for typed in [command, words] {
                let found = machine
                    .typed(order, &format!("sentry-credential {typed}"))
                    .run();
                assert_eq!(found.code, direct.code, "{typed}: {}", found.stderr);
                assert_eq!(found.stdout, as_typed(&direct.stdout), "{typed}");
                assert_eq!(found.stderr, as_typed(&direct.stderr), "{typed}");
            }
        }
        if ["status", "hosts"].contains(&command) {
            for order in &orders {
                let found = machine
                    .typed(order, &format!("git credential-sentry {command}"))
                    .run();
                let found = found.success();
                assert_eq!(found.stdout, direct.stdout, "{command}");
            }
        }
    }
    let status = |order: &[&Path]| machine.typed(order, "sentry auth status").run().success();
    status(&orders[0]).stdout_has("Authenticated as: ");
    // What the official one says of the time that is left differs from second to second.
    status(&orders[1]).stdout_has("✓ Authenticated");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn the_other_program_gets_arguments_streams_and_environment_as_they_came() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    let other = machine.script(
        "other",
        "printf '[%s]' \"$@\"; echo; cat; env | grep -v SENTRY_CREDENTIAL_HANDED_OVER | sort; ulimit -a; \
         ls /proc/self/fd; exit 42",
    );
    let words = "issue 'two words' '' --flag=ü \"$(printf 'line\\nline')\" -- auth";
    let direct = format!("{}/sentry {words}", other.display());
    let run = |script: &str| {
        let cmd = machine.typed(&[&ours, &other], script);
        cmd.env("SOME", "value").stdin("input\n").run()
    };
    let (handed, direct) = (run(&format!("sentry {words}")), run(&direct));
    assert!(
        direct
            .stdout
            .contains("[two words][][--flag=ü][line\nline][--][auth]\ninput\n")
    );
    // `_` names the command to the shell that starts it.
    let without = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("_="));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without(&handed.stdout), without(&direct.stdout));
    assert_eq!((handed.code, direct.code), (42, 42));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn the_other_program_gets_signals_as_they_were() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    let other = machine.script(
        "other",
        "exec grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status",
    );
    for ignored in [
        "",
        "trap '' PIPE;",
        "trap '' XFSZ INT;",
        "trap '' PIPE XFSZ HUP TERM;",
    ] {
        let run = |program: &str| {
            let cmd = machine.typed(&[&ours, &other], &format!("{ignored} exec {program} issue"));
            cmd.run().success().stdout
        };
        let direct = run(&format!("{}/sentry", other.display()));
        assert_eq!(run("sentry"), direct, "{ignored}");
    }
    // A blocked signal stays blocked.
    let run = |program: &str| {
        let script = format!("exec env --block-signal=USR1 --block-signal=TERM {program} issue");
        machine
            .typed(&[&ours, &other], &script)
            .run()
            .success()
            .stdout
    };
    assert_eq!(run("sentry"), run(&format!("{}/sentry", other.display())));
}

#[test]
fn a_signal_reaches_the_other_program_and_its_end_is_the_end() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    let other = machine.script(
        "other",
        "trap 'exit 7' TERM; echo up $$ >&2; while :; do sleep 0.1; done",
    );
    let cmd = machine.typed(&[&ours, &other], "exec sentry issue");
    let mut running = cmd.spawn();
    running.wait_for_stderr(&format!("up {}\n", running.pid().as_raw_pid()));
    running.signal(Signal::TERM);
    let _ended = running.wait().fails(7);
}

#[test]
fn two_installations_do_not_hand_over_to_each_other_for_ever() {
    let machine = logged_in();
    let (one, two) = (machine.subdir("one"), machine.subdir("two"));
    machine.sandbox.copy(SENTRY, &one.join("sentry"));
    machine.sandbox.copy(SENTRY, &two.join("sentry"));
    let linked = machine.subdir("linked");
    fs::hard_link(one.join("sentry"), linked.join("sentry")).unwrap();
    let symlinked = machine.subdir("symlinked");
    symlink(two.join("sentry"), symlinked.join("sentry")).unwrap();
    let ours = [&*one, &symlinked, &linked, &two];
    let alone = machine.typed(&ours, "sentry issue list").run().fails(2);
    let _alone = alone.stderr_is(ALONE).stdout_is("");
    let other = machine.script("other", "echo other \"$@\"");
    let found = machine.typed(
        &[&one, &symlinked, &linked, &two, &other],
        "sentry issue list",
    );
    let _found = found
        .run()
        .success()
        .stdout_is("other issue list\n")
        .stderr_is("");
    // One that the other program starts hands over as well.
    let nested = machine.script(
        "nested",
        "test $# = 2 && exec sentry one more word; echo nested \"$@\"",
    );
    let found = machine.typed(&[&one, &two, &nested], "sentry issue list");
    let _found = found.run().success().stdout_is("nested one more word\n");
}

const ALONE: &str = "error: this `sentry` is Sentry's credential helper for git and docker, which has `sentry auth` alone, \
                     and there is no other `sentry` on PATH\nhint: `sentry auth --help`\n";

#[test]
fn without_another_sentry_one_sentence_says_what_this_is() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    for words in [
        "issue list",
        "--json issue list",
        "help issue",
        "sntrys_secret",
    ] {
        let run = machine
            .typed(&[&ours], &format!("sentry {words}"))
            .run()
            .fails(2);
        let _said = run.stderr_is(ALONE).stdout_is("");
    }
    let login = machine
        .typed(&[&ours], "sentry login --force")
        .run()
        .fails(2);
    let _said = login.stderr_has("\nhint: `sentry auth login`\n");
    let unknown = machine
        .typed(&[&ours], "sentry auth bootstrap")
        .run()
        .fails(2);
    let _said = unknown.stderr_has("unrecognized subcommand 'bootstrap'");
    // A directory and a file that cannot be run are no programs.
    let dir = machine.subdir("other");
    fs::create_dir(dir.join("sentry")).unwrap();
    let plain = machine.subdir("plain");
    fs::write(plain.join("sentry"), "").unwrap();
    let run = machine
        .typed(&[&ours, &dir, &plain], "sentry issue list")
        .run();
    let _said = run.fails(2).stderr_is(ALONE);
}

#[test]
fn a_wrapper_that_starts_ours_again_is_named() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    for exec in ["exec ", ""] {
        let name = format!("wrapper{}", exec.len());
        let wrapper = machine.script(&name, &format!("{exec}{}/sentry \"$@\"", ours.display()));
        let run = machine.typed(&[&ours, &wrapper], "sentry issue list").run();
        let _said = run.fails(126).stderr_is(&format!(
            "error: {}/sentry starts this program again and again\n",
            wrapper.display()
        ));
        // What is ours never gets there.
        let run = machine.typed(&[&wrapper, &ours], "sentry auth token").run();
        let _token = run
            .success()
            .stdout_is(&format!("{}\n", machine.pair.access));
    }
}

#[test]
fn another_program_that_cannot_be_run_is_named() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    let broken = machine.script("broken", "");
    let file = broken.join("sentry");
    fs::write(broken.join("new"), "#!/no/such/interpreter\n").unwrap();
    machine
        .sandbox
        .copy(broken.join("new").to_str().unwrap(), &file);
    let run = machine.typed(&[&ours, &broken], "sentry issue list").run();
    let _said = run
        .fails(126)
        .stderr_has(&format!("error: cannot run {}: ", file.display()));
}

#[test]
fn sentry_credential_is_the_same_program_by_every_kind_of_link() {
    let machine = logged_in();
    let soft = machine.linked("soft", "sentry-credential");
    let copied = machine.subdir("copied");
    machine
        .sandbox
        .copy(SENTRY, &copied.join("sentry-credential"));
    let hard = machine.subdir("hard");
    fs::hard_link(
        copied.join("sentry-credential"),
        hard.join("sentry-credential"),
    )
    .unwrap();
    fs::hard_link(
        copied.join("sentry-credential"),
        hard.join("sentry-credential.exe"),
    )
    .unwrap();
    let other = machine.script("other", "echo handed over");
    for dir in [&soft, &copied, &hard] {
        let run = |words: &str| machine.typed(&[dir, &other], words).run();
        for words in ["token", "auth token"] {
            let token = run(&format!("sentry-credential {words}")).success();
            let _token = token.stdout_is(&format!("{}\n", machine.pair.access));
        }
        let unknown = run("sentry-credential issue list").fails(2).stdout_is("");
        let _unknown = unknown.stderr_has("unrecognized subcommand 'issue'");
        let _help = run("sentry-credential help login")
            .success()
            .stdout_has("Usage: sentry-credential login");
        let _version = run("sentry-credential --version")
            .success()
            .stdout_has("sentry-credential ");
    }
    let exe = machine
        .typed(&[&hard], "sentry-credential.exe whoami")
        .run();
    let _whoami = exe.success();
    let out = "sentry-credential logout --all && sentry-credential status";
    let out = machine.typed(&[&soft], out).run().fails(1);
    let _hint = out.stderr_has("hint: `sentry-credential login --url ");
}

#[test]
fn link_makes_a_symlink_and_replaces_none_that_is_not_ours() {
    let machine = logged_in();
    let bin = machine.subdir("bin");
    let program = bin.join("sentry-credential");
    machine.sandbox.copy(SENTRY, &program);
    let link = bin.join("sentry");
    let run = |words: &str| machine.typed(&[&bin], words).run();
    let made = run("sentry-credential link").success().stderr_is("");
    let _made = made.stdout_is(&format!(
        "{} is a symlink to {}\n",
        link.display(),
        program.display()
    ));
    assert_eq!(
        fs::read_link(&link).unwrap(),
        Path::new("sentry-credential")
    );
    let _status = run("sentry auth token").success();
    let again = run("sentry-credential link").success();
    let _again = again.stdout_is(&format!("{} is this program already\n", link.display()));
    // Elsewhere: by its whole path, and PATH is named.
    let home = machine.subdir("home/bin");
    let elsewhere = run("cd && sentry-credential link bin").success();
    let _elsewhere = elsewhere.stderr_is("");
    assert_eq!(fs::read_link(home.join("sentry")).unwrap(), program);
    fs::remove_file(&link).unwrap();
    let not_first = run("cd && sentry-credential link bin").success();
    let _not_first = not_first.stderr_is(&format!(
        "warning: `sentry` is not that one yet, by PATH\nhint: `export PATH={}:\"$PATH\"`\n",
        home.display()
    ));
    // What an earlier installation left is replaced.
    symlink("/gone/sentry-credential", &link).unwrap();
    let _replaced = run("sentry-credential link").success();
    assert_eq!(
        fs::read_link(&link).unwrap(),
        Path::new("sentry-credential")
    );
    assert_eq!(fs::read_dir(&bin).unwrap().count(), 2);
    // What is not ours stays: a file, a symlink, a directory.
    let refused = |what: &str| {
        let refused = run("sentry-credential link").fails(1).stdout_is("");
        let _said = refused.stderr_is(&format!(
            "error: {} is another program, and stays\nhint: `sentry-credential link DIR`, with a directory of yours that \
             is on PATH\n",
            link.display()
        ));
        assert!(link.symlink_metadata().is_ok(), "{what}");
    };
    fs::remove_file(&link).unwrap();
    fs::write(&link, "theirs").unwrap();
    refused("a file");
    assert_eq!(fs::read_to_string(&link).unwrap(), "theirs");
    fs::remove_file(&link).unwrap();
    symlink("/opt/official/sentry", &link).unwrap();
    refused("a symlink");
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    refused("a directory");
    let missing = run("sentry-credential link /no/such/directory").fails(1);
    let _missing = missing
        .stderr_has("cannot make /no/such/directory/sentry: there is no such directory\nhint: ");
}

#[test]
fn the_commands_of_a_user_work_as_words_of_git() {
    for git in tools("git") {
        let machine = logged_in();
        let ours = Path::new(SENTRY).parent().unwrap().to_owned();
        let git = git.display();
        let run = |words: &str| {
            machine
                .typed(&[&ours], &format!("{git} credential-sentry {words}"))
                .run()
        };
        let ours = |words: &str| {
            machine
                .sandbox
                .sentry(&words.split(' ').collect::<Vec<_>>())
                .run()
        };
        let of_git = |text: &str| {
            let text = text.replace("sentry auth setup-git", "git credential-sentry setup");
            ["login", "status", "hosts", "doctor"]
                .into_iter()
                .fold(text, |text, word| {
                    text.replace(
                        &format!("sentry auth {word}"),
                        &format!("git credential-sentry {word}"),
                    )
                })
        };
        for (words, auth) in [
            ("status", "auth status"),
            ("status --json", "auth status --json"),
            ("hosts", "auth hosts"),
            ("login --no-browser", "auth login --no-browser"),
            (
                "setup --dry-run g.example",
                "auth setup-git --dry-run g.example",
            ),
            ("setup g.example", "auth setup-git --dry-run h.example"),
            ("hosts --json", "auth hosts --json"),
        ] {
            let (found, direct) = (run(words), ours(auth));
            assert_eq!(found.code, direct.code, "{words}: {}", found.stderr);
            if !words.starts_with("setup g") {
                assert_eq!(found.stdout, of_git(&direct.stdout), "{words}");
                assert_eq!(found.stderr, of_git(&direct.stderr), "{words}");
            }
        }
        let doctor = run("doctor");
        let _doctor = doctor.stdout_has("programs: ");
        let usage = run("login --nonsense").fails(2);
        let _usage = usage.stderr_has("Usage: git credential-sentry login");
        let usage = run("setup -h").success();
        let _usage = usage.stdout_has("Usage: git credential-sentry setup [OPTIONS] [HOST]...");
        let version = run("--version").success();
        let _version = version.stdout_is(concat!(
            "git-credential-sentry (sentry-credential) v",
            env!("CARGO_PKG_VERSION"),
            "\n"
        ));
        // `--help` of git itself opens the manual page.
        let _help = run("-h")
            .success()
            .stdout_has("usage: git credential-sentry <login|");
        // What git may say, and does not yet, is ignored.
        for operation in ["setup-git", "logout", "token", "auth status", "nonsense"] {
            let _silent = run(operation).success().stdout_is("").stderr_is("");
        }
        let typed = machine
            .sandbox
            .command(env!("CARGO_BIN_EXE_git-credential-sentry"));
        let mut typed = TtyUser::start(typed);
        assert_eq!(typed.wait(), 2);
        let screen = typed.screen();
        assert!(
            screen.contains("usage: git credential-sentry <login|"),
            "{screen}"
        );
    }
}

#[test]
fn hints_of_the_helpers_use_a_name_that_is_there() {
    let sentry = FakeSentry::start();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    let url = sentry.url();
    let helpers = |dir: &Path| {
        for name in ["git-credential-sentry", "docker-credential-sentry"] {
            let built = Path::new(SENTRY).with_file_name(name);
            symlink(built, dir.join(name)).unwrap();
        }
    };
    let dir = sandbox.root().join("packaged");
    fs::create_dir(&dir).unwrap();
    helpers(&dir);
    symlink(SENTRY, dir.join("sentry-credential")).unwrap();
    let theirs = sandbox.root().join("theirs");
    fs::create_dir(&theirs).unwrap();
    symlink("/bin/true", theirs.join("sentry")).unwrap();
    let linked = sandbox.root().join("linked");
    fs::create_dir(&linked).unwrap();
    symlink(dir.join("sentry-credential"), linked.join("sentry")).unwrap();
    for (first, name) in [
        (&theirs, "sentry-credential"),
        (&sandbox.root().join("nothing"), "sentry-credential"),
        (&linked, "sentry auth"),
    ] {
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin",
            first.display(),
            dir.display()
        );
        let git = sandbox.git_credential("get").env("PATH", &path);
        let git = git.stdin(format!("protocol=http\nhost={}\n", sentry.address()));
        let _git = git.run().fails(1).stderr_has(&format!(
            "git-credential-sentry: not logged in to {url} (hint: `git credential-sentry login --url {url}`)"
        ));
        let docker = sandbox.docker_credential("store").env("PATH", &path);
        let docker = docker
            .env("SENTRY_TOKEN", "sntryu_x")
            .stdin(r#"{"ServerURL":"r.example","Username":"u","Secret":"sntryu_x"}"#)
            .run()
            .fails(1);
        let _docker = docker.stdout_has(&format!("`{name} setup-docker --registry r.example"));
    }
}

#[test]
fn each_name_has_completions() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry");
    symlink(SENTRY, ours.join("sentry-credential")).unwrap();
    let run = |words: &str| machine.typed(&[&ours], words).run();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let of_sentry = run(&format!("sentry auth completions {shell}"))
            .success()
            .stdout;
        let of_credential = run(&format!("sentry-credential completions {shell}"))
            .success()
            .stdout;
        assert!(!of_sentry.contains("sentry-credential link"), "{shell}");
        assert!(of_credential.contains("sentry-credential"), "{shell}");
        assert_ne!(of_sentry, of_credential, "{shell}");
        for (started, name, expected) in [
            ("sentry-credential completions", "sentry", &of_sentry),
            (
                "sentry auth completions",
                "sentry-credential",
                &of_credential,
            ),
        ] {
            let script = run(&format!("{started} {shell} --name {name}"))
                .success()
                .stdout;
            assert_eq!(&script, expected, "{started} {shell} {name}");
        }
    }
    let _bad = run("sentry auth completions bash --name 'x; touch y'").fails(2);
    // A shell that has read all three completes each by its own words.
    let script = "eval \"$(sentry auth completions bash)\"; eval \"$(sentry-credential completions bash)\"\n\
        eval \"$(sentry auth completions bash --name mysentry)\"\n\
        complete_line() { COMP_WORDS=($1 \"\"); COMP_CWORD=$(($# + ${#COMP_WORDS[@]} - 2)); COMPREPLY=(); \
        set -- $(complete -p ${COMP_WORDS[0]}); while [ \"$1\" != -F ]; do shift; done; \
        $2 \"${COMP_WORDS[0]}\" '' \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"; }\n\
        complete_line sentry; complete_line 'sentry auth'; complete_line sentry-credential; complete_line 'mysentry auth'";
    let script = format!("exec bash -c '{}'", script.replace('\'', r"'\''"));
    let completed = run(&script).success().stderr_is("").stdout;
    let lines: Vec<&str> = completed.lines().collect();
    assert_eq!(lines.len(), 4, "{completed}");
    assert!(
        lines[0].contains("auth") && !lines[0].contains("login"),
        "{completed}"
    );
    assert!(
        lines[1].contains("login") && !lines[1].contains("link"),
        "{completed}"
    );
    assert!(
        lines[2].contains("login") && lines[2].contains("link"),
        "{completed}"
    );
    assert_eq!(lines[3], lines[1]);
}

#[test]
fn each_helper_has_the_completions_of_its_usage() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry-credential");
    let run = |words: &str| machine.typed(&[&ours], words).run().success().stdout;
    for (helper, usage) in [
        (
            "git-credential-sentry",
            machine.sandbox.git_credential("--help").run(),
        ),
        (
            "docker-credential-sentry",
            machine.sandbox.docker_credential("--help").run(),
        ),
    ] {
        let usage = usage.success().stdout;
        let words = usage.split('<').skip(1);
        let words = words.flat_map(|rest| rest.split('>').next().unwrap().split('|'));
        let mut words: Vec<&str> = words.collect();
        words.sort_unstable();
        assert!(words.contains(&"get"), "{usage}");
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            let script = run(&format!(
                "sentry-credential completions {shell} --name {helper}"
            ));
            for word in &words {
                assert!(script.contains(word), "{shell} {helper} {word}");
            }
        }
        let script = format!(
            "eval \"$(sentry-credential completions bash --name {helper})\"; COMP_WORDS=({helper} \"\"); COMP_CWORD=1; \
             {} {helper} \"\" {helper}; printf \"%s\\n\" \"${{COMPREPLY[@]}}\"",
            format!("_{helper}").replace('-', "__")
        );
        let completed = run(&format!("exec bash -c '{script}'"));
        let mut completed: Vec<&str> = completed.lines().collect();
        completed.retain(|word| !word.starts_with('-') && *word != "help");
        completed.sort_unstable();
        assert_eq!(completed, words);
    }
}

#[test]
fn bash_completes_the_options_of_each_command() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry-credential");
    for name in ["sentry", "sentry-credential", "my-name-for-it"] {
        let words = match name {
            "sentry" => "auth setup-git --dry",
            _ => "setup-git --dry",
        };
        let script = format!(
            "eval \"$(sentry-credential completions bash --name {name})\"; COMP_WORDS=({name} {words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); {} {name} --dry setup-git; echo \"${{COMPREPLY[*]}}\"",
            format!("_{name}").replace('-', "__")
        );
        let typed = machine.typed(&[&ours], &format!("exec bash -c '{script}'"));
        typed.run().success().stdout_is("--dry-run\n");
    }
}

#[test]
fn git_completes_the_commands_of_its_helper() {
    let machine = logged_in();
    let ours = machine.linked("ours", "sentry-credential");
    for (words, completed) in [
        ("credential-sentry lo", "login"),
        ("credential-sentry login --read", "--read-only"),
        ("-C / credential-sentry set", "setup"),
    ] {
        let script = format!(
            ". /usr/share/bash-completion/completions/git; \
             eval \"$(sentry-credential completions bash --name git-credential-sentry)\"; \
             COMP_WORDS=(git {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE=\"git {words}\"; \
             COMP_POINT=${{#COMP_LINE}}; __git_wrap__git_main; echo ${{COMPREPLY[*]}}"
        );
        let typed = machine.typed(&[&ours], &format!("exec bash -c '{script}'"));
        typed.run().success().stdout_is(&format!("{completed}\n"));
    }
}
