//! A login over its life, against a server that gives canned answers: what is sent, what is stored, and what the caller
//! gets.

use std::fs;
use std::time::Duration;

use super::record::Record;
use super::reserve::Reserve;
use super::*;
use crate::account::{OAuthClient, Tokens, User};
use crate::lock::Lock;
use crate::store::Client;
use crate::testing::{Age, CLIENT, Canned, Machine, SELF, Server, access, origin, refresh, user};
use crate::world::Timestamp;

/// A machine where jane is logged in to the server, which gives these answers.
fn machine(age: Age, answers: Vec<Canned>) -> (Machine, Server) {
    let server = Server::start(answers);
    let machine = Machine::new().at(&server.origin).session(age);
    (machine.without_worker(), server)
}

/// What a caller gets, in a few words: how it came about, and whose token it is or what was said.
fn ask(machine: &Machine, session: &Session, demand: Demand) -> String {
    let (world, store) = (machine.world(), machine.store());
    match usable(&world, &store, session, demand) {
        Ok(Usable::Current(tokens)) => format!("current {}", tokens.access.expose()),
        Ok(Usable::Refreshed(tokens)) => format!("refreshed {}", tokens.access.expose()),
        Ok(Usable::Postponed(tokens, why)) => {
            assert!(!why.to_string().is_empty());
            format!("postponed {}", tokens.access.expose())
        }
        Err(TokenError::LoginRequired(why)) => format!("login required: {why}"),
        Err(TokenError::Unavailable(error)) => format!("unavailable: {error:#}"),
    }
}

fn want(machine: &Machine, demand: Demand) -> String {
    ask(machine, &machine.active(), demand)
}

/// The request for new tokens with those of somebody.
fn posted(name: &str) -> String {
    let refresh = refresh(name);
    let refresh = refresh.expose();
    format!(
        "POST /oauth/token/ client_id={CLIENT}&grant_type=refresh_token&refresh_token={refresh}"
    )
}

const CHECK: &str = "GET /api/0/ Bearer access-of-jane";

fn suspect(machine: &Machine) {
    machine.change(|change| {
        let session = change.sessions().unwrap().remove(0);
        change.suspect(&session, access("jane").digest()).unwrap();
    });
}

#[test]
fn a_fresh_token_is_answered_without_lock_or_network() {
    for age in [Age::FRESH, Age::API_TOKEN] {
        let (machine, server) = machine(age, vec![]);
        let _held = Lock::credential(&machine.dir()).try_acquire().unwrap();
        assert_eq!(want(&machine, Demand::Usable), "current access-of-jane");
        assert_eq!(server.requests(), [""; 0]);
    }
}

#[test]
fn a_stale_pair_is_sent_once_and_the_new_one_stored_with_its_end() {
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
        // The next one comes too soon; an expired token is then no answer.
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
fn a_pair_whose_answers_were_lost_is_tried_again_and_its_rejection_is_told_as_a_loss() {
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
    // The listener ends with its last answer.
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
        let _held = Lock::credential(&machine.dir()).try_acquire().unwrap();
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
    // What Sentry refused is not handed out, however long it has to live by the clock.
    let (told, requests) = check(vec![unauthorized(), Canned::json(500, "")]);
    assert!(told.contains("cannot refresh"), "{told}");
    assert_eq!(requests, 2);
}

fn login(instance: &str, name: &str) -> NewLogin {
    NewLogin {
        origin: origin(instance),
        user: user(name),
        tokens: Age::FRESH.tokens(name),
        client_id: Some(CLIENT.to_owned()),
    }
}

#[test]
fn a_login_is_active_and_takes_the_place_of_the_same_account_only() {
    let machine = Machine::new().account("joe", Age::FRESH);
    let machine = machine.session(Age::STALE);
    let (world, store) = (machine.world(), machine.store());
    let before = machine.active();
    let again = NewLogin {
        tokens: Age::FRESH.tokens("jane-again"),
        ..login("https://us.sentry.io", "jane")
    };
    let session = record_login(&world, &store, again).unwrap();
    assert_eq!(session.account, before.account);
    record_login(&world, &store, login(SELF, "jane")).unwrap();
    let told: Vec<String> = machine
        .sessions()
        .iter()
        .map(|session| {
            let access = session.tokens.as_ref().unwrap().access.expose();
            format!("{} {access} {}", session.origin, session.active)
        })
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], format!("{SELF} access-of-jane true"));
    assert!(told.contains(&"https://us.sentry.io access-of-jane-again false".to_owned()));
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
}

