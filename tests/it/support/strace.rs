//! Traces or alters the system calls of a program and of its children with strace(1).

use crate::sandbox::Cmd;
use crate::service::tool;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// A trace with each call on one line, in the order in which they ended: strace splits a call that another process
/// interrupts into `<unfinished ...>` and `<... resumed>`.
pub fn read_trace(path: impl AsRef<Path>) -> String {
    let trace = fs::read_to_string(path).expect("a trace");
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut whole = String::new();
    for line in trace.lines() {
        let process = line.split_whitespace().next().unwrap_or_default();
        if let Some(start) = line.strip_suffix("<unfinished ...>") {
            begun.insert(process, start.trim_end());
            continue;
        }
        let resumed = line
            .split_once("<... ")
            .and_then(|(_, rest)| rest.split_once(" resumed>"));
        match (resumed, begun.remove(process)) {
            (Some((_, end)), Some(start)) => whole.push_str(&format!("{start}{end}")),
            _ => whole.push_str(line),
        }
        whole.push('\n');
    }
    whole
}

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
