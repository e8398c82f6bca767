//! Files of other programs: their ownership, their content after a failure, and concurrent writers.

use crate::sandbox::{Cmd, Output, Sandbox};
use crate::service::tool;
use crate::storage::{mode, names, unprivileged};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const NOBODY: u32 = 65534;

/// A machine whose instance is sentry.io, with both files.
struct Scene {
    sandbox: Sandbox,
}

/// The two set-ups, the file that each writes, and what it is bound by.
const SET_UPS: [(&[&str], &str); 2] = [
    (
        &["auth", "setup-docker", "--registry", "r.example"],
        ".docker/config.json",
    ),
    (&["auth", "setup-git", "--host", "g.example"], ".gitconfig"),
];

const BEFORE: [&str; 2] = ["{\n\t\"auths\": {}\n}", "[user]\n\tname = Jane\n"];

impl Scene {
    fn new() -> Scene {
        let sandbox = Sandbox::new().env("SENTRY_URL", "https://sentry.io");
        let machine = Scene { sandbox };
        fs::create_dir(machine.path(".docker")).unwrap();
        for ((_, file), text) in SET_UPS.iter().zip(BEFORE) {
            fs::write(machine.path(file), text).unwrap();
        }
        machine
    }

    fn path(&self, file: &str) -> PathBuf {
        self.sandbox.home().join(file)
    }

    fn set_up(&self, args: &[&str]) -> Cmd {
        self.sandbox.sentry(args)
    }

    /// Nothing was written, nothing is bound, and the cause is reported once.
    #[track_caller]
    fn is_as_before(&self, failed: Output, cause: &str) {
        let failed = failed.fails(1).stdout_is("").stderr_has(cause);
        assert_eq!(failed.stderr.matches(cause).count(), 1, "{}", failed.stderr);
        assert!(
            failed.stderr.starts_with("error: cannot write "),
            "{}",
            failed.stderr
        );
        for ((_, file), text) in SET_UPS.iter().zip(BEFORE) {
            assert_eq!(fs::read_to_string(self.path(file)).unwrap(), text);
        }
        assert_eq!(names(&self.path(".docker")), ["config.json"]);
        let bindings = self.sandbox.database().map(|_| self.bindings());
        assert_eq!(bindings.unwrap_or_default(), [""; 0]);
    }

    /// The bindings; none if no table was created yet.
    fn bindings(&self) -> Vec<String> {
        let database = self.sandbox.database().expect("a database");
        let has_table = database.prepare("SELECT 1 FROM helper_binding").is_ok();
        match has_table {
            true => self.sandbox.bindings(),
            false => Vec::new(),
        }
    }
}

/// As a user who is not root, in their own directory. `None` if the tests do not run as root.
fn as_nobody(machine: &Scene, args: &[&str]) -> Option<Cmd> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    fs::set_permissions(machine.sandbox.root(), Permissions::from_mode(0o755)).unwrap();
    for dir in [machine.sandbox.home(), machine.path(".docker")] {
        chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let programs = machine.sandbox.root().join("bin");
    fs::create_dir_all(&programs).unwrap();
    for program in [
        env!("CARGO_BIN_EXE_sentry"),
        env!("CARGO_BIN_EXE_git-credential-sentry"),
        env!("CARGO_BIN_EXE_docker-credential-sentry"),
    ] {
        let name = Path::new(program).file_name().unwrap();
        machine.sandbox.copy(program, &programs.join(name));
    }
    let sentry = machine.sandbox.command(programs.join("sentry")).args(args);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    let as_nobody = [user.as_str(), group.as_str(), "--clear-groups", "--"];
    Some(sentry.env("PATH", path).under(tool("setpriv"), &as_nobody))
}

#[test]
fn a_file_keeps_its_owner_its_group_and_its_mode() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let path = machine.path(file);
        fs::set_permissions(&path, Permissions::from_mode(0o620)).unwrap();
        let owner = match rustix::process::geteuid().is_root() {
            true => (4242, 4243),
            false => (
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            ),
        };
        chown(&path, Some(owner.0), Some(owner.1)).unwrap();
        machine.set_up(args).run().success();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), owner, "{file}");
        assert_eq!(mode(&path), 0o620, "{file}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1)")]