#[test]
fn an_unknown_identity_replaces_nobody() {
    let machine = Machine::new().session(Age::FRESH);
    for name in ["a", "b"] {
        let unknown = NewLogin {
            user: User::default(),
            ..login("https://sentry.io", name)
        };
        record_login(&machine.world(), &machine.store(), unknown).unwrap();
    }
    assert_eq!(machine.sessions().len(), 3);
}

#[test]
fn a_logout_makes_the_last_used_of_the_others_active() {
    let machine = Machine::new().account("joe", Age::STALE);
    let machine = machine
        .account("ann", Age::FRESH)
        .at(SELF)
        .session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let out = |session: &Session| {
        let next = log_out(&world, &store, session).unwrap();
        next.map(|next| next.label())
    };
    assert_eq!(out(&machine.active()).as_deref(), Some("ann"));
    assert!(machine.read(|view| view.is_former(&access("jane")).unwrap()));
    let joe = machine.sessions().remove(1);
    assert_eq!(out(&joe), None, "it was not the active one");
    assert_eq!(out(&joe), None, "it is gone");
    assert_eq!(out(&machine.active()), None);
    assert!(machine.sessions().is_empty());
}

#[test]
fn a_logout_gives_up_on_a_lock_and_a_login_is_kept_in_a_file_then() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let held = Lock::credential(&machine.dir()).try_acquire().unwrap();
    assert!(log_out(&world, &store, &machine.active()).is_err());
    let told = record_login(&world, &store, login(SELF, "joe")).unwrap_err();
    assert!(told.to_string().contains("credential.recovery"), "{told:#}");
    // An API token is still in its user's hands.
    let api_token = NewLogin {
        tokens: Age::API_TOKEN.tokens("ann"),
        ..login(SELF, "ann")
    };
    assert!(record_login(&world, &store, api_token).is_err());
    assert_eq!(recovery::pending(&machine.dir()).unwrap().len(), 1);
    drop(held);
    assert_eq!(machine.sessions().len(), 1);
    assert!(import_pending(&world, &store).unwrap());
    let labels: Vec<String> = machine.sessions().iter().map(Session::label).collect();
    assert_eq!(labels, ["joe", "jane"]);
}

/// What a refresh of jane's was granted and could not be stored, imported.
fn imported(machine: &Machine, old: &Tokens) -> Option<Tokens> {
    let (world, store, dir) = (machine.world(), machine.store(), machine.dir());
    let new = Age::FRESH.tokens("new");
    let jane = machine.sessions().pop();
    let session = jane.unwrap_or_else(|| Machine::new().session(Age::FRESH).active());
    let record = Record::of_refresh(&session, old, &new, Some("another-client"));
    Reserve::default().write(&dir, &record).unwrap();
    assert!(import_pending(&world, &store).unwrap());
    assert!(recovery::pending(&dir).unwrap().is_empty());
    machine.sessions().pop().and_then(|session| session.tokens)
}

#[test]
fn a_refresh_that_waits_is_imported_while_the_row_has_what_it_replaces() {
    let (old, new) = (Age::STALE.tokens("jane"), Age::FRESH.tokens("new"));
    let machine = Machine::new().session(Age::STALE);
    assert_eq!(imported(&machine, &old), Some(new.clone()));
    let client = machine.active().refresh_state.client_id;
    assert!(matches!(client, Some(OAuthClient::Noted(id)) if id == "another-client"));
    // Another program cleared the spent pair.
    let machine = Machine::new().session(Age::STALE);
    machine.sql("UPDATE accounts SET token = NULL, refresh_token = NULL");
    assert_eq!(imported(&machine, &old), Some(new));
    // Another pair is there, or the session is gone.
    let machine = Machine::new().session(Age::STALE);
    let another = Age::STALE.tokens("another");
    assert_eq!(imported(&machine, &another), Some(old.clone()));
    let machine = Machine::new().session(Age::STALE);
    machine.sql("DELETE FROM accounts");
    assert_eq!(imported(&machine, &old), None);
}

#[test]
fn a_file_that_was_cut_short_is_removed_and_one_of_a_newer_version_stays() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let path = recovery::path(&machine.dir());
    for content in ["", "{\"origin\":\"https://sentry.io\",\"tok", "[]"] {
        fs::write(&path, content).unwrap();
        assert!(import_pending(&world, &store).unwrap());
        assert!(!path.exists(), "{content}");
    }
    fs::write(&path, r#"{"version":2,"origin":"https://sentry.io"}"#).unwrap();
    assert!(import_pending(&world, &store).is_err() && path.exists());
    assert_eq!(machine.sessions().len(), 1);
}

