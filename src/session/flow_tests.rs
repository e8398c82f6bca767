//! The flows of [`super::protocol`], step by step: what was seen, and what is to be done next. The model checker
//! (`tests/model/`) has every order of events; here each rule can be read.

use super::protocol::*;

/// The pair in the row, the one that is granted, and one of another program.
const OLD: u8 = 1;
const NEW: u8 = 2;
const OTHER: u8 = 3;

fn row(access: Access) -> Row<u8> {
    Row {
        pair: Some(OLD),
        access,
        refreshable: true,
        intent: false,
        rejected: false,
        paused: false,
        client: ClientId::Noted,
    }
}

fn other(access: Access) -> Row<u8> {
    Row {
        pair: Some(OTHER),
        ..row(access)
    }
}

fn cleared() -> Row<u8> {
    Row {
        pair: None,
        ..row(Access::Expired)
    }
}

/// Shows a flow what it meets; what it wants then.
#[track_caller]
fn after(mut flow: Flow<u8>, met: &[Saw<u8>]) -> Do<u8> {
    for saw in met {
        assert!(!matches!(flow.next(), Do::End(_)), "ended before {saw:?}");
        flow.saw(*saw);
    }
    flow.next()
}

fn end(conclusion: Conclusion) -> Do<u8> {
    Do::End(conclusion)
}

fn stale(obstacle: Obstacle) -> Do<u8> {
    end(Conclusion::Stale(obstacle))
}

fn login(reason: LoginReason) -> Do<u8> {
    end(Conclusion::LoginRequired(reason))
}

fn expired() -> Flow<u8> {
    Flow::refresh(Goal::Usable, row(Access::Expired))
}

/// A worker that has read an expired pair and committed its intent: about to post.
fn posting(met: &[Saw<u8>]) -> Do<u8> {
    let before = [Saw::Row(row(Access::Expired)), Saw::Done];
    after(Flow::worker(Goal::Usable), &[&before, met].concat())
}

#[test]
fn a_refresh_begins_only_where_something_is_due() {
    let current = end(Conclusion::Current);
    for (goal, row, expected) in [
        (Goal::Usable, row(Access::Fresh), current),
        (Goal::Usable, row(Access::ExpiresSoon), Do::TryLock),
        (Goal::Usable, row(Access::Suspect), Do::TryLock),
        (Goal::Usable, row(Access::Expired), Do::TryLock),
        (Goal::Usable, cleared(), Do::TryLock),
        (Goal::Refresh, row(Access::Fresh), Do::TryLock),
        (Goal::Replacement(OLD), row(Access::Fresh), Do::TryLock),
        (Goal::Replacement(OTHER), row(Access::Fresh), current),
        (
            Goal::Usable,
            Row {
                intent: true,
                ..row(Access::Fresh)
            },
            Do::TryLock,
        ),
        (
            Goal::Usable,
            Row {
                refreshable: false,
                ..row(Access::Expired)
            },
            login(LoginReason::ApiTokenExpired),
        ),
    ] {
        assert_eq!(
            Flow::refresh(goal, row).next(),
            expected,
            "{goal:?} {row:?}"
        );
    }
}

#[test]
fn a_contended_lock_is_waited_for_as_long_as_the_token_at_hand_asks_for() {
    for (goal, access, limit) in [
        (Goal::Usable, Access::ExpiresSoon, WaitLimit::Short),
        (Goal::Usable, Access::Suspect, WaitLimit::Short),
        (Goal::Usable, Access::Expired, WaitLimit::Long),
        (Goal::Refresh, Access::ExpiresSoon, WaitLimit::Long),
        (Goal::Replacement(OLD), Access::ExpiresSoon, WaitLimit::Long),
    ] {
        let flow = Flow::refresh(goal, row(access));
        let met = [Saw::Contended, Saw::Row(row(access))];
        assert_eq!(after(flow, &met), Do::Wait(limit), "{goal:?} {access:?}");
    }
    let met = [Saw::Contended, Saw::Refused];
    assert_eq!(after(Flow::login(NEW), &met), Do::Wait(WaitLimit::Commit));
    assert_eq!(after(Flow::logout(), &met), Do::Wait(WaitLimit::Long));
}