fn a_file_whose_owner_would_lose_it_is_not_written() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let path = machine.path(file);
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        if let Some(set_up) = as_nobody(&machine, args) {
            let failed = set_up.run().fails(1).stderr_has(&format!(
                "error: cannot write {}: it would no longer belong to user 0 and group 0; run the command as that user\n",
                path.display()
            ));
            machine.is_as_before(failed, "it would no longer belong to user 0");
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), unshare(1)")]
fn podman_without_a_place_to_log_in_gets_a_hint_with_the_variable() {
    // Root's podman keeps the directory to itself.
    for made in [":", "mkdir -m 700 /run/containers"] {
        let machine = Scene::new();
        let run = |args: &[&str]| {
            let as_nobody = as_nobody(&machine, args)?.env_remove("XDG_RUNTIME_DIR");
            let script = format!("mount -t tmpfs -o mode=755 tmpfs /run; {made}; exec \"$@\"");
            let apart = ["-m", "sh", "-euc", &script, "sh"];
            Some(as_nobody.under(tool("unshare"), &apart).run())
        };
        let podman = ["auth", "setup-docker", "--podman"];
        let set_up = [&podman[..], &["--registry", "r.example"]].concat();
        let (Some(failed), Some(undone), Some(doctor)) = (
            run(&set_up),
            run(&[&podman[..], &["--undo"]].concat()),
            run(&["auth", "doctor"]),
        ) else {
            return;
        };
        let failed = failed.fails(1).stderr_has(&format!(
            "/run/containers/{NOBODY}/auth.json: permission denied\n\
             hint: `export REGISTRY_AUTH_FILE=\"$HOME/.config/containers/auth.json\"`, for podman too\n"
        ));
        assert_eq!(failed.stderr.matches("permission denied").count(), 1);
        undone.success().stderr_is("nothing to undo\n");
        doctor.stdout_has("ok       docker: no registry is set up\n");
    }
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "access lists")]
fn an_access_list_stays() {
    // `user::rw-, user:4242:r--, group::---, mask::r--, other::---`: acl(5), as the kernel keeps it.
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 4, 4242),
        (0x04, 0, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_access";
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let path = machine.path(file);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&path, name, &list, flags).unwrap();
        machine.set_up(args).run().success();
        let mut kept = [0; 256];
        let length = rustix::fs::getxattr(&path, name, &mut kept[..]).unwrap();
        assert_eq!(kept[..length], list, "{file}");
    }
}

/// The set-up in a mount namespace of its own, after this script.
fn after(machine: &Scene, script: &str, args: &[&str]) -> Cmd {
    let script = format!("set -e; {script}; exec sentry \"$@\"");
    let shell = machine.sandbox.command(tool("unshare"));
    shell
        .args(["-Urm", "sh", "-c", &script, "sh"])
        .args(args)
        .env("FILE", machine.path(file_of(args)))
}

fn file_of(args: &[&str]) -> &'static str {
    let (_, file) = SET_UPS.iter().find(|(other, _)| *other == args).unwrap();
    file
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_file_that_is_a_mount_point_is_reported_and_nothing_is_bound() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let failed = after(&machine, "mount --bind \"$FILE\" \"$FILE\"", args).run();
        let failed = failed.fails(1).stderr_is(&format!(
            "error: cannot write {}: device or resource busy; it is a mount point: mount its directory instead\n",
            machine.path(file).display()
        ));
        machine.is_as_before(failed, "device or resource busy");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_directory_that_cannot_be_written_is_reported_and_nothing_is_bound() {
    for (args, _) in SET_UPS {
        let machine = Scene::new();
        let other = machine.sandbox.root().join("store");
        let read_only = "DIR=$(dirname \"$FILE\"); mount --bind \"$DIR\" \"$DIR\"; \
                         mount -o remount,bind,ro \"$DIR\"";
        let failed = after(&machine, read_only, args).env("SENTRY_CONFIG_DIR", other);
        let failed = failed.run();
        assert!(
            !failed.stderr.contains(".config.json-"),
            "{}",
            failed.stderr
        );
        machine.is_as_before(failed, "read-only file system\n");
    }
}

