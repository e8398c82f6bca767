//! Determines the operation of a registry client from its command line.
//!
//! Separate from [`crate::docker`], whose protocol does not say why a credential is requested: podman, skopeo and buildah
//! send the same `get` for a `login` as for a `pull`, and do not `store` afterwards.
//!
//! Rules: the word counts only as the client's subcommand, the first argument that is neither an option nor an option's
//! value. If the client, or an option before the subcommand, is unknown, so is the operation.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A client, and how to find the subcommand on its command line.
struct Client {
    names: &'static [&'static str],
    /// The words of a login: `helm registry login`.
    login: &'static [&'static str],
    /// The words of a logout.
    logout: &'static [&'static str],
    /// The words of other commands that write its configuration.
    writes: &'static [&'static [&'static str]],
    /// Long options before the subcommand that take the next argument as their value.
    values: &'static [&'static str],
    /// Short options that take a value.
    letters: &'static str,
    /// Long options without a value.
    switches: &'static [&'static str],
    /// Short options without a value.
    switch_letters: &'static str,
}

const LOGIN: &[&str] = &["login"];
const LOGOUT: &[&str] = &["logout"];

/// Options of `podman login`, `buildah login` and `skopeo login` that make it print the user of a login.
const QUERIES: [&str; 2] = ["--get-login", "--get-login=true"];

