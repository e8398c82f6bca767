//! How often a token that git reports as refused is checked with Sentry.

use crate::fake_sentry::{Answer, Endpoint, Fault};
use crate::machine::Machine;
use crate::sandbox::Age;

fn suspect() -> Machine {
    let scene = Machine::new().login(Age::FRESH);
    scene.reports_refused(&scene.pair.access);
    scene
}

#[track_caller]
fn serves_the_current_token(scene: &Machine) {
    let token = scene.token().run().success();
    token.stdout_is(&format!("{}\n", scene.pair.access));
}

#[test]
fn a_check_that_fails_is_followed_by_a_pause() {
    let failures = [
        Fault::from(Answer::new(503, "text/plain", "later")),
        Answer::new(429, "text/plain", "later")
            .header("Retry-After", "20")
            .into(),
        Answer::new(200, "text/html", "<title>Wi-Fi</title>").into(),
        Fault::ResetBefore,
    ];
    for failure in failures {
        let scene = suspect();
        scene.sentry.fault_always(Endpoint::Api, failure.clone());
        for _ in 0..3 {
            serves_the_current_token(&scene);
        }
        let asked = scene.sentry.requests_to(Endpoint::Api).len();
        assert_eq!(asked, 1, "{failure:?}");
        assert_eq!(scene.sentry.refresh_attempts(), 0, "{failure:?}");
        // A user's command is answered at once.
        scene.sentry.fix();
        scene.is_alive();
    }
}

#[test]
fn one_token_is_checked_at_most_once_a_minute() {
    let scene = suspect();
    serves_the_current_token(&scene);
    for _ in 0..3 {
        // As git-lfs does for as long as it gets an answer.
        scene.reports_refused(&scene.pair.access);
        serves_the_current_token(&scene);
    }
    assert_eq!(scene.sentry.requests_to(Endpoint::Api).len(), 1);
    assert_eq!(scene.sentry.refresh_attempts(), 0);
    // Another token is checked again.
    scene.is_alive();
    let new = scene.sentry.current_access();
    scene.reports_refused(&new);
    let token = scene.token().run().success();
    token.stdout_is(&format!("{new}\n"));
    assert_eq!(scene.sentry.requests_to(Endpoint::Api).len(), 2);
}

#[test]
fn a_crowd_asks_about_a_suspect_token_once() {
    let scene = suspect();
    scene.sentry.fault(Endpoint::Api, Fault::Held);
    let first = scene.token().spawn();
    scene.sentry.wait_for_held(super::SOON);
    let crowd = [(); 6].map(|()| scene.token().spawn());
    for one in crowd {
        one.wait().success().stdout_has(&scene.pair.access);
    }
    scene.sentry.release();
    first.wait().success().stdout_has(&scene.pair.access);
    serves_the_current_token(&scene);
    assert_eq!(scene.sentry.requests_to(Endpoint::Api).len(), 1);
}
