//! Other processes, as the kernel lists them; where it has no `/proc`, as ps(1) and pgrep(1) do.

use rustix::process::Pid;

/// The children of a process.
#[cfg(all(target_os = "linux", not(portable)))]
pub fn children(process: Pid) -> Vec<Pid> {
    let pid = process.as_raw_pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    pids(&children.unwrap_or_default())
}

/// Whether a process is stopped.
#[cfg(all(target_os = "linux", not(portable)))]
#[track_caller]
pub fn is_stopped(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_pid()));
    let stat = stat.expect("a process");
    let state = stat.rsplit(") ").next().expect("fields");
    state.starts_with('T')
}

/// The children of a process.
#[cfg(any(not(target_os = "linux"), portable))]
pub fn children(process: Pid) -> Vec<Pid> {
    pids(&output_of(
        "pgrep",
        &["-P", &process.as_raw_pid().to_string()],
    ))
}

/// Whether a process is stopped.
#[cfg(any(not(target_os = "linux"), portable))]
pub fn is_stopped(process: Pid) -> bool {
    let state = output_of(
        "ps",
        &["-o", "stat=", "-p", &process.as_raw_pid().to_string()],
    );
    state.trim_start().starts_with('T')
}

#[cfg(any(not(target_os = "linux"), portable))]
#[track_caller]
fn output_of(program: &str, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(crate::service::tool(program));
    let output = command.args(arguments).output().expect("it starts");
    String::from_utf8(output.stdout).expect("text")
}

fn pids(text: &str) -> Vec<Pid> {
    let numbers = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}
