//! Completion in real shells: each name of the program by its own words, Sentry's official CLI beside it by its own, and
//! git's by what `git credential-sentry` has.

use crate::official::{CURRENT, peers};
use crate::sandbox::{Cmd, Sandbox};
use crate::service::tool;
use crate::terminal::TtyUser;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const SENTRY: &str = env!("CARGO_BIN_EXE_sentry");

/// What is typed before a tab, and what it becomes.
const COMPLETED: [(&str, &str); 6] = [
    ("sentry auth wh", "sentry auth whoami "),
    (
        "sentry auth setup-git --ho",
        "sentry auth setup-git --host ",
    ),
    ("sentry-credential uninst", "sentry-credential uninstall "),
    (
        "sentry-credential exec --min",
        "sentry-credential exec --min-validity ",
    ),
    ("mysentry auth ref", "mysentry auth refresh "),
    ("git credential-sentry doc", "git credential-sentry doctor "),
];

/// A machine with this program under its names, first on `PATH`.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    let bin = sandbox.root().join("bin");
    fs::create_dir(&bin).unwrap();
    for name in ["sentry", "sentry-credential", "mysentry"] {
        symlink(SENTRY, bin.join(name)).unwrap();
    }
    let helper = Path::new(SENTRY).with_file_name("git-credential-sentry");
    symlink(helper, bin.join("git-credential-sentry")).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    sandbox.env("PATH", path).env("TERM", "dumb")
}

/// The scripts of this program for a shell, as files.
fn scripts(machine: &Sandbox, shell: &str) -> Vec<String> {
    let names = [
        ("sentry auth", "sentry"),
        ("sentry-credential", "sentry-credential"),
        ("sentry auth", "mysentry"),
    ];
    let write = |(command, name): (&str, &str)| {
        let file = format!("{name}.{shell}");
        let script = format!("{command} completions {shell} --name {name} >{file}");
        machine.command("sh").args(["-c", &script]).run().success();
        file
    };
    names.map(write).to_vec()
}

/// The script of Sentry's official CLI.
fn of_official(machine: &Sandbox, shell: &str) -> String {
    let script = CURRENT.run(machine, &["cli", "completion", shell]).run();
    let file = format!("official.{shell}");
    fs::write(machine.home().join(&file), script.success().stdout).unwrap();
    // It asks the program for what it completes.
    let bin = machine.home().join("official");
    fs::create_dir(&bin).unwrap();
    symlink(CURRENT.script(), bin.join("sentry")).unwrap();
    file
}

fn zsh(machine: &Sandbox, rc: &str) -> TtyUser {
    // Ctrl-X shows the line as it is, and empties it.
    let rc = format!(
        "PS1='ready> '; unsetopt prompt_cr prompt_sp; autoload -Uz compinit; compinit -u -D\n{rc}\n\
         show() {{ print -r -- \"<$BUFFER>\"; BUFFER=; zle reset-prompt }}\nzle -N show; bindkey '^X' show\n"
    );
    fs::write(machine.home().join(".zshrc"), rc).unwrap();
    let mut user = TtyUser::start(machine.command(tool("zsh")).args(["-d", "-i"]));
    user.expect("ready> ");
    user
}

fn completes(user: &mut TtyUser, typed: &str, line: &str) {
    user.press(typed.as_bytes());
    user.press(b"\t");
    user.press(b"\x18");
    // A long option may have a `=` behind it.
    user.expect(&format!("<{}", line.trim_end()));
}

