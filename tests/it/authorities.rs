//! Certificate authorities: the settings that replace or extend the system's, and settings that cannot be read.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::environment::git;
use crate::fake_sentry::{CLIENT_ID, FakeSentry};
use crate::sandbox::{Age, Cmd, Sandbox};
use crate::tls::{Certificate, Tls};
use rusqlite::params;

/// A machine with an expired session at a server whose authority is not trusted yet.
struct Scene {
    sentry: FakeSentry,
    tls: Tls,
    machine: Sandbox,
}

impl Scene {
    fn new() -> Self {
        Self::showing(Certificate::Good)
    }

    fn showing(certificate: Certificate) -> Self {
        let sentry = FakeSentry::start();
        let tls = Tls::with(certificate, &sentry);
        let machine = Sandbox::new().env("SENTRY_CLIENT_ID", CLIENT_ID);
        machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
        machine.move_session(&tls.url());
        Self {
            sentry,
            tls,
            machine,
        }
    }

    fn get(&self) -> Cmd {
        let request = crate::environment::described(&self.tls.url());
        let get = self.machine.git_credential("get").stdin(request);
        let store = self.machine.database().expect("a store");
        let expired = "UPDATE accounts SET expires_at = (unixepoch() - 3600) * 1000";
        assert_eq!(store.execute(expired, []), Ok(1));
        store
            .execute("UPDATE helper_session SET retry_at = NULL", [])
            .ok();
        get
    }

    #[track_caller]
    fn trusts(&self, cmd: Cmd) {
        let before = self.sentry.refreshes();
        let served = cmd.run().success().stderr_is("");
        served.stdout_has(&self.sentry.current_access());
        assert_eq!(self.sentry.refreshes(), before + 1);
    }

    #[track_caller]
    fn is_told(&self, cmd: Cmd, words: &str) {
        let before = self.machine.stored_tokens();
        cmd.run().fails(1).stdout_is("").stderr_has(words);
        assert_eq!(self.sentry.requests().len(), 0);
        assert_eq!(self.machine.stored_tokens(), before);
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let file = self.machine.root().join(name);
        fs::write(&file, content).expect("a file");
        file
    }

    fn authority(&self) -> String {
        fs::read_to_string(self.tls.authority()).expect("a certificate")
    }
}

#[test]
fn authorities_are_named_or_added() {
    let scene = Scene::new();
    let (file, directory) = (scene.tls.authority(), scene.tls.authorities());
    let list = format!("{}:{}", scene.machine.home().display(), directory.display());
    for (variable, value) in [
        ("SSL_CERT_FILE", file.clone()),
        ("SSL_CERT_DIR", directory.clone()),
        ("SSL_CERT_DIR", list.into()),
        ("NODE_EXTRA_CA_CERTS", file.clone()),
    ] {
        scene.trusts(scene.get().env(variable, value));
    }
    // Additional authorities count beside the named ones, and beside the system's.
    let other = Tls::start(&scene.sentry);
    let both = scene.get().env("SSL_CERT_FILE", other.authority());
    scene.trusts(both.env("NODE_EXTRA_CA_CERTS", &file));
    // A file with other content too, and with a byte order mark.
    let odd = format!("\u{feff}{}\nno certificate\n", scene.authority());
    let odd = scene.file("odd.pem", &odd);
    scene.trusts(scene.get().env("SSL_CERT_FILE", odd));
}

