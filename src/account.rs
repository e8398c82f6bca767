//! A login as a value: its account, its instance, its tokens, and whether they are fresh.
//!
//! Separate from [`crate::store`], which maps it to rows, because OAuth answers and decisions use the same types; and
//! from [`crate::session`], which refreshes its tokens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::printable::{printable, quoted};
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

/// One login to one instance.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its key in `helper_session`: the `account_id`, or `auth` in the old layout.
    pub(crate) account: String,
    /// The instance that issued its tokens, and the only one that refreshes them.
    pub(crate) origin: Origin,
    /// The user it belongs to.
    pub(crate) user: User,
    /// `None` once the server rejected the refresh token, or another program cleared it. A rejected pair stays in the
    /// row, because another program may still compare with it when its own answer arrives.
    pub(crate) tokens: Option<Tokens>,
    /// The session that a command without `--url` refers to.
    pub(crate) active: bool,
    /// The state of its refreshes.
    pub(crate) refresh_state: RefreshState,
}

/// The user of a session, as far as the server reported it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// Sentry's id; distinguishes accounts of one instance.
    pub(crate) id: Option<String>,
    /// E-mail address.
    pub(crate) email: Option<String>,
    /// Login name.
    pub(crate) username: Option<String>,
    /// Full name.
    pub(crate) name: Option<String>,
}

impl User {
    /// The name to display: user name, else e-mail address, else full name.
    pub(crate) fn label(&self) -> Option<&str> {
        self.username
            .as_deref()
            .or(self.email.as_deref())
            .or(self.name.as_deref())
    }

    /// Whether a user who types `name` refers to this user.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.username.as_deref() == Some(name)
            || self
                .email
                .as_deref()
                .is_some_and(|email| email.eq_ignore_ascii_case(name))
    }
}

/// The identity behind a session. Two sessions of one identity at one instance are the same account. An unknown
/// identity equals no other, and therefore has no value of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A user, by their id.
    User(String),
    /// An organization, by its slug: an organization token has no user.
    Organization(String),
}

impl Identity {
    /// The identity that an access token belongs to, where `user` is what the server reported.
    pub(crate) fn of(user: &User, access: Option<&Secret>) -> Option<Identity> {
        let claims = access.and_then(Secret::claims);
        match (claims.and_then(|claims| claims.org), &user.id) {
            (Some(slug), _) => Some(Identity::Organization(slug)),
            (_, Some(id)) => Some(Identity::User(id.clone())),
            _ => None,
        }
    }
}

impl Identity {
    /// The name to display: the user's, else the organization's.
    pub(crate) fn label(user: &User, access: Option<&Secret>) -> Option<String> {
        match (user.label(), Identity::of(user, access)) {
            (Some(label), _) => Some(label.to_owned()),
            (None, Some(Identity::Organization(slug))) => Some(printable(&slug)),
            (None, _) => None,
        }
    }
}

/// The form stored in a binding.
impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Identity::User(id) => write!(f, "user {id}"),
            Identity::Organization(slug) => write!(f, "organization {slug}"),
        }
    }
}

/// The tokens that the server issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Sent to git, docker and the API.
    pub(crate) access: Secret,
    /// Single-use; an API token has none.
    pub(crate) refresh: Option<Secret>,
    /// When they were issued, if known.
    pub(crate) issued_at: Option<Timestamp>,
    /// When the access token expires; `None`: never, or unknown.
    pub(crate) expires_at: Option<Timestamp>,
}

/// What was recorded about the refreshes of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefreshState {
    /// The OAuth client that the session was issued to.
    pub(crate) client_id: Option<OAuthClient>,
    /// An access token that git reported as rejected.
    pub(crate) suspect: Option<Digest>,
    /// When Sentry last accepted a suspect token.
    pub(crate) checked_at: Option<Timestamp>,
    /// Earliest time of the next refresh attempt, after the server failed or asked for a delay.
    pub(crate) retry_at: Option<Timestamp>,
    /// The reason for the delay, in words.
    pub(crate) retry_reason: Option<String>,
    /// The refresh token about to be spent, and since when. Left behind only by a crash or a lost answer.
    pub(crate) intent: Option<(Digest, Timestamp)>,
    /// When the server rejected the stored pair, which is then read as no tokens.
    pub(crate) rejected_at: Option<Timestamp>,
}

