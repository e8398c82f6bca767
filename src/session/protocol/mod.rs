//! The decisions of a refresh, a login and a logout, as pure flows: what to do next, given what was seen.
//!
//! Separate from [`perform`](super::perform), which does it, so that a model checker (`tests/model/`) runs the same code
//! through every interleaving, crash and lost answer of a small world. `P` names a pair of tokens: a digest here, a
//! number there.
//!
//! Rules: no imports, no clock, no I/O; nothing is posted that was not read under the lock; nothing is posted before
//! the intent is on disk; what was granted is swapped in, kept in the recovery file, or reported as lost, never dropped
//! in silence; only a login and a logout remove tokens.

mod conclusion;
mod exchange;
mod flow;
mod step;
mod transitions;

pub(crate) use conclusion::{Conclusion, LoginReason, Obstacle, Outcome};
pub(crate) use flow::{Flow, Goal};
pub(crate) use step::{
    Access, Acted, Candidate, ClientId, Do, Intent, Pause, Row, Saw, Swap, WaitLimit, swap,
};
