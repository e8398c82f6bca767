//! Traces that the replay must accept, and traces that it must reject.

use crate::replay::{Summary, Writers, replay};

const FRESH: &str = "access: Fresh, refreshable: true, intent: false, rejected: false, paused: false, client: Recorded";
const EXPIRED: &str = "access: Expired, refreshable: true, intent: false, rejected: false, paused: false, client: Recorded";
const INTENDED: &str = "access: Expired, refreshable: true, intent: true, rejected: false, paused: false, client: Recorded";

const A: &str = "pa0000000";
const B: &str = "pb0000000";
const C: &str = "pc0000000";

fn row(pair: &str, rest: &str) -> String {
    format!("Row {{ pair: Some({pair}), {rest} }}")
}

/// A trace, from lines such as `7 TryLock -> Locked`.
fn trace(steps: &str) -> String {
    let lines = steps.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.map(|line| {
        let (pid, step) = line.split_once(' ').expect("a process");
        format!("2026-01-01T00:00:00Z [{pid}] flow: {step}\n")
    });
    lines.collect()
}

fn accepted(steps: &str) -> Summary {
    replay(trace(steps).lines(), Writers::Traced).expect("the trace is allowed")
}

fn refused(steps: &str) -> String {
    replay(trace(steps).lines(), Writers::Traced).expect_err("the trace is not allowed")
}

/// A refresh of A to B by process 1 and its worker 2.
fn refresh() -> String {
    let (a, b) = (row(A, EXPIRED), row(B, FRESH));
    format!(
        "1 begin refresh Usable {a}
         1 TryLock -> Locked
         1 Import -> Done
         1 Read -> Row({a})
         2 begin worker Usable
         2 Read -> Row({a})
         2 Intend({A}) -> Done
         2 Post({A}, Recorded) -> Granted({B})
         2 Swap {{ old: {A}, new: {B} }} -> Swapped(Stored)
         2 End(Refreshed)
         1 Delegate -> Reported(Usable {{ refreshed: true }})
         1 Look -> Row({b})
         1 End(Refreshed)
        "
    )
}

#[test]
fn a_refresh_is_replayed() {
    let summary = Summary {
        flows: 2,
        unfinished: 0,
        steps: 9,
        posts: 1,
        grants: 1,
    };
    assert_eq!(accepted(&refresh()), summary);
    let other_lines = format!("2026-01-01T00:00:00Z [1] refreshing\n{}", trace(&refresh()));
    assert_eq!(replay(other_lines.lines(), Writers::Others), Ok(summary));
}

#[test]
fn a_waiter_uses_what_the_holder_stored() {
    let (a, b) = (row(A, EXPIRED), row(B, FRESH));
    let waits = format!(
        "3 begin refresh Usable {a}
         3 TryLock -> Contended
         3 Look -> Row({a})
         3 Wait(Long) -> Done
         3 TryLock -> Contended
         3 Look -> Row({b})
         3 End(Current)
        "
    );
    let summary = accepted(&(refresh() + &waits));
    assert_eq!((summary.flows, summary.posts), (3, 1));
}

#[test]
fn a_login_and_a_logout_are_replayed() {
    let steps = format!(
        "1 begin login {C}
         1 TryLock -> Locked
         1 Import -> Done
         1 Store({C}) -> Done
         1 End(Done)
         2 begin logout
         2 TryLock -> Locked
         2 Import -> Done
         2 Remove -> Done
         2 End(Done)
        "
    );
    assert_eq!(accepted(&steps).flows, 2);
    // Process 3 reads what is gone.
    let reads = format!(
        "3 begin worker Usable
         3 Read -> Row({})
        ",
        row(C, EXPIRED)
    );
    let said = refused(&(steps + &reads));
    assert!(said.contains("the row should be {Gone}"), "{said}");
}

