//! Checks that README and manual pages describe exactly what the programs do.

use crate::fake_sentry::FakeSentry;
use crate::sandbox::{Age, Sandbox};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const MANUAL: &str = "man/sentry-auth.1";
const PAGES: [&str; 3] = [
    MANUAL,
    "man/git-credential-sentry.1",
    "man/docker-credential-sentry.1",
];

const VARIABLES: [&str; 25] = [
    "SENTRY_AUTH_TOKEN",
    "SENTRY_TOKEN",
    "SENTRY_URL",
    "SENTRY_HOST",
    "SENTRY_CLIENT_ID",
    "SENTRY_CONFIG_DIR",
    "SENTRY_CREDENTIAL_INTERACTIVE",
    "SENTRY_CREDENTIAL_KEYRING",
    "SENTRY_CREDENTIAL_TRACE",
    "SENTRY_CREDENTIAL_FAST",
    "SENTRY_CUSTOM_HEADERS",
    "SENTRY_SETUP_CODE",
    "GIT_TERMINAL_PROMPT",
    "GCM_INTERACTIVE",
    "CI",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "BROWSER",
    "NO_COLOR",
    "CLICOLOR_FORCE",
];

/// The first command of the section "Build from source" of the README, as a reader copies it; the second runs the tests.
const BUILD_AND_GET: &str = r"cargo build --release --locked &&
    printf 'protocol=https\nhost=sentry.io\n\n' |
    SENTRY_AUTH_TOKEN=example-token target/release/git-credential-sentry get
";

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text between a line `opening` and the next line "```".
fn block<'a>(document: &'a str, opening: &str) -> &'a str {
    let (_, rest) = document.split_once(opening).expect(opening);
    rest.split_once("```").expect("the end of a block").0
}

fn help(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.sentry(args).arg("--help").run().success().stdout
}

/// The first words of the lines below `Commands:`.
fn commands(help: &str) -> BTreeSet<String> {
    let (_, rest) = help.split_once("Commands:\n").expect("commands");
    rest.lines()
        .map_while(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The options that all commands have.
const COMMON: [&str; 2] = ["--help", "--verbose"];

/// The long names of the options, without those that all commands have.
fn flags(help: &str) -> BTreeSet<String> {
    let names = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("-v, ").unwrap_or(line);
        let name = line.strip_prefix("--")?;
        Some(format!("--{}", name.split_whitespace().next()?))
    });
    let names: BTreeSet<String> = names.collect();
    assert!(names.contains("--verbose"), "{help}");
    let is_own = |name: &String| !COMMON.contains(&name.as_str());
    names.into_iter().filter(is_own).collect()
}

/// The options of each command, according to `--help`.
fn spoken() -> BTreeMap<String, BTreeSet<String>> {
    let sandbox = Sandbox::new();
    let commands = commands(&help(&sandbox, &["auth"]));
    let with_flags = |command: String| {
        // `help` has no options, not even that for help.
        let flags = match command.as_str() {
            "help" => BTreeSet::new(),
            _ => flags(&help(&sandbox, &["auth", &command])),
        };
        (command, flags)
    };
    commands.into_iter().map(with_flags).collect()
}

/// The options of each command, according to the manual: those below each `.Ss`.
fn written() -> BTreeMap<String, BTreeSet<String>> {
    let manual = document(MANUAL);
    let (_, rest) = manual.split_once(".Sh COMMANDS\n").expect("commands");
    let (section, _) = rest.split_once("\n.Sh ").expect("a next section");
    let mut written = BTreeMap::new();
    for part in section.split("\n.Ss ").skip(1) {
        let command = part.split_whitespace().next().expect("a name");
        let flags = part.lines().filter_map(|line| {
            let flag = line.strip_prefix(".It Fl ")?.split_whitespace().next()?;
            Some(format!("-{flag}"))
        });
        written.insert(command.to_owned(), flags.collect());
    }
    written
}

#[test]
fn the_manual_has_the_commands_and_options_of_the_help() {
    assert_eq!(written(), spoken());
}

#[test]
fn the_manual_has_the_option_of_all_commands() {
    let manual = document(MANUAL);
    assert!(manual.contains("\n.Fl -verbose\n(or\n.Fl v )\n"));
}

#[test]
fn every_variable_stands_in_the_manual() {
    let manual = document(MANUAL);
    for variable in VARIABLES {
        let in_manual = manual.lines().any(|line| {
            line.strip_prefix(".It Ev ")
                .is_some_and(|names| names.split(" , ").any(|name| name == variable))
        });
        assert!(in_manual, "{variable} has no item in the manual");
    }
}

