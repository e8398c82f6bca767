//! Files of other programs, text in and text out; and what is remembered for an undo.

use std::fs;

use serde_json::{Value, json};

use super::git_files::GitFile;
use super::*;
use crate::store::Client;
use crate::testing::{Age, Machine, origin};

/// What docker's file has after an edit.
fn edited(before: &str, edit: impl FnOnce(&mut ConfigFile)) -> String {
    let machine = Machine::new();
    let path = machine.home().join("config.json");
    fs::write(&path, before).unwrap();
    let mut file = ConfigFile::read(&path).unwrap();
    edit(&mut file);
    file.text()
}

#[test]
fn an_edit_of_docker_s_file_keeps_the_order_and_what_is_not_ours() {
    let before = r#"{"z":{"deep":[1,{"a":null}]},"credHelpers":{"b":"pass","a":"gcr"},"auths":{}}"#;
    let after = edited(before, |file| file.set(Slot("r.example"), json!("sentry")));
    let expected = concat!(
        "{\n\t\"z\": {\n\t\t\"deep\": [\n\t\t\t1,\n\t\t\t{\n\t\t\t\t\"a\": null\n\t\t\t}\n\t\t]\n\t},\n",
        "\t\"credHelpers\": {\n\t\t\"b\": \"pass\",\n\t\t\"a\": \"gcr\",\n\t\t\"r.example\": \"sentry\"\n\t},\n",
        "\t\"auths\": {}\n}"
    );
    assert_eq!(after, expected);
}

#[test]
fn an_edit_that_is_undone_leaves_the_text_as_docker_would_write_it() {
    for before in ["{}", "", "{\n\t\"auths\": {}\n}"] {
        let expected = edited(before, |_| {});
        let after = edited(before, |file| {
            for slot in [Slot("r.example"), Slot(DEFAULT)] {
                file.set(slot, json!(OURS));
                file.set(slot, Value::Null);
            }
        });
        assert_eq!(after, expected, "{before}");
    }
}