#[test]
fn whoever_waits_takes_what_the_holder_of_the_lock_stored() {
    let fresh = Saw::Row(other(Access::Fresh));
    let current = end(Conclusion::Current);
    assert_eq!(after(expired(), &[Saw::Contended, fresh]), current);
    let replacement = Flow::refresh(Goal::Replacement(OLD), row(Access::Fresh));
    assert_eq!(after(replacement, &[Saw::Contended, fresh]), current);
    // A refresh that was asked for is not what somebody else did.
    let asked = Flow::refresh(Goal::Refresh, row(Access::Fresh));
    let waits = Do::Wait(WaitLimit::Long);
    assert_eq!(after(asked, &[Saw::Contended, fresh]), waits);
    // The pair that the server refuses is no replacement for itself.
    let met = [Saw::Contended, Saw::Row(row(Access::Fresh))];
    assert_eq!(after(replacement, &met), waits);
    let met = [Saw::Contended, Saw::NoRow];
    assert_eq!(after(expired(), &met), login(LoginReason::LoggedOut));
}

#[test]
fn without_the_lock_nothing_is_sent_and_no_grant_is_lost() {
    let met = [
        Saw::Contended,
        Saw::Row(row(Access::Expired)),
        Saw::TimedOut,
    ];
    assert_eq!(after(expired(), &met), stale(Obstacle::Contended));
    assert_eq!(after(expired(), &[Saw::Refused]), stale(Obstacle::NoLock));
    let keep = Do::Keep {
        old: None,
        new: NEW,
    };
    assert_eq!(after(Flow::login(NEW), &met), keep);
    assert_eq!(after(Flow::login(NEW), &[Saw::Refused]), keep);
    let unavailable = |obstacle| end(Conclusion::Unavailable(obstacle));
    let (contended, no_lock) = (Obstacle::Contended, Obstacle::NoLock);
    assert_eq!(after(Flow::logout(), &met), unavailable(contended));
    assert_eq!(after(Flow::logout(), &[Saw::Refused]), unavailable(no_lock));
}

#[test]
fn recovery_files_are_imported_before_anything_is_read_or_written() {
    assert_eq!(after(expired(), &[Saw::Locked]), Do::Import);
    assert_eq!(after(expired(), &[Saw::Locked, Saw::Done]), Do::Read);
    let met = [Saw::Locked, Saw::Refused];
    assert_eq!(after(expired(), &met), stale(Obstacle::Import));
    // A login and a logout go on: neither sends what may be spent.
    for import in [Saw::Done, Saw::Refused] {
        let met = [Saw::Locked, import];
        assert_eq!(after(Flow::login(NEW), &met), Do::Store(NEW));
        assert_eq!(after(Flow::logout(), &met), Do::Remove);
    }
}

#[test]
fn the_row_that_is_read_under_the_lock_decides_anew() {
    let read = |saw| after(expired(), &[Saw::Locked, Saw::Done, saw]);
    let is = |access| Saw::Row(row(access));
    assert_eq!(read(is(Access::Fresh)), end(Conclusion::Current));
    assert_eq!(read(is(Access::Expired)), Do::Delegate);
    assert_eq!(read(Saw::NoRow), login(LoginReason::LoggedOut));
    assert_eq!(read(Saw::Refused), stale(Obstacle::Unreadable));
    assert_eq!(read(Saw::Row(cleared())), login(LoginReason::Cleared));
    let rejected = Row {
        rejected: true,
        ..cleared()
    };
    assert_eq!(read(Saw::Row(rejected)), login(LoginReason::Rejected));
    let paused = Row {
        paused: true,
        ..row(Access::Expired)
    };
    assert_eq!(read(Saw::Row(paused)), stale(Obstacle::Paused));
    let asked = Flow::refresh(Goal::Refresh, row(Access::Fresh));
    let met = [Saw::Locked, Saw::Done, Saw::Row(paused)];
    assert_eq!(after(asked, &met), Do::Delegate);
    let api_token = Row {
        refreshable: false,
        ..row(Access::Expired)
    };
    assert_eq!(
        read(Saw::Row(api_token)),
        login(LoginReason::ApiTokenExpired)
    );
}

