//! Gives up rights that a process no longer needs: other files, other programs, other network addresses.
//!
//! Separate from the other functions of Linux because of its length.
//!
//! Best effort: each kernel enforces what it knows (Landlock since 5.13, connections since 6.7, signals since 6.12), and one
//! without Landlock, or one that a container keeps from using it, does no more than never gain privileges.
//! <https://docs.kernel.org/userspace-api/landlock.html>

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

pub(super) fn confine(directory: &Path, port: Option<u16>) -> Result<RulesetStatus, RulesetError> {
    // Landlock requires it, and it is useful on its own where Landlock is not available.
    rustix::thread::set_no_new_privs(true).ok();
    // What SQLite does with its files, the directory that locks another program out, and the recovery file.
    let in_directory = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::ConnectTcp | AccessNet::BindTcp)?
        // Not the abstract sockets: the session bus may be one.
        .scope(Scope::Signal)?
        .create()?
        .add_rules(
            port.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))),
        )?;
    for (path, access) in [
        (directory, in_directory),
        // SQLite's own random numbers.
        (Path::new("/dev/urandom"), AccessFs::ReadFile.into()),
    ] {
        if let Ok(path) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(path, access))?;
        }
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use landlock::RulesetStatus;

    /// Set in a process that is there to be confined: its directory.
    const DIRECTORY: &str = "SENTRY_CREDENTIAL_TEST_CONFINED";

    #[test]
    fn nothing_is_left_but_a_directory_and_a_port() {
        if let Some(directory) = std::env::var_os(DIRECTORY) {
            return confined(Path::new(&directory));
        }
        let directory = tempfile::tempdir().unwrap();
        let itself = std::env::current_exe().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let process = Command::new(itself)
            .args(["--exact", &name, "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8([process.stdout, process.stderr].concat()).unwrap();
        assert!(process.status.success(), "{said}");
    }

    fn confined(directory: &Path) {
        let outside = tempfile::tempdir().unwrap();
        let theirs = outside.path().join("file");
        fs::write(&theirs, "theirs").unwrap();
        let linked = directory.join("linked");
        std::os::unix::fs::symlink(&theirs, &linked).unwrap();
        let [ours, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |listener: &TcpListener| listener.local_addr().unwrap();
        let status = super::confine(directory, Some(address(&ours).port())).unwrap();

        let privileges = fs::read_to_string("/proc/thread-self/status");
        assert!(rustix::thread::no_new_privs().unwrap());
        if status == RulesetStatus::NotEnforced {
            return;
        }
        let refused: [(&str, std::io::Result<()>); 9] = [
            ("/proc", privileges.map(drop)),
            ("a file", fs::read(&theirs).map(drop)),
            ("a directory", fs::read_dir(outside.path()).map(drop)),
            ("a symlink to a file", fs::read(&linked).map(drop)),
            ("a write", fs::write(&theirs, "ours")),
            ("a new file", fs::write(outside.path().join("new"), "ours")),
            ("a removal", fs::remove_file(&theirs)),
            ("a program", Command::new("/bin/true").status().map(drop)),
            (
                "a symlink",
                std::os::unix::fs::symlink("x", directory.join("x")),
            ),
        ];
        for (what, result) in refused {
            let error = result.expect_err(what);
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{what}");
        }
        // In a thread that begins later, too.
        let late = std::thread::spawn(move || fs::read(&theirs).is_err());
        assert!(late.join().unwrap());

        let file = |name: &str| -> PathBuf { directory.join(name) };
        fs::write(file("one"), "ours").unwrap();
        assert_eq!(fs::read(file("one")).unwrap(), b"ours");
        fs::rename(file("one"), file("two")).unwrap();
        fs::hard_link(file("two"), file("three")).unwrap();
        fs::File::create(file("two")).unwrap().sync_all().unwrap();
        fs::File::open(directory).unwrap().sync_all().unwrap();
        fs::create_dir(file("lock")).unwrap();
        fs::remove_dir(file("lock")).unwrap();
        fs::remove_file(file("two")).unwrap();
        assert!(TcpStream::connect(address(&ours)).is_ok());
        if status == RulesetStatus::FullyEnforced {
            assert!(TcpStream::connect(address(&other)).is_err());
            assert!(TcpListener::bind("127.0.0.1:0").is_err());
            let parent = rustix::process::getppid().unwrap();
            assert!(rustix::process::test_kill_process(parent).is_err());
        }
    }
}
