//! The table "When it does not work" of README.md: each text is what a program says, and the command beside it helps.

use super::document;
use super::world::World;
use crate::names::Names;
use crate::official::CURRENT;
use crate::sandbox::Cmd;
use std::fs;
use std::os::unix::fs::symlink;

/// How to meet a symptom.
struct Case {
    text: &'static str,
    /// What was done before, once.
    once: &'static str,
    /// What the shell begins with, each time.
    each: &'static str,
    meet: &'static str,
    /// What the command names that only the user knows, and what that is here.
    fill: (&'static str, &'static str),
    /// What the table says in words behind the command.
    then: &'static str,
    /// What works afterwards; where it is empty, what did not before.
    works: &'static str,
}

const CASE: Case = Case {
    text: "",
    once: "",
    each: "",
    meet: "git ls-remote https://git.example.com/team/repository.git",
    fill: ("", ""),
    then: "",
    works: "",
};

const LOGIN: &str = "sentry-credential login";
const SET_UP: &str = "sentry-credential login; sentry-credential setup-git --host git.example.com";

const CASES: [Case; 12] = [
    Case {
        text: "git: 'credential-sentry' is not a git command",
        once: "mkdir -p .cargo; cp -R \"$BIN\" .cargo/bin; sentry-credential login; sentry-credential setup-git git.example.com",
        each: "PATH=/usr/local/bin:/usr/bin:/bin",
        ..CASE
    },
    Case {
        text: "fatal: could not read Username for 'https://git.example.com'",
        once: LOGIN,
        ..CASE
    },
    Case {
        text: "git-credential-sentry: not logged in to https://sentry.io",
        once: "sentry-credential setup-git git.example.com --url https://sentry.io",
        ..CASE
    },
    Case {
        text: "`SENTRY_AUTH_TOKEN` was refused by git.example.com",
        once: SET_UP,
        each: "export SENTRY_AUTH_TOKEN=sntryu_forgotten",
        meet: "for time in first second; do git ls-remote https://git.example.com/team/repository.git || last=$?; done; (exit ${last-0})",
        ..CASE
    },
    Case {
        text: "no basic auth credentials",
        once: LOGIN,
        meet: "docker manifest inspect registry.example.com/team/image",
        ..CASE
    },
    Case {
        text: "Too many arguments, expected 0 but encountered \"setup-git\"",
        once: LOGIN,
        each: "PATH=\"$OFFICIAL:$PATH\"",
        meet: "sentry auth setup-git --host git.example.com",
        works: CASE.meet,
        ..CASE
    },
    Case {
        text: "its certificate is signed by an unknown authority",
        each: "unset SSL_CERT_FILE",
        meet: LOGIN,
        fill: ("/path/to/ca.pem", "\"$CA\""),
        ..CASE
    },
    Case {
        text: "the proxy proxy.example.com:3128 (HTTPS_PROXY) cannot be found",
        each: "PROXY=$HTTPS_PROXY; export HTTPS_PROXY=http://proxy.example.com:3128",
        meet: LOGIN,
        fill: ("http://127.0.0.1:3128", "\"$PROXY\""),
        ..CASE
    },
    Case {
        text: "the OAuth client id for https://sentry.example.com is not known",
        meet: "sentry-credential login --url https://sentry.example.com",
        ..CASE
    },
    Case {
        text: "others may write its directory",
        once: "sentry-credential login; chmod 777 .sentry",
        meet: "sentry-credential token",
        ..CASE
    },
    Case {
        text: "cli.db is damaged: file is not a database",
        once: "sentry-credential login; printf 'not a database, but long enough' | dd of=.sentry/cli.db conv=notrunc",
        meet: "sentry-credential token",
        then: LOGIN,
        ..CASE
    },
    Case {
        text: "which may store a copy of the token",
        once: "sentry-credential login; sentry-credential setup-git git.example.com; git config --global credential.helper store",
        meet: "sentry-credential doctor",
        ..CASE
    },
];

