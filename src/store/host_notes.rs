//! Short-lived notes about hosts: tokens that they refused, and logins that the user declined.
//!
//! Separate from bindings, which a user makes: these notes matter for minutes. Each is a setting, so that no `get` has
//! another table to parse.

use std::time::Duration;

use super::{ReadTransaction, WriteTransaction};
use crate::origin::Origin;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

const REFUSED: &str = "refused ";

const DECLINED: &str = "declined ";

/// How long a host that refused a token does not get it again: some programs repeat a request for as long as they get
/// an answer.
const DURATION: Duration = Duration::from_secs(60);

/// A token that a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostRefusal {
    token: Digest,
    since: Timestamp,
    /// The number of refusals since then.
    times: u32,
}

impl HostRefusal {
    /// Whether this token must be withheld from the server now.
    pub(crate) fn is_of(&self, token: &Secret, now: Timestamp) -> bool {
        self.is_live(now) && self.token == token.digest()
    }

    /// Whether it was returned again meanwhile, and refused again.
    pub(crate) fn is_repeated(&self) -> bool {
        self.times > 1
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.since <= now && self.since.until(now) < DURATION
    }

    fn parse(text: &str) -> Option<HostRefusal> {
        let mut words = text.split(' ');
        let digest = words.next()?;
        let bytes: Option<Vec<u8>> = (0..digest.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(digest.get(at..at + 2)?, 16).ok())
            .collect();
        Some(HostRefusal {
            token: Digest::from_bytes(&bytes?)?,
            since: Timestamp::from_millis(words.next()?.parse().ok()?),
            times: words.next()?.parse().ok()?,
        })
    }

    fn render(&self) -> String {
        let bytes = self.token.as_bytes().iter();
        let digest: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        format!("{digest} {} {}", self.since.millis(), self.times)
    }
}

/// The setting of a server that accepts tokens only as `Bearer`.
fn bearer_key(server: &str) -> String {
    format!("bearer {server}")
}

impl ReadTransaction<'_> {
    /// Whether a server accepted a token as `Bearer` because it offered nothing else, as last recorded.
    pub(crate) fn takes_only_bearer(&self, server: &str) -> anyhow::Result<bool> {
        Ok(self.setting(&bearer_key(server))?.is_some())
    }

    /// The last refusal by a server.
    pub(crate) fn refusal(&self, server: &str) -> anyhow::Result<Option<HostRefusal>> {
        let recorded = self.setting(&format!("{REFUSED}{server}"))?;
        Ok(recorded.as_deref().and_then(HostRefusal::parse))
    }

    /// When the user last declined to log in to an instance.
    pub(crate) fn declined_at(&self, instance: &Origin) -> anyhow::Result<Option<Timestamp>> {
        let recorded = self.setting(&format!("{DECLINED}{instance}"))?;
        let millis = recorded.and_then(|at| at.parse().ok());
        Ok(millis.map(Timestamp::from_millis))
    }
}

impl WriteTransaction<'_> {
    /// Records whether a server accepts tokens only as `Bearer`.
    pub(crate) fn note_only_bearer(&self, server: &str, only: bool) -> anyhow::Result<()> {
        self.set(&bearer_key(server), only.then_some("1"))
    }

    /// Records that a server refused a token, and removes outdated refusals.
    pub(crate) fn note_refusal(
        &self,
        server: &str,
        token: &Secret,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        for (other, recorded) in self.settings(REFUSED)? {
            if !HostRefusal::parse(&recorded).is_some_and(|refusal| refusal.is_live(now)) {
                self.set(&format!("{REFUSED}{other}"), None)?;
            }
        }
        let before = self.refusal(server)?;
        let refusal = match before.filter(|before| before.is_of(token, now)) {
            Some(before) => HostRefusal {
                times: before.times.saturating_add(1),
                ..before
            },
            None => HostRefusal {
                token: token.digest(),
                since: now,
                times: 1,
            },
        };
        self.set(&format!("{REFUSED}{server}"), Some(&refusal.render()))
    }

    /// Ends the refusals by a host and the servers at it, because the user set it up.
    pub(crate) fn forget_refusals(&self, host: &str) -> anyhow::Result<()> {
        for (server, _) in self.settings(REFUSED)? {
            let rest = server.strip_prefix(host);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                self.set(&format!("{REFUSED}{server}"), None)?;
            }
        }
        Ok(())
    }

    /// Records that the user declined to log in to an instance.
    pub(crate) fn note_declined(&self, instance: &Origin, now: Timestamp) -> anyhow::Result<()> {
        let key = format!("{DECLINED}{instance}");
        self.set(&key, Some(&now.millis().to_string()))
    }

    /// Removes that record, because the user logged in.
    pub(crate) fn forget_declined(&self, instance: &Origin) -> anyhow::Result<()> {
        for (other, _) in self.settings(DECLINED)? {
            if Origin::parse(&other).is_ok_and(|other| other.may_receive(instance)) {
                self.set(&format!("{DECLINED}{other}"), None)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_back_and_lasts_a_minute() {
        let at = Timestamp::from_millis;
        let token = Secret::new("token");
        let refusal = HostRefusal {
            token: token.digest(),
            since: at(1_000),
            times: 2,
        };
        assert_eq!(HostRefusal::parse(&refusal.render()), Some(refusal));
        assert!(refusal.is_of(&token, at(1_000)) && refusal.is_of(&token, at(60_999)));
        assert!(!refusal.is_of(&token, at(61_000)) && !refusal.is_of(&token, at(999)));
        assert!(!refusal.is_of(&Secret::new("another"), at(1_000)));
        for odd in ["", "zz 1 1", "00 1 1", "\u{20ac}\u{20ac} 1 1"] {
            assert_eq!(HostRefusal::parse(odd), None, "{odd}");
        }
    }
}
