use crate::machine::Machine;
use crate::sandbox::Age;

#[test]
fn a_registry_gets_a_token_that_was_refreshed_once() {
    let machine = Machine::new().session(Age::EXPIRED).bound_to("r.example");
    let get = machine.sandbox.docker_credential("get").stdin("r.example");
    let answer = get.run().success().stderr_is("");
    answer.stdout_has(&machine.sentry.current_access());
    assert_eq!(machine.sentry.refreshes(), 1);
}
