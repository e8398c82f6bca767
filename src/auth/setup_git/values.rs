//! Shared by set-up and undo: the key of a host, its values, and their report.
//!
//! Separate from both so that they agree on which values are ours.

use crate::auth::report::{Report, Verb};
use crate::origin::Origin;
use crate::printable::{printable, quoted};
use crate::setup::{GitFile, Helper, Setting, UndoLog, same_file};
use crate::store::Client;

pub(super) fn key(host: &Origin) -> String {
    format!("credential.{host}.helper")
}

pub(super) fn log_of(file: &GitFile) -> UndoLog {
    UndoLog::of(Client::Git, file.log_name.clone())
}

pub(super) fn is_in(setting: &Setting, file: &GitFile) -> bool {
    setting
        .file()
        .is_some_and(|found| same_file(found, &file.path))
}

/// The command that sets a host up.
pub(crate) fn set_up_command(host: &Origin, instance: &Origin, username: Option<&str>) -> String {
    let user = username.map_or_else(String::new, |name| format!(" --username {}", quoted(name)));
    format!("sentry auth setup-git --host {host} --url {instance}{user}")
}

pub(super) fn report_values(
    report: &mut Report,
    file: &GitFile,
    key: &str,
    found: &[String],
    helpers: &[String],
) {
    let line = |helper: &String| printable(&format!("{key}={helper}"));
    for helper in found.iter().filter(|helper| !helpers.contains(helper)) {
        report.did(Verb::Remove, &format!("`{}` from {file}", line(helper)));
    }
    for helper in helpers.iter().filter(|helper| !found.contains(helper)) {
        report.did(Verb::Add, &format!("`{}` to {file}", line(helper)));
    }
}

pub(super) fn is_ours(value: &str) -> bool {
    Helper::of(value).is_ours()
}

/// The values that are not ours, without the empty one that precedes ours.
pub(super) fn others(values: &[String]) -> Vec<&String> {
    let is_removed = |at: usize| {
        let next = values.get(at + 1);
        is_ours(&values[at]) || (values[at].is_empty() && next.is_some_and(|next| is_ours(next)))
    };
    let others = (0..values.len()).filter(|at| !is_removed(*at));
    others.map(|at| &values[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_others_stay_and_the_empty_one_that_goes_with_ours_does_not() {
        for (values, expected) in [
            (&["store", "", "sentry"][..], &["store"][..]),
            (&["", "store", "sentry"], &["", "store"]),
            (&["", "/opt/x/git-credential-sentry"], &[]),
            (&["", ""], &["", ""]),
            (&["sentry", "!f() { true; }; f"], &["!f() { true; }; f"]),
            (&[], &[]),
        ] {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(others(&values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_command_that_sets_a_host_up_can_be_pasted() {
        let origin = |text| Origin::parse(text).unwrap();
        let (host, instance) = (
            origin("https://r.example:8443"),
            origin("https://self.example"),
        );
        let command = |username| set_up_command(&host, &instance, username);
        let plain =
            "sentry auth setup-git --host https://r.example:8443 --url https://self.example";
        assert_eq!(command(None), plain);
        let named = format!("{plain} --username {}", quoted("it's $me"));
        assert_eq!(command(Some("it's $me")), named);
    }
}