/// What is known about the OAuth client of a session.
#[derive(Debug, Clone)]
pub(crate) enum OAuthClient {
    /// Recorded when the session was issued.
    Noted(String),
    /// Recorded for another session at the same instance. The official CLI, which records none, may have given the row
    /// a new key, or it may belong to another login.
    Guessed(String),
}

impl OAuthClient {
    /// The id, recorded or guessed.
    pub(crate) fn likely(&self) -> &str {
        match self {
            OAuthClient::Noted(id) | OAuthClient::Guessed(id) => id,
        }
    }
}

/// How much of an account's id is shown and typed, at least.
const SHORT: usize = 8;

/// A token is refreshed when less than this remains, or a tenth of its lifetime if that is less. Not earlier, because a
/// refresh invalidates the old access token for the processes that still use it.
const LONGEST_MARGIN: Duration = Duration::from_secs(3600);

/// A token that Sentry accepted is not checked again for this long, however many hosts refuse it.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// A longer pause was recorded by a wrong clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Whether an access token can be returned as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Return it.
    Fresh,
    /// Refresh or check it first.
    Stale(StaleReason),
}

/// Why a token is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StaleReason {
    /// It has expired: wait for a new one.
    Expired,
    /// It still works: attempt a refresh, but do not wait for one.
    ExpiresSoon,
    /// A host refused it: check it with the server.
    Suspect,
    /// A refresh of this pair was begun and its outcome is unknown: send the pair once more.
    Interrupted,
}

/// Finds the accounts that a user calls `name`: by e-mail address, user name, full name, or organization; if none
/// matches, by the first characters of the id.
pub(crate) fn called<'a>(sessions: &'a [Session], name: &str) -> Vec<&'a Session> {
    let named: Vec<_> = sessions
        .iter()
        .filter(|session| session.is_called(name))
        .collect();
    match named.is_empty() && !name.is_empty() {
        true => sessions
            .iter()
            .filter(|session| session.account.starts_with(name))
            .collect(),
        false => named,
    }
}

/// The options that make a command refer to this session.
pub(crate) fn options_for(session: &Session, sessions: &[Session]) -> String {
    let account = match is_alone(session, sessions) {
        true => String::new(),
        false => format!(" --account {}", printable(short_id(session, sessions))),
    };
    format!(" --url {}{account}", session.origin)
}

/// The command that restores a session that has ended.
pub(crate) fn login_command(session: &Session, sessions: &[Session]) -> String {
    let email = session.user.email.as_deref().map(printable);
    let email = email.filter(|_| !is_alone(session, sessions));
    let email = email.map_or_else(String::new, |email| format!(" {}", quoted(&email)));
    format!("sentry auth login{email} --url {}", session.origin)
}

/// Whether it is the only session of its instance.
fn is_alone(session: &Session, sessions: &[Session]) -> bool {
    let is_another = |other: &Session| {
        other.account != session.account && other.origin.may_receive(&session.origin)
    };
    !sessions.iter().any(is_another)
}

/// The shortest prefix of an account's id that no other account has.
pub(crate) fn short_id<'a>(session: &'a Session, sessions: &[Session]) -> &'a str {
    let id = session.account.as_str();
    let others = || {
        sessions
            .iter()
            .filter(|other| other.account != session.account)
    };
    let is_enough = |end: &usize| {
        let start = id.get(..*end);
        start.is_some_and(|start| !others().any(|other| other.account.starts_with(start)))
    };
    let end = (SHORT..id.len()).find(is_enough).unwrap_or(id.len());
    &id[..end]
}

