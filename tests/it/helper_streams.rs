//! The streams and surroundings of both helpers: callers that are slow, endless, silent or gone, and programs placed
//! beside them to be run by mistake.

use crate::helpers::{STORED, through_shell, with_session_of};
use crate::machine::Machine;
use crate::sandbox::{Age, Cmd, Output, Running, Sandbox};
use std::fs;
use std::time::Duration;

/// A helper, a request for the token of sentry.io, and the stream of its errors.
struct Helper {
    program: &'static str,
    request: &'static str,
    /// In pieces, for printf(1).
    pieces: [&'static str; 3],
    too_long: &'static str,
    complains: fn(Output, &str) -> Output,
}

const HELPERS: [Helper; 2] = [
    Helper {
        program: env!("CARGO_BIN_EXE_git-credential-sentry"),
        request: "protocol=https\nhost=sentry.io\n",
        pieces: ["protoc", "ol=https\\nhost=sen", "try.io\\n"],
        too_long: "the request is malformed",
        complains: |output, words| {
            let words = format!("git-credential-sentry: {words}\n");
            output.stdout_is("").stderr_is(&words)
        },
    },
    Helper {
        program: env!("CARGO_BIN_EXE_docker-credential-sentry"),
        request: "https://sentry.io",
        pieces: ["http", "s://sen", "try.io"],
        too_long: "the request is too long",
        complains: |output, words| output.stdout_is(&format!("{words}\n")).stderr_is(""),
    },
];

impl Helper {
    fn get(&self, machine: &Sandbox) -> Cmd {
        let get = machine.command(self.program).arg("get");
        get.stdin(self.request)
    }

