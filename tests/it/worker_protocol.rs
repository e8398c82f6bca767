//! The messages between the caller and the process that refreshes are those of docs/worker-protocol.md.

use crate::machine::Machine;
use crate::sandbox::Age;
use crate::support::strace::read_trace;
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/worker-protocol.md");

/// The examples of the page.
fn shown() -> Vec<Value> {
    let blocks = PAGE.split("```json\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    blocks
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .collect()
}

/// Everything but what differs from run to run: digests, and when it was.
fn without_what_varies(mut message: Value) -> Value {
    for name in ["pair", "since"] {
        match message.get_mut(name) {
            Some(digest @ Value::Array(_)) => *digest = "digest".into(),
            Some(time @ Value::Number(_)) => *time = "time".into(),
            _ => {}
        }
    }
    message
}

/// The first string of strace that is a JSON object, from `text` on.
fn message(text: &str) -> Value {
    let start = text.find("\"{").expect("a message");
    let end = text[start..]
        .find("}\"")
        .or_else(|| text[start..].find("}\\n\""))
        .expect("its end");
    let quoted = format!("{}}}\"", &text[start..start + end]);
    let plain: String = serde_json::from_str(&quoted).expect("a string");
    serde_json::from_str(&plain).expect("JSON")
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "strace(1)")]
fn the_messages_of_a_refresh_are_those_of_the_page() {
    let Machine {
        sentry, sandbox, ..
    } = Machine::new().login(Age::EXPIRED);
    let calls = sandbox.root().join("calls");
    let token = sandbox
        .sentry(&["auth", "token"])
        .traced("execve,write", &calls);
    let token = token.run().success().stdout;
    assert_eq!(token.trim_end(), sentry.current_access());
    let calls = read_trace(&calls);
    let line = |part: &str| calls.lines().find(|line| line.contains(part)).expect(part);
    let (_, order) = line("exchange-refresh-token")
        .split_once("exchange-refresh-token")
        .expect("an argument");
    let report = line("outcome");
    let shown: Vec<Value> = shown().into_iter().map(without_what_varies).collect();
    let said = [message(order), message(report)].map(without_what_varies);
    assert_eq!(shown, said);
    // No message has a token, and the worker's environment neither.
    for text in [order, report] {
        assert!(!text.contains(token.trim_end()), "a token in a message");
    }
}

#[test]
fn nobody_else_can_start_the_process_that_refreshes() {
    let machine = Machine::new().login(Age::EXPIRED);
    let started = machine
        .sandbox
        .sentry(&["exchange-refresh-token", "{}"])
        .run();
    let _refused = started.fails(2).stdout_is("").stderr_is(
        "`exchange-refresh-token` is internal: this program starts it itself, holding the lock\n",
    );
    assert_eq!(machine.sentry.requests().len(), 0);
}