/// From each client's own `--help`, hidden options included.
const CLIENTS: [Client; 9] = [
    Client {
        names: &["docker"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[&["context", "use"]],
        values: &[
            "config",
            "context",
            "host",
            "log-level",
            "tlscacert",
            "tlscert",
            "tlskey",
        ],
        letters: "cHl",
        switches: &["debug", "tls", "tlsverify"],
        switch_letters: "D",
    },
    Client {
        names: &["podman", "podman-remote"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[],
        values: &[
            "cdi-spec-dir",
            "cgroup-manager",
            "config",
            "conmon",
            "connection",
            "cpu-profile",
            "db-backend",
            "default-mounts-file",
            "events-backend",
            "hooks-dir",
            "host",
            "identity",
            "imagestore",
            "log-level",
            "memory-profile",
            "module",
            "namespace",
            "network-cmd-path",
            "network-config-dir",
            "network-plugin",
            "out",
            "pull-option",
            "registries-conf",
            "root",
            "runroot",
            "runtime",
            "runtime-flag",
            "ssh",
            "storage-driver",
            "storage-opt",
            "tls-ca",
            "tls-cert",
            "tls-key",
            "tmpdir",
            "url",
            "volumepath",
        ],
        letters: "cH",
        switches: &["noout", "remote", "syslog", "trace", "transient-store"],
        switch_letters: "r",
    },
    Client {
        names: &["skopeo"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[],
        values: &[
            "command-timeout",
            "override-arch",
            "override-os",
            "override-variant",
            "policy",
            "registries-conf",
            "registries.d",
            "tmpdir",
            "user-agent-prefix",
        ],
        letters: "",
        switches: &["debug", "insecure-policy", "require-signed", "tls-verify"],
        switch_letters: "",
    },
    Client {
        names: &["buildah"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[],
        values: &[
            "cgroup-manager",
            "cpu-profile",
            "default-mounts-file",
            "log-level",
            "memory-profile",
            "registries-conf",
            "registries-conf-dir",
            "root",
            "runroot",
            "short-name-alias-conf",
            "storage-driver",
            "storage-opt",
            "userns-gid-map",
            "userns-uid-map",
        ],
        letters: "",
        switches: &["debug"],
        switch_letters: "",
    },
    Client {
        names: &["nerdctl", "finch"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[],
        values: &[
            "address",
            "bridge-ip",
            "cdi-spec-dirs",
            "cgroup-manager",
            "cni-netconfpath",
            "cni-path",
            "data-root",
            "global-dns",
            "global-dns-opts",
            "global-dns-search",
            "host",
            "host-gateway-ip",
            "hosts-dir",
            "namespace",
            "snapshotter",
            "storage-driver",
            "userns-remap",
        ],
        letters: "Han",
        switches: &[
            "debug",
            "debug-full",
            "experimental",
            "insecure-registry",
            "kube-hide-dupe",
        ],
        switch_letters: "",
    },
    Client {
        names: &["crane"],
        login: &["auth", "login"],
        logout: &["auth", "logout"],
        writes: &[],
        values: &["platform"],
        letters: "",
        switches: &["allow-nondistributable-artifacts", "insecure", "verbose"],
        switch_letters: "v",
    },
    Client {
        names: &["oras"],
        login: LOGIN,
        logout: LOGOUT,
        writes: &[],
        values: &[],
        letters: "",
        switches: &["debug", "no-tty"],
        switch_letters: "d",
    },
    Client {
        names: &["helm"],
        login: &["registry", "login"],
        logout: &["registry", "logout"],
        writes: &[],
        values: &[
            "burst-limit",
            "color",
            "colour",
            "content-cache",
            "kube-apiserver",
            "kube-as-group",
            "kube-as-user",
            "kube-ca-file",
            "kube-context",
            "kube-tls-server-name",
            "kube-token",
            "kubeconfig",
            "namespace",
            "qps",
            "registry-config",
            "repository-cache",
            "repository-config",
        ],
        letters: "n",
        switches: &["debug", "kube-insecure-skip-tls-verify"],
        switch_letters: "",
    },
    Client {
        names: &["regctl"],
        login: &["registry", "login"],
        logout: &["registry", "logout"],
        writes: &[],
        values: &["host", "logopt", "user-agent", "verbosity"],
        letters: "v",
        switches: &[],
        switch_letters: "",
    },
];

/// Whether this command line, the program's name first, is a login at a registry.
pub(super) fn is_login(arguments: &[OsString]) -> bool {
    let is_query = |word: &OsString| QUERIES.iter().any(|query| word == query);
    told(arguments).is_some_and(|(client, rest)| {
        client.begins(client.login, rest) && !rest.iter().any(is_query)
    })
}

/// Names a command that writes the client's configuration at its end, from what it read at its start: `docker login`.
pub(crate) fn writes_configuration(arguments: &[OsString]) -> Option<String> {
    let (client, rest) = told(arguments)?;
    let commands = [client.login, client.logout];
    let mut commands = commands.iter().chain(client.writes);
    let words = commands.find(|words| client.begins(words, rest))?;
    Some(format!("{} {}", client.names[0], words.join(" ")))
}

fn told(arguments: &[OsString]) -> Option<(&'static Client, &[OsString])> {
    let (program, rest) = arguments.split_first()?;
    let name = Path::new(program).file_name().and_then(OsStr::to_str)?;
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let client = CLIENTS.iter().find(|client| client.names.contains(&name))?;
    Some((client, rest))
}

impl Client {
    /// Whether the words come first, with options before each.
    fn begins(&self, words: &[&str], arguments: &[OsString]) -> bool {
        let mut rest = arguments.iter();
        words
            .iter()
            .all(|word| self.next_word(&mut rest) == Some(*word))
    }

    /// The next argument that is neither an option nor an option's value.
    fn next_word<'a>(&self, rest: &mut impl Iterator<Item = &'a OsString>) -> Option<&'a str> {
        loop {
            let argument = rest.next()?.to_str()?;
            let takes_next = if let Some(option) = argument.strip_prefix("--") {
                match option.split_once('=') {
                    Some(_) => false,
                    None if self.values.contains(&option) => true,
                    None if self.switches.contains(&option) => false,
                    None => return None,
                }
            } else if let Some(letters) = argument.strip_prefix('-').filter(|rest| !rest.is_empty())
            {
                self.value_follows(letters)?
            } else {
                return Some(argument);
            };
            if takes_next {
                rest.next()?;
            }
        }
    }

    /// `-D`, `-Hunix://…`, `-DH unix://…`: whether the value is the next argument. `None`: unknown.
    fn value_follows(&self, letters: &str) -> Option<bool> {
        for (at, letter) in letters.char_indices() {
            if self.letters.contains(letter) {
                return Some(at + letter.len_utf8() == letters.len());
            }
            if !self.switch_letters.contains(letter) {
                return None;
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests;