/// Who has a package has no `sentry auth`, and looks under the name of the program.
#[test]
fn the_manual_stands_under_both_names_of_the_program() {
    let manual = document(MANUAL);
    assert_eq!(document("man/sentry-credential.1"), manual);
    let names = "\n.Sh NAME\n.Nm sentry-auth ,\n.Nm sentry-credential\n";
    assert!(manual.contains(names));
}

#[test]
fn the_pages_of_the_helpers_have_the_variables_of_the_manual() {
    let manual = document(MANUAL);
    for page in &PAGES[1..] {
        // One is for a command of a user.
        let ours = VARIABLES
            .iter()
            .filter(|name| name.starts_with("SENTRY_") && **name != "SENTRY_SETUP_CODE");
        for variable in ours {
            assert!(document(page).contains(variable), "{variable}, {page}");
            assert!(manual.contains(variable), "{variable}, {MANUAL}");
        }
    }
}

#[test]
fn the_help_names_no_other_variable() {
    let sandbox = Sandbox::new();
    let mut named = BTreeSet::new();
    for command in commands(&help(&sandbox, &["auth"])) {
        if command == "help" {
            continue;
        }
        let help = help(&sandbox, &["auth", &command]);
        let words = help.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let is_ours = |word: &&str| word.starts_with("SENTRY_");
        named.extend(words.filter(is_ours).map(str::to_owned));
    }
    assert!(named.contains("SENTRY_CREDENTIAL_FAST"), "{named:?}");
    named.retain(|name| !VARIABLES.contains(&name.as_str()));
    assert_eq!(named, BTreeSet::new());
}

#[test]
fn the_first_command_of_the_readme_prints_a_credential() {
    let readme = document("README.md");
    let (_, readme) = readme
        .split_once("\n## Build from source\n")
        .expect("the section");
    assert_eq!(block(readme, "```sh\n"), BUILD_AND_GET);
    let (_, second) = readme.split_once(BUILD_AND_GET).expect("the first");
    assert_eq!(block(second, "```sh\n"), "tests/run\n");
    let (_, get) = BUILD_AND_GET.split_once(" &&\n").expect("two halves");
    let get = get.replace(
        "target/release/git-credential-sentry",
        env!("CARGO_BIN_EXE_git-credential-sentry"),
    );
    let sandbox = Sandbox::new();
    sandbox
        .command("/bin/sh")
        .args(["-c", &get])
        .run()
        .success()
        .stdout_is(block(readme, "```text\n"))
        .stderr_is("");
    assert!(!sandbox.config_dir().exists(), "something was stored");
}

#[test]
fn every_command_that_is_written_exists() {
    let mut spoken = spoken();
    // Under the name `sentry-credential` only.
    spoken.insert("link".to_owned(), BTreeSet::new());
    let others = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/how-it-works.md",
        "docs/rollout.md",
        "docs/self-hosted.md",
        "docs/server.md",
    ];
    for name in others.iter().chain(&PAGES) {
        for line in document(name).lines() {
            let said = line.split("sentry auth ").skip(1);
            let other_name = line.split("sentry-credential ").skip(1);
            for said in said.chain(other_name) {
                check(said, &spoken, &format!("{name}: {line}"));
            }
        }
    }
}

/// Checks what follows `sentry auth `, as far as it is a command with options.
#[track_caller]
fn check(said: &str, spoken: &BTreeMap<String, BTreeSet<String>>, place: &str) {
    let said = said.split(['`', '|', ')', '#']).next().unwrap_or_default();
    let mut words = said.split_whitespace();
    // A placeholder, as in `sentry auth COMMAND --help`, or no command at all.
    let Some(command) = words
        .next()
        .filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
    else {
        return;
    };
    let flags = spoken
        .get(command)
        .unwrap_or_else(|| panic!("no command `{command}`: {place}"));
    // What comes behind `--` is another command's.
    let words = words.take_while(|word| *word != "--");
    for flag in words.filter(|word| word.starts_with("--") && !COMMON.contains(word)) {
        assert!(flags.contains(flag), "no option `{flag}`: {place}");
    }
}

#[test]
fn the_page_of_the_docker_helper_has_the_commands_of_its_usage() {
    let usage = Sandbox::new().docker_credential("--help").run().success();
    let said = usage
        .stdout
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(commands, _)| commands.replace('|', " | "));
    let page = document(PAGES[2]);
    let written = page.lines().find_map(|line| line.strip_prefix(".Cm "));
    assert_eq!(said.as_deref(), written);
}

