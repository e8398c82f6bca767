//! The exchange of a pair: the intent, the grant, a rejection, a lost answer, and the client id.

use super::*;

#[test]
fn nothing_is_posted_before_the_intent_is_on_the_disk() {
    let worker = Flow::worker(Goal::Usable);
    let read = Saw::Row(row(Access::Expired));
    assert_eq!(after(worker, &[read]), Do::Intend(OLD));
    assert_eq!(
        after(worker, &[read, Saw::Refused]),
        stale(Obstacle::Intent)
    );
    assert_eq!(posting(&[]), Do::Post(OLD, Candidate::Recorded));
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
fn a_rejection_after_a_lost_answer_is_an_interrupted_refresh() {
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
    let again = Do::Post(OLD, Candidate::Recorded);
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
        for recorded in [Saw::Done, Saw::Refused] {
            let met = [met, &[recorded]].concat();
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
