//! Refreshes: what is sent, what is stored, and what the caller gets.

use std::time::Duration;

use super::*;

#[test]
fn a_fresh_token_is_answered_without_lock_or_network() {
    for age in [Age::FRESH, Age::API_TOKEN] {
        let (machine, server) = machine(age, vec![]);
        let _held = credential_lock(&machine.dir());
        assert_eq!(want(&machine, Demand::Usable), "current access-of-jane");
        assert_eq!(server.requests(), [""; 0]);
    }
}

#[test]
fn a_stale_pair_is_sent_once_and_the_new_one_is_stored_with_its_expiry() {
    for age in [Age::STALE, Age::EXPIRES_SOON] {
        let (machine, server) = machine(age, vec![Canned::grant("new")]);
        assert_eq!(want(&machine, Demand::Usable), "refreshed access-of-new");
        assert_eq!(want(&machine, Demand::Usable), "current access-of-new");
        assert_eq!(server.requests(), [posted("jane")]);
        let session = machine.active();
        let tokens = session.tokens.clone().unwrap();
        let now = machine.now();
        assert_eq!(tokens.refresh, Some(refresh("new")));
        assert_eq!(tokens.issued_at, Some(now));
        let expiry = now.after(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(tokens.expires_at, Some(expiry));
        assert!(session.refresh_state.intent.is_none());
        assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
    }
}

#[test]
fn a_server_that_issues_no_new_refresh_token_keeps_the_old_one_valid() {
    let answer = Canned::json(200, r#"{"access_token":"access-of-new"}"#);
    let (machine, _server) = machine(Age::STALE, vec![answer]);
    assert_eq!(want(&machine, Demand::Usable), "refreshed access-of-new");
    let tokens = machine.active().tokens.unwrap();
    assert_eq!(tokens.refresh, Some(refresh("jane")));
    assert_eq!(tokens.expires_at, None);
}

#[test]
fn a_rejected_pair_stays_in_the_row_and_is_never_sent_again() {
    let (machine, server) = machine(Age::STALE, vec![Canned::error(400, "invalid_grant")]);
    let session = machine.active();
    for _ in 0..2 {
        let told = ask(&machine, &session, Demand::Usable);
        assert!(told.starts_with("login required: the session at"), "{told}");
    }
    assert_eq!(server.requests(), [posted("jane")]);
    let rejected = machine.active();
    assert!(rejected.tokens.is_none() && rejected.refresh_state.rejected_at.is_some());
    machine.sql("CREATE TABLE t AS SELECT 1 / (token = 'access-of-jane') FROM accounts");
}

#[test]
fn an_answer_that_says_nothing_about_the_pair_keeps_it_and_pauses() {
    for answer in [
        Canned::json(500, ""),
        Canned::error(503, "invalid_grant"),
        Canned::error(400, "invalid_request"),
        Canned::error(401, "invalid_client"),
        Canned::Says(302, "Location: /elsewhere\r\n", String::new()),
        Canned::json(200, "<html>log in to the network</html>"),
        Canned::json(200, r#"{"access_token":"a\nb"}"#),
        Canned::json(404, "not here"),
    ] {
        let (machine, server) = machine(Age::EXPIRES_SOON, vec![answer]);
        assert_eq!(want(&machine, Demand::Usable), "postponed access-of-jane");
        // The next attempt is too early; the old token is returned again.
        assert_eq!(want(&machine, Demand::Usable), "postponed access-of-jane");
        let (world, session) = (machine.world(), machine.active());
        assert!(session.paused_until(world.now()).is_some());
        assert_eq!(server.requests(), [posted("jane")]);
    }
}

#[test]
fn a_server_says_itself_when_to_come_back() {
    let busy = Canned::Says(429, "Retry-After: 120\r\n", String::new());
    let (machine, server) = machine(Age::STALE, vec![busy, Canned::grant("new")]);
    assert!(want(&machine, Demand::Usable).starts_with("unavailable: "));
    machine.clock().pass(Duration::from_secs(119));
    assert!(want(&machine, Demand::Usable).starts_with("unavailable: "));
    assert_eq!(server.requests().len(), 1);
    machine.clock().pass(Duration::from_secs(2));
    assert_eq!(want(&machine, Demand::Usable), "refreshed access-of-new");
}

#[test]
fn an_answer_that_was_lost_is_asked_for_once_more_with_the_same_pair() {
    let answers = vec![Canned::HangsUp, Canned::grant("new")];
    let (machine, server) = machine(Age::STALE, answers);
    assert_eq!(want(&machine, Demand::Usable), "refreshed access-of-new");
    assert_eq!(server.requests(), [posted("jane"), posted("jane")]);
}

#[test]
fn a_pair_whose_answers_were_lost_is_retried_and_its_rejection_is_reported_as_an_interruption() {
    let answers = vec![
        Canned::HangsUp,
        Canned::HangsUp,
        Canned::error(400, "invalid_grant"),
    ];
    let (machine, server) = machine(Age::STALE, answers);
    assert!(want(&machine, Demand::Usable).starts_with("unavailable: "));
    assert!(machine.active().is_interrupted());
    machine.clock().pass(Duration::from_secs(6));
    let told = want(&machine, Demand::Usable);
    assert!(told.starts_with("login required: "), "{told}");
    assert!(told.contains("interrupted"), "{told}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_is_gone_leaves_no_intent_behind() {
    let (machine, _server) = machine(Age::EXPIRES_SOON, vec![]);
    // The listener closes after its last answer.
    while std::net::TcpStream::connect(_server.origin.trim_start_matches("http://")).is_ok() {}
    assert_eq!(want(&machine, Demand::Usable), "postponed access-of-jane");
    assert!(!machine.active().is_interrupted());
}

#[test]
fn a_suspect_token_is_asked_about_before_it_is_replaced() {
    for (check, expected, requests) in [
        (Canned::accepted(), "current access-of-jane", 1),
        (Canned::json(403, ""), "current access-of-jane", 1),
        (Canned::json(401, ""), "refreshed access-of-new", 2),
        (Canned::json(500, ""), "postponed access-of-jane", 1),
        (
            Canned::json(200, r#"{"auth":null}"#),
            "postponed access-of-jane",
            1,
        ),
    ] {
        let (machine, server) = machine(Age::FRESH, vec![check, Canned::grant("new")]);
        suspect(&machine);
        assert_eq!(want(&machine, Demand::Usable), expected);
        assert_eq!(server.requests().len(), requests);
        assert_eq!(server.requests()[0], CHECK);
    }
}

#[test]
fn an_api_token_is_never_refreshed() {
    let (refused, server) = machine(Age::API_TOKEN, vec![Canned::json(401, "")]);
    suspect(&refused);
    let told = want(&refused, Demand::Usable);
    assert!(told.starts_with("login required: "), "{told}");
    assert_eq!(server.requests(), [CHECK]);
    let (expired, server) = machine(Age::EXPIRED_API_TOKEN, vec![]);
    let told = want(&expired, Demand::Usable);
    assert!(told.starts_with("login required: "), "{told}");
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_demand_for_a_refresh_waits_for_no_due_date_and_no_pause() {
    let answers = vec![Canned::grant("new"), Canned::grant("newer")];
    let (machine, server) = machine(Age::FRESH, answers);
    assert_eq!(want(&machine, Demand::Refresh), "refreshed access-of-new");
    machine.change(|change| {
        let session = change.sessions().unwrap().remove(0);
        let later = machine.now().after(Duration::from_secs(30));
        change.pause(&session, later, None).unwrap();
    });
    assert_eq!(want(&machine, Demand::Refresh), "refreshed access-of-newer");
    assert_eq!(server.requests(), [posted("jane"), posted("new")]);
}

#[test]
fn a_replacement_is_not_asked_for_where_another_process_has_stored_one() {
    let (machine, server) = machine(Age::FRESH, vec![Canned::grant("new")]);
    let refused = machine.active();
    let wanted = |session| ask(&machine, session, Demand::Replacement);
    assert_eq!(wanted(&refused), "refreshed access-of-new");
    assert_eq!(wanted(&refused), "current access-of-new");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_row_counts_and_not_what_was_read_before_the_lock() {
    let (machine, server) = machine(Age::STALE, vec![]);
    let read = machine.active();
    let machine = machine.account("jane", Age::FRESH);
    assert_eq!(
        ask(&machine, &read, Demand::Usable),
        "current access-of-jane"
    );
    machine.sql("DELETE FROM accounts");
    let told = ask(&machine, &read, Demand::Usable);
    assert!(
        told.starts_with("login required: ") && told.contains("logged out"),
        "{told}"
    );
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_lock_of_another_process_is_waited_for_and_nothing_is_sent_without_it() {
    for (age, expected, longest) in [
        (Age::EXPIRES_SOON, "postponed access-of-jane", 6),
        (Age::STALE, "unavailable: ", 21),
    ] {
        let (machine, server) = machine(age, vec![]);
        let session = machine.active();
        let _held = credential_lock(&machine.dir());
        let before = machine.now();
        let told = ask(&machine, &session, Demand::Usable);
        assert!(told.starts_with(expected), "{told}");
        let waited = before.until(machine.now()).as_secs();
        assert!(waited < longest && waited >= longest - 2, "{waited}");
        assert_eq!(server.requests(), [""; 0]);
    }
}

#[test]
fn a_client_that_was_only_guessed_rejects_no_pair() {
    let (machine, server) = machine(Age::STALE, vec![Canned::error(400, "invalid_grant")]);
    machine.sql("DELETE FROM helper_session");
    let machine = machine.variable("SENTRY_CLIENT_ID", "guessed");
    let told = want(&machine, Demand::Usable);
    assert!(told.starts_with("unavailable: "), "{told}");
    assert!(machine.active().tokens.is_some());
    assert!(server.requests()[0].contains("client_id=guessed&"));
    let machine = machine.without("SENTRY_CLIENT_ID");
    machine.clock().pass(Duration::from_secs(60));
    let told = want(&machine, Demand::Usable);
    assert!(told.contains("client id"), "{told}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_session_that_is_checked_is_replaced_once_and_no_more() {
    let check = |answers| {
        let (machine, server) = machine(Age::FRESH, answers);
        let (world, store) = (machine.world(), machine.store());
        let found = checked(&world, &store, &machine.active());
        let told = found.map(|(usable, check)| {
            let check = format!("{check:?}");
            let check = check.split('(').next().unwrap().to_owned();
            format!("{} {check}", usable.tokens().access.expose())
        });
        let told = told.unwrap_or_else(|error| anyhow::Error::from(error).to_string());
        (told, server.requests().len())
    };
    let unauthorized = || Canned::json(401, "");
    let (told, requests) = check(vec![Canned::accepted()]);
    assert_eq!((told.as_str(), requests), ("access-of-jane Accepted", 1));
    let answers = vec![unauthorized(), Canned::grant("new"), Canned::accepted()];
    let (told, requests) = check(answers);
    assert_eq!((told.as_str(), requests), ("access-of-new Accepted", 3));
    let answers = vec![unauthorized(), Canned::grant("new"), unauthorized()];
    let (told, requests) = check(answers);
    assert_eq!((told.as_str(), requests), ("access-of-new Rejected", 3));
    // A token that Sentry rejected is not returned, even if it has not expired.
    let (told, requests) = check(vec![unauthorized(), Canned::json(500, "")]);
    assert!(told.contains("cannot refresh"), "{told}");
    assert_eq!(requests, 2);
}

#[test]
fn a_grant_without_an_end_or_a_refresh_token_says_so() {
    let machine = Machine::new();
    let world = machine.world();
    let grant = crate::oauth::Grant {
        access: access("new"),
        refresh: None,
        expires_in: None,
        user: User::default(),
        scope: None,
    };
    let tokens = granted(&world, &grant, None);
    assert_eq!((tokens.refresh, tokens.expires_at), (None, None));
    assert_eq!(tokens.issued_at, Some(world.now()));
    let tokens = granted(&world, &grant, Some(&refresh("jane")));
    assert_eq!(tokens.refresh, Some(refresh("jane")));
}
