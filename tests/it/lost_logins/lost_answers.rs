//! A request was sent and its answer was lost: it is sent once more at once, then after a short pause, and is recorded
//! until its outcome is known.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::SOON;
use crate::fake_sentry::{Answer, Endpoint, Fault, Replay};
use crate::machine::Machine;
use crate::sandbox::{Age, Output};

/// Sentry's plan.
const GRACE: Duration = Duration::from_secs(30);

/// The message about a session that a request with an unknown outcome may have ended.
const PERHAPS: &str = "perhaps because a refresh that began at 20";

fn scene(age: Age, replay: Replay) -> Machine {
    let scene = Machine::new().login(age);
    scene.sentry.set_replay(replay);
    scene
}

#[test]
fn a_lost_answer_is_asked_for_once_more_at_once() {
    let lost = [
        ("reset", Fault::ResetAfter),
        ("half a body", Fault::Truncate),
    ];
    for age in [Age::EXPIRED, Age::STALE] {
        for (case, fault) in lost.clone() {
            let scene = scene(age, Replay::Grace(GRACE));
            scene.sentry.fault(Endpoint::Refresh, fault);
            let token = scene.token().run().success().stderr_is("");
            let current = scene.sentry.current();
            token.stdout_is(&format!("{}\n", current.access));
            let sentry = &scene.sentry;
            let counts = (
                sentry.refresh_attempts(),
                sentry.refreshes(),
                sentry.grace_answers(),
            );
            assert_eq!(counts, (2, 1, 1), "{case}");
            assert_eq!(
                scene.sandbox.stored_tokens(),
                Some(current.clone()),
                "{case}"
            );
            assert!(sentry.is_valid(&current.access), "{case}");
            // The same pair both times.
            let posted = sentry.requests_to(Endpoint::Refresh);
            let field = |index: usize| posted[index].field("refresh_token").map(str::to_owned);
            assert_eq!(field(0), field(1), "{case}");
            scene.is_alive();
        }
    }
}

#[test]
fn a_request_that_never_arrived_is_sent_once_more_at_once() {
    let lost = [
        ("reset", Fault::ResetBefore),
        ("closed without a word", Fault::Raw(Vec::new())),
    ];
    for replay in [Replay::Refused, Replay::RevokesFamily, Replay::Grace(GRACE)] {
        for (case, fault) in lost.clone() {
            let scene = scene(Age::EXPIRED, replay);
            scene.sentry.fault(Endpoint::Refresh, fault);
            scene.token().run().success();
            let counts = (scene.sentry.refresh_attempts(), scene.sentry.refreshes());
            assert_eq!(counts, (2, 1), "{case}, {replay:?}");
            assert_eq!(
                scene.sandbox.stored_tokens(),
                Some(scene.sentry.current()),
                "{case}, {replay:?}"
            );
        }
    }
}

#[test]
fn a_pause_after_two_lost_answers_ends_well_within_the_grace() {
    let scene = scene(Age::EXPIRED, Replay::Grace(GRACE));
    for _ in 0..2 {
        scene.sentry.fault(Endpoint::Refresh, Fault::ResetAfter);
    }
    let lost = Instant::now();
    let mut told = scene.git_get().run();
    assert_ne!(told.code, 0, "{told:?}");
    assert_eq!(scene.sentry.refresh_attempts(), 2);
    while told.code != 0 {
        assert!(
            lost.elapsed() < Duration::from_secs(12),
            "no get tried again: {told:?}"
        );
        // A server that has just failed twice is not contacted again at once.
        assert_eq!(scene.sentry.refresh_attempts(), 2);
        thread::sleep(Duration::from_secs(1));
        told = scene.git_get().run();
    }
    let sentry = &scene.sentry;
    assert!(told.stdout.contains(&sentry.current_access()), "{told:?}");
    let counts = (
        sentry.refresh_attempts(),
        sentry.refreshes(),
        sentry.grace_answers(),
    );
    assert_eq!(counts, (3, 1, 2));
    assert!(sentry.is_valid(&sentry.current_access()));
    assert_eq!(scene.sandbox.stored_tokens(), Some(sentry.current()));
    scene.is_alive();
}

#[test]
fn a_server_that_answered_that_it_is_busy_is_left_alone_for_as_long_as_before() {
    let busy = || Answer::new(503, "text/plain", "later");
    let scenes = [busy(), busy().header("Retry-After", "20")].map(|answer| {
        let scene = scene(Age::EXPIRED, Replay::Grace(GRACE));
        scene.sentry.fault(Endpoint::Refresh, answer);
        scene.token().run().fails(1);
        scene
    });
    // Past the pause after a lost answer.
    thread::sleep(Duration::from_secs(6));
    for scene in scenes {
        scene.token().run().fails(1);
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        scene.is_alive();
    }
}

