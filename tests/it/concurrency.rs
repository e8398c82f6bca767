//! Several processes and one session, arranged step by step; `stampede` has many at once.

use crate::fake_sentry::{Endpoint, FakeSentry, Fault};
use crate::machine::Machine;
use crate::sandbox::{Age, Output, Running, Sandbox};
use crate::storage::holder_of;
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

#[track_caller]
fn git(sentry: &FakeSentry, machine: &Sandbox) -> Running {
    let request = format!("protocol=http\nhost={}\n", sentry.address());
    machine.git_credential("get").stdin(request).spawn()
}

#[track_caller]
fn docker(machine: &Sandbox) -> Running {
    machine.docker_credential("get").stdin("r.example").spawn()
}

/// The token in an answer of either helper.
#[track_caller]
fn token(output: Output) -> String {
    let output = output.success().stderr_is("");
    if let Ok(answer) = serde_json::from_str::<Value>(&output.stdout) {
        return answer["Secret"].as_str().expect("a secret").to_owned();
    }
    let password = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("password="));
    password.expect("a password").to_owned()
}

#[track_caller]
fn kill(mut holder: Running) {
    holder.signal(Signal::KILL);
    holder.wait().fails(-9);
}

#[test]
fn twenty_gets_cost_one_refresh_and_get_one_answer() {
    let (sentry, machine) = Machine::new()
        .session(Age::EXPIRED)
        .bound_to("r.example")
        .parts();
    sentry.fault_always(Endpoint::Refresh, Fault::Held);
    let one = |index: usize| match index % 2 {
        0 => git(&sentry, &machine),
        _ => docker(&machine),
    };
    let crowd: Vec<Running> = (0..20).map(one).collect();
    sentry.wait_for_held(SOON);
    sentry.fix();
    sentry.release();
    let answers: Vec<String> = crowd.into_iter().map(|get| token(get.wait())).collect();
    assert_eq!(answers, vec![sentry.current_access(); 20]);
    assert_eq!(sentry.refresh_attempts(), 1);
    assert_eq!(machine.stored_tokens(), Some(sentry.current()));
}

#[test]
fn a_command_that_waits_for_a_refresh_uses_its_result() {
    let (sentry, machine) = Machine::new()
        .session(Age::EXPIRED)
        .bound_to("r.example")
        .parts();
    sentry.fault(Endpoint::Refresh, Fault::Held);
    let first = git(&sentry, &machine);
    sentry.wait_for_held(SOON);
    let traced = machine
        .docker_credential("get")
        .env("SENTRY_CREDENTIAL_TRACE", "1")
        .stdin("r.example");
    let mut second = traced.spawn();
    // The first one's intent is what the second one sees.
    second.wait_for_stderr("is stale: Interrupted");
    assert!(second.is_running());
    sentry.release();
    let current = sentry.current_access();
    assert_eq!(token(first.wait()), current);
    second.wait().success().stdout_has(&current);
    assert_eq!(sentry.refresh_attempts(), 1);
}

#[test]
fn a_token_near_expiry_is_replaced_by_the_one_about_to_be_stored() {
    let (sentry, machine) = Machine::new()
        .session(Age::STALE)
        .bound_to("r.example")
        .parts();
    let before = sentry.current_access();
    sentry.fault(Endpoint::Refresh, Fault::Held);
    let first = git(&sentry, &machine);
    sentry.wait_for_held(SOON);
    // For a few seconds; the server takes longer.
    let impatient = [docker(&machine), git(&sentry, &machine)];
    for one in impatient {
        assert_eq!(token(one.wait()), before);
    }
    let patient = [docker(&machine), git(&sentry, &machine)];
    sentry.release();
    let after = sentry.current_access();
    assert_eq!(token(first.wait()), after);
    for one in patient {
        assert_eq!(token(one.wait()), after);
    }
    assert_eq!(token(docker(&machine).wait()), after);
    assert_eq!(sentry.refresh_attempts(), 1);
}

