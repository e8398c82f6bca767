//! Host names that exist for one process only: glibc looks them up in a file, through Debian's nss_wrapper.

use crate::sandbox::{Cmd, Sandbox};
use std::fs;
use std::path::{Path, PathBuf};

/// `ADDRESS NAME` lines, as in `/etc/hosts`.
pub struct Names(PathBuf);

impl Names {
    pub fn new(sandbox: &Sandbox, hosts: &str) -> Self {
        let file = sandbox.root().join("hosts");
        fs::write(&file, hosts).expect("a file");
        Self(file)
    }

    /// The command finds them, and no others.
    pub fn known_to(&self, cmd: Cmd) -> Cmd {
        let library = ["x86_64", "aarch64"]
            .map(|machine| format!("/usr/lib/{machine}-linux-gnu/libnss_wrapper.so"))
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("nss_wrapper is missing: run tests/run");
        cmd.env("LD_PRELOAD", library)
            .env("NSS_WRAPPER_HOSTS", &self.0)
    }
}
