//! The flows of [`super::protocol`], step by step: what was observed, and the next action. The model checker
//! (`tests/model/`) covers every order of events; these tests document each rule.

mod before_exchange;
mod exchange;

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
        client: ClientId::Recorded,
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

/// Feeds observations to a flow; returns its next action.
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