#[test]
fn what_names_authorities_and_cannot_be_read_is_an_error() {
    let scene = Scene::new();
    let root = scene.machine.root();
    let empty_directory = root.join("empty");
    fs::create_dir(&empty_directory).expect("a directory");
    let fifo = root.join("fifo");
    scene.machine.command("mkfifo").arg(&fifo).run().success();
    let key = fs::read_to_string(scene.tls.key()).expect("a key");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let files = [
        (root.join("missing"), "no such file or directory"),
        (root.to_owned(), "it is not a file"),
        (fifo, "it is not a file"),
        ("/dev/zero".into(), "it is not a file"),
        (scene.file("empty.pem", ""), "it holds no certificate (PEM)"),
        (scene.file("key.pem", &key), "it holds no certificate (PEM)"),
        (
            scene.file("broken.pem", broken),
            "it holds no certificate (PEM)",
        ),
        (
            scene.file("half.pem", &scene.authority()[..200]),
            "it holds no certificate (PEM)",
        ),
        (root.join("\u{1b}[31mred"), "no such file or directory"),
        // A repository can carry such a file, and a file that sets the variable.
        (
            "planted.pem".into(),
            "it is relative to the current directory",
        ),
        (
            "./planted.pem".into(),
            "it is relative to the current directory",
        ),
        (
            "/proc/self/cwd/planted.pem".into(),
            "it is another one for each process",
        ),
        (
            "/dev/fd/../cwd/planted.pem".into(),
            "it is another one for each process",
        ),
    ];
    scene.file("planted.pem", &scene.authority());
    #[cfg(all(target_os = "linux", not(portable)))]
    let files = {
        let link = root.join("link");
        std::os::unix::fs::symlink("/proc/self/cwd", &link).expect("a symlink");
        let behind_link = (
            link.join("planted.pem"),
            "it is another one for each process",
        );
        files.into_iter().chain([behind_link]).collect::<Vec<_>>()
    };
    let directories = [
        (root.join("missing"), "no such file or directory"),
        (scene.tls.authority(), "not a directory"),
        (empty_directory, "it holds no certificate (PEM)"),
        (".".into(), "it is relative to the current directory"),
        (
            "/proc/self/cwd".into(),
            "it is another one for each process",
        ),
    ];
    // The others would suffice; an unusable one is an error nevertheless.
    let good = |variable: &str| {
        let get = scene.get();
        match variable {
            "SSL_CERT_FILE" => get.env("NODE_EXTRA_CA_CERTS", scene.tls.authority()),
            _ => get.env("SSL_CERT_FILE", scene.tls.authority()),
        }
    };
    let told = |variable: &str, path: &Path, why: &str| {
        let shown = path.display().to_string().replace('\u{1b}', "");
        let words = format!("cannot use {shown}, which {variable} names: {why}");
        let get = good(variable).current_dir(root).env(variable, path);
        scene.is_told(get, &words);
    };
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        for (file, why) in &files {
            told(variable, file, why);
        }
    }
    for (directory, why) in &directories {
        told("SSL_CERT_DIR", directory, why);
    }
    let login = scene
        .machine
        .sentry(&["auth", "login", "--url", &scene.tls.url(), "--force"]);
    scene.is_told(
        login.env("SSL_CERT_FILE", "/nowhere"),
        "cannot use /nowhere, which SSL_CERT_FILE names: no such file or directory",
    );
}

#[test]
fn a_name_that_is_no_utf_8_is_a_file_like_any_other() {
    let scene = Scene::new();
    let file = scene
        .machine
        .root()
        .join(std::ffi::OsStr::from_bytes(b"ca\xff.pem"));
    fs::copy(scene.tls.authority(), &file).expect("a file");
    scene.trusts(scene.get().env("SSL_CERT_FILE", file));
}

#[test]
fn the_official_clis_own_setting_adds_an_authority() {
    let scene = Scene::new();
    let store = scene.machine.database().expect("a store");
    let table = "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL)";
    store.execute_batch(table).expect("a table");
    let set = |value: &Path| {
        let sql = "INSERT OR REPLACE INTO metadata VALUES ('defaults.ca-cert', ?)";
        let done = store.execute(sql, params![value.display().to_string()]);
        assert_eq!(done, Ok(1));
    };
    set(&scene.tls.authority());
    scene.trusts(scene.get());
    set(Path::new("/nowhere"));
    let told = scene.get().run().fails(1).stdout_is("");
    told.stderr_has(
        "cannot use /nowhere, which `sentry cli defaults ca-cert` names: no such file or directory",
    );
    set(Path::new(""));
    scene.get().run().fails(1).stderr_has("cannot trust ");
}