#[test]
fn the_page_of_the_git_helper_has_the_commands_of_its_usage() {
    let usage = Sandbox::new().git_credential("--help").run().success();
    let page = document(PAGES[1]);
    let written = page.lines().filter_map(|line| line.strip_prefix(".Cm "));
    let written: Vec<&str> = written.collect();
    let said = usage.stdout.split('<').skip(1);
    let said = said.filter_map(|rest| rest.split_once('>').map(|(words, _)| words));
    let mut said: Vec<String> = said.map(|words| words.replace('|', " | ")).collect();
    assert_eq!(said.len(), 2);
    said.retain(|words| !written.contains(&words.as_str()));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn the_manual_names_the_scopes_that_a_login_asks_for() {
    let sentry = FakeSentry::start();
    sentry.set_interval(Some(1));
    sentry.approve_next();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    let login = sandbox.sentry(&["auth", "login", "--no-browser"]);
    login.run().success();
    let scopes = format!(".Ql {} .", sentry.current_scope());
    assert!(
        document(MANUAL).lines().any(|line| line == scopes),
        "{scopes}"
    );
}

#[test]
fn the_map_of_the_crate_has_all_its_modules() {
    let map = document("src/lib.rs");
    // What stands behind a condition is for tests.
    let modules = map
        .lines()
        .take_while(|line| !line.starts_with("#[cfg("))
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        let line = format!("//! - [`{module}`]: ");
        assert_eq!(map.matches(&line).count(), 1, "{module}");
    }
}

/// The fields that the manual names for `sentry auth <command> --json`.
fn fields_written(command: &str) -> BTreeSet<String> {
    fields_written_below(&format!("{command} Fl -json"))
}

fn fields_written_below(command: &str) -> BTreeSet<String> {
    let manual = document(MANUAL);
    let opening = format!(".Nm sentry auth {command}\n");
    let (_, rest) = manual.split_once(&opening).expect(&opening);
    let (list, _) = rest.split_once("\n.El").expect("the end of the list");
    list.lines()
        .filter_map(|line| line.strip_prefix(".It Li "))
        .flat_map(|names| names.split(" , "))
        .map(str::to_owned)
        .collect()
}

fn fields_of(value: &Value) -> BTreeSet<String> {
    let object = value.as_object().expect("an object");
    object.keys().cloned().collect()
}

#[test]
fn the_manual_names_the_fields_of_every_json_object() {
    let sentry = FakeSentry::start();
    let sandbox = Sandbox::new().for_sentry(&sentry);
    sandbox.seed_session(&sentry, &sentry.issue(), Age::FRESH);
    let json = |args: &[&str]| -> Value {
        let command = sandbox.sentry(&["auth"]).args(args).arg("--json");
        serde_json::from_str(&command.run().success().stdout).expect("JSON")
    };
    let status = json(&["status", "--show-token"]);
    assert_eq!(fields_of(&status), fields_written("status"));
    let user = ["email", "id", "name", "username"].map(str::to_owned);
    assert_eq!(fields_of(&status["user"]), user.into());
    for command in ["refresh", "whoami"] {
        assert_eq!(
            fields_of(&json(&[command])),
            fields_written(command),
            "{command}"
        );
    }
    let token = sandbox.sentry(&["auth", "token", "--format", "json"]);
    let token: Value = serde_json::from_str(&token.run().success().stdout).expect("JSON");
    let written = fields_written_below("token Fl -format Cm json");
    assert_eq!(fields_of(&token), written);
    assert_eq!(fields_of(&json(&["list"])[0]), fields_written("list"));
    assert_eq!(fields_of(&json(&["hosts"])[0]), fields_written("hosts"));
    let doctor = json(&["doctor"]);
    assert_eq!(fields_of(&doctor), fields_written("doctor"));
    let check = ["hint", "message", "name", "state"].map(str::to_owned);
    assert_eq!(fields_of(&doctor["checks"][0]), check.into());
}

/// The sources below a directory.
fn sources(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_tests_in_contributing_are_tests_that_run() {
    let mut compiled = Vec::new();
    for dir in ["src", "tests/it"] {
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(dir),
            &mut compiled,
        );
    }
    let contributing = document("CONTRIBUTING.md");
    let blocks: Vec<&str> = contributing.split("```rust\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    for rest in blocks {
        let shown = rest.split("```").next().unwrap();
        assert!(shown.contains("#[test]\n"), "{shown}");
        let is_there = |source: &String| source.contains(shown);
        assert!(compiled.iter().any(is_there), "no test says this:\n{shown}");
    }
}