#[test]
fn a_file_that_is_not_docker_s_is_refused_and_named() {
    let machine = Machine::new();
    let path = machine.home().join("config.json");
    for text in [
        "[]",
        "{",
        "null",
        r#"{"credHelpers": []}"#,
        r#"{"CREDHELPERS": "x"}"#,
    ] {
        fs::write(&path, text).unwrap();
        let told = ConfigFile::read(&path).err().unwrap().to_string();
        assert!(told.contains("config.json"), "{text}: {told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(ConfigFile::read(&path).is_err());
    assert!(ConfigFile::read(&machine.home().join("absent.json")).is_ok());
}

#[test]
fn our_entries_in_docker_s_file_are_recognized() {
    let text = r#"{"CredsStore":"sentry","credHelpers":{"a":"sentry","b":"Sentry","c":"pass"},
        "auths":{"x":{"auth":"c2VjcmV0"},"y":{},"z":{"auth":""},"w":{"identitytoken":"t"}}}"#;
    edited(text, |file| {
        assert_eq!(file.ours().collect::<Vec<_>>(), ["credsStore", "a"]);
        assert_eq!(file.registries().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(file.passwords().collect::<Vec<_>>(), ["x", "w"]);
        assert_eq!(file.value(Slot("c")), json!("pass"));
        assert_eq!(file.value(Slot("d")), Value::Null);
        assert_eq!(file.value(Slot(DEFAULT)), json!("sentry"));
    });
}

#[test]
fn a_key_of_docker_s_file_is_looked_up_by_host_alone_but_for_docker_hub() {
    for (key, is_looked_up, server) in [
        ("r.example", true, Some("docker r.example")),
        ("R.example:443", true, Some("docker r.example")),
        (
            "https://index.docker.io/v1/",
            true,
            Some("docker index.docker.io"),
        ),
        ("https://r.example", false, Some("docker r.example")),
        ("r.example/team", false, Some("docker r.example")),
        ("not a host", true, None),
    ] {
        assert_eq!(looked_up(key), is_looked_up, "{key}");
        assert_eq!(Slot(key).server().as_deref(), server, "{key}");
    }
    assert_eq!(Slot(DEFAULT).server(), None);
    assert_eq!(Slot("r.example").to_string(), "credHelpers.r.example");
}

#[test]
fn an_undo_log_keeps_what_was_there_before_and_knows_files_with_spaces() {
    let machine = Machine::new();
    let log = |file: &str| UndoLog::of(Client::Git, file.to_owned());
    let docker = UndoLog::of(Client::Docker, "/home/jane doe/config.json".to_owned());
    machine.change(|change| {
        log("global")
            .record(change, "https://r.example", &json!(["store"]))
            .unwrap();
        log("local /a b/.git")
            .record(change, "https://x.example", &Value::Null)
            .unwrap();
        docker.record(change, "r.example", &json!("pass")).unwrap();
    });
    machine.read(|view| {
        let before = |file: &str, name: &str| log(file).before(view, name).unwrap();
        assert_eq!(
            before("global", "https://r.example"),
            Some(json!(["store"]))
        );
        assert_eq!(
            before("local /a b/.git", "https://x.example"),
            Some(Value::Null)
        );
        assert_eq!(before("global", "https://x.example"), None);
        // A shorter file name is another file.
        assert_eq!(log("local /a").entries(view).unwrap(), []);
        let entries = docker.entries(view).unwrap();
        assert_eq!(entries, [("r.example".to_owned(), json!("pass"))]);
        let files = UndoLog::files(Client::Git, view).unwrap();
        assert_eq!(files, ["global", "local /a b/.git"]);
    });
    machine.change(|change| log("global").forget(change, "https://r.example").unwrap());
    let files = machine.read(|view| UndoLog::files(Client::Git, view).unwrap());
    assert_eq!(files, ["local /a b/.git"]);
}

#[test]
fn a_file_and_the_database_are_changed_both_or_neither() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let path = machine.home().join("config");
    fs::write(&path, "old").unwrap();
    let change = || update(&world, &path, |_| Ok((Some(b"new".to_vec()), ())));
    let binding = machine.binding(Client::Git, "r.example");
    let is_bound = || machine.read(|view| view.binding(&binding.server).unwrap().is_some());
    let fails = together(&world, Some(&store), change, |change, ()| {
        change.bind(&binding)?;
        anyhow::bail!("it does not go on")
    });
    assert!(fails.is_err() && !is_bound());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let nothing = || anyhow::bail!("the file cannot be written");
    let fails: anyhow::Result<()> = together(&world, Some(&store), nothing, |change, ()| {
        change.bind(&binding)
    });
    assert!(fails.is_err() && !is_bound());
    together(&world, Some(&store), change, |change, ()| {
        change.bind(&binding)
    })
    .unwrap();
    assert!(is_bound());
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn an_edit_is_repeated_on_concurrent_changes() {
    let machine = Machine::new();
    let world = machine.world();
    let path = machine.home().join("config");
    let mut tries = 0;
    let (replaced, ()) = update(&world, &path, |file| {
        tries += 1;
        let found = file.content().unwrap_or_default().to_vec();
        if tries < 3 {
            fs::write(&path, format!("theirs {tries},")).unwrap();
        }
        Ok((Some([&found[..], b" ours"].concat()), ()))
    })
    .unwrap();
    drop(replaced);
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs 2, ours");
    let (replaced, ()) = update(&world, &path, |_| Ok((None, ()))).unwrap();
    assert!(replaced.is_none());
    let never = update(&world, &path, |_| {
        tries += 1;
        fs::write(&path, format!("theirs {tries}")).unwrap();
        Ok((Some(b"ours".to_vec()), ()))
    });
    assert!(never.err().unwrap().to_string().contains("keep changing"));
}

/// What is asked for a host with this configuration: `file`, then what it holds.
fn asked(lines: &[&str], host: &str) -> Vec<String> {
    let settings: Vec<Setting> = lines
        .iter()
        .filter_map(|line| Setting::parse("file:/home/jane/.gitconfig", line))
        .collect();
    let chain = chain(&settings, &origin(host));
    chain.iter().map(|found| found.helper.name()).collect()
}

#[test]
fn a_chain_is_read_in_git_s_order_and_shows_no_shell_command() {
    let lines = [
        "credential.helper\ncache",
        "credential.helper\n!f() { echo password=hunter2; }; f",
        "credential.https://*.example.helper\n/opt/my\\ x/gh",
        "credential.https://r.example.helper\nsentry",
    ];
    let all = ["`cache`", "a shell command", "'/opt/my x/gh'", "`sentry`"];
    assert_eq!(asked(&lines, "https://r.example"), all);
    assert_eq!(asked(&lines, "https://other.test"), all[..2]);
}

#[test]
fn a_setting_knows_its_file_its_host_and_how_much_of_it() {
    let parse = |origin: &str, line: &str| Setting::parse(origin, line).unwrap();
    let setting = parse(
        "file:/a b/config",
        "credential.https://r.example/team.helper\nx",
    );
    assert_eq!(setting.file(), Some(Path::new("/a b/config")));
    let (host, reach) = setting.host().unwrap();
    assert_eq!(
        (host.to_string().as_str(), reach),
        ("https://r.example", Reach::Part)
    );
    let setting = parse("command line:", "credential.helper\nx");
    assert_eq!((setting.file(), setting.url()), (None, None));
    for many in ["https://*.example", "https://", "smtp://m.example"] {
        let line = format!("credential.{many}.helper\nx");
        assert!(parse("file:/x", &line).host().is_none(), "{many}");
    }
    // A key alone is `true` to git, and no helper.
    let alone = parse("file:/x", "credential.helper");
    assert_eq!(alone.helper, Helper::Reset);
}

#[cfg(unix)]
/// git's own words about a file that is edited by git itself.
fn edited_by_git(before: &str, edits: &[Edit]) -> String {
    let machine = Machine::new();
    let path = std::env::var("PATH").unwrap();
    let machine = machine.variable("PATH", &path);
    let world = machine.world();
    let git = Git::new(&world).unwrap();
    let path = machine.home().join("config");
    fs::write(&path, before).unwrap();
    let file = ForeignFile::read(&path).unwrap();
    let after = git.edited(&file, edits).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        before,
        "only a copy is edited"
    );
    String::from_utf8(after).unwrap()
}

// Calls git, which Wine has not.
#[cfg(unix)]
#[test]
fn a_section_becomes_the_last_one_of_git_s_file_with_its_values_in_order() {
    let before =
        "[credential \"https://r.example\"]\n\thelper = store\n[user]\n\tname = Jane # me\n";
    let edit = Edit::Last {
        key: "credential.https://r.example.helper".into(),
        values: vec![String::new(), "sentry".into()],
    };
    let after = edited_by_git(before, &[edit]);
    let (user, section) = after.split_once("[credential").unwrap();
    assert!(user.ends_with("[user]\n\tname = Jane # me\n"), "{after}");
    assert_eq!(
        section,
        " \"https://r.example\"]\n\thelper = \n\thelper = sentry\n"
    );
}

// Calls git, which Wine has not.
#[cfg(unix)]
#[test]
fn one_value_is_removed_from_git_s_file_and_the_others_stay() {
    let before =
        "[credential]\n\thelper = cache --timeout=60\n\thelper = sentry\n\thelper = sentry-x\n";
    let edit = Edit::Without {
        key: "credential.helper".into(),
        value: "sentry".into(),
    };
    let after = edited_by_git(before, &[edit]);
    let expected = "[credential]\n\thelper = cache --timeout=60\n\thelper = sentry-x\n";
    assert_eq!(after, expected);
}

#[test]
fn a_scope_is_named_as_git_names_it() {
    for (scope, name) in [
        (Scope::Local, "git's local configuration"),
        (Scope::Global, "git's global configuration"),
        (Scope::System, "git's system configuration"),
    ] {
        let file = GitFile {
            scope,
            path: "/x".into(),
            log_name: String::new(),
        };
        assert_eq!(file.to_string(), name);
    }
}
