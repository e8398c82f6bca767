//! Replays what the programs traced: through a fresh flow, and against what the model's world allows.
//!
//! The model takes the database, the lock and the servers at their word; traces of real runs are the check on that. A
//! trace is what `SENTRY_CREDENTIAL_TRACE` writes to a file that all processes of a test share, with a line for each step
//! of each flow, once it is done:
//!
//! ```text
//! 2026-01-01T00:00:00Z [4711] flow: begin worker Usable
//! 2026-01-01T00:00:00Z [4711] flow: Intend(p0badcafe) -> Done
//! 2026-01-01T00:00:00Z [4711] flow: End(Refreshed)
//! ```
//!
//! Separate from the rest of the model, which `tests/it/` includes only this module of, with
//! `src/session/protocol/` beside it.
//!
//! Rules: a process that is killed leaves its flow without end, and may have done one step more than it wrote. Lines
//! of other kinds are passed over. One database; with more than one session in it, or other programs that write it,
//! [`Writers::Others`].

mod debug_text;
mod world;

use std::collections::BTreeMap;

use super::protocol;
use debug_text::{Pair, demand, pair, row, saw};
use protocol::{Do, Flow, Saw};
use world::World;

/// Who writes the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writers {
    /// The traced processes only, and there is one session.
    Traced,
    /// Others too: what the row holds is not followed.
    Others,
}

/// What a trace had in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) flows: usize,
    /// Those that were killed.
    pub(crate) unfinished: usize,
    pub(crate) steps: usize,
    pub(crate) posts: usize,
    pub(crate) grants: usize,
}

/// A flow on its way, in one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) flow: Flow<Pair>,
    pub(crate) has_lock: bool,
    pub(crate) intended: Option<Pair>,
}

/// Replays the lines of one trace.
///
/// # Errors
/// The first line that a flow or the world does not allow, and why.
pub(crate) fn replay<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    writers: Writers,
) -> Result<Summary, String> {
    let mut replay = Replay {
        world: World::new(writers),
        running: BTreeMap::new(),
        summary: Summary::default(),
    };
    for (number, line) in lines.into_iter().enumerate() {
        let Some((pid, step)) = step(line) else {
            continue;
        };
        let replayed = replay.line(pid, step);
        replayed.map_err(|why| format!("line {}: {why}\n{line}", number + 1))?;
    }
    replay.summary.unfinished = replay.running.len();
    Ok(replay.summary)
}

/// The process and the text of a line about a flow.
fn step(line: &str) -> Option<(u32, &str)> {
    let (_, rest) = line.split_once('[')?;
    let (pid, rest) = rest.split_once("] flow: ")?;
    Some((pid.parse().ok()?, rest))
}

struct Replay {
    world: World,
    running: BTreeMap<u32, Running>,
    summary: Summary,
}

impl Replay {
    fn line(&mut self, pid: u32, text: &str) -> Result<(), String> {
        if let Some(text) = text.strip_prefix("begin ") {
            let has_lock = text.starts_with("worker ");
            let running = Running {
                flow: begin(text)?,
                has_lock,
                intended: None,
            };
            // A process id can be reused once its process has ended.
            if let Some(former) = self.running.insert(pid, running) {
                self.world.killed(pid, &former);
            }
            self.summary.flows += 1;
            return Ok(());
        }
        let Some(running) = self.running.get(&pid).copied() else {
            return Err("a step without a flow".to_owned());
        };
        let todo = running.flow.next();
        let Some((done, met)) = text.split_once(" -> ") else {
            self.running.remove(&pid);
            self.world.ended(pid);
            return matches(todo, text);
        };
        matches(todo, done)?;
        let met = saw(met)?;
        let others: Vec<_> = self
            .running
            .iter()
            .map(|(pid, running)| (*pid, *running))
            .collect();
        self.world.step(pid, &running, todo, met, &others)?;
        self.summary.steps += 1;
        if let Do::Post(..) = todo {
            self.summary.posts += 1;
            self.summary.grants += usize::from(matches!(met, Saw::Granted(_)));
        }
        self.running.insert(pid, running.after(todo, met));
        Ok(())
    }
}

impl Running {
    fn after(mut self, todo: Do<Pair>, met: Saw<Pair>) -> Running {
        self.flow.saw(met);
        match (todo, met) {
            (Do::TryLock, Saw::Locked) => self.has_lock = true,
            (Do::Delegate, Saw::NoWorker) => {}
            (Do::Delegate, _) => self.has_lock = false,
            (Do::Intend(pair), Saw::Done) => self.intended = Some(pair),
            _ => {}
        }
        self
    }
}

fn begin(text: &str) -> Result<Flow<Pair>, String> {
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    match what {
        "refresh" => {
            let place = rest.find("Row {").ok_or("a refresh without a row")?;
            let (asked, found) = rest.split_at(place);
            Ok(Flow::refresh(demand(asked.trim_end())?, row(found)?))
        }
        "worker" => Ok(Flow::worker(demand(rest)?)),
        "login" => Ok(Flow::login(pair(rest)?)),
        "logout" => Ok(Flow::logout()),
        _ => Err("no such flow".to_owned()),
    }
}

fn matches(todo: Do<Pair>, done: &str) -> Result<(), String> {
    match format!("{todo:?}") == done {
        true => Ok(()),
        false => Err(format!("the flow's next step is {todo:?}")),
    }
}
