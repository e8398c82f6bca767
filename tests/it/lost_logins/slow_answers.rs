//! A very late answer: the caller gives up after 12 s, the worker keeps waiting, and the tokens that the server granted
//! are stored.

use std::thread;
use std::time::{Duration, Instant};

use super::{SOON, Stopped, stores, waiting};
use crate::fake_sentry::{Endpoint, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Running};

/// A caller gives up after 12 s; the rest is a margin for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(18);

/// A command whose refresh is granted and not answered.
struct Unanswered {
    scene: Machine,
    running: Running,
    started: Instant,
}

impl Unanswered {
    fn start(age: Age, command: impl Fn(&Machine) -> Cmd) -> Unanswered {
        let scene = Machine::new().login(age);
        scene.sentry.fault(Endpoint::Refresh, Fault::Held);
        let started = Instant::now();
        let running = command(&scene).limit(GIVEN_UP).spawn();
        scene.sentry.wait_for_held(SOON);
        Unanswered {
            scene,
            running,
            started,
        }
    }
}

/// git's side of a pipeline, which ends only when no process has its streams open.
fn piped_fill(scene: &Machine) -> Cmd {
    let fill = "git -c credential.helper=sentry credential fill 2>&1 | cat";
    scene
        .sandbox
        .command("sh")
        .args(["-c", fill])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(format!(
            "protocol=http\nhost={}\n\n",
            scene.sentry.address()
        ))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn an_answer_after_the_caller_has_given_up_is_stored() {
    let expired = Unanswered::start(Age::EXPIRED, Machine::token);
    let stale = Unanswered::start(Age::STALE, Machine::token);
    let docker = Unanswered::start(Age::EXPIRED, Machine::docker_get);
    let pipeline = Unanswered::start(Age::EXPIRED, piped_fill);
    // The streams end too, before the answer has arrived: `wait` checks that.
    let patient = |started: Instant| {
        let took = started.elapsed();
        assert!(took > Duration::from_secs(10), "gave up after {took:?}");
    };
    let told = expired.running.wait().fails(1).stdout_is("");
    patient(expired.started);
    assert!(told.stderr.starts_with("error: "), "{told:?}");
    let old = format!("{}\n", stale.scene.pair.access);
    stale.running.wait().success().stdout_is(&old);
    let told = docker.running.wait().fails(1).stderr_is("");
    assert_eq!(told.stdout.lines().count(), 1, "{told:?}");
    let told = pipeline.running.wait().success();
    assert!(!told.stdout.contains("password="), "{told:?}");
    for scene in [expired.scene, stale.scene, docker.scene, pipeline.scene] {
        let (sentry, machine) = (&scene.sentry, &scene.sandbox);
        assert_eq!(machine.stored_tokens(), Some(scene.pair.clone()));
        // A command that starts now waits for the same answer.
        let waiter = waiting(machine, scene.token());
        sentry.release();
        let current = sentry.current();
        waiter
            .wait()
            .success()
            .stdout_is(&format!("{}\n", current.access));
        stores(machine, &current);
        assert_eq!(sentry.refresh_attempts(), 1);
        scene.is_alive();
    }
}

#[test]
fn an_answer_that_came_while_everybody_was_frozen_is_read_before_it_is_given_up() {
    let frozen = [Age::EXPIRED, Age::STALE].map(|age| {
        let refresh = Unanswered::start(age, Machine::token);
        let exchange = Stopped::stop(refresh.running.exchange());
        let parent = Stopped::stop(refresh.running.pid());
        // It is in the socket's buffer.
        refresh.scene.sentry.release();
        (refresh, exchange, parent)
    });
    // Longer than a caller waits, by every clock.
    thread::sleep(Duration::from_secs(15));
    for (refresh, exchange, parent) in frozen {
        let Unanswered { scene, running, .. } = refresh;
        drop(exchange);
        drop(parent);
        // The caller may have given up, or may have the new token.
        let told = running.wait();
        assert!([0, 1].contains(&told.code), "{told:?}");
        stores(&scene.sandbox, &scene.sentry.current());
        assert_eq!(scene.sentry.refresh_attempts(), 1);
        scene.is_alive();
    }
}
