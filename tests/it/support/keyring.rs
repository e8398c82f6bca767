//! A private desktop keyring: gnome-keyring on a private session bus.
//!
//! The default collection is unlocked and, having no password, stored as readable text, so that a test can search for a
//! secret *anywhere* in it. The bus starts no services: if the keyring is gone or silent, no other one replaces it.

use crate::sandbox::{Cmd, Sandbox};
use crate::service::{Service, tool};
use rustix::process::Signal;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>@ADDRESS@</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

/// A running keyring; dropping it ends it and its bus.
pub struct Keyring {
    daemon: Service,
    _bus: Service,
    sandbox: Sandbox,
}

impl Keyring {
    #[track_caller]
    pub fn start() -> Self {
        let mut keyring = Self::with(|keyrings| {
            let login = "[keyring]\ndisplay-name=Login\n";
            fs::write(keyrings.join("login.keyring"), login).expect("a file");
            fs::write(keyrings.join("default"), "login").expect("a file");
            None
        });
        keyring.wait_until_it_stores();
        keyring
    }

    /// One without any collection.
    #[track_caller]
    pub fn empty() -> Self {
        Self::with(|_| None)
    }

    /// One whose collection has a password, and is open.
    #[track_caller]
    pub fn with_password() -> Self {
        // The daemon makes the collection, with what it reads as the password.
        let mut keyring = Self::with(|keyrings| {
            let password = keyrings.join("password");
            fs::write(&password, "secret").expect("a file");
            Some(fs::File::open(password).expect("a file"))
        });
        keyring.wait_until_it_stores();
        keyring
    }

    /// Locks the collection: only its password would open it, and nothing on this bus asks for one.
    #[track_caller]
    pub fn lock(&mut self) {
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        self.call("Lock", collection);
    }

    #[track_caller]
    fn with(fill: impl FnOnce(&Path) -> Option<fs::File>) -> Self {
        let sandbox = Sandbox::new();
        fs::set_permissions(sandbox.root(), Permissions::from_mode(0o700))
            .expect("our own directory");
        let address = format!("unix:path={}", sandbox.root().join("bus").display());
        let sandbox = sandbox.env("DBUS_SESSION_BUS_ADDRESS", &address);
        let keyrings = sandbox.home().join(".local/share/keyrings");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keyrings)
            .expect("a directory");
        let password = fill(&keyrings);
        let config = sandbox.root().join("bus.conf");
        fs::write(&config, BUS.replace("@ADDRESS@", &address)).expect("a file");

        let cmd = sandbox
            .command(tool("dbus-daemon"))
            .args(["--nofork", "--nopidfile", "--config-file"])
            .arg(&config);
        let mut bus = Service::start(cmd, Stdio::null());
        bus.wait_until(|| UnixStream::connect(sandbox.root().join("bus")).ok());
        let mut args = vec!["--foreground", "--components=secrets"];
        if password.is_some() {
            args.push("--unlock");
        }
        let cmd = sandbox.command(tool("gnome-keyring-daemon")).args(args);
        let cmd = cmd.env("XDG_RUNTIME_DIR", sandbox.root());
        let daemon = Service::start(cmd, password.map_or_else(Stdio::null, Stdio::from));
        let mut keyring = Self {
            daemon,
            _bus: bus,
            sandbox,
        };
        keyring.call("ReadAlias", "string:default");
        keyring
    }

    /// Calls the service itself, as soon as it is available.
    #[track_caller]
    fn call(&mut self, method: &str, argument: &str) {
        let Self {
            daemon, sandbox, ..
        } = self;
        let call = sandbox.command(tool("dbus-send")).args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            &format!("org.freedesktop.Secret.Service.{method}"),
            argument,
        ]);
        daemon.wait_until(|| (call.clone().run().code == 0).then_some(()));
    }

    /// The value of `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.sandbox.root().join("bus").display())
    }

    /// The secret of an item with these attributes.
    #[track_caller]
    pub fn lookup(&self, attributes: &[(&str, &str)]) -> Option<String> {
        let found = secret_tool(&self.sandbox, &["lookup"], attributes).run();
        (found.code == 0).then_some(found.stdout)
    }

    /// The content of the keyring, labels, attributes and secrets, as stored on disk.
    #[track_caller]
    pub fn search_all(&self) -> String {
        fs::read_to_string(
            self.sandbox
                .home()
                .join(".local/share/keyrings/login.keyring"),
        )
        .expect("a keyring")
    }

    /// Adds an item, as another program of the desktop would.
    #[track_caller]
    pub fn store(&self, attributes: &[(&str, &str)], secret: &str) {
        secret_tool(&self.sandbox, &["store", "--label=test"], attributes)
            .stdin(secret)
            .run()
            .success();
    }

    /// From now on calls to the keyring hang.
    #[track_caller]
    pub fn fall_silent(&mut self) {
        self.daemon.signal(Signal::STOP);
    }

    /// Answers again, including the pending calls; on return these are answered.
    #[track_caller]
    pub fn wake_up(&mut self) {
        self.daemon.signal(Signal::CONT);
        self.wait_until_it_stores();
    }

    fn wait_until_it_stores(&mut self) {
        let Self {
            daemon, sandbox, ..
        } = self;
        daemon.wait_until(|| {
            let stored =
                secret_tool(sandbox, &["store", "--label=test"], &[("ready", "yes")]).run();
            (stored.code == 0).then_some(())
        });
        secret_tool(sandbox, &["clear"], &[("ready", "yes")])
            .run()
            .success();
    }
}

fn secret_tool(sandbox: &Sandbox, args: &[&str], attributes: &[(&str, &str)]) -> Cmd {
    let attributes = attributes.iter().flat_map(|(name, value)| [name, value]);
    sandbox
        .command(tool("secret-tool"))
        .args(args)
        .args(attributes)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn the_keyring_finds_what_was_stored_and_nothing_else() {
    let keyring = Keyring::start();
    keyring.store(&[("service", "sentry"), ("account", "jane")], "s3cret");
    assert_eq!(
        keyring.lookup(&[("service", "sentry")]).as_deref(),
        Some("s3cret")
    );
    assert_eq!(
        keyring.lookup(&[("service", "sentry"), ("account", "joe")]),
        None
    );
    assert!(
        keyring.search_all().contains("secret=s3cret\n"),
        "{}",
        keyring.search_all()
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn two_keyrings_do_not_share_anything() {
    let (mine, other) = (Keyring::start(), Keyring::start());
    mine.store(&[("service", "sentry")], "s3cret");
    assert_eq!(other.lookup(&[("service", "sentry")]), None);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "gnome-keyring")]
fn a_silent_keyring_keeps_its_callers_waiting() {
    let mut keyring = Keyring::start();
    keyring.fall_silent();
    let mut lookup = secret_tool(&keyring.sandbox, &["lookup"], &[("service", "sentry")]).spawn();
    thread::sleep(Duration::from_secs(1));
    assert!(lookup.is_running(), "{}", lookup.stderr());
}
