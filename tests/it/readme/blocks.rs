//! Every command that README.md and the pages for administrators show, in the order in which they stand there.
//!
//! A `sh` block is one script, between what must be so before and what must be so afterwards. A `console` block is run
//! command by command, and each has the output that is shown.

use super::world::{World, stand_in};
use super::{document, fenced, with_the_code_of_the_documents};
use crate::sandbox::Sandbox;

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "docs/rollout.md",
    "docs/server.md",
    "docs/self-hosted.md",
];

/// Not run here, and why.
const ELSEWHERE: [(&str, &str); 7] = [
    (
        "cargo build --release --locked &&",
        "documents::the_first_command_of_the_readme_prints_a_credential runs it with what cargo has built",
    ),
    ("tests/run", "it is what runs this test"),
    (
        "install -d -o root -g root -m 0755 /etc/sentry-credential",
        "writes to /etc: `rollout` installs the same file, as root of a user namespace",
    ),
    (
        "# /etc/profile.d/sentry-credential.sh",
        "is a file: `rollout` installs it, and logs a user in with it",
    ),
    (
        "apt install nginx libnginx-mod-http-js git fcgiwrap docker-registry",
        "changes the system: `tests/run` installs the same",
    ),
    (
        "install -d -o www-data -g www-data -m 0750 /srv/git",
        "needs root: `server_page` makes the same repository below its own directory",
    ),
    (
        "nginx -t && systemctl restart docker-registry && systemctl reload nginx",
        "needs systemd: `server_page` starts the same servers",
    ),
];

/// A block, by its first line.
struct Block {
    first: &'static str,
    /// Programs that no test machine has, or that would take minutes.
    stand_ins: &'static [(&'static str, &'static str)],
    before: &'static str,
    after: &'static str,
}