impl Session {
    /// Whether a user who types `name` refers to this account.
    fn is_called(&self, name: &str) -> bool {
        let User {
            email,
            username,
            name: full_name,
            ..
        } = &self.user;
        let organization = match self.identity() {
            Some(Identity::Organization(slug)) => Some(slug),
            _ => None,
        };
        [email, username, full_name, &organization]
            .into_iter()
            .flatten()
            .any(|known| known.to_lowercase() == name.to_lowercase())
    }

    /// The identity, if it is known.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let tokens = self.tokens.as_ref();
        Identity::of(&self.user, tokens.map(|tokens| &tokens.access))
    }

    /// Whether a login to `origin` as `identity` is another login to this account.
    pub(crate) fn is_account_of(&self, origin: &Origin, identity: &Identity) -> bool {
        self.origin.may_receive(origin) && self.identity().as_ref() == Some(identity)
    }

    /// Whether a login to `origin` replaces this session: it is of the same account, or has the same token.
    pub(crate) fn is_login_of(&self, origin: &Origin, user: &User, access: &Secret) -> bool {
        let identity = Identity::of(user, Some(access));
        self.origin == *origin && self.has_token(access)
            || identity.is_some_and(|identity| self.is_account_of(origin, &identity))
    }

    /// Whether `access` is its access token.
    pub(crate) fn has_token(&self, access: &Secret) -> bool {
        let tokens = self.tokens.as_ref();
        tokens.is_some_and(|tokens| tokens.access == *access)
    }

    /// The key of the account in a binding: its identity, which a new login does not change, else its id. The official
    /// CLI assigns a new id when a user logs in again, and the old layout has one id for every user.
    pub(crate) fn key(&self) -> String {
        self.identity()
            .map_or_else(|| self.account.clone(), |identity| identity.to_string())
    }

    /// Whether a binding with `key` refers to this account.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.key() == key
    }

    /// The name to display: its user, else its organization, else the first characters of its id.
    pub(crate) fn label(&self) -> String {
        self.name().unwrap_or_else(|| {
            let start: String = self.account.chars().take(SHORT).collect();
            printable(&start)
        })
    }

    /// The same, without falling back to the id.
    pub(crate) fn name(&self) -> Option<String> {
        let tokens = self.tokens.as_ref();
        Identity::label(&self.user, tokens.map(|tokens| &tokens.access))
    }

    /// Whether the access token can be returned at `now`. Meaningless for a session without tokens.
    pub(crate) fn freshness(&self, now: Timestamp) -> Freshness {
        match self.is_interrupted() {
            true => Freshness::Stale(StaleReason::Interrupted),
            false => self.access_freshness(now),
        }
    }

    /// The same for the access token alone, whatever happened to a refresh.
    pub(crate) fn access_freshness(&self, now: Timestamp) -> Freshness {
        let Some(tokens) = &self.tokens else {
            return Freshness::Stale(StaleReason::Expired);
        };
        let margin = |expires_at| tokens.refresh.is_some().then(|| tokens.margin(expires_at));
        match tokens.expires_at {
            Some(expires_at) if expires_at <= now => Freshness::Stale(StaleReason::Expired),
            _ if self.is_suspect(&tokens.access, now) => Freshness::Stale(StaleReason::Suspect),
            Some(expires_at)
                if margin(expires_at).is_some_and(|margin| now.until(expires_at) < margin) =>
            {
                Freshness::Stale(StaleReason::ExpiresSoon)
            }
            _ => Freshness::Fresh,
        }
    }

    /// Whether a refresh of the stored pair was begun and its outcome is unknown.
    pub(crate) fn is_interrupted(&self) -> bool {
        let refresh = self
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.refresh.as_ref());
        let intent = self.refresh_state.intent.map(|(digest, _)| digest);
        intent.is_some() && refresh.map(Secret::digest) == intent
    }

    /// Whether a host may have refused its token within the last minute.
    pub(crate) fn may_be_refused(&self, now: Timestamp) -> bool {
        self.refresh_state.suspect.is_some() || self.was_checked(now)
    }

    /// Whether Sentry accepted a suspect token within the last minute.
    fn was_checked(&self, now: Timestamp) -> bool {
        let at = self.refresh_state.checked_at;
        at.is_some_and(|at| at <= now && at.until(now) < CHECK_INTERVAL)
    }

    /// Whether a host refused the token, and Sentry has not confirmed it since.
    fn is_suspect(&self, access: &Secret, now: Timestamp) -> bool {
        !self.was_checked(now)
            && self
                .refresh_state
                .suspect
                .is_some_and(|mark| mark == access.digest())
    }
}