#[test]
fn a_worker_that_is_killed_after_its_request_costs_nothing_within_the_grace() {
    let scene = scene(Age::EXPIRED, Replay::Grace(GRACE));
    scene.sentry.fault(Endpoint::Refresh, Fault::Held);
    let refresh = scene.token().spawn();
    scene.sentry.wait_for_held(SOON);
    kill_process(refresh.exchange(), Signal::KILL).expect("a process of ours");
    refresh.wait().fails(1).stdout_is("");
    scene.sentry.release();
    scene.serves(&scene.sentry.current_access());
    let counts = (scene.sentry.refreshes(), scene.sentry.grace_answers());
    assert_eq!(counts, (1, 1));
    scene.is_alive();
}

/// A refresh whose answers were all lost at a server that rotates and refuses replays: the pair is spent, and only the
/// recorded intent shows it.
fn spent(age: Age) -> Machine {
    let scene = scene(age, Replay::Refused);
    // Each is processed: the second one as a replay.
    scene
        .sentry
        .fault_always(Endpoint::Refresh, Fault::ResetAfter);
    scene.refresh().run().fails(1);
    scene.sentry.fix();
    assert!(!scene.sentry.is_valid(&scene.pair.access));
    assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair.clone()));
    scene
}

/// Failures that had no effect at the server.
fn without_effect() -> [(&'static str, Option<Answer>); 3] {
    [
        ("connection refused", None),
        ("429", Some(Answer::error(429, "rate_limited"))),
        (
            "invalid_request",
            Some(Answer::error(400, "invalid_request")),
        ),
    ]
}

/// A refresh that fails this way; during a pause it need not be attempted.
fn fail_without_effect(scene: &Machine, how: Option<Answer>) -> Output {
    match how {
        Some(answer) => {
            scene.sentry.fault_always(Endpoint::Refresh, answer);
            let told = scene.refresh().run();
            scene.sentry.fix();
            told
        }
        None => {
            let refused = scene
                .refresh()
                .with_injected("connect:error=ECONNREFUSED:when=1+");
            refused.run()
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_request_without_effect_does_not_hide_that_an_earlier_one_was_lost() {
    for (case, how) in without_effect() {
        let scene = spent(Age::EXPIRED);
        let before = scene.sentry.refresh_attempts();
        fail_without_effect(&scene, how).fails(1);
        let told = scene.refresh().run().fails(1).stdout_is("");
        assert!(scene.sentry.refresh_attempts() > before, "{case}");
        assert!(told.stderr.contains(PERHAPS), "{case}: {told:?}");
        assert_eq!(scene.sandbox.stored_tokens(), Some(scene.pair), "{case}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_token_that_a_lost_request_may_have_killed_is_not_called_good() {
    for (case, how) in without_effect() {
        // It expires in a month.
        let scene = spent(Age::FRESH);
        fail_without_effect(&scene, how).fails(1);
        let told = scene.sandbox.sentry(&["auth", "refresh"]).run().fails(1);
        let told = told.stdout_is("");
        assert!(told.stderr.contains(PERHAPS), "{case}: {told:?}");
        for reader in scene.readers() {
            reader.run().fails(1).never_says(&scene.pair.access);
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn a_request_that_was_not_sent_is_not_what_a_session_was_lost_to() {
    let scene = scene(Age::EXPIRED, Replay::Refused);
    fail_without_effect(&scene, None).fails(1);
    assert_eq!(scene.sentry.requests().len(), 0);
    scene.sentry.revoke_family(&scene.pair.refresh);
    let told = scene.refresh().run().fails(1).stdout_is("");
    assert!(!told.stderr.contains("a refresh that began"), "{told:?}");
    assert!(told.stderr.contains("has ended"), "{told:?}");
}

#[test]
fn a_session_that_a_copy_has_refreshed_is_not_said_to_be_lost_to_our_request_alone() {
    let scene = scene(Age::EXPIRED, Replay::Refused);
    let copy = scene.sandbox.root().join("copy");
    let copied = scene.sandbox.command("cp").arg("-r");
    copied.args([&scene.dir(), &copy]).run().success();
    let error = Answer::new(500, "text/html", "<h1>no</h1>");
    scene.sentry.fault(Endpoint::Refresh, error);
    scene.token().run().fails(1);
    let theirs = scene.token().env("SENTRY_CONFIG_DIR", &copy);
    theirs.run().success();
    let told = scene.sandbox.sentry(&["auth", "refresh"]).run().fails(1);
    told.stdout_is("")
        .stderr_has(PERHAPS)
        .stderr_has(" was interrupted, or the database was copied");
    assert_eq!(scene.sentry.refreshes(), 1);
    assert!(scene.sentry.is_valid(&scene.sentry.current_access()));
}
