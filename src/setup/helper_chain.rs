//! Determines which helpers git calls for a host: gitcredentials(7).
//!
//! Separate from [`super::git_config`] because it is a function of values. `git config --get-urlmatch` is not enough:
//! it returns one value, but git calls *all* helpers whose URL matches, in the order of its files, and an empty value
//! drops the earlier ones.

use std::path::{Path, PathBuf};

use shlex::Shlex;

use crate::origin::Origin;
use crate::printable::{printable, quoted};

/// One `credential.helper` or `credential.<url>.helper`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Where it is configured, as git reports it: `file:/home/jane/.gitconfig`.
    pub(crate) origin: String,
    /// The complete key.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: String,
    /// The value, interpreted.
    pub(crate) helper: Helper,
}

/// The meaning of a value of `credential.helper`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Helper {
    /// Drops the earlier helpers.
    Reset,
    /// git runs `git-credential-<name>`.
    Named(String),
    /// git runs this file.
    Path(PathBuf),
    /// Any other shell command; not shown, because it may contain a password.
    Shell,
}

/// The part of a host that a setting applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// None of it.
    Nothing,
    /// One user, or one path.
    Part,
    /// All of it.
    Whole,
}

impl Setting {
    /// Parses `key<LF>value`, or a key alone, as git prints them. `None`: another key.
    pub(crate) fn parse(origin: &str, line: &str) -> Option<Setting> {
        let (key, value) = line.split_once('\n').unwrap_or((line, ""));
        let setting = Setting {
            origin: origin.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            helper: Helper::of(value),
        };
        (key == "credential.helper" || setting.url().is_some()).then_some(setting)
    }

    /// The file that contains it; `None` for the command line and the environment.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.origin.strip_prefix("file:").map(Path::new)
    }

    /// Whether git passes arguments before the operation.
    pub(crate) fn has_arguments(&self) -> bool {
        let command = self.value.strip_prefix('!').unwrap_or(&self.value);
        Shlex::new(command).nth(1).is_some()
    }

    /// Its URL; `None` if it applies to all hosts.
    pub(crate) fn url(&self) -> Option<&str> {
        self.key
            .strip_prefix("credential.")?
            .strip_suffix(".helper")
    }

    /// The host that it names, and for which part; `None` for a pattern.
    pub(crate) fn host(&self) -> Option<(Origin, Reach)> {
        let pattern = Pattern::of(self.url()?);
        let scheme = pattern.scheme.unwrap_or("https");
        let host = Origin::from_parts(scheme, pattern.authority).ok()?;
        Some((host, pattern.reach()))
    }

    /// The part of a host that it applies to.
    pub(crate) fn reach(&self, host: &Origin) -> Reach {
        let Some(url) = self.url() else {
            return Reach::Whole;
        };
        let pattern = Pattern::of(url);
        match pattern.covers(host) {
            true => pattern.reach(),
            false => Reach::Nothing,
        }
    }
}

/// The helpers that git calls for a host, in order. Other helpers count even for a part of the host, because they may
/// store a copy of the token there; ours, and a reset, only for the whole host.
pub(crate) fn chain<'a>(
    settings: impl IntoIterator<Item = &'a Setting>,
    host: &Origin,
) -> Vec<&'a Setting> {
    let mut chain = Vec::new();
    for setting in settings {
        match (setting.reach(host), &setting.helper) {
            (Reach::Nothing, _) => {}
            (Reach::Whole, Helper::Reset) => chain.clear(),
            (Reach::Part, helper) if *helper == Helper::Reset || helper.is_ours() => {}
            (Reach::Whole | Reach::Part, _) => chain.push(setting),
        }
    }
    chain
}

/// The command that removes a value from its file, and others with the same beginning. `None`: it is not in a file.
pub(crate) fn removal(setting: &Setting) -> Option<String> {
    let pattern = match &setting.helper {
        // A shell command may contain a password after the path.
        Helper::Path(_) => escaped(written_word(&setting.value)),
        // It begins with `!` or a quote. Without a quote, which not every shell passes on.
        Helper::Shell => "^[^A-Za-z0-9/~]".to_owned(),
        Helper::Named(_) => format!("^{}( |$)", escaped(written_word(&setting.value))),
        Helper::Reset => "^$".to_owned(),
    };
    let file = setting.file()?.display().to_string();
    let words = [&file, "--unset-all", &setting.key, &pattern].map(quoted);
    Some(format!("git config --file {}", words.join(" ")))
}