#[test]
fn a_file_that_its_owner_made_read_only_is_left_alone() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let path = machine.path(file);
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let failed = unprivileged(machine.set_up(args)).run();
        machine.is_as_before(failed, "permission denied");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "unshare(1)")]
fn a_full_disk_is_reported_and_nothing_is_bound() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        let disk = machine.sandbox.root().join("disk");
        fs::create_dir(&disk).unwrap();
        let variable = match file {
            ".gitconfig" => ("GIT_CONFIG_GLOBAL", disk.join("gitconfig")),
            _ => ("DOCKER_CONFIG", disk.clone()),
        };
        let script = "mount -t tmpfs -o size=64k tmpfs \"$DISK\"; cp \"$FILE\" \"$DISK/${NAME}\"; \
                      dd if=/dev/zero of=\"$DISK/fill\" bs=1k 2>/dev/null || :; \
                      trap 'cat \"$DISK/$NAME\"; ls -A \"$DISK\"' EXIT; sentry \"$@\"; exit";
        let name = if file == ".gitconfig" {
            "gitconfig"
        } else {
            "config.json"
        };
        let failed = after(&machine, script, args)
            .env("DISK", &disk)
            .env("NAME", name)
            .env(variable.0, variable.1)
            .run()
            .fails(1)
            .stderr_has("no space left on device");
        let left = match file {
            ".gitconfig" => format!("{}fill\ngitconfig\n", BEFORE[1]),
            _ => format!("{}config.json\nfill\n", BEFORE[0]),
        };
        assert_eq!(failed.stdout, left);
        assert_eq!(machine.bindings(), [""; 0]);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_database_that_takes_no_commit_leaves_the_file_as_it_was() {
    for (args, file) in SET_UPS {
        let machine = Scene::new();
        // Makes the tables.
        machine.set_up(args).run().success();
        let undo = machine.set_up(args).arg("--undo").run();
        undo.success();
        // SQLite alone writes by this call; where the database is open already, not before the commit.
        let open = machine.sandbox.database().unwrap();
        let count = "SELECT count(*) FROM helper_binding";
        assert_eq!(open.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(0));
        let full = "pwrite64:error=ENOSPC:when=1+";
        let failed = machine.set_up(args).with_injected(full).run();
        let failed = failed
            .fails(1)
            .stdout_is("")
            .stderr_has("database or disk is full");
        assert!(!failed.stderr.contains("put back"), "{}", failed.stderr);
        for ((_, file), text) in SET_UPS.iter().zip(BEFORE) {
            assert_eq!(fs::read_to_string(machine.path(file)).unwrap(), text);
        }
        assert_eq!(names(&machine.path(".docker")), ["config.json"]);
        assert_eq!(
            names(&machine.sandbox.home()),
            [".docker", ".gitconfig", ".sentry"]
        );
        assert_eq!(machine.bindings(), [""; 0], "{file}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn where_files_cannot_be_exchanged_they_are_renamed() {
    // The file system's, the kernel's, and that of a filter of system calls.
    let errors = ["EINVAL", "ENOSYS", "EPERM"];
    let cases = errors.map(|error| SET_UPS.map(|set_up| (error, set_up)));
    for (error, (args, file)) in cases.into_iter().flatten() {
        let machine = Scene::new();
        let set_up = machine.set_up(args);
        let renameless = set_up.with_injected(&format!("renameat2:error={error}:when=1+"));
        renameless.run().success();
        let text = fs::read_to_string(machine.path(file)).unwrap();
        assert!(text.contains("sentry"), "{text}");
        let undo = machine.set_up(args).arg("--undo").run();
        undo.success();
        assert!(
            !fs::read_to_string(machine.path(file))
                .unwrap()
                .contains("sentry")
        );
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "setpriv(1), strace(1)")]
fn nothing_is_created_in_the_home_of_another_user() {
    let commands: [&[&str]; 5] = [
        SET_UPS[0].0,
        SET_UPS[1].0,
        &[
            "auth",
            "login",
            "--no-browser",
            "--url",
            "https://127.0.0.1:9",
        ],
        &["auth", "login", "--token", "t0ken", "--keyring"],
        &[
            "auth",
            "setup-docker",
            "--podman",
            "--registry",
            "r.example",
        ],
    ];
    for args in commands {
        let sandbox = Sandbox::new()
            .env("SENTRY_URL", "https://sentry.io")
            .env("SENTRY_CLIENT_ID", "client");
        let sandbox = {
            let run = sandbox.home().join("run");
            sandbox.env("XDG_RUNTIME_DIR", run)
        };
        let home = sandbox.home();
        let run = match rustix::process::geteuid().is_root() {
            true => {
                chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
                sandbox.sentry(args).run()
            }
            false => sandbox
                .sentry(args)
                .with_injected("geteuid:retval=4242")
                .run(),
        };
        run.fails(1).stderr_is(&format!(
            "error: nothing is created in {}: it is the home directory of another user; run it without sudo\n\
             hint: `export SENTRY_CONFIG_DIR=DIR`, a directory of this user that is private (0700), where there is no \
             sudo\n",
            home.display()
        ));
        assert_eq!(names(&home), [""; 0], "{args:?}");
    }
    // The leftovers of an earlier run of that kind are reported with the remedy.
    let sandbox = Sandbox::new();
    sandbox.create_store();
    if rustix::process::geteuid().is_root() {
        chown(sandbox.config_dir(), Some(NOBODY), Some(NOBODY)).unwrap();
        let closed = unprivileged(sandbox.sentry(&["auth", "status"])).run();
        closed.fails(1).stderr_is(&format!(
            "error: refusing to use {0}/cli.db: its directory belongs to another user\n\
             hint: `sudo chown -R \"$(id -un)\" {0}`, if it should be yours\n",
            sandbox.config_dir().display()
        ));
    }
    let sandbox = Sandbox::new();
    let store = sandbox.git_credential("store");
    let store = store.stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n");
    let home = sandbox.home();
    let stored = match rustix::process::geteuid().is_root() {
        true => {
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
            store.run()
        }
        false => store.with_injected("geteuid:retval=4242").run(),
    };
    stored.fails(1).stderr_has("; run it without sudo");
    assert_eq!(names(&home), [""; 0]);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn nothing_is_created_in_the_home_of_another_user_by_another_name() {
    let sandbox = Sandbox::new();
    let (root, home) = (sandbox.root().to_owned(), sandbox.home());
    symlink(&home, root.join("link")).unwrap();
    fs::create_dir(root.join("beside")).unwrap();
    let as_another = |cmd: Cmd| match rustix::process::geteuid().is_root() {
        true => {
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
            cmd.run()
        }
        false => cmd.with_injected("geteuid:retval=4242").run(),
    };
    for dir in ["link/store", "beside/../home/store", "link/a/b"] {
        let store = sandbox.git_credential("store");
        let store = store.stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n");
        let stored = as_another(store.env("SENTRY_CONFIG_DIR", root.join(dir)));
        stored.fails(1).stderr_has("; run it without sudo");
        assert_eq!(names(&home), [""; 0], "{dir}");
    }
    for trace in ["home/trace", "link/trace"] {
        let trace = root.join(trace);
        let get = sandbox.git_credential("get").env("SENTRY_TOKEN", "t0ken");
        let get = get.stdin("protocol=https\nhost=sentry.io\n");
        let got = as_another(get.env("SENTRY_CREDENTIAL_TRACE", &trace));
        let got = got.success().stdout_has("t0ken");
        got.stderr_is(&format!(
            "warning: no trace by SENTRY_CREDENTIAL_TRACE: {}: nothing is created in {}: \
             it is the home directory of another user; run it without sudo\n",
            trace.display(),
            home.display()
        ));
        assert_eq!(names(&home), [""; 0]);
    }
}

/// A second mount here, and on macOS a firmlink or another spelling.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1), unshare(1)")]
fn nothing_is_created_in_the_home_of_another_user_by_another_mount() {
    let sandbox = Sandbox::new();
    let (root, home) = (sandbox.root().to_owned(), sandbox.home());
    fs::create_dir(root.join("alias")).unwrap();
    let mounted = "mount --bind \"$0/home\" \"$0/alias\"; exec \"$@\"";
    let apart = ["-Urm", "sh", "-euc", mounted, root.to_str().unwrap()];
    let store = sandbox.git_credential("store");
    let store = store.stdin("protocol=https\nhost=h.example\nusername=u\npassword=p\n");
    let store = store.env("SENTRY_CONFIG_DIR", root.join("alias/store"));
    let store = store.with_injected("geteuid:retval=4242");
    let stored = store.under(tool("unshare"), &apart).run();
    stored.fails(1).stderr_has("; run it without sudo");
    assert_eq!(names(&home), [""; 0]);
}

/// All at once.
fn run_all(commands: Vec<Cmd>) {
    let running: Vec<_> = commands.into_iter().map(Cmd::spawn).collect();
    for running in running {
        running.wait().success();
    }
}

#[test]
fn sixteen_set_ups_at_once_leave_sixteen_entries() {
    let machine = Scene::new();
    let hosts: Vec<String> = (0..16).map(|number| format!("r{number}.example")).collect();
    let commands = [("setup-docker", "--registry"), ("setup-git", "--host")];
    for (command, option) in commands {
        let set_up = |host: &String| machine.sandbox.sentry(&["auth", command, option, host]);
        run_all(hosts.iter().map(set_up).collect());
    }
    assert_eq!(machine.sandbox.bindings().len(), 32);
    let docker = fs::read_to_string(machine.path(".docker/config.json")).unwrap();
    let git = fs::read_to_string(machine.path(".gitconfig")).unwrap();
    assert_eq!(
        docker.matches("example\": \"sentry\"").count(),
        16,
        "{docker}"
    );
    assert_eq!(git.matches("helper = sentry").count(), 16, "{git}");
    assert!(git.starts_with(BEFORE[1]) && docker.contains("\"auths\": {}"));
    for (command, option) in commands {
        let undo = |host: &String| {
            let undo = ["auth", command, "--undo", option, host];
            machine.sandbox.sentry(&undo)
        };
        run_all(hosts.iter().map(undo).collect());
    }
    assert_eq!(machine.sandbox.bindings(), [""; 0]);
    for ((_, file), text) in SET_UPS.iter().zip(BEFORE) {
        assert_eq!(fs::read_to_string(machine.path(file)).unwrap(), text);
    }
}

#[test]
fn git_config_in_the_middle_loses_nothing() {
    let machine = Scene::new();
    let mut commands = Vec::new();
    for number in 0..8 {
        let host = format!("r{number}.example");
        commands.push(
            machine
                .sandbox
                .sentry(&["auth", "setup-git", "--host", &host]),
        );
        // git does not wait for its lock.
        let config = format!(
            "for try in $(seq 500); do git config --global sandbox.key{number} x 2>/dev/null && exit; sleep 0.01; done; exit 1"
        );
        commands.push(machine.sandbox.command("sh").args(["-c", &config]));
    }
    run_all(commands);
    let git = fs::read_to_string(machine.path(".gitconfig")).unwrap();
    assert_eq!(git.matches("helper = sentry").count(), 8, "{git}");
    assert_eq!(git.matches("\tkey").count(), 8, "{git}");
    let strays = names(&machine.sandbox.home());
    assert_eq!(strays, [".docker", ".gitconfig", ".sentry"]);
}

#[test]
fn a_lock_of_gits_is_waited_for_and_not_for_ever() {
    let machine = Scene::new();
    let lock = machine.path(".gitconfig.lock");
    fs::write(&lock, "").unwrap();
    let set_up = || machine.set_up(SET_UPS[1].0);
    let failed = set_up().run().fails(1).stderr_is(&format!(
        "error: cannot write {0}/.gitconfig: another program holds {0}/.gitconfig.lock\n\
         hint: `rm {0}/.gitconfig.lock`, if no git is running\n",
        machine.sandbox.home().display()
    ));
    machine.is_as_before(failed, "another program holds");
    let running = set_up().spawn();
    thread::sleep(Duration::from_millis(200));
    fs::remove_file(lock).unwrap();
    running.wait().success();
}