impl Session {
    /// The time until which no refresh is attempted because the last one failed.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let is_pending =
            |at: &Timestamp| (Duration::from_millis(1)..LONGEST_PAUSE).contains(&now.until(*at));
        self.refresh_state.retry_at.filter(is_pending)
    }
}

impl Tokens {
    /// Identifies the pair: the digest of the refresh token, or of the access token if there is no other.
    pub(crate) fn digest(&self) -> Digest {
        self.refresh.as_ref().unwrap_or(&self.access).digest()
    }

    fn margin(&self, expires_at: Timestamp) -> Duration {
        match self.issued_at {
            Some(issued_at) if issued_at < expires_at => {
                LONGEST_MARGIN.min(issued_at.until(expires_at) / 10)
            }
            _ => LONGEST_MARGIN,
        }
    }

    /// When the access token expires, if that is within `span` of `now`.
    pub(crate) fn ends_within(&self, span: Duration, now: Timestamp) -> Option<Timestamp> {
        let is_soon = |expires_at: &Timestamp| now.until(*expires_at) < span;
        self.expires_at.filter(is_soon)
    }

    /// The lifetime of the access token, if known.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        Some(self.issued_at?.until(self.expires_at?))
    }

    /// Whether the access token has expired at `now`.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    const HOUR: i64 = 3_600_000;

    fn session(issued_at: Option<i64>, expires_at: Option<i64>) -> Session {
        Session {
            account: "a".into(),
            origin: Origin::saas(),
            user: User::default(),
            tokens: Some(Tokens {
                access: Secret::new("access"),
                refresh: Some(Secret::new("refresh")),
                issued_at: issued_at.map(Timestamp::from_millis),
                expires_at: expires_at.map(Timestamp::from_millis),
            }),
            active: true,
            refresh_state: RefreshState::default(),
        }
    }

    fn freshness(session: &Session, now: i64) -> Freshness {
        session.freshness(Timestamp::from_millis(now))
    }

    const ACME: &str = "sntrys_eyJpYXQiOjEsInVybCI6IiIsIm9yZyI6ImFjbWUifQ==_secret";

    /// A session of this user id, with this access token, at this instance.
    fn account(id: Option<&str>, access: &str, instance: &str) -> Session {
        let mut session = session(None, None);
        session.origin = Origin::parse(instance).unwrap();
        session.account = "0192f0aa-0000-7000-8000-000000000001".into();
        session.user.id = id.map(str::to_owned);
        session.tokens.as_mut().unwrap().access = Secret::new(access);
        session
    }

    #[test]
    fn an_account_is_a_user_or_an_organization_at_an_instance() {
        let saas = "https://sentry.io";
        let us = Origin::parse("https://us.sentry.io").unwrap();
        let other = Origin::parse("https://self.example").unwrap();
        let user = account(Some("42"), "access", saas);
        let is_same = |session: &Session, origin: &Origin, id: &str| {
            session.is_account_of(origin, &Identity::User(id.into()))
        };
        assert!(is_same(&user, &Origin::saas(), "42"));
        assert!(is_same(&user, &us, "42"));
        assert!(!is_same(&user, &other, "42"));
        assert!(!is_same(&user, &Origin::saas(), "43"));
        let token = account(None, ACME, saas);
        assert_eq!(
            token.identity(),
            Some(Identity::Organization("acme".into()))
        );
        assert!(!is_same(&token, &Origin::saas(), "acme"));
        assert_eq!(account(None, "access", saas).identity(), None);
        // An organization whose slug equals a user's id is not that user.
        assert_ne!(Identity::User("acme".into()).to_string(), token.key());
    }

    #[test]
    fn a_binding_holds_who_it_is_and_else_the_id() {
        let user = account(Some("42"), "access", "https://sentry.io");
        let mut again = user.clone();
        again.account = "0192f0aa-0000-7000-8000-000000000002".into();
        assert!(again.has_key(&user.key()));
        let unknown = account(None, "access", "https://sentry.io");
        assert!(unknown.has_key(&unknown.account));
        assert!(!user.has_key(&unknown.account));
    }

    fn with_id(session: Session, id: &str) -> Session {
        Session {
            account: id.into(),
            ..session
        }
    }

    #[test]
    fn an_account_is_called_by_its_names_and_else_by_the_beginning_of_its_id() {
        let saas = "https://sentry.io";
        let mut jane = with_id(account(Some("42"), "a", saas), "0192f0aa-1111");
        jane.user = User {
            id: Some("42".into()),
            email: Some("jane@example.com".into()),
            username: Some("jane".into()),
            name: Some("Jane Doe".into()),
        };
        let elsewhere = Session {
            account: "0192f0aa-2222".into(),
            origin: Origin::parse("https://self.example").unwrap(),
            ..jane.clone()
        };
        let acme = with_id(account(None, ACME, saas), "0192f0bb-3333");
        // The name of one account is a prefix of another's id.
        let mut odd = with_id(account(Some("7"), "b", saas), "0192f0cc-4444");
        odd.user.username = Some("0192f0bb".into());
        let sessions = [jane, elsewhere, acme, odd];
        let ids = |name: &str| -> Vec<&str> {
            let found = called(&sessions, name).into_iter();
            found.map(|session| &session.account[9..]).collect()
        };
        assert_eq!(ids("jane"), ["1111", "2222"]);
        assert_eq!(ids("JANE@example.COM"), ["1111", "2222"]);
        assert_eq!(ids("jane doe"), ["1111", "2222"]);
        assert_eq!(ids("acme"), ["3333"]);
        assert_eq!(ids("0192f0aa"), ["1111", "2222"]);
        assert_eq!(ids("0192f0aa-1"), ["1111"]);
        assert_eq!(ids("0192f0bb"), ["4444"]);
        assert_eq!(ids("42"), [""; 0]);
        assert_eq!(ids(""), [""; 0]);
        let short: Vec<&str> = sessions
            .iter()
            .map(|session| short_id(session, &sessions))
            .collect();
        assert_eq!(short, ["0192f0aa-1", "0192f0aa-2", "0192f0bb", "0192f0cc"]);
    }

    #[test]
    fn an_account_without_names_is_called_by_its_organization_or_its_id() {
        assert_eq!(account(None, ACME, "https://sentry.io").label(), "acme");
        assert_eq!(account(None, "t", "https://sentry.io").label(), "0192f0aa");
    }

    #[test]
    fn a_token_is_refreshed_in_the_last_tenth_of_its_life_but_not_before_the_last_hour() {
        let short = session(Some(0), Some(HOUR));
        assert_eq!(freshness(&short, HOUR * 9 / 10), Freshness::Fresh);
        assert_eq!(
            freshness(&short, HOUR * 9 / 10 + 1),
            Freshness::Stale(StaleReason::ExpiresSoon)
        );
        assert_eq!(
            freshness(&short, HOUR),
            Freshness::Stale(StaleReason::Expired)
        );
        let long = session(Some(0), Some(720 * HOUR));
        assert_eq!(freshness(&long, 719 * HOUR), Freshness::Fresh);
        assert_eq!(
            freshness(&long, 719 * HOUR + 1),
            Freshness::Stale(StaleReason::ExpiresSoon)
        );
        let unknown = session(None, Some(5 * HOUR));
        assert_eq!(freshness(&unknown, 4 * HOUR), Freshness::Fresh);
        assert_eq!(
            freshness(&unknown, 4 * HOUR + 1),
            Freshness::Stale(StaleReason::ExpiresSoon)
        );
        assert_eq!(
            freshness(&session(Some(0), None), i64::MAX),
            Freshness::Fresh
        );
    }

    #[test]
    fn a_mark_counts_only_for_the_token_it_was_made_for() {
        let mut session = session(Some(0), None);
        session.refresh_state.suspect = Some(Secret::new("former").digest());
        session.refresh_state.intent =
            Some((Secret::new("former").digest(), Timestamp::from_millis(0)));
        assert_eq!(freshness(&session, 0), Freshness::Fresh);
        session.refresh_state.suspect = Some(Secret::new("access").digest());
        assert_eq!(
            freshness(&session, 0),
            Freshness::Stale(StaleReason::Suspect)
        );
        session.refresh_state.intent =
            Some((Secret::new("refresh").digest(), Timestamp::from_millis(0)));
        assert_eq!(
            freshness(&session, 0),
            Freshness::Stale(StaleReason::Interrupted)
        );
    }

    #[test]
    fn an_api_token_is_used_to_its_end() {
        let mut session = session(Some(0), Some(HOUR));
        session.tokens.as_mut().unwrap().refresh = None;
        assert_eq!(freshness(&session, HOUR - 1), Freshness::Fresh);
        assert_eq!(
            freshness(&session, HOUR),
            Freshness::Stale(StaleReason::Expired)
        );
    }

    #[test]
    fn a_suspicion_rests_for_a_minute_after_sentry_accepted_the_token() {
        let mut session = session(Some(0), None);
        let at = Timestamp::from_millis;
        let state = &mut session.refresh_state;
        (state.suspect, state.checked_at) = (Some(Secret::new("access").digest()), Some(at(1000)));
        for (now, expected) in [
            (1000, Freshness::Fresh),
            (60_999, Freshness::Fresh),
            (61_000, Freshness::Stale(StaleReason::Suspect)),
            // A check that is yet to come was noted by a clock that was wrong.
            (999, Freshness::Stale(StaleReason::Suspect)),
        ] {
            assert_eq!(freshness(&session, now), expected, "{now}");
            assert!(session.may_be_refused(at(now)));
        }
        session.refresh_state.suspect = None;
        assert!(session.may_be_refused(at(1000)) && !session.may_be_refused(at(61_000)));
    }

    #[test]
    fn a_pause_has_an_end_within_the_hour() {
        let mut session = session(Some(0), None);
        let at = Timestamp::from_millis;
        session.refresh_state.retry_at = Some(at(HOUR));
        for (now, is_paused) in [
            (1, true),
            (HOUR - 1, true),
            (HOUR, false),
            (0, false),
            (-1, false),
        ] {
            assert_eq!(session.paused_until(at(now)).is_some(), is_paused, "{now}");
        }
    }

    #[test]
    fn a_pair_is_named_by_its_refresh_token_where_it_has_one() {
        let tokens = session(None, None).tokens.unwrap();
        assert_eq!(tokens.digest(), Secret::new("refresh").digest());
        let api_token = Tokens {
            refresh: None,
            ..tokens
        };
        assert_eq!(api_token.digest(), Secret::new("access").digest());
    }

    #[test]
    fn a_user_is_called_by_user_name_to_the_letter_and_by_address_in_any_case() {
        let jane = User {
            username: Some("Jane".into()),
            email: Some("jane@mail.example".into()),
            name: Some("Jane Doe".into()),
            ..User::default()
        };
        for (name, expected) in [
            ("Jane", true),
            ("jane", false),
            ("JANE@mail.EXAMPLE", true),
            ("Jane Doe", false),
            ("", false),
        ] {
            assert_eq!(jane.is_called(name), expected, "{name}");
        }
        let nameless = User {
            username: None,
            ..jane
        };
        assert_eq!(nameless.label(), Some("jane@mail.example"));
    }
}
