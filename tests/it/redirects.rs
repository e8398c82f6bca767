//! Servers that redirect: no endpoint's redirect is followed, and the target receives nothing.

use crate::fake_sentry::{Answer, Endpoint, FakeSentry, Fault};
use crate::sandbox::{Age, Sandbox};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Two instances that would both answer; the first redirects every request for `endpoint` to the other address, which
/// is the second's or, for a redirect loop, its own.
struct Scene {
    here: FakeSentry,
    elsewhere: FakeSentry,
    machine: Sandbox,
}

impl Scene {
    fn new() -> Scene {
        let (here, elsewhere) = (FakeSentry::start(), FakeSentry::start());
        here.set_interval(Some(1));
        elsewhere.approve_next();
        Scene {
            machine: Sandbox::new().for_sentry(&here),
            here,
            elsewhere,
        }
    }

    fn redirect(&self, endpoint: Endpoint, status: u16, to: &str) {
        let answer = Answer::new(status, "text/html", "<a>moved</a>").header("Location", to);
        self.here.fault_always(endpoint, Fault::Answer(answer));
    }

    /// Every form of a target: absolute, without a scheme, and to itself.
    fn targets(&self, path: &str) -> [String; 3] {
        [
            format!("{}{path}", self.elsewhere.url()),
            format!("//{}{path}", self.elsewhere.address()),
            path.to_owned(),
        ]
    }

    /// Runs `attempt` against every kind of redirect; it sends one request to the endpoint each time.
    #[track_caller]
    fn nobody_is_followed(&self, endpoint: Endpoint, path: &str, attempt: impl Fn(&Scene)) {
        for status in STATUSES {
            for target in self.targets(path) {
                self.redirect(endpoint, status, &target);
                let before = self.here.requests_to(endpoint).len();
                attempt(self);
                let asked = self.here.requests_to(endpoint).len() - before;
                assert_eq!(asked, 1, "{status} to {target}");
                let heard = self.elsewhere.requests();
                assert!(heard.is_empty(), "{status} to {target}: {heard:?}");
                self.here.fix();
            }
        }
    }
}

#[test]
fn a_redirected_refresh_keeps_the_session() {
    let scene = Scene::new();
    let pair = scene.here.issue();
    scene.machine.seed_session(&scene.here, &pair, Age::EXPIRED);
    scene.nobody_is_followed(Endpoint::Refresh, "/oauth/token/", |scene| {
        scene
            .machine
            .sentry(&["auth", "refresh"])
            .run()
            .fails(1)
            .stderr_has("answered with a redirect (HTTP 30");
        assert_eq!(scene.machine.stored_tokens().as_ref(), Some(&pair));
    });
}

#[test]
fn a_redirected_login_stores_nothing() {
    let scene = Scene::new();
    scene.nobody_is_followed(Endpoint::DeviceCode, "/oauth/device/code/", |scene| {
        scene
            .machine
            .sentry(&["auth", "login"])
            .run()
            .fails(1)
            .stderr_has("this is not the device endpoint of Sentry 26.1.0 or newer, or something stands in between");
        assert_eq!(scene.here.polls(), 0);
    });
    assert_eq!(scene.machine.stored_tokens(), None);
}

#[test]
fn a_redirected_poll_is_no_answer() {
    // One login for each: a poll follows a second after its code.
    let scenes: Vec<_> = STATUSES
        .into_iter()
        .map(|status| {
            let scene = Scene::new();
            scene.here.approve_next();
            let [target, ..] = scene.targets("/oauth/token/");
            scene.redirect(Endpoint::Poll, status, &target);
            let login = scene.machine.sentry(&["auth", "login", "--timeout", "3"]);
            (scene, login.spawn())
        })
        .collect();
    for (scene, login) in scenes {
        let told = login.wait().fails(1).stderr_has("with a redirect (HTTP 30");
        told.stderr_has("), which is not followed");
        assert!(scene.here.polls() >= 1);
        assert!(scene.elsewhere.requests().is_empty());
        assert_eq!(scene.machine.stored_tokens(), None);
    }
}

#[test]
fn a_redirected_check_sends_the_token_nowhere() {
    let scene = Scene::new();
    scene.here.add_api_token("sntryu_known");
    scene.elsewhere.add_api_token("sntryu_known");
    scene.nobody_is_followed(Endpoint::Api, "/api/0/", |scene| {
        scene
            .machine
            .sentry(&["auth", "login", "--with-token"])
            .stdin("sntryu_known\n")
            .run()
            .fails(1)
            .stderr_has("cannot check the token with");
        assert_eq!(scene.machine.stored_tokens(), None);
    });
}

#[test]
fn a_suspect_token_whose_check_is_redirected_is_served_and_kept() {
    let scene = Scene::new();
    scene.nobody_is_followed(Endpoint::Api, "/api/0/", |scene| {
        // A machine for each: a check that failed is not repeated at once.
        let machine = Sandbox::new().for_sentry(&scene.here);
        let pair = scene.here.issue();
        machine.seed_session(&scene.here, &pair, Age::FRESH);
        let refused = format!(
            "protocol=http\nhost={}\nusername=oauth2\npassword={}\n",
            scene.here.address(),
            pair.access
        );
        let erase = machine.git_credential("erase").stdin(refused);
        erase.run().success();
        let token = machine.sentry(&["auth", "token"]).run().success();
        token.stdout_is(&format!("{}\n", pair.access));
        assert_eq!(machine.stored_tokens(), Some(pair));
    });
    assert_eq!(scene.here.refresh_attempts(), 0);
}