#[test]
fn a_killed_worker_may_have_done_its_next_step() {
    let killed = |row_after: &str| {
        let steps = refresh();
        let until = steps.find("2 Swap").expect("the swap");
        format!(
            "{}1 Delegate -> WorkerDied
             1 End(Stale(WorkerDied))
             3 begin refresh Usable {row_after}
             3 TryLock -> Locked
             3 Import -> Done
             3 Read -> Row({row_after})
            ",
            &steps[..until]
        )
    };
    let stored = accepted(&killed(&row(B, EXPIRED)));
    assert_eq!(stored.unfinished, 2);
    accepted(&killed(&row(A, INTENDED)));
    let said = refused(&killed(&row(C, EXPIRED)));
    assert!(said.contains("the row should be"), "{said}");
}

#[test]
fn a_recovery_file_is_followed() {
    let steps = refresh().replace(
        "2 Swap { old: pa0000000, new: pb0000000 } -> Swapped(Stored)
         2 End(Refreshed)",
        "2 Swap { old: pa0000000, new: pb0000000 } -> Refused
         2 Keep { old: Some(pa0000000), new: pb0000000 } -> Done
         2 End(Unavailable(Kept))",
    );
    let until = steps.find("1 Delegate").expect("the report");
    let b = row(B, FRESH);
    let imported = format!(
        "{}3 begin refresh Refresh {}
         3 TryLock -> Locked
         3 Import -> Done
         3 Read -> Row({b})
        ",
        &steps[..until],
        row(A, INTENDED)
    );
    assert_eq!(accepted(&imported).flows, 3);
}

#[test]
fn a_step_that_the_flow_does_not_ask_for_is_refused() {
    let said = refused(&refresh().replace("2 Intend(pa0000000) -> Done\n", ""));
    assert!(
        said.contains("the flow's next step is Intend(pa0000000)"),
        "{said}"
    );
    let said = refused(&refresh().replace("2 End(Refreshed)", "2 End(Current)"));
    assert!(
        said.contains("the flow's next step is End(Refreshed)"),
        "{said}"
    );
    let said = refused("1 TryLock -> Locked");
    assert!(said.contains("a step without a flow"), "{said}");
}

#[test]
fn two_holders_of_the_lock_are_refused() {
    let a = row(A, EXPIRED);
    // Process 3 takes the lock while the worker has it.
    let taken = format!("3 begin refresh Usable {a}\n3 TryLock -> Locked\n2 Post");
    let said = refused(&refresh().replacen("2 Post", &taken, 1));
    assert!(said.contains("Some(3) took the lock in between"), "{said}");
}

#[test]
fn a_pair_that_was_replaced_is_not_posted_again() {
    let again = refresh().replace("1 ", "3 ").replace("2 ", "4 ");
    let said = refused(&(refresh() + &again));
    assert!(
        said.contains("the row should be {Pair(pb0000000)}"),
        "{said}"
    );
    // Where other programs write the row it may come back, but not its successor twice.
    let again = again.replace(B, C);
    let lines = trace(&(refresh() + &again));
    let said = replay(lines.lines(), Writers::Others).expect_err("two grants for one pair");
    assert!(said.contains("pb0000000 was granted before"), "{said}");
}

#[test]
fn a_swap_agrees_with_the_row_that_was_read() {
    let said = refused(&refresh().replace("Swapped(Stored)", "Swapped(Gone)"));
    assert!(
        said.contains("the row should be {Pair(pa0000000)}"),
        "{said}"
    );
    let lost = refresh().replace(
        "2 Swap { old: pa0000000, new: pb0000000 } -> Swapped(Stored)
         2 End(Refreshed)",
        "2 Swap { old: pa0000000, new: pb0000000 } -> Swapped(Gone)
         2 End(LoginRequired(LoggedOut))",
    );
    let lines = trace(&lost.replace(
        "1 Delegate -> Reported(Usable { refreshed: true })",
        "1 Delegate -> Reported(LoginRequired)",
    ));
    let until = lines.find("[1] flow: Look").expect("the look");
    let until = lines[..until].rfind('\n').expect("a line");
    replay(lines[..until].lines(), Writers::Others).expect("another program logged out");
}

#[test]
fn what_is_no_value_of_the_protocol_is_refused() {
    for broken in [
        "Locked()",
        "Unlocked",
        "Granted(p1)",
        "Row(Row { pair: None })",
    ] {
        let said = refused(&format!("1 begin logout\n1 TryLock -> {broken}"));
        assert!(said.contains("not a value of the protocol"), "{said}");
    }
}