    /// The script has the program as `$HELPER`.
    fn through_shell(&self, machine: &Sandbox, script: &str) -> Cmd {
        through_shell(machine, self.program, script).stdin(self.request)
    }
}

#[test]
fn input_without_end_takes_little_memory_and_time() {
    let machine = with_session_of("https://sentry.io");
    for helper in &HELPERS {
        for operation in ["get", "store", "erase"] {
            for source in ["cat /dev/zero", "yes a=b", "tr '\\0' x </dev/zero"] {
                // Data of 8 MiB: a mebibyte of input, and what a program has anyway.
                let script = format!(
                    "{source} 2>/dev/null | (ulimit -d 8192; exec \"$HELPER\" {operation})"
                );
                let said = helper
                    .through_shell(&machine, &script)
                    .limit(Duration::from_secs(20))
                    .run();
                let _refused = (helper.complains)(said.fails(1), helper.too_long);
            }
        }
    }
}

#[test]
fn a_caller_that_does_not_finish_times_out_and_blocks_no_other() {
    let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
    let callers = [
        // Nothing.
        "exec 4<>pipe; exec \"$HELPER\" get <pipe",
        // A piece, and nothing more.
        "exec 4<>pipe; printf 'a=b\\n' >&4; exec \"$HELPER\" get <pipe",
        // A byte now and then.
        "while printf x; do sleep 0.2; done 2>/dev/null >pipe & exec \"$HELPER\" get <pipe",
    ];
    let mut running: Vec<(&Helper, Running)> = HELPERS
        .iter()
        .enumerate()
        .flat_map(|(number, helper)| {
            callers.iter().enumerate().map({
                let machine = &machine;
                move |(of, caller)| {
                    let sandbox = machine.root().join(format!("caller-{number}-{of}"));
                    fs::create_dir(&sandbox).expect("a new directory");
                    let script = format!("mkfifo pipe; {caller}");
                    let cmd = helper.through_shell(machine, &script).current_dir(sandbox);
                    (helper, cmd.limit(Duration::from_secs(30)).spawn())
                }
            })
        })
        .collect();
    machine
        .sentry(&["auth", "token"])
        .run()
        .success()
        .stdout_is(&format!("{}\n", sentry.current_access()));
    assert!(running.iter_mut().all(|(_, caller)| caller.is_running()));
    for (helper, caller) in running {
        let _gave_up =
            (helper.complains)(caller.wait().fails(1), "timed out waiting for the request");
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let machine = with_session_of("https://sentry.io");
    for helper in &HELPERS {
        let pieces = helper.pieces.map(|piece| format!("printf '{piece}'"));
        let script = format!("({}) | \"$HELPER\" get", pieces.join("; sleep 0.1; "));
        helper
            .through_shell(&machine, &script)
            .run()
            .success()
            .stderr_is("")
            .stdout_has(STORED);
    }
}

#[test]
fn an_answer_that_is_not_read_is_a_silent_failure() {
    let machine = with_session_of("https://sentry.io").env("RUST_BACKTRACE", "full");
    for helper in &HELPERS {
        for script in [
            "exec \"$HELPER\" get >/dev/full",
            "rm -f pipe; mkfifo pipe && exec 3<>pipe 4>pipe 3>&- && exec \"$HELPER\" get >&4 4>&-",
        ] {
            helper
                .through_shell(&machine, script)
                .run()
                .fails(1)
                .stdout_is("")
                .stderr_is("");
        }
    }
}

#[test]
fn a_slow_reader_gets_the_whole_answer_and_blocks_no_other() {
    // Longer than the buffer of a pipe.
    let long = "x".repeat(100_000);
    let login = format!(r#"{{"ServerURL":"r.example","Username":"u","Secret":"{long}"}}"#);
    let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
    machine
        .docker_credential("store")
        .stdin(login)
        .run()
        .success();
    // Reads as soon as the file exists.
    let script = "\"$HELPER\" get | { while ! [ -e go ]; do sleep 0.1; done; cat; }";
    let docker = &HELPERS[1];
    let reader = docker
        .through_shell(&machine, script)
        .stdin("r.example")
        .spawn();
    for _ in 0..2 {
        machine
            .sentry(&["auth", "refresh", "--force"])
            .run()
            .success();
    }
    fs::write(machine.home().join("go"), "").expect("a file");
    reader.wait().success().stderr_is("").stdout_is(&format!(
        "{{\"ServerURL\":\"r.example\",\"Username\":\"u\",\"Secret\":\"{long}\"}}\n"
    ));
    assert_eq!(sentry.refreshes(), 2);
}

#[test]
fn streams_that_are_closed_do_no_harm() {
    let machine = with_session_of("https://sentry.io").env("RUST_BACKTRACE", "full");
    let before = machine.stored_tokens();
    for helper in &HELPERS {
        for script in [
            "exec \"$HELPER\" get >&-",
            "exec \"$HELPER\" get <&- >&-",
            "exec \"$HELPER\" get <&- >&- 2>&-",
            "exec \"$HELPER\" store >&-",
            "exec \"$HELPER\" erase >&- 2>&-",
        ] {
            let closed = helper.through_shell(&machine, script);
            let said = match script.contains(" erase ") {
                // Of another host: what is erased for this one is not served afterwards.
                true => closed.stdin(helper.request.replace("sentry.io", "other.example")),
                false => closed,
            };
            let said = said.run();
            assert!((0..=1).contains(&said.code), "{script}: {}", said.code);
            said.stdout_is("").stderr_is("");
        }
        assert_eq!(machine.stored_tokens(), before);
        helper.get(&machine).run().success().stdout_has(STORED);
    }
}

#[test]
fn talkative_surroundings_do_not_make_it_talk() {
    let machine = with_session_of("https://sentry.io")
        .env("GIT_TRACE", "1")
        .env("GIT_TRACE_CURL", "1")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    for helper in &HELPERS {
        let get = helper.get(&machine).run().success();
        get.stderr_is("").stdout_has(STORED);
    }
}

#[test]
fn nothing_in_the_current_directory_is_run() {
    let machine = with_session_of("https://sentry.io");
    let here = machine.root().join("here");
    fs::create_dir(&here).expect("a new directory");
    let trap = format!("#!/bin/sh\ntouch {}/sprung\n", machine.root().display());
    let made = ["git", "sh", "xdg-open", "docker", "sentry"].map(|name| {
        fs::write(here.join(name), &trap).expect("a file");
        format!("chmod +x {name}")
    });
    machine
        .command("/bin/sh")
        .args(["-c", &made.join(";")])
        .current_dir(&here)
        .run()
        .success();
    for path in [".:/usr/bin:/bin", "", ":"] {
        for helper in &HELPERS {
            let cmd = helper.get(&machine).env("PATH", path).current_dir(&here);
            cmd.run().success().stdout_has(STORED);
        }
        for operation in ["store", "erase"] {
            let cmd = machine.git_credential(operation).env("PATH", path);
            cmd.current_dir(&here)
                .stdin("protocol=https\nhost=other.example\nusername=u\npassword=p\n")
                .run()
                .success();
        }
    }
    assert!(!machine.root().join("sprung").exists());
}
