//! Traces or alters the system calls of a program and of its children with strace(1).

use crate::sandbox::Cmd;
use crate::service::tool;
use std::path::Path;

impl Cmd {
    /// Writes these calls (`write,sendto`, or `%file`) to a file: whole strings and environments, and the path behind
    /// each descriptor.
    pub fn traced(self, calls: &str, to: &Path) -> Cmd {
        let (calls, to) = (format!("trace={calls}"), to.to_str().expect("a plain path"));
        let whole = ["-yy", "-v", "-s", "100000"];
        let strace = ["-f", "-qq", "-o", to, "-e", &calls];
        self.under(tool("strace"), &[&strace[..], &whole].concat())
    }

    /// Falsifies calls: `flock:error=ENOLCK:when=1+`.
    pub fn with_injected(self, what: &str) -> Cmd {
        let calls = what.split(':').next().expect("at least one part");
        let (calls, what) = (format!("trace={calls}"), format!("inject={what}"));
        let strace = ["-f", "-qq", "-o", "/dev/null", "-e", &calls, "-e", &what];
        self.under(tool("strace"), &strace)
    }
}
