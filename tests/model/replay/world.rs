//! The rules that every trace must follow: those of the model's world, without its nondeterminism.
//!
//! Separate from the replay, which follows the flows.

use std::collections::{BTreeMap, BTreeSet};

use super::debug_text::Pair;
use super::protocol::{Do, Saw, Swap, swap};
use super::{Running, Writers};

/// The row as far as steps show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stored {
    Gone,
    Null,
    Pair(Pair),
    Rejected(Pair),
}

pub(crate) struct World {
    writers: Writers,
    /// What the row may be; `None`: anything.
    row: Option<BTreeSet<Stored>>,
    /// What recovery files may have: what they replace, and by what.
    kept: BTreeSet<(Option<Pair>, Pair)>,
    holder: Option<u32>,
    /// Processes that held the lock before another one acquired it.
    former: BTreeSet<u32>,
    grants: BTreeMap<Pair, Pair>,
    replaced: BTreeSet<Pair>,
}

impl World {
    pub(crate) fn new(writers: Writers) -> World {
        World {
            writers,
            row: None,
            kept: BTreeSet::new(),
            holder: None,
            former: BTreeSet::new(),
            grants: BTreeMap::new(),
            replaced: BTreeSet::new(),
        }
    }

    /// A flow has ended, and its process with it or soon.
    pub(crate) fn ended(&mut self, pid: u32) {
        self.former.remove(&pid);
        if self.holder == Some(pid) {
            self.holder = None;
        }
    }

    /// A process died within its flow: it may have done its next step without writing that.
    pub(crate) fn killed(&mut self, pid: u32, running: &Running) {
        if running.has_lock {
            self.may_have_done(running.flow.next());
        }
        self.ended(pid);
    }

    /// Checks a step, with the flows of all processes before it.
    pub(crate) fn step(
        &mut self,
        pid: u32,
        running: &Running,
        todo: Do<Pair>,
        saw: Saw<Pair>,
        all: &[(u32, Running)],
    ) -> Result<(), String> {
        let takes = (todo, saw) == (Do::TryLock, Saw::Locked);
        if needs_lock(todo) && !running.has_lock {
            return Err("this step needs the lock".to_owned());
        }
        if takes || needs_lock(todo) {
            self.hold(pid, all)?;
        }
        self.requests(running, todo, saw)?;
        match self.writers {
            Writers::Traced => self.follow(todo, saw),
            Writers::Others => Ok(()),
        }
    }

    /// A process that acts under the lock holds it; the former holder no longer acts under it.
    fn hold(&mut self, pid: u32, all: &[(u32, Running)]) -> Result<(), String> {
        if self.holder == Some(pid) {
            return Ok(());
        }
        if self.former.contains(&pid) {
            return Err(format!("{:?} took the lock in between", self.holder));
        }
        if let Some(holder) = self.holder.replace(pid) {
            self.former.insert(holder);
            let former = all.iter().find(|(pid, _)| *pid == holder);
            if let Some((_, running)) = former {
                self.may_have_done(running.flow.next());
            }
        }
        Ok(())
    }

    fn requests(
        &mut self,
        running: &Running,
        todo: Do<Pair>,
        saw: Saw<Pair>,
    ) -> Result<(), String> {
        let Do::Post(pair, _) = todo else {
            return Ok(());
        };
        if running.intended != Some(pair) {
            return Err("posted without an intent".to_owned());
        }
        if self.writers == Writers::Traced && self.replaced.contains(&pair) {
            return Err("posted after its successor was stored".to_owned());
        }
        let Saw::Granted(new) = saw else {
            return Ok(());
        };
        // A server may leave the refresh token as it is.
        if new != pair
            && self
                .grants
                .iter()
                .any(|(old, granted)| *granted == new && *old != pair)
        {
            return Err("granted before, for another pair".to_owned());
        }
        match self.grants.insert(pair, new) {
            Some(granted) if granted != new => Err(format!("{granted:?} was granted before")),
            _ => Ok(()),
        }
    }