#[test]
fn what_is_not_a_file_of_ours_is_not_imported() {
    let machine = Machine::new().session(Age::FRESH);
    let (world, store) = (machine.world(), machine.store());
    let path = recovery::path(&machine.dir());
    let elsewhere = machine.home().join("elsewhere");
    let record = Record::of_login(&login(SELF, "mallory"));
    fs::write(&elsewhere, record.render().unwrap().as_bytes()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(import_pending(&world, &store).is_err());
    assert_eq!(machine.sessions().len(), 1);
    assert!(elsewhere.exists());
}

#[test]
fn a_logout_discards_what_waits_for_its_session_and_nothing_else() {
    let machine = Machine::new().session(Age::STALE);
    let (world, store, dir) = (machine.world(), machine.store(), machine.dir());
    let session = machine.active();
    let (old, new) = (Age::STALE.tokens("jane"), Age::FRESH.tokens("new"));
    for record in [
        Record::of_refresh(&session, &old, &new, None),
        Record::of_login(&login(SELF, "joe")),
    ] {
        Reserve::default().write(&dir, &record).unwrap();
    }
    let held = Lock::credential(&dir).try_acquire().unwrap();
    let change = store.change(&held, world.clock()).unwrap();
    recovery::discard(&dir, &change, &session).unwrap();
    drop((change, held));
    assert_eq!(recovery::pending(&dir).unwrap().len(), 1);
    assert!(import_pending(&world, &store).unwrap());
    assert_eq!(machine.active().label(), "joe");
    recovery::discard_all(&world, &dir).unwrap();
}

#[test]
fn a_record_reads_back_and_one_of_the_first_version_is_understood() {
    let record = Record::of_login(&login(SELF, "joe")).render().unwrap();
    let back = Record::parse(record.as_bytes()).unwrap().unwrap();
    assert_eq!(back.origin(), SELF);
    assert_eq!(back.render().unwrap(), record);
    let first = r#"{"origin":"https://self.example","account":"a","old_token":"o","old_refresh_token":null,
        "token":"t","refresh_token":null,"issued_at":null,"expires_at":null,"client_id":null,"user":null}"#;
    assert!(Record::parse(first.as_bytes()).unwrap().is_some());
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

#[test]
fn a_demand_becomes_a_goal_for_the_pair_that_the_row_has() {
    let pair = Pair::of(&Age::FRESH.tokens("jane"));
    use protocol::Goal;
    for (demand, pair, goal) in [
        (Demand::Usable, Some(pair), Goal::Usable),
        (Demand::Refresh, Some(pair), Goal::Refresh),
        (Demand::Refresh, None, Goal::Refresh),
        (Demand::Replacement, Some(pair), Goal::Replacement(pair)),
        // There is nothing that could be replaced.
        (Demand::Replacement, None, Goal::Usable),
    ] {
        assert_eq!(demand.goal(pair), goal);
    }
}

#[test]
fn a_row_is_seen_with_its_marks() {
    let machine = Machine::new().session(Age::EXPIRES_SOON);
    let world = machine.world();
    let seen = |session: &Session| perform::row(&world, session);
    let session = machine.active();
    let row = seen(&session);
    assert_eq!(row.pair, Some(Pair::of(&Age::STALE.tokens("jane"))));
    assert_eq!(row.access, protocol::Access::ExpiresSoon);
    assert!(row.refreshable && !row.intent && !row.rejected && !row.paused);
    assert_eq!(row.client, protocol::ClientId::Noted);
    let mut marked = session.clone();
    let state = &mut marked.refresh_state;
    state.retry_at = Some(Timestamp::from_millis(world.now().millis() + 1));
    state.intent = Some((refresh("jane").digest(), world.now()));
    state.client_id = None;
    let row = seen(&marked);
    assert!(row.paused && row.intent);
    // The SaaS has a client that is built in; another instance has none.
    assert_eq!(row.client, protocol::ClientId::Guessed);
    marked.origin = origin(SELF);
    marked.tokens = None;
    let row = seen(&marked);
    assert_eq!(row.client, protocol::ClientId::Missing);
    assert_eq!((row.pair, row.access), (None, protocol::Access::Expired));
    assert_eq!(machine.credentials(Client::Git), []);
}
