//! The processes of a world: their positions, and what they hold.

use super::config::Kind;
use super::pair::Pair;
use super::state::Kept;
use crate::protocol::{Flow, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) kind: Option<Kind>,
    pub(crate) machine: u8,
    pub(crate) caller: Part,
    pub(crate) worker: Part,
    /// What the worker reported and the parent has not read.
    pub(crate) pipe: Option<Outcome>,
}

/// A process of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Unborn,
    Live(Live),
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Live {
    pub(crate) mind: Mind,
    pub(crate) lock: bool,
    pub(crate) motion: Motion,
    pub(crate) net: Net,
    pub(crate) slow: bool,
    /// A granted pair that is in this process's memory only, as far as it knows.
    pub(crate) holds: Option<Pair>,
    /// The intent for the pair was there before this process wrote it.
    pub(crate) again: bool,
    /// The server's last answer, if it failed, was an answer.
    pub(crate) answered: bool,
    /// It has just waited for what another program may store.
    pub(crate) settled: bool,
    /// A recovery file that is imported and not removed yet.
    pub(crate) imported: Option<Kept>,
    /// No worker could be started: this caller does its work.
    pub(crate) alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mind {
    Flow(Flow<Pair>),
    /// A login that is stored, and asks the server for the user's names.
    Naming(Pair),
    Neighbour(Neighbour),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Neighbour {
    /// Has read the row, and refreshes.
    Posting(Pair),
    /// Has an answer for the pair: a new one, or a rejection.
    Comparing(Pair, Option<Pair>),
    /// Writes without looking.
    Writing(Option<Pair>),
    LoggingIn(Pair),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Motion {
    Running,
    /// Stands still, and goes on some time.
    Frozen,
    /// Is stopped permanently.
    Stopped,
}

/// A request to the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Net {
    Idle,
    Sent { pair: Pair, right_client: bool },
    Answered(Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Granted(Pair),
    InvalidGrant,
    InvalidClient,
}

/// A process of the system, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) process: usize,
    pub(crate) is_worker: bool,
}

impl Live {
    pub(crate) fn new(mind: Mind) -> Live {
        Live {
            mind,
            lock: false,
            motion: Motion::Running,
            net: Net::Idle,
            slow: false,
            holds: None,
            again: false,
            answered: false,
            settled: false,
            imported: None,
            alone: false,
        }
    }
}
