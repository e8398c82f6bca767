//! Wrong clocks: the session survives, and nothing loops.
//!
//! faketime(1) works through the dynamic loader, and therefore not with a static program.

use crate::fake_sentry::{Answer, Endpoint};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd};
use crate::service::tool;
use std::fs;
use std::time::Duration;

/// The command at another time.
fn at(offset: &'static str) -> impl Fn(Cmd) -> Cmd {
    move |cmd| cmd.under(tool("faketime"), &["-f", offset])
}

const AHEAD: &str = "+3650d";
const BEHIND: &str = "-1d";

#[test]
fn a_clock_that_is_ten_years_ahead_costs_one_refresh_and_none_when_it_is_put_right() {
    let scene = Machine::new().session(Age::FRESH);
    for _ in 0..2 {
        let token = at(AHEAD)(scene.token()).run().success();
        token.stdout_is(&format!("{}\n", scene.sentry.current_access()));
        scene.serves_to(&scene.sentry.current_access(), at(AHEAD));
        assert_eq!(scene.sentry.refresh_attempts(), 1);
    }
    // The right clock again: the token seems to expire in ten years.
    let current = scene.sentry.current_access();
    scene.serves(&current);
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    // After its expiry git reports it as refused.
    scene.sentry.expire(&current);
    let rejected = format!(
        "protocol=http\nhost={}\nusername=oauth2\npassword={current}\n",
        scene.sentry.address()
    );
    let erase = scene.sandbox.git_credential("erase");
    erase.stdin(rejected).run().success();
    scene.token().run().success();
    scene.serves(&scene.sentry.current_access());
    assert_ne!(scene.sentry.current_access(), current);
    assert_eq!(scene.sentry.refresh_attempts(), 2);
}

#[test]
fn a_clock_that_is_a_day_behind_costs_no_refresh() {
    for age in [Age::FRESH, Age::STALE, Age::EXPIRED] {
        let scene = Machine::new().session(age);
        scene.serves_to(&scene.pair.access, at(BEHIND));
        assert_eq!(scene.sentry.requests().len(), 0);
    }
}

#[test]
fn a_refresh_with_a_slow_clock_is_valid_with_the_right_one_too() {
    let scene = Machine::new().session(Age::FRESH);
    at(BEHIND)(scene.refresh()).run().success();
    for how in [at(BEHIND), at("+0d")] {
        scene.serves_to(&scene.sentry.current_access(), how);
    }
    scene.serves(&scene.sentry.current_access());
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    // Lives shorter than the clock is wrong: expired as soon as the clock is right, and once is enough.
    scene.sentry.set_lifetime(Some(Duration::from_secs(3600)));
    at(BEHIND)(scene.refresh()).run().success();
    scene.token().run().success();
    scene.serves(&scene.sentry.current_access());
    assert_eq!(scene.sentry.refresh_attempts(), 3);
}

#[test]
fn a_clock_that_jumps_to_and_fro_costs_one_refresh() {
    let scene = Machine::new().session(Age::FRESH);
    for offset in [AHEAD, BEHIND, AHEAD, "+0d", BEHIND, AHEAD] {
        at(offset)(scene.token()).run().success();
    }
    assert_eq!(scene.sentry.refresh_attempts(), 1);
    scene.is_alive();
}

#[test]
fn a_pause_that_was_noted_by_a_wrong_clock_ends_with_it() {
    let scene = Machine::new().session(Age::EXPIRED);
    scene
        .sentry
        .fault(Endpoint::Refresh, Answer::new(503, "text/html", "no"));
    at(AHEAD)(scene.token()).run().fails(1);
    scene.token().run().success();
    scene.serves(&scene.sentry.current_access());
    assert_eq!(scene.sentry.refresh_attempts(), 2);

    // In the past it is over.
    let scene = Machine::new().session(Age::EXPIRED);
    scene
        .sentry
        .fault(Endpoint::Refresh, Answer::new(503, "text/html", "no"));
    at("-20d")(scene.refresh()).run().fails(1);
    scene.token().run().success();
    assert_eq!(scene.sentry.refresh_attempts(), 2);
}

#[test]
fn a_clock_before_its_time_breaks_nothing() {
    for time in ["1970-01-02 00:00:00", "2037-12-31 00:00:00"] {
        let scene = Machine::new().session(Age::FRESH);
        let faketime = |cmd: Cmd| cmd.under(tool("faketime"), &["-f", time]);
        for _ in 0..3 {
            faketime(scene.token()).run().success();
        }
        assert!(scene.sentry.refresh_attempts() <= 1);
        scene.is_alive();
    }
}

#[test]
fn a_database_that_is_set_aside_never_takes_the_place_of_an_earlier_one() {
    let scene = Machine::new().session(Age::FRESH);
    let contents = ["first", "second", "third"].map(|word| word.repeat(300));
    for content in &contents {
        fs::write(scene.sandbox.db(), content).unwrap();
        let repair = scene.sandbox.sentry(&["auth", "doctor", "--repair"]);
        // A clock that stands still.
        let faketime = ["-f", "2031-01-01 00:00:00"];
        repair.under(tool("faketime"), &faketime).run().success();
    }
    let kept: Vec<String> = scene
        .names()
        .into_iter()
        .filter(|name| name.contains(".corrupt-"))
        .collect();
    let found: Vec<String> = kept
        .iter()
        .map(|name| fs::read_to_string(scene.file(name)).unwrap())
        .collect();
    assert_eq!(
        kept,
        [
            "cli.db.corrupt-1924992000",
            "cli.db.corrupt-1924992000-1",
            "cli.db.corrupt-1924992000-2"
        ],
    );
    assert_eq!(found, contents);
}