#[test]
fn a_caller_ends_as_its_worker_reports() {
    let delegated = |met: &[Saw<u8>]| {
        let before = [Saw::Locked, Saw::Done, Saw::Row(row(Access::Expired))];
        after(expired(), &[&before, met].concat())
    };
    let usable = |refreshed| Saw::Reported(Outcome::Usable { refreshed });
    let fresh = Saw::Row(other(Access::Fresh));
    assert_eq!(delegated(&[usable(true)]), Do::Look);
    assert_eq!(
        delegated(&[usable(true), fresh]),
        end(Conclusion::Refreshed)
    );
    assert_eq!(delegated(&[usable(false), fresh]), end(Conclusion::Current));
    // Cleared since: another worker may be about to store the next pair.
    assert_eq!(delegated(&[usable(true), Saw::Row(cleared())]), Do::TryLock);
    for (saw, expected) in [
        (Saw::Reported(Outcome::Stale), stale(Obstacle::Reported)),
        (
            Saw::Reported(Outcome::Unavailable),
            end(Conclusion::Unavailable(Obstacle::Reported)),
        ),
        (
            Saw::Reported(Outcome::LoginRequired),
            login(LoginReason::Reported),
        ),
        (Saw::WorkerDied, stale(Obstacle::WorkerDied)),
        (Saw::WorkerSilent, stale(Obstacle::WorkerSilent)),
        // Then the caller does its work.
        (Saw::NoWorker, Do::Intend(OLD)),
    ] {
        assert_eq!(delegated(&[saw]), expected, "{saw:?}");
    }
}

#[test]
fn a_token_that_is_only_suspect_is_asked_about_before_its_pair_is_spent() {
    let suspect = row(Access::Suspect);
    let worker = |met: &[Saw<u8>]| {
        let met = [&[Saw::Row(suspect)], met].concat();
        after(Flow::worker(Goal::Usable), &met)
    };
    assert_eq!(worker(&[]), Do::Check(OLD));
    assert_eq!(worker(&[Saw::Accepted]), Do::Trust(OLD));
    for noted in [Saw::Done, Saw::Refused] {
        let current = end(Conclusion::Current);
        assert_eq!(worker(&[Saw::Accepted, noted]), current);
    }
    assert_eq!(worker(&[Saw::Unauthorized]), Do::Intend(OLD));
    let pause = Do::Pause(Pause::Long, Intent::Stays);
    assert_eq!(worker(&[Saw::Refused]), pause);
    assert_eq!(
        worker(&[Saw::Refused, Saw::Done]),
        stale(Obstacle::Unchecked)
    );
    // Who knows that the server refuses it does not ask again.
    let known = Flow::worker(Goal::Replacement(OLD));
    assert_eq!(after(known, &[Saw::Row(suspect)]), Do::Intend(OLD));
    let interrupted = Saw::Row(Row {
        intent: true,
        ..suspect
    });
    let worker = Flow::worker(Goal::Usable);
    assert_eq!(after(worker, &[interrupted]), Do::Intend(OLD));
}

#[test]
fn nothing_is_posted_before_the_intent_is_on_the_disk() {
    let worker = Flow::worker(Goal::Usable);
    let read = Saw::Row(row(Access::Expired));
    assert_eq!(after(worker, &[read]), Do::Intend(OLD));
    assert_eq!(
        after(worker, &[read, Saw::Refused]),
        stale(Obstacle::Intent)
    );
    assert_eq!(posting(&[]), Do::Post(OLD, Candidate::Noted));
}

#[test]
fn what_was_granted_is_stored_kept_or_reported_and_never_dropped() {
    let swap = Do::Swap { old: OLD, new: NEW };
    assert_eq!(posting(&[Saw::Granted(NEW)]), swap);
    let swapped = |met| posting(&[Saw::Granted(NEW), Saw::Swapped(met)]);
    assert_eq!(swapped(Swap::Stored), end(Conclusion::Refreshed));
    assert_eq!(swapped(Swap::Gone), login(LoginReason::LoggedOut));
    assert_eq!(swapped(Swap::Superseded), Do::Look);
    let refused = [Saw::Granted(NEW), Saw::Refused];
    let keep = Do::Keep {
        old: Some(OLD),
        new: NEW,
    };
    assert_eq!(posting(&refused), keep);
    let kept = |saw| posting(&[&refused[..], &[saw]].concat());
    let unavailable = |obstacle| end(Conclusion::Unavailable(obstacle));
    assert_eq!(kept(Saw::Done), unavailable(Obstacle::Kept));
    assert_eq!(kept(Saw::Refused), unavailable(Obstacle::GrantLost));
}