#[test]
fn zsh_completes_each_name_and_git() {
    let machine = machine();
    let files = scripts(&machine, "zsh").join(" ");
    let mut user = zsh(
        &machine,
        &format!("for file in {files}; do source $file; done"),
    );
    for (typed, line) in COMPLETED {
        completes(&mut user, typed, line);
    }
    // By files of a directory in `fpath`, as packages install them.
    let dir = machine.home().join("functions");
    fs::create_dir(&dir).unwrap();
    for name in ["sentry", "sentry-credential"] {
        let file = machine.home().join(format!("{name}.zsh"));
        fs::copy(file, dir.join(format!("_{name}"))).unwrap();
    }
    let rc = format!("fpath=({} $fpath); compinit -u -D", dir.display());
    let mut user = zsh(&machine, &rc);
    for (typed, line) in &COMPLETED[..4] {
        completes(&mut user, typed, line);
    }
}

#[test]
fn zsh_completes_the_official_program_and_this_one_in_one_shell() {
    let machine = machine();
    scripts(&machine, "zsh");
    let official = of_official(&machine, "zsh");
    let dir = machine.home().join("functions");
    fs::create_dir(&dir).unwrap();
    for (file, name) in [
        (official.as_str(), "_sentry"),
        ("sentry-credential.zsh", "_sentry-credential"),
    ] {
        fs::copy(machine.home().join(file), dir.join(name)).unwrap();
    }
    // This program's `sentry` is the first one: it hands over what the official script asks for.
    let node = peers().join("node-22/bin").display().to_string();
    let rc = format!("path=($path ~/official {node}); fpath=(~/functions $fpath); compinit -u -D");
    let mut user = zsh(&machine, &rc);
    completes(&mut user, "sentry proj", "sentry project ");
    completes(
        &mut user,
        "sentry issue list --jso",
        "sentry issue list --json ",
    );
    completes(
        &mut user,
        "sentry-credential who",
        "sentry-credential whoami ",
    );
}

/// What fish would complete, one a line.
fn fish(machine: &Sandbox, files: &[String], typed: &str) -> Cmd {
    let sources: Vec<String> = files.iter().map(|file| format!("source {file}")).collect();
    let script = format!("{}; complete -C '{typed}'", sources.join("; "));
    machine.command(tool("fish")).args(["-c", &script])
}

fn fish_offers(machine: &Sandbox, files: &[String], typed: &str) -> Vec<String> {
    let offered = fish(machine, files, typed).run().success();
    let words = offered
        .stdout
        .lines()
        .map(|line| line.split('\t').next().unwrap());
    words.map(str::to_owned).collect()
}

#[test]
fn fish_completes_each_name_and_git() {
    let machine = machine();
    let files = scripts(&machine, "fish");
    for (typed, line) in COMPLETED {
        let expected = line.trim_end().rsplit(' ').next().unwrap();
        assert_eq!(fish_offers(&machine, &files, typed), [expected], "{typed}");
    }
    let git = fish_offers(&machine, &files, "git credential-sentry ");
    for name in ["login", "status", "setup", "hosts", "doctor"] {
        assert!(git.iter().any(|offered| offered == name), "{git:?}");
    }
}

#[test]
fn fish_completes_the_official_program_and_this_one_in_one_shell() {
    let machine = machine();
    scripts(&machine, "fish");
    let files = [
        of_official(&machine, "fish"),
        "sentry-credential.fish".to_owned(),
    ];
    let official = fish_offers(&machine, &files, "sentry proj");
    assert_eq!(official, ["project"]);
    let ours = fish_offers(&machine, &files, "sentry-credential who");
    assert_eq!(ours, ["whoami"]);
}

#[test]
fn bash_completes_git_through_gits_own_completion() {
    let machine = machine();
    scripts(&machine, "bash");
    let script = ". /usr/share/bash-completion/completions/git; . ./sentry.bash; . ./sentry-credential.bash\n\
        COMP_WORDS=(git credential-sentry s); COMP_CWORD=2; COMP_LINE='git credential-sentry s'; COMP_POINT=23\n\
        __git_wrap__git_main; echo ${COMPREPLY[@]}";
    let completed = machine.command("bash").args(["-c", script]).run().success();
    completed.stdout_is("status setup\n").stderr_is("");
}
