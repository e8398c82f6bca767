//! Files of docker that were written by hand: `setup-docker` reads them as docker does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::real_docker::docker;
use crate::sandbox::Sandbox;

/// Another helper for docker, which records what it is asked.
const OTHER: &str = "#!/bin/sh\necho \"$1 $(cat)\" >>\"$HOME/asked\"\n";

#[test]
fn what_a_file_names_twice_is_merged_as_by_docker() {
    let machine = Sandbox::new().env("SENTRY_URL", "https://sentry.io");
    let file = machine.home().join(".docker/config.json");
    fs::create_dir_all(machine.home().join(".docker")).unwrap();
    let pasted = r#"{
        "auths": {"one.example": {"auth": "dTpw"}},
        "credHelpers": {"one.example": "other", "both.example": "gone"},
        "proxies": {"default": {"httpProxy": "http://127.0.0.1:9"}},
        "credHelpers": {"two.example": "other", "both.example": "other"},
        "auths": {"two.example": {}}
    }"#;
    fs::write(&file, pasted).unwrap();
    let programs = machine.root().join("programs");
    fs::create_dir(&programs).unwrap();
    let install = machine
        .command("sh")
        .args(["-c", "cat >\"$0\"; chmod +x \"$0\""])
        .arg(programs.join("docker-credential-other"));
    install.stdin(OTHER).run().success();
    let ours = Path::new(env!("CARGO_BIN_EXE_docker-credential-sentry"));
    let ours = ours.parent().expect("a directory").display();
    let path = format!("{}:{ours}:/usr/local/bin:/usr/bin:/bin", programs.display());
    let machine = machine.env("PATH", path);
    let asked = || {
        for host in ["one.example", "two.example", "both.example"] {
            docker(&machine, &["logout", host]).run().success();
        }
        let log = machine.home().join("asked");
        let asked = fs::read_to_string(&log).unwrap();
        fs::remove_file(log).unwrap();
        asked
    };
    let before = asked();
    assert!(before.contains("one.example") && before.contains("two.example"));
    // docker's own logout does not keep what it read; the file as it was pasted does.
    fs::write(&file, pasted).unwrap();
    let set_up = machine.sentry(&["auth", "setup-docker", "--registry", "r.example"]);
    set_up.run().success();
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(
        written["credHelpers"],
        serde_json::json!({
            "one.example": "other",
            "both.example": "other",
            "two.example": "other",
            "r.example": "sentry"
        })
    );
    assert_eq!(
        written["auths"],
        serde_json::json!({"one.example": {"auth": "dTpw"}, "two.example": {}})
    );
    assert_eq!(asked(), before);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn what_a_killed_set_up_left_is_removed_by_the_next() {
    let machine = Sandbox::new().env("SENTRY_URL", "https://sentry.io");
    let dir = machine.home().join(".docker");
    fs::create_dir_all(&dir).unwrap();
    let text = r#"{"auths":{"a.example":{"auth":"dTpw"}}}"#;
    fs::write(dir.join("config.json"), text).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let age = |name: &str| {
        let file = fs::File::options()
            .write(true)
            .open(dir.join(name))
            .unwrap();
        file.set_modified(hour_ago).unwrap();
    };
    let names = || {
        let entries = fs::read_dir(&dir).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.collect::<BTreeSet<String>>()
    };
    let set_up = || machine.sentry(&["auth", "setup-docker", "--registry", "r.example"]);
    let kill = [
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "inject=renameat2:signal=KILL",
    ];
    let killed = set_up().under("strace", &kill).run();
    assert_ne!(killed.code, 0);
    let left: Vec<String> = names()
        .into_iter()
        .filter(|name| name != "config.json")
        .collect();
    // With the passwords of the file.
    assert_eq!(left.len(), 1, "{left:?}");
    let copy = fs::read_to_string(dir.join(&left[0])).unwrap();
    assert!(copy.contains("dTpw"), "{copy}");
    age(&left[0]);
    // What is not ours, or may be in use, stays.
    let others = [
        "config.json-abcdef",
        ".config.json-abc",
        ".config.json-abc.ef",
    ];
    for other in others {
        fs::write(dir.join(other), "").unwrap();
        age(other);
    }
    fs::write(dir.join(".config.json-abcdef"), "").unwrap();
    set_up().run().success();
    let expected = ["config.json", ".config.json-abcdef"]
        .into_iter()
        .chain(others);
    assert_eq!(names(), expected.map(str::to_owned).collect());
}