/// The command that removes a setting, in backticks.
pub(crate) fn ending(setting: &Setting) -> String {
    match removal(setting) {
        Some(command) => format!("`{command}`"),
        None => "`unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS`".to_owned(),
    }
}

/// Escapes a text for an extended regular expression.
pub(crate) fn escaped(text: &str) -> String {
    let mut expression = String::new();
    for character in text.chars() {
        if r"\.[]{}()*+?^$|".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

impl Helper {
    /// gitcredentials(7): an absolute path or `!` is run by a shell, anything else is a name.
    pub(crate) fn of(value: &str) -> Helper {
        let command = value.strip_prefix('!').unwrap_or(value).trim_start();
        // Without `!`, git takes a value in quotes for a name.
        let is_quoted = value.starts_with(['"', '\'']);
        match Shlex::new(command).next() {
            // On Windows, too, a shell runs it.
            Some(word)
                if !is_quoted && (word.starts_with('/') || Path::new(&word).is_absolute()) =>
            {
                Helper::Path(word.into())
            }
            None if command.is_empty() => Helper::Reset,
            Some(word) if !value.starts_with(['!', '"', '\'']) => Helper::Named(word),
            // Also a word without its closing quote.
            Some(_) | None => Helper::Shell,
        }
    }

    /// Whether git calls this program by it.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Helper::Named(name) => name == "sentry",
            Helper::Path(path) => path
                .file_stem()
                .is_some_and(|name| name == "git-credential-sentry"),
            Helper::Reset | Helper::Shell => false,
        }
    }

    /// A description that may be shown.
    pub(crate) fn name(&self) -> String {
        match self {
            Helper::Named(name) => format!("`{}`", printable(name)),
            Helper::Path(path) => printable(&quoted(&path.display().to_string())),
            Helper::Shell => "a shell command".to_owned(),
            Helper::Reset => "an empty helper".to_owned(),
        }
    }
}

/// The beginning of a value's first word as it is written, which the pattern has to find in the file. By hand because
/// `shlex` returns a word without its quotes and escapes.
fn written_word(value: &str) -> &str {
    let command = value.strip_prefix('!').unwrap_or(value).trim_start();
    for quote in ['"', '\''] {
        if let Some(rest) = command.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default();
        }
    }
    let mut escaped = false;
    let end = command.find(|character: char| {
        let ends = character.is_whitespace() && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    &command[..end.unwrap_or(command.len())]
}

/// The `<url>` of a key: `[scheme://][user@]host[:port][/path]`, where a label of the host may be `*`.
struct Pattern<'a> {
    scheme: Option<&'a str>,
    authority: &'a str,
    has_user: bool,
    has_path: bool,
}

