//! Tests of accounts, names, and freshness.

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
        // A check in the future was recorded with a wrong clock.
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