const BLOCKS: [Block; 12] = [
    Block {
        first: "cargo install --locked --path .",
        // Builds for minutes what is built already.
        stand_ins: &[(
            "cargo",
            "set -e; [ \"$*\" = 'install --locked --path .' ]; [ -f Cargo.toml ]; mkdir -p ~/.cargo/bin\n\
             for name in sentry git-credential-sentry docker-credential-sentry; do\n\
                 cp \"$(command -v $name)\" ~/.cargo/bin/$name; done",
        )],
        before: "cd \"$PROJECT\"",
        after: "PATH=~/.cargo/bin:/usr/local/bin:/usr/bin:/bin
            [ \"$(sentry-credential --version)\" = \"$(sentry --version | sed 's/^sentry /sentry-credential /')\" ]
            git credential-sentry --version
            docker-credential-sentry version
            for page in sentry-auth sentry-credential git-credential-sentry docker-credential-sentry; do
                cmp man/$page.1 ~/.cargo/share/man/man1/$page.1; done",
    },
    Block {
        first: "mkdir -p ~/.local/share/bash-completion/completions",
        stand_ins: &[],
        before: "",
        after: ". ~/.local/share/bash-completion/completions/sentry-credential
            complete -p sentry-credential",
    },
    Block {
        first: "sentry-credential login",
        stand_ins: &[],
        before: "",
        after: "[ \"$(sentry-credential hosts --json | grep -c git.example.com)\" -ge 1 ]
            git clone -q https://git.example.com/team/repository.git",
    },
    Block {
        first: "sentry-credential setup-docker --registry registry.example.com",
        stand_ins: &[],
        before: "sentry-credential login",
        after: "docker manifest inspect registry.example.com/team/image",
    },
    Block {
        first: "sentry-credential exec -- sentry-cli sourcemaps upload --org my-org --project web --release 1.0 dist",
        stand_ins: &[("terraform", "[ \"$1\" = apply ] && [ -n \"$TF_VAR_sentry_token\" ] && [ -z \"$SENTRY_AUTH_TOKEN\" ]")],
        before: "sentry-credential login; mkdir dist; printf 'f()\\n//# sourceMappingURL=a.js.map\\n' >dist/a.js
            echo '{\"version\":3,\"sources\":[\"a.ts\"],\"sourcesContent\":[\"f()\"],\"names\":[],\"mappings\":\"AAAA\"}' >dist/a.js.map
            echo '{\"scripts\": {\"build\": \"printenv SENTRY_AUTH_TOKEN >built\"}}' >package.json",
        after: "[ \"$(cat built)\" = \"$(sentry-credential token)\" ]",
    },
    Block {
        first: "# SENTRY_AUTH_TOKEN is set",
        stand_ins: &[],
        before: "export CI=true SENTRY_AUTH_TOKEN=\"$API_TOKEN\"",
        after: "docker pull registry.example.com/team/image; ! grep -rq \"$API_TOKEN\" ~/.sentry ~/.gitconfig ~/.docker repository",
    },
    Block {
        first: "SENTRY_CREDENTIAL_TRACE=1 git ls-remote https://git.example.com/team/repository.git",
        stand_ins: &[],
        before: "sentry-credential login; sentry-credential setup-git --host git.example.com; exec 2>trace",
        after: "grep 'the session of https://sentry.io' trace; ! grep -F \"$(sentry-credential token)\" trace",
    },
    Block {
        first: "sentry-credential setup-docker --registry registry.example.com --url https://sentry.example.com",
        stand_ins: &[],
        before: "",
        after: "grep -q '\"registry.example.com\": \"sentry\"' .docker/config.json",
    },
    Block {
        first: "sentry-credential login",
        stand_ins: &[],
        before: "",
        after: "[ \"$(sentry-credential hosts --json | grep -c '\"bound\": *true')\" = 2 ]",
    },
    Block {
        first: "git clone https://git.example.com/demo.git",
        stand_ins: &[],
        before: "sentry-credential login; sentry-credential setup-git git.example.com
            sentry-credential setup-docker registry.example.com",
        after: "[ -f demo/README ]",
    },
    Block {
        first: "export SENTRY_URL=https://sentry.example.com SENTRY_CLIENT_ID=0123456789abcdef",
        stand_ins: &[],
        before: "",
        after: "unset SENTRY_URL SENTRY_CLIENT_ID; sentry-credential refresh --force",
    },
    Block {
        first: "sentry-credential login --url https://sentry.example.com --with-token <token.txt",
        stand_ins: &[],
        before: "printf %s \"$API_TOKEN\" >token.txt",
        after: "[ \"$(sentry-credential token)\" = \"$API_TOKEN\" ]",
    },
];

/// The last of docs/self-hosted.md: what it sends is seen at the server.
const HEADERS: &str =
    "export SENTRY_CUSTOM_HEADERS='CF-Access-Client-Id: id; CF-Access-Client-Secret: secret'";

#[track_caller]
fn run(machine: &Sandbox, script: &str) -> String {
    let script = format!("set -eu\n{script}\n");
    let run = machine.command("bash").args(["-c", &script]).run();
    let run = run.success();
    run.stdout + &run.stderr
}

/// The `sh` blocks of a document that are run here.
fn of(name: &str) -> Vec<String> {
    let is_run = |block: &String| {
        ELSEWHERE
            .iter()
            .all(|(first, _)| block.lines().next() != Some(first))
    };
    fenced(&document(name), "sh")
        .into_iter()
        .filter(is_run)
        .collect()
}

#[test]
fn every_block_of_commands_runs() {
    let world = World::new();
    let shown: Vec<String> = DOCUMENTS.iter().flat_map(|name| of(name)).collect();
    let firsts: Vec<&str> = shown
        .iter()
        .filter_map(|block| block.lines().next())
        .collect();
    let mut known: Vec<&str> = BLOCKS.iter().map(|block| block.first).collect();
    known.push(HEADERS);
    assert_eq!(
        firsts, known,
        "a block, or what is known about it, is missing"
    );
    for (text, block) in shown.iter().zip(&BLOCKS) {
        let machine = world.machine();
        for (name, script) in block.stand_ins {
            stand_in(&machine, name, script);
        }
        world.saas.approve_next();
        world.own.approve_next();
        let path = "PATH=~/bin:\"$PATH\"";
        let script = format!("{path}\n{}\n{text}\n{}", block.before, block.after);
        let _ran = run(&machine, &script);
    }
    let machine = world.machine();
    let login = "sentry-credential login --url https://sentry.example.com --with-token";
    let with_headers = shown.last().expect("a block");
    let _ran = run(
        &machine,
        &format!("printf %s \"$API_TOKEN\" | {login}\n{with_headers}"),
    );
    let requests = world.own.requests();
    let request = requests.last().expect("a request");
    assert_eq!(request.header("cf-access-client-id"), Some("id"));
    assert_eq!(request.header("cf-access-client-secret"), Some("secret"));
    // What was uploaded has arrived.
    assert_eq!(world.saas.uploads(), 1);
}

#[test]
fn what_is_not_run_here_is_still_shown() {
    let shown: Vec<String> = DOCUMENTS
        .iter()
        .flat_map(|name| fenced(&document(name), "sh"))
        .collect();
    for (first, reason) in ELSEWHERE {
        let is_shown = shown
            .iter()
            .any(|block| block.lines().next() == Some(first));
        assert!(is_shown, "no block begins with {first:?} ({reason})");
    }
}

#[test]
fn every_output_that_is_shown_is_that_of_its_command() {
    let world = World::new();
    world.saas.approve_next();
    let machine = world.machine();
    let home = machine.home().display().to_string();
    let blocks = fenced(&document("README.md"), "console");
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let mut commands = block.split("\n$ ");
        let first = commands.next().and_then(|first| first.strip_prefix("$ "));
        for shown in first.into_iter().chain(commands) {
            let (command, output) = shown.split_once('\n').unwrap_or((shown, ""));
            let ran = run(&machine, &format!("{command} 2>&1"));
            let ran = with_the_code_of_the_documents(&ran.replace(&home, "/home/jane"));
            assert_eq!(ran.trim_end(), output, "{command}");
        }
    }
}