    /// Follows the row.
    fn follow(&mut self, todo: Do<Pair>, saw: Saw<Pair>) -> Result<(), String> {
        match (todo, saw) {
            (Do::Read, Saw::Row(row)) => match row.pair {
                Some(pair) => self.is_one_of([Stored::Pair(pair)]),
                None if row.rejected => self.is_one_of(self.rejected()),
                None => self.is_one_of([Stored::Null]),
            },
            (Do::Read, Saw::NoRow) => self.is_one_of([Stored::Gone]),
            (Do::Swap { old, new }, Saw::Swapped(met)) => {
                let replaces = |row: &Stored| swap(row.raw(), &old) == met;
                self.keep_those(replaces)?;
                if met == Swap::Stored {
                    self.row = Some(BTreeSet::from([Stored::Pair(new)]));
                    if new != old {
                        self.replaced.insert(old);
                    }
                }
                Ok(())
            }
            (Do::Reject(pair), Saw::Swapped(met)) => {
                let rejects = |row: &Stored| match row.raw() {
                    None => met == Swap::Gone,
                    Some(stored) => (stored == Some(pair)) == (met == Swap::Stored),
                };
                self.keep_those(rejects)?;
                if met == Swap::Stored {
                    self.row = Some(BTreeSet::from([Stored::Rejected(pair)]));
                }
                Ok(())
            }
            (Do::Store(pair), Saw::Done) => {
                self.row = Some(BTreeSet::from([Stored::Pair(pair)]));
                Ok(())
            }
            (Do::Remove, Saw::Done) => {
                self.row = Some(BTreeSet::from([Stored::Gone]));
                self.kept.clear();
                Ok(())
            }
            (Do::Keep { old, new }, Saw::Done) => {
                self.kept.insert((old, new));
                Ok(())
            }
            (Do::Import, Saw::Done) => {
                self.may_have_done(todo);
                self.kept.clear();
                Ok(())
            }
            // Reported as not done, though it may be.
            (_, Saw::Refused) => {
                self.may_have_done(todo);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn rejected(&self) -> Vec<Stored> {
        let rows = self.row.iter().flatten().copied();
        rows.filter(|row| matches!(row, Stored::Rejected(_)))
            .collect()
    }

    /// What was read under the lock. Before the first look at the row it may be anything.
    fn is_one_of(&mut self, seen: impl IntoIterator<Item = Stored>) -> Result<(), String> {
        let seen: BTreeSet<_> = seen.into_iter().collect();
        match &self.row {
            Some(row) if row.is_disjoint(&seen) => Err(format!("the row should be {row:?}")),
            _ => {
                self.row = (!seen.is_empty()).then_some(seen);
                Ok(())
            }
        }
    }

    fn keep_those(&mut self, can: impl Fn(&Stored) -> bool) -> Result<(), String> {
        let Some(row) = &mut self.row else {
            return Ok(());
        };
        let before = format!("the row should be {row:?}");
        row.retain(can);
        match row.is_empty() {
            true => Err(before),
            false => Ok(()),
        }
    }

    /// Adds what a step makes of the row, where that is not known.
    fn may_have_done(&mut self, todo: Do<Pair>) {
        let Some(row) = &mut self.row else {
            return;
        };
        let mut add = |old: Option<Pair>, new| {
            let can = |row: &Stored| old.is_none_or(|old| swap(row.raw(), &old) == Swap::Stored);
            if row.iter().any(can) {
                row.insert(Stored::Pair(new));
            }
        };
        match todo {
            Do::Swap { old, new } => add(Some(old), new),
            Do::Store(new) => add(None, new),
            Do::Import => self.kept.iter().for_each(|(old, new)| add(*old, *new)),
            Do::Remove => drop(row.insert(Stored::Gone)),
            Do::Reject(pair) => drop(row.insert(Stored::Rejected(pair))),
            Do::Keep { old, new } => drop(self.kept.insert((old, new))),
            _ => {}
        }
    }
}

impl Stored {
    fn raw(&self) -> Option<Option<Pair>> {
        match self {
            Stored::Gone => None,
            Stored::Null => Some(None),
            Stored::Pair(pair) | Stored::Rejected(pair) => Some(Some(*pair)),
        }
    }
}

/// Whether only the holder of the lock does this.
fn needs_lock(todo: Do<Pair>) -> bool {
    match todo {
        Do::Import
        | Do::Read
        | Do::Check(_)
        | Do::Trust(_)
        | Do::Intend(_)
        | Do::Post(..)
        | Do::Swap { .. }
        | Do::Store(_)
        | Do::Settle(_)
        | Do::Reject(_)
        | Do::Pause(..)
        | Do::Remove => true,
        // A login that does not get the lock is kept without it.
        Do::Look | Do::TryLock | Do::Wait(_) | Do::Delegate | Do::Keep { .. } | Do::End(_) => false,
    }
}