#[test]
fn a_row_of_another_program_is_adopted_as_it_is() {
    let superseded = |saw| posting(&[Saw::Granted(NEW), Saw::Swapped(Swap::Superseded), saw]);
    for (saw, expected) in [
        (Saw::Row(other(Access::Fresh)), end(Conclusion::Current)),
        (
            Saw::Row(other(Access::ExpiresSoon)),
            end(Conclusion::Current),
        ),
        (Saw::Row(other(Access::Expired)), stale(Obstacle::Changed)),
        (Saw::Row(cleared()), login(LoginReason::Cleared)),
        (Saw::NoRow, login(LoginReason::LoggedOut)),
        (Saw::Refused, stale(Obstacle::Unreadable)),
    ] {
        assert_eq!(superseded(saw), expected, "{saw:?}");
    }
}

#[test]
fn a_rejection_counts_once_no_other_program_stores_what_it_was_granted() {
    assert_eq!(posting(&[Saw::InvalidGrant]), Do::Settle(OLD));
    let settled = |met: &[Saw<u8>]| posting(&[&[Saw::InvalidGrant], met].concat());
    let unchanged = Saw::Row(row(Access::Expired));
    assert_eq!(settled(&[unchanged]), Do::Reject(OLD));
    let fresh = Saw::Row(other(Access::Fresh));
    assert_eq!(settled(&[fresh]), end(Conclusion::Current));
    let rejected = |swap| settled(&[unchanged, Saw::Swapped(swap)]);
    assert_eq!(rejected(Swap::Stored), login(LoginReason::Rejected));
    assert_eq!(rejected(Swap::Gone), login(LoginReason::LoggedOut));
    assert_eq!(rejected(Swap::Superseded), Do::Look);
    let refused = settled(&[unchanged, Saw::Refused]);
    assert_eq!(refused, stale(Obstacle::Unreadable));
}

#[test]
fn a_rejection_after_a_lost_answer_is_told_as_an_interrupted_refresh() {
    let unchanged = Saw::Row(row(Access::Expired));
    let rejected = [unchanged, Saw::Swapped(Swap::Stored)];
    let lost = [&[Saw::AnswerLost, Saw::InvalidGrant], &rejected[..]].concat();
    assert_eq!(posting(&lost), login(LoginReason::Interrupted));
    let begun_before = Saw::Row(Row {
        intent: true,
        ..row(Access::Expired)
    });
    let met = [&[begun_before, Saw::Done, Saw::InvalidGrant], &rejected[..]].concat();
    let worker = Flow::worker(Goal::Usable);
    assert_eq!(after(worker, &met), login(LoginReason::Interrupted));
}

#[test]
fn a_lost_answer_is_asked_for_once_and_the_pair_may_be_spent_then() {
    let again = Do::Post(OLD, Candidate::Noted);
    assert_eq!(posting(&[Saw::AnswerLost]), again);
    let twice = [Saw::AnswerLost, Saw::AnswerLost];
    let pause = Do::Pause(Pause::Short, Intent::Stays);
    assert_eq!(posting(&twice), pause);
    let met = [&twice[..], &[Saw::Done]].concat();
    assert_eq!(posting(&met), stale(Obstacle::AnswerLost));
}