/// The rows of the table: what is seen, and what is typed.
fn rows() -> Vec<(String, String)> {
    let readme = document("README.md");
    let (_, section) = readme
        .split_once("\n## When it does not work\n")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the end of the section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let mut cells = line.split(" | ").filter_map(code);
        let (text, command) = (
            cells.next().expect("a text"),
            cells.next().expect("a command"),
        );
        (text.to_owned(), command.to_owned())
    };
    rows.map(row).collect()
}

/// The first code of a cell; what has backticks itself stands between two of them.
fn code(cell: &str) -> Option<&str> {
    match cell.split_once("`` ") {
        Some((_, rest)) => rest.split(" ``").next(),
        None => cell.split('`').nth(1),
    }
}

impl Case {
    #[track_caller]
    fn is_met_and_helped(&self, world: &World, command: &str) {
        let machine = world.machine();
        let names = Names::new(&machine, "127.0.0.1 localhost\n");
        let official = machine.root().join("official");
        fs::create_dir(&official).expect("a directory");
        symlink(CURRENT.script(), official.join("sentry")).expect("a link");
        let shell = |script: &str| -> Cmd {
            // Two logins at most.
            world.saas.approve_next();
            world.own.approve_next();
            let shell = machine.command("bash").args(["-c", script]);
            names.known_to(shell.env("OFFICIAL", &official))
        };
        if !self.once.is_empty() {
            let _done = shell(&format!("set -e; {}", self.once)).run().success();
        }
        let met = shell(&format!("{}\n{}", self.each, self.meet)).run();
        let said = met.stdout + &met.stderr;
        assert!(
            said.contains(self.text),
            "not {:?}, but:\n{said}",
            self.text
        );
        let (word, meant) = self.fill;
        assert!(command.contains(word), "{command}");
        let command = match word {
            "" => command.to_owned(),
            word => command.replace(word, meant),
        };
        let works = if self.works.is_empty() {
            self.meet
        } else {
            self.works
        };
        let script = format!("{}\n{command} || exit\n{}\n{works}", self.each, self.then);
        let helped = shell(&script).run().success();
        let said = helped.stdout + &helped.stderr;
        assert!(!said.contains(self.text), "after `{command}`:\n{said}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper")]
fn every_symptom_is_met_and_its_command_helps() {
    let rows = rows();
    let shown: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    let known: Vec<&str> = CASES.iter().map(|case| case.text).collect();
    assert_eq!(shown, known, "a symptom, or how it is met, is missing");
    let world = World::new();
    for (case, (_, command)) in CASES.iter().zip(&rows) {
        case.is_met_and_helped(&world, command);
    }
}

/// What docs/self-hosted.md says can be in the way, beside what README has.
const SELF_HOSTED: [(&str, &str); 3] = [
    (
        "plain http is for this machine only",
        "sentry-credential login --url http://sentry.example.com:9000",
    ),
    (
        "as the instance calls itself",
        "SENTRY_CLIENT_ID=0123456789abcdef sentry-credential login --url https://other.example.com",
    ),
    (
        "its certificate is signed by an unknown authority",
        "env -u SSL_CERT_FILE SENTRY_CLIENT_ID=0123456789abcdef \
         sentry-credential login --url https://sentry.example.com",
    ),
];

#[test]
fn what_is_in_the_way_of_a_login_at_an_own_sentry_is_met() {
    let page = document("docs/self-hosted.md");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let known: Vec<&str> = SELF_HOSTED.iter().map(|(text, _)| *text).collect();
    assert_eq!(rows, known);
    let world = World::new();
    for (text, meet) in SELF_HOSTED {
        let machine = world.machine();
        let met = machine.command("bash").args(["-c", meet]).run();
        assert_ne!(met.code, 0, "{meet}");
        let _said = met.stderr_has(text);
    }
}