impl<'a> Pattern<'a> {
    fn of(url: &'a str) -> Pattern<'a> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, url),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        Pattern {
            scheme,
            authority,
            has_user: user.is_some(),
            has_path: !path.is_empty(),
        }
    }

    fn reach(&self) -> Reach {
        match self.has_user || self.has_path {
            true => Reach::Part,
            false => Reach::Whole,
        }
    }

    fn covers(&self, host: &Origin) -> bool {
        let scheme = host.scheme().as_str();
        if self
            .scheme
            .is_some_and(|expected| !expected.eq_ignore_ascii_case(scheme))
        {
            return false;
        }
        if self.authority.is_empty() {
            return true;
        }
        if !self.authority.contains('*') {
            return Origin::from_parts(scheme, self.authority).as_ref() == Ok(host);
        }
        let default_port = match scheme {
            "https" => "443",
            _ => "80",
        };
        let parts = |authority: &str| -> (String, String) {
            let authority = authority.to_ascii_lowercase();
            match authority.rsplit_once(':') {
                Some((host, port)) => (host.to_owned(), port.to_owned()),
                None => (authority, default_port.to_owned()),
            }
        };
        let (expected, found) = (parts(self.authority), parts(&host.authority()));
        let (mut labels, mut names) = (expected.0.split('.'), found.0.split('.'));
        loop {
            match (labels.next(), names.next()) {
                (None, None) => return expected.1 == found.1,
                (Some(label), Some(name)) if label == "*" || label == name => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_a_name_a_path_or_a_shell_command() {
        let path = |path: &str| Helper::Path(path.into());
        for (value, helper) in [
            ("", Helper::Reset),
            ("sentry", Helper::Named("sentry".into())),
            ("cache --timeout 60", Helper::Named("cache".into())),
            (
                "/opt/x/git-credential-sentry",
                path("/opt/x/git-credential-sentry"),
            ),
            (
                "/opt/my\\ x/git-credential-sentry -v",
                path("/opt/my x/git-credential-sentry"),
            ),
            ("!'/opt/my x/gh' auth git-credential", path("/opt/my x/gh")),
            (r#"!"/opt/it's"' $x/gh' auth"#, path("/opt/it's $x/gh")),
            ("!f() { echo password=secret; }; f", Helper::Shell),
            ("'/opt/never closed", Helper::Shell),
        ] {
            assert_eq!(Helper::of(value), helper, "{value}");
        }
        assert!(Helper::of("!/opt/x/git-credential-sentry").is_ours());
        assert!(!Helper::of("/opt/x/sentry-store").is_ours());
    }

    fn settings(lines: &[&str]) -> Vec<Setting> {
        let all = lines
            .iter()
            .filter_map(|line| Setting::parse("file:/x", line));
        all.collect()
    }

    fn names(lines: &[&str], host: &str) -> Vec<String> {
        let settings = settings(lines);
        let chain = chain(&settings, &Origin::parse(host).unwrap());
        chain.into_iter().map(|found| found.value.clone()).collect()
    }

    #[test]
    fn an_empty_helper_forgets_the_ones_before() {
        let lines = [
            "credential.helper\nstore",
            "credential.https://a.example.helper\n",
            "credential.https://a.example.helper\nsentry",
            "credential.https://b.example.helper\nsentry",
        ];
        assert_eq!(names(&lines, "https://a.example"), ["sentry"]);
        assert_eq!(names(&lines, "https://b.example"), ["store", "sentry"]);
        assert_eq!(names(&lines, "https://c.example"), ["store"]);
    }

    #[test]
    fn a_url_names_a_host_a_part_of_it_or_many() {
        for (url, reach) in [
            ("https://git.example.com", Reach::Whole),
            ("https://git.example.com/", Reach::Whole),
            ("HTTPS://Git.Example.com:443", Reach::Whole),
            ("https://*.example.com", Reach::Whole),
            ("https://git.*.com", Reach::Whole),
            ("https://", Reach::Whole),
            ("git.example.com", Reach::Whole),
            ("https://jane@git.example.com", Reach::Part),
            ("https://git.example.com/team", Reach::Part),
            ("https://*.com", Reach::Nothing),
            ("https://example.com", Reach::Nothing),
            ("https://git.example.com:8443", Reach::Nothing),
            ("https://*.example.com:8443", Reach::Nothing),
            ("http://git.example.com", Reach::Nothing),
            ("smtp://git.example.com", Reach::Nothing),
        ] {
            let key = format!("credential.{url}.helper\nstore");
            let setting = Setting::parse("file:/x", &key).unwrap();
            let host = Origin::parse("https://git.example.com").unwrap();
            assert_eq!(setting.reach(&host), reach, "{url}");
        }
        assert_eq!(Setting::parse("file:/x", "credential.username\njane"), None);
    }

    #[test]
    fn others_count_for_a_part_and_ours_for_the_whole() {
        let lines = [
            "credential.https://a.example.helper\nsentry",
            "credential.https://jane@a.example.helper\n",
            "credential.https://a.example/team.helper\nstore",
        ];
        assert_eq!(names(&lines, "https://a.example"), ["sentry", "store"]);
        let part = ["credential.https://jane@a.example.helper\nsentry"];
        assert_eq!(names(&part, "https://a.example"), [""; 0]);
    }

    // Quoted as for a POSIX shell.
    #[cfg(unix)]
    #[test]
    fn what_removes_a_value_shows_no_more_of_it_than_a_path() {
        let command = |line: &str| removal(&settings(&[line])[0]).unwrap();
        assert_eq!(
            command("credential.helper\ncache --timeout=60"),
            "git config --file /x --unset-all credential.helper '^cache( |$)'"
        );
        assert_eq!(
            command("credential.helper\n!/opt/x.y/gh --password hush"),
            r#"git config --file /x --unset-all credential.helper "/opt/x\\.y/gh""#
        );
        assert_eq!(
            command("credential.helper\n!f() { echo hush; }; f"),
            // Two quoted parts, which a shell joins.
            "git config --file /x --unset-all credential.helper '^[''^A-Za-z0-9/~]'"
        );
        let setting = Setting::parse("command line:", "credential.helper\nstore").unwrap();
        assert_eq!(removal(&setting), None);
    }
}