#[test]
fn a_contended_lock_does_not_withhold_a_valid_token() {
    for age in [Age::FRESH, Age::STALE] {
        let (sentry, machine) = Machine::new().session(age).bound_to("r.example").parts();
        let _holder = holder_of(&machine, "credential.lock");
        let current = sentry.current_access();
        for get in [git(&sentry, &machine), docker(&machine)] {
            assert_eq!(token(get.wait()), current);
        }
        assert_eq!(sentry.requests().len(), 0);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "/proc")]
fn a_suspect_token_is_served_while_the_lock_is_contended() {
    let (sentry, machine) = Machine::new()
        .session(Age::FRESH)
        .bound_to("r.example")
        .parts();
    let current = sentry.current_access();
    let rejected = format!(
        "protocol=http\nhost={}\nusername=oauth2\npassword={current}\n",
        sentry.address()
    );
    machine
        .git_credential("erase")
        .stdin(rejected)
        .run()
        .success();
    let holder = holder_of(&machine, "credential.lock");
    assert_eq!(token(git(&sentry, &machine).wait()), current);
    assert_eq!(sentry.requests().len(), 0);
    kill(holder);
    // Accepted by Sentry, it is served again, but for a minute not to the host that refused it.
    assert_eq!(token(docker(&machine).wait()), current);
    assert_eq!(sentry.requests_to(Endpoint::Api).len(), 1);
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), portable), ignore = "/proc/locks")]
fn a_lock_that_is_never_released_is_an_error_and_no_refresh() {
    let (sentry, machine) = Machine::new()
        .session(Age::EXPIRED)
        .bound_to("r.example")
        .parts();
    let before = machine.stored_tokens();
    let holder = holder_of(&machine, "credential.lock");
    let store = machine
        .git_credential("store")
        .stdin("protocol=https\nhost=code.example\nusername=ann\npassword=secret\n")
        .spawn();
    let (git, docker) = (git(&sentry, &machine), docker(&machine));
    let words = format!(
        "the token for {} has expired and cannot be refreshed now: ",
        sentry.url()
    );
    let holder = format!("pid {}", holder.pid().as_raw_pid());
    let told = git.wait().fails(1).stdout_is("");
    told.stderr_has(&format!("git-credential-sentry: {words}"))
        .stderr_has(&holder);
    let told = docker.wait().fails(1).stderr_is("");
    told.stdout_has(&words).stdout_has(&holder);
    let told = store.wait().fails(1).stdout_is("");
    told.stderr_has("git-credential-sentry: ")
        .stderr_has(&holder);
    assert_eq!(sentry.requests().len(), 0);
    assert_eq!(machine.stored_tokens(), before);
    assert_eq!(machine.stored_credentials(), 0);
}

#[test]
fn a_lock_whose_holder_is_killed_is_free() {
    let (sentry, machine) = Machine::new()
        .session(Age::EXPIRED)
        .bound_to("r.example")
        .parts();
    let holder = holder_of(&machine, "credential.lock");
    let traced = machine
        .docker_credential("get")
        .env("SENTRY_CREDENTIAL_TRACE", "1")
        .stdin("r.example");
    let waiting = traced.spawn();
    waiting.wait_for_stderr("is stale: Expired");
    assert_eq!(sentry.requests().len(), 0);
    kill(holder);
    let served = waiting.wait().success();
    served.stdout_has(&sentry.current_access());
    assert_eq!(sentry.refresh_attempts(), 1);
}

#[test]
fn credentials_that_are_stored_at_once_are_all_kept() {
    let machine = Sandbox::new();
    let users: Vec<String> = (0..20).map(|index| format!("user-{index}")).collect();
    let stores: Vec<Running> = users
        .iter()
        .map(|user| {
            let credential =
                format!("protocol=https\nhost=code.example\nusername={user}\npassword=of-{user}\n");
            machine.git_credential("store").stdin(credential).spawn()
        })
        .collect();
    for store in stores {
        store.wait().success().stdout_is("").stderr_is("");
    }
    for user in &users {
        let request = format!("protocol=https\nhost=code.example\nusername={user}\n");
        machine
            .git_credential("get")
            .stdin(request)
            .run()
            .success()
            .stdout_is(&format!("username={user}\npassword=of-{user}\n\n"));
    }
    assert_eq!(machine.stored_credentials(), 20);
}