#[test]
fn the_intent_is_withdrawn_only_where_nothing_can_have_been_spent() {
    let (stays, withdrawn) = (Intent::Stays, Intent::Withdrawn);
    for (met, pause, intent, obstacle) in [
        (
            &[Saw::Disturbed(Acted::No)][..],
            Pause::Long,
            withdrawn,
            Obstacle::Disturbed,
        ),
        (
            &[Saw::Disturbed(Acted::Perhaps)],
            Pause::Long,
            stays,
            Obstacle::Disturbed,
        ),
        (
            &[Saw::OAuthError],
            Pause::Long,
            withdrawn,
            Obstacle::OAuthError,
        ),
        (
            &[Saw::InvalidClient],
            Pause::Long,
            withdrawn,
            Obstacle::OAuthError,
        ),
        (
            &[Saw::NotSent, Saw::NotSent],
            Pause::Short,
            withdrawn,
            Obstacle::NotSent,
        ),
        // The first one may have been acted on.
        (
            &[Saw::AnswerLost, Saw::OAuthError],
            Pause::Long,
            stays,
            Obstacle::OAuthError,
        ),
        (
            &[Saw::AnswerLost, Saw::NotSent, Saw::NotSent],
            Pause::Short,
            stays,
            Obstacle::NotSent,
        ),
    ] {
        assert_eq!(posting(met), Do::Pause(pause, intent), "{met:?}");
        // Not being able to note the pause changes nothing about what is said.
        for noted in [Saw::Done, Saw::Refused] {
            let met = [met, &[noted]].concat();
            assert_eq!(posting(&met), stale(obstacle), "{met:?}");
        }
    }
}

#[test]
fn a_guessed_client_gets_a_second_guess_and_rejects_no_pair() {
    let guessed = |met: &[Saw<u8>]| {
        let read = Saw::Row(Row {
            client: ClientId::Guessed,
            ..row(Access::Expired)
        });
        let met = [&[read, Saw::Done], met].concat();
        after(Flow::worker(Goal::Usable), &met)
    };
    assert_eq!(guessed(&[]), Do::Post(OLD, Candidate::First));
    for first in [Saw::InvalidGrant, Saw::InvalidClient] {
        assert_eq!(guessed(&[first]), Do::Post(OLD, Candidate::Second));
        for second in [Saw::InvalidGrant, Saw::InvalidClient, Saw::NoClient] {
            assert_eq!(guessed(&[first, second]), Do::Settle(OLD));
            let unchanged = Saw::Row(row(Access::Expired));
            let met = [first, second, unchanged];
            assert_eq!(
                guessed(&met),
                Do::Pause(Pause::Long, Intent::Withdrawn),
                "{met:?}"
            );
        }
    }
    let missing = Saw::Row(Row {
        client: ClientId::Missing,
        ..row(Access::Expired)
    });
    let worker = Flow::worker(Goal::Usable);
    assert_eq!(after(worker, &[missing]), stale(Obstacle::NoClient));
}

#[test]
fn an_api_token_that_the_server_refuses_is_not_posted() {
    let api_token = Row {
        refreshable: false,
        ..row(Access::Suspect)
    };
    let read = Saw::Row(api_token);
    let refused = login(LoginReason::ApiTokenRefused);
    let worker = Flow::worker(Goal::Usable);
    assert_eq!(after(worker, &[read, Saw::Unauthorized]), refused);
    let known = Flow::worker(Goal::Replacement(OLD));
    assert_eq!(after(known, &[read]), refused);
    let current = Flow::worker(Goal::Refresh);
    let read = Saw::Row(Row {
        refreshable: false,
        ..row(Access::Fresh)
    });
    assert_eq!(after(current, &[read]), refused);
}

#[test]
fn a_login_and_a_logout_end_when_the_store_has_them() {
    let login = |met: &[Saw<u8>]| {
        let met = [&[Saw::Locked, Saw::Done], met].concat();
        after(Flow::login(NEW), &met)
    };
    let done = end(Conclusion::Done);
    assert_eq!(login(&[Saw::Done]), done);
    let keep = Do::Keep {
        old: None,
        new: NEW,
    };
    assert_eq!(login(&[Saw::Refused]), keep);
    let kept = end(Conclusion::Unavailable(Obstacle::Kept));
    assert_eq!(login(&[Saw::Refused, Saw::Done]), kept);
    let logout = |saw| after(Flow::logout(), &[Saw::Locked, Saw::Done, saw]);
    assert_eq!(logout(Saw::Done), done);
    let store = end(Conclusion::Unavailable(Obstacle::Store));
    assert_eq!(logout(Saw::Refused), store);
}

#[test]
fn a_swap_replaces_the_old_pair_and_none_and_nothing_else() {
    for (row, expected) in [
        (None, Swap::Gone),
        (Some(None), Swap::Stored),
        (Some(Some(OLD)), Swap::Stored),
        (Some(Some(OTHER)), Swap::Superseded),
    ] {
        assert_eq!(swap(row, &OLD), expected, "{row:?}");
    }
}
