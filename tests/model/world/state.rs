//! The state of a world, small enough for millions of copies.

use super::config::{Budget, RightClient, World};
use super::pair::{FAMILIES, Pair};
use super::process::{Live, Part, Process, Who};

pub(crate) const MACHINES: usize = 2;
pub(crate) const PROCESSES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) families: [Family; FAMILIES],
    pub(crate) machines: [Machine; MACHINES],
    pub(crate) processes: [Process; PROCESSES],
    /// Requests whose sender is gone or no longer listens; the server may still act on them, or never.
    pub(crate) orphans: [Option<Orphan>; 3],
    pub(crate) budget: Budget,
    pub(crate) offline: bool,
}

/// A login, as the server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Family {
    /// The pair that was issued last; `None` before the login.
    pub(crate) latest: Option<Pair>,
    pub(crate) revoked: bool,
    /// The pair before is still answered with the living one.
    pub(crate) grace: bool,
    /// Who had the living pair issued by a refresh.
    pub(crate) spender: Option<Sender>,
    /// The latest pair of each login when this one was granted.
    pub(crate) before: [Option<Pair>; FAMILIES],
}

/// Who posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sender {
    /// Our program on this machine.
    Ours(u8),
    Neighbour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Orphan {
    pub(crate) pair: Pair,
    pub(crate) sender: Sender,
}

/// A database and the files beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Machine {
    pub(crate) row: Stored,
    pub(crate) intent: Option<Pair>,
    pub(crate) suspect: Option<Pair>,
    pub(crate) rejected: Option<Pair>,
    pub(crate) pause: Paused,
    /// The pair that we stored last.
    pub(crate) ours: Option<Pair>,
    /// The pair as old as the login that it comes from.
    pub(crate) login: Pair,
    pub(crate) client_recorded: bool,
    pub(crate) files: [Option<Kept>; 2],
    /// A recovery file that is removed, though not yet on the disk.
    pub(crate) ghost: Option<Kept>,
    pub(crate) down: bool,
    /// Logins that were in the row, one bit each.
    pub(crate) seen: u8,
    /// Logins whose recovery file a logout has removed, and that are not stored since.
    pub(crate) discarded: u8,
    /// Logins that a logout has removed from the row.
    pub(crate) removed: u8,
    /// Logins that a logout has removed, and that must not come back.
    pub(crate) out: u8,
    /// The same, by a logout of ours: nothing is left in files either.
    pub(crate) out_of_files: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Pair(Pair),
    Null,
    /// Removed by a logout.
    Gone,
    /// Removed by a neighbour that lost a race at the server.
    Deleted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Paused {
    No,
    /// 5 s: within the grace.
    Short,
    /// 30 s, though the server did not answer.
    Long,
    /// 30 s or as long as the server wishes, after an answer.
    Answered,
}

/// A recovery file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kept {
    /// `None`: of a login.
    pub(crate) old: Option<Pair>,
    pub(crate) new: Pair,
}

impl Family {
    /// The pair that the server accepts.
    pub(crate) fn living(&self) -> Option<Pair> {
        self.latest.filter(|_| !self.revoked)
    }
}

impl State {
    pub(crate) fn first(world: &World) -> State {
        let mut families = [Family::default(); FAMILIES];
        families[0].latest = Some(Pair::A0);
        let machine = Machine {
            row: Stored::Pair(Pair::A0),
            intent: None,
            suspect: None,
            rejected: None,
            pause: Paused::No,
            ours: Some(Pair::A0),
            login: Pair::A0,
            client_recorded: world.client == RightClient::Recorded,
            files: [None; 2],
            ghost: None,
            down: false,
            seen: 1,
            discarded: 0,
            removed: 0,
            out: 0,
            out_of_files: 0,
        };
        let none = Process {
            kind: None,
            machine: 0,
            caller: Part::Over,
            worker: Part::Over,
            pipe: None,
        };
        let mut processes = [none; PROCESSES];
        for (process, (kind, machine)) in processes.iter_mut().zip(&world.programs) {
            *process = Process {
                kind: Some(*kind),
                machine: *machine as u8,
                caller: Part::Unborn,
                worker: Part::Unborn,
                pipe: None,
            };
        }
        State {
            families,
            machines: [machine; MACHINES],
            processes,
            orphans: [None; 3],
            budget: world.budget,
            offline: false,
        }
    }

    pub(crate) fn part(&mut self, who: Who) -> &mut Part {
        let process = &mut self.processes[who.process];
        match who.is_worker {
            true => &mut process.worker,
            false => &mut process.caller,
        }
    }

    /// Every living process of the system.
    pub(crate) fn living(&self) -> impl Iterator<Item = (Who, &Live)> {
        self.processes
            .iter()
            .enumerate()
            .flat_map(|(process, parts)| {
                [(&parts.caller, false), (&parts.worker, true)]
                    .into_iter()
                    .filter_map(move |(part, is_worker)| match part {
                        Part::Live(live) => Some((Who { process, is_worker }, live)),
                        _ => None,
                    })
            })
    }

    pub(crate) fn machine_of(&self, who: Who) -> usize {
        usize::from(self.processes[who.process].machine)
    }

    /// Who has the lock of a machine.
    pub(crate) fn holder(&self, machine: usize) -> Option<(Who, &Live)> {
        self.living()
            .find(|(who, live)| live.lock && self.machine_of(*who) == machine)
    }

    /// A process ends; one way to say so for all that is over.
    pub(crate) fn end(&mut self, who: Who) {
        *self.part(who) = Part::Over;
        let process = &mut self.processes[who.process];
        if process.caller == Part::Over && !matches!(process.worker, Part::Live(_)) {
            process.worker = Part::Over;
            process.pipe = None;
        }
    }

    pub(crate) fn add_orphan(&mut self, orphan: Orphan) {
        if let Some(free) = self.orphans.iter_mut().find(|orphan| orphan.is_none()) {
            *free = Some(orphan);
            // One order for one set.
            self.orphans.sort_unstable_by(|a, b| b.cmp(a));
        }
    }
}
