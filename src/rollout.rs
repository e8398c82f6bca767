//! What an administrator arranged for every user of a machine: hosts bound to instances, and client ids of instances.
//!
//! Separate from the store, which has the user's own bindings, and from [`crate::policy`], for which these are facts among
//! others. One line each: `git|docker HOST INSTANCE [CLIENT_ID]`; a `#` at the beginning of a word starts a comment. An
//! invalid line is ignored, and `sentry auth doctor` reports it.

use crate::origin::Origin;
use crate::world::{AdministratorsFile, World};

pub(crate) use crate::world::ADMINISTRATORS_FILE;

/// The lines of the administrator's file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RollOut {
    /// The valid lines, in their order; at most one for each client and host.
    pub(crate) lines: Vec<Line>,
    /// The number of each other line, and what is wrong with it.
    pub(crate) faults: Vec<(usize, String)>,
}

/// A host that is bound for every user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `git <origin>` or `docker <host>`: a binding's key.
    pub(crate) server: String,
    /// The instance whose session is served there.
    pub(crate) instance: Origin,
    /// The public OAuth client of the instance.
    pub(crate) client_id: Option<String>,
}

impl RollOut {
    /// Reads the administrator's file; empty if there is none, or none that may be used.
    pub(crate) fn of(world: &World) -> RollOut {
        match world.administrators_file() {
            AdministratorsFile::Text(text) => RollOut::parse(text),
            AdministratorsFile::Absent | AdministratorsFile::Refused(_) => RollOut::default(),
        }
    }

    fn parse(text: &str) -> RollOut {
        let mut found = RollOut::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split_ascii_whitespace();
            let words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
            if words.is_empty() {
                continue;
            }
            let read =
                Line::of(&words).and_then(|line| found.contradicts(&line).map_or(Ok(line), Err));
            match read {
                Ok(line) => found.lines.push(line),
                Err(why) => found.faults.push((number, why)),
            }
        }
        found
    }

    /// Why a line contradicts those before it.
    fn contradicts(&self, line: &Line) -> Option<String> {
        if self.lines.iter().any(|other| other.server == line.server) {
            return Some("a line before it has the same host".to_owned());
        }
        let client_id = line.client_id.as_ref()?;
        let known = self.client_id(&line.instance)?;
        (known != client_id).then(|| {
            format!(
                "a line before it has another client id for {}",
                line.instance
            )
        })
    }

    /// The client id of an instance.
    pub(crate) fn client_id(&self, instance: &Origin) -> Option<&str> {
        self.lines
            .iter()
            .filter(|line| line.instance.may_receive(instance))
            .find_map(|line| line.client_id.as_deref())
    }
}

impl Line {
    /// Parses the words of a line.
    ///
    /// # Errors
    /// What is wrong with it. Does not repeat the line, which may contain any bytes.
    fn of(words: &[&str]) -> Result<Line, String> {
        let (client, host, instance, client_id) = match *words {
            [client, host, instance] => (client, host, instance, None),
            [client, host, instance, client_id] => (client, host, instance, Some(client_id)),
            _ => {
                return Err("it has not the form `git|docker HOST INSTANCE [CLIENT_ID]`".to_owned());
            }
        };
        let host = Origin::from_setting(host).map_err(|error| format!("its host: {error}"))?;
        let server = match client {
            "git" => format!("git {host}"),
            "docker" => format!("docker {}", host.authority()),
            _ => return Err("it begins with neither `git` nor `docker`".to_owned()),
        };
        let instance = Origin::instance_from_setting(instance)
            .map_err(|error| format!("its instance: {error}"))?;
        let is_plain = |id: &str| id.len() <= 256 && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !client_id.is_none_or(is_plain) {
            return Err("its client id has characters that no client id has".to_owned());
        }
        Ok(Line {
            server,
            instance,
            client_id: client_id.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, String, Option<String>)> {
        let lines = RollOut::parse(text).lines.into_iter();
        let parts = |line: Line| (line.server, line.instance.to_string(), line.client_id);
        lines.map(parts).collect()
    }

    fn faults(text: &str) -> Vec<(usize, String)> {
        RollOut::parse(text).faults
    }

    #[test]
    fn each_line_binds_a_host() {
        let text = "\u{feff}# for everybody\n\n\
            git git.example.com https://sentry.example.com abc123 # ours\r\n\
            \tdocker  R.example:443 sentry.example.com\n\
            docker r.example:5000 https://sentry.io/\n\
            git http://127.0.0.1:80 http://localhost:9000\n";
        let line = |server: &str, instance: &str, id: Option<&str>| {
            (
                server.to_owned(),
                instance.to_owned(),
                id.map(str::to_owned),
            )
        };
        let expected = [
            line(
                "git https://git.example.com",
                "https://sentry.example.com",
                Some("abc123"),
            ),
            line("docker r.example", "https://sentry.example.com", None),
            line("docker r.example:5000", "https://sentry.io", None),
            line("git http://127.0.0.1", "http://localhost:9000", None),
        ];
        assert_eq!(lines(text), expected);
        assert_eq!(faults(text), []);
    }

    #[test]
    fn a_line_that_cannot_be_used_is_numbered_and_left_out() {
        for line in [
            "git",
            "git git.example",
            "git git.example sentry.example id more",
            "svn svn.example sentry.example",
            "GIT git.example sentry.example",
            "git git.example/repository sentry.example",
            "git http://git.example sentry.example",
            "git ssh://git.example sentry.example",
            "git user@git.example sentry.example",
            "docker *.example sentry.example",
            "git git.example http://sentry.example",
            "git git.example acme.sentry.io",
            "git git.example sentry.example i\u{fffd}d",
            "git sentry.io#.evil.example sentry.io",
        ] {
            let text = format!("# first\n{line}\ngit other.example sentry.example\n");
            let found = RollOut::parse(&text);
            assert_eq!(found.lines.len(), 1, "{line}");
            let numbers: Vec<usize> = found.faults.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, [2], "{line}");
            assert!(!found.faults[0].1.contains('\u{fffd}'), "{line}");
        }
    }

    #[test]
    fn of_lines_that_contradict_each_other_the_first_counts() {
        let text = "git git.example https://a.example one\n\
            git git.example https://b.example\n\
            docker git.example https://a.example two\n\
            docker r.example https://a.example one\n\
            docker s.example https://a.example\n";
        let servers: Vec<String> = lines(text).into_iter().map(|(server, ..)| server).collect();
        let expected = [
            "git https://git.example",
            "docker r.example",
            "docker s.example",
        ];
        assert_eq!(servers, expected);
        let expected = [
            (2, "a line before it has the same host".to_owned()),
            (
                3,
                "a line before it has another client id for https://a.example".to_owned(),
            ),
        ];
        assert_eq!(faults(text), expected);
        let found = RollOut::parse(text);
        let of = |instance| found.client_id(&Origin::parse(instance).unwrap());
        assert_eq!(
            (of("https://a.example"), of("https://b.example")),
            (Some("one"), None)
        );
    }

    #[test]
    fn a_world_that_is_not_the_process_reads_no_file() {
        let clock = std::rc::Rc::new(crate::world::SystemClock);
        assert_eq!(RollOut::of(&World::of(&[], clock)), RollOut::default());
    }
}
