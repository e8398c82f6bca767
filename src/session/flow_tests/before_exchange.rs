//! Before a pair is posted: whether a refresh is due, the lock, recovery files, the worker, and the check of a suspect
//! token.

use super::*;

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
fn a_waiting_process_uses_what_the_lock_holder_stored() {
    let fresh = Saw::Row(other(Access::Fresh));
    let current = end(Conclusion::Current);
    assert_eq!(after(expired(), &[Saw::Contended, fresh]), current);
    let replacement = Flow::refresh(Goal::Replacement(OLD), row(Access::Fresh));
    assert_eq!(after(replacement, &[Saw::Contended, fresh]), current);
    // A refresh by another process does not satisfy an explicit demand.
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
    for recorded in [Saw::Done, Saw::Refused] {
        let current = end(Conclusion::Current);
        assert_eq!(worker(&[Saw::Accepted, recorded]), current);
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
