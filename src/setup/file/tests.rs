//! Files of other programs: what is replaced, what is refused, and what stays.

use super::*;
use std::rc::Rc;

use crate::world::SystemClock;

fn world() -> World {
    World::of(&[("HOME", "/nowhere")], Rc::new(SystemClock))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_and_can_be_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    for before in [None, Some("old")] {
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
        let file = ForeignFile::read(&path).unwrap();
        let replaced = file.replace(&world(), b"new").unwrap();
        assert_eq!(read(&path), "new");
        replaced.revert().unwrap();
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
        drop(ForeignFile::read(&path).unwrap().replace(&world(), b"new"));
        assert_eq!(
            (read(&path).as_str(), names(dir.path())),
            ("new", vec!["config".to_owned()])
        );
    }
}

#[test]
fn changes_of_other_programs_are_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    let absent = ForeignFile::read(&path).unwrap();
    fs::write(&path, "theirs").unwrap();
    assert!(matches!(
        absent.replace(&world(), b"ours"),
        Err(ReplaceError::Changed)
    ));
    let stale = ForeignFile::read(&path).unwrap();
    fs::write(&path, "theirs, later").unwrap();
    assert!(matches!(
        stale.replace(&world(), b"ours"),
        Err(ReplaceError::Changed)
    ));
    let replaced = ForeignFile::read(&path)
        .unwrap()
        .replace(&world(), b"ours")
        .unwrap();
    fs::write(&path, "theirs, last").unwrap();
    replaced.revert().unwrap();
    assert_eq!(read(&path), "theirs, last");
    assert_eq!(names(dir.path()), ["config"]);
}

#[test]
fn a_lock_that_is_there_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    let file = ForeignFile::read(&path).unwrap();
    let lock = file.git_lock(&world()).unwrap();
    assert_eq!(names(dir.path()), ["config.lock"]);
    let error = file.git_lock(&world()).err().unwrap().to_string();
    assert!(error.ends_with("config.lock"), "{error}");
    drop(lock);
    let lock = file.git_lock(&world()).unwrap();
    drop(file.replace_by(lock, b"new").unwrap());
    assert_eq!(names(dir.path()), ["config"]);
}

// Makes symlinks, which needs a privilege on Windows.
#[cfg(unix)]
#[test]
fn symlinks_are_followed_to_what_is_not_there() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("dir")).unwrap();
    symlink("other", at("real/config")).unwrap();
    drop(
        ForeignFile::read(&at("dir/config"))
            .unwrap()
            .replace(&world(), b"new")
            .unwrap(),
    );
    assert_eq!(read(&at("real/other")), "new");
    assert!(at("real/config").symlink_metadata().unwrap().is_symlink());
    symlink("loop", at("loop")).unwrap();
    assert!(ForeignFile::read(&at("loop")).is_err());
    let made = std::process::Command::new("mkfifo")
        .arg(at("fifo"))
        .status();
    assert!(made.unwrap().success());
    let fifo = ForeignFile::read(&at("fifo")).unwrap();
    assert!(fifo.replace(&world(), b"new").is_err());
    assert_eq!(names(dir.path()), ["dir", "fifo", "loop", "real"]);
}
