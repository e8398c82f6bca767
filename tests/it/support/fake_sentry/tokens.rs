//! The tokens that the fake Sentry has issued, and which of them it still accepts.
//!
//! A session is a *family*: one valid access and refresh token, and the refresh tokens spent before.

use super::rules::random;
use super::{Pair, Replay, User};
use std::time::{Duration, Instant};

/// The scopes that Sentry grants to its own CLI by default.
const SCOPE: &str = "project:read project:write project:admin org:read event:read event:write \
                     member:read team:read team:write team:admin alerts:read alerts:write";

pub(super) struct Tokens {
    /// The lifetime of new access tokens; `None` means without expiry.
    pub(super) lifetime: Option<Duration>,
    pub(super) replay: Replay,
    /// Refreshes that were granted.
    pub(super) refreshes: usize,
    /// Replays within the grace period, answered with the pair granted before.
    pub(super) grace_answers: usize,
    families: Vec<Family>,
    permanent: Vec<Permanent>,
    minted: usize,
}

pub(super) struct Family {
    pub(super) pair: Pair,
    /// The OAuth client that the tokens were issued to.
    client: String,
    pub(super) scope: String,
    pub(super) user: User,
    dies: Option<Instant>,
    /// The pairs before, and when each was spent.
    spent: Vec<(Pair, Instant)>,
    revoked: bool,
}

/// An API or organisation token: never expires, cannot be refreshed.
struct Permanent {
    token: String,
    scope: &'static str,
    personal: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            lifetime: Some(Duration::from_secs(30 * 24 * 3600)),
            replay: Replay::RevokesFamily,
            refreshes: 0,
            grace_answers: 0,
            families: Vec::new(),
            permanent: Vec::new(),
            minted: 0,
        }
    }
}

impl Tokens {
    /// A new session of a client; an empty scope means the default one.
    pub(super) fn mint(&mut self, client: &str, scope: &str, user: &User) -> Pair {
        let pair = self.new_pair();
        self.families.push(Family {
            pair: pair.clone(),
            client: client.to_owned(),
            scope: if scope.is_empty() { SCOPE } else { scope }.to_owned(),
            user: user.clone(),
            dies: self.death(),
            spent: Vec::new(),
            revoked: false,
        });
        pair
    }

    /// Replaces both tokens in place and names the new access token; `None` is `invalid_grant`.
    pub(super) fn rotate(&mut self, refresh: &str, client: &str) -> Option<String> {
        let index = self
            .families
            .iter()
            .position(|family| family.client == client && family.owns_refresh(refresh))?;
        if self.families[index].pair.refresh != refresh {
            return self.replayed(index, refresh);
        }
        if self.families[index].revoked {
            return None;
        }
        let (pair, dies) = (self.new_pair(), self.death());
        let family = &mut self.families[index];
        family.dies = dies;
        let former = std::mem::replace(&mut family.pair, pair);
        family.spent.push((former, Instant::now()));
        self.refreshes += 1;
        Some(family.pair.access.clone())
    }

    /// A refresh token that was spent before.
    fn replayed(&mut self, index: usize, refresh: &str) -> Option<String> {
        let family = &mut self.families[index];
        let (latest, at) = family.spent.last()?;
        match self.replay {
            Replay::Grace(grace)
                if !family.revoked && latest.refresh == refresh && at.elapsed() < grace =>
            {
                self.grace_answers += 1;
                return Some(family.pair.access.clone());
            }
            Replay::Grace(_) | Replay::RevokesFamily => family.revoked = true,
            Replay::Refused => {}
        }
        None
    }

    /// The answer did not contain the new refresh token: the old one stays valid.
    pub(super) fn keep_refresh_token(&mut self, access: &str) {
        let family = self
            .families
            .iter_mut()
            .find(|family| family.pair.access == access);
        if let Some(family) = family
            && let Some((former, _)) = family.spent.pop()
        {
            family.pair.refresh = former.refresh;
        }
    }

    pub(super) fn accepts(&self, access: &str) -> bool {
        self.permanent
            .iter()
            .any(|permanent| permanent.token == access)
            || self.family(access).is_some_and(|family| {
                !family.revoked
                    && family.pair.access == access
                    && family.dies.is_none_or(|dies| Instant::now() < dies)
            })
    }

    /// Whether a refresh with this token would be granted.
    pub(super) fn refreshable(&self, refresh: &str) -> bool {
        self.families
            .iter()
            .any(|family| !family.revoked && family.pair.refresh == refresh)
    }

    /// The session of a token, access or refresh, valid or spent.
    pub(super) fn family(&self, token: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.owns(token))
    }

    pub(super) fn latest(&self) -> Option<&Family> {
        self.families.last()
    }

    /// Invalidates the access token only; a refresh still works.
    pub(super) fn expire(&mut self, access: &str) {
        self.family_mut(access).dies = Some(Instant::now());
    }

    pub(super) fn revoke(&mut self, token: &str) {
        self.family_mut(token).revoked = true;
    }

    pub(super) fn add_api_token(&mut self, token: &str) {
        self.permanent.push(Permanent {
            token: token.to_owned(),
            scope: SCOPE,
            personal: true,
        });
    }

    pub(super) fn add_org_token(&mut self, token: &str) {
        self.permanent.push(Permanent {
            token: token.to_owned(),
            scope: "org:ci",
            personal: false,
        });
    }

    pub(super) fn remove(&mut self, token: &str) {
        self.permanent.retain(|permanent| permanent.token != token);
    }

    pub(super) fn scope(&self, access: &str) -> &str {
        match self
            .permanent
            .iter()
            .find(|permanent| permanent.token == access)
        {
            Some(permanent) => permanent.scope,
            None => self.family(access).map_or("", |family| &family.scope),
        }
    }

    /// The user of an accepted token; `None` for an organization token.
    pub(super) fn owner<'a>(&'a self, access: &str, current: &'a User) -> Option<&'a User> {
        match self
            .permanent
            .iter()
            .find(|permanent| permanent.token == access)
        {
            Some(permanent) => permanent.personal.then_some(current),
            None => self.family(access).map(|family| &family.user),
        }
    }

    fn family_mut(&mut self, token: &str) -> &mut Family {
        self.families
            .iter_mut()
            .find(|family| family.owns(token))
            .expect("a token that this server has issued")
    }

    fn death(&self) -> Option<Instant> {
        self.lifetime.map(|lifetime| Instant::now() + lifetime)
    }

    fn new_pair(&mut self) -> Pair {
        self.minted += 1;
        let n = self.minted;
        Pair {
            access: format!("sntryu_access_{n}_{:016x}", random()),
            refresh: format!("sntryr_refresh_{n}_{:016x}", random()),
        }
    }
}

impl Family {
    fn owns(&self, token: &str) -> bool {
        self.pairs().any(|pair| pair.access == token) || self.owns_refresh(token)
    }

    fn owns_refresh(&self, token: &str) -> bool {
        self.pairs().any(|pair| pair.refresh == token)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.spent.iter().map(|(pair, _)| pair).chain([&self.pair])
    }
}