#[test]
fn gits_own_authorities_are_used_where_nothing_else_names_any() {
    let scene = Scene::new();
    let other = Tls::start(&scene.sentry);
    let git_config = |name: &str, value: &Path| {
        let git = scene
            .machine
            .command("git")
            .args(["config", "--global", name]);
        git.arg(value).run().success();
    };
    let unset = || {
        let file = scene.machine.home().join(".gitconfig");
        fs::write(file, "[http]\nsslVerify = false\n").expect("a file");
    };
    unset();
    let unknown = |cmd: Cmd| {
        cmd.run().fails(1).stderr_has("cannot trust ");
    };
    unknown(scene.get());
    git_config("http.sslCAInfo", &scene.tls.authority());
    scene.trusts(scene.get());
    // The same settings are more specific here as in git.
    let name = format!("http.{}/.sslCAInfo", scene.tls.url());
    git_config(&name, &other.authority());
    unknown(scene.get());
    unset();
    git_config("http.sslCAPath", &scene.tls.authorities());
    scene.trusts(scene.get());
    unknown(scene.get().env("SSL_CERT_FILE", other.authority()));
    unset();
    let copied = fs::copy(scene.tls.authority(), scene.machine.home().join("ca.pem"));
    assert!(copied.is_ok());
    git_config("http.sslCAInfo", Path::new("~/ca.pem"));
    scene.trusts(scene.get());
    git_config("http.sslCAInfo", Path::new("/nowhere"));
    let told = scene.get().run().fails(1).stdout_is("");
    told.stderr_has("cannot use /nowhere, which git's `http.sslCAInfo` names: ");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_certificate_that_is_not_trusted_is_tried_once_and_says_what_to_set() {
    let scene = Scene::new();
    let host = scene.tls.url().replace("https://", "");
    let calls = scene.machine.root().join("calls");
    let other = Tls::start(&scene.sentry);
    let unknown = format!(
        "git-credential-sentry: cannot refresh the token of {}: cannot trust {host}: its certificate is signed by \
         an unknown authority (",
        scene.tls.url()
    );
    for (named, hint) in [
        (
            None,
            "(hint: `export SSL_CERT_FILE=FILE` with the certificate of that authority, \
             or NODE_EXTRA_CA_CERTS to add it to the system's)\n",
        ),
        (
            Some(other.authority()),
            "(hint: SSL_CERT_FILE and SSL_CERT_DIR replace the system's authorities; \
             `unset SSL_CERT_FILE SSL_CERT_DIR` restores them)\n",
        ),
    ] {
        let mut get = scene.get();
        if let Some(named) = named {
            get = get.env("SSL_CERT_FILE", named);
        }
        let told = get.traced("connect", &calls).run().fails(1);
        assert!(told.stderr.starts_with(&unknown), "{}", told.stderr);
        assert!(told.stderr.ends_with(hint), "{}", told.stderr);
        let calls = fs::read_to_string(&calls).expect("a trace");
        let port = format!("htons({})", scene.tls.port());
        let tries = calls.lines().filter(|line| line.contains(&port)).count();
        assert_eq!(tries, 1, "{calls}");
    }
    // Every command names the setting.
    let url = scene.tls.url();
    let hint = "\nhint: `export SSL_CERT_FILE=FILE` with the certificate of that authority, ";
    for command in [
        "refresh",
        "whoami",
        "login --force",
        "login --token sntryu_x",
    ] {
        let _expired = scene.get();
        let cmd = scene.machine.sentry(&["auth"]).args(command.split(' '));
        cmd.args(["--url", &url]).run().fails(1).stderr_has(hint);
    }
    for certificate in [Certificate::Expired, Certificate::NotYetValid] {
        let scene = Scene::showing(certificate);
        let get = scene.get().env("SSL_CERT_FILE", scene.tls.authority());
        scene.is_told(get, ", or the clock of this machine is wrong (");
    }
}

#[test]
fn plain_http_on_this_machine_loads_no_authorities() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new()
        .for_sentry(&sentry)
        .env("SSL_CERT_FILE", "/nowhere");
    machine.seed_session(&sentry, &sentry.issue(), Age::EXPIRED);
    git(&machine, &sentry.url()).success().stderr_is("");
}
