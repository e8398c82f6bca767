//! Starting a worker, waiting for it, and what a process leaves behind when it ends.

use super::Turn;
use crate::protocol::{Conclusion, Flow, Goal, Outcome, Saw};
use crate::world::config::{Kind, Repair};
use crate::world::pair::Pair;
use crate::world::process::{Live, Mind, Part, Who};
use crate::world::steps::What;

impl Turn<'_, '_> {
    pub(super) fn delegate(&mut self) {
        let mut next = *self.state;
        let process = &mut next.processes[self.who.process];
        match process.worker {
            Part::Unborn => {
                let demand = match (self.kind, self.here().view(self.walk.world)) {
                    (Kind::Force, _) => Goal::Refresh,
                    (Kind::Status, Saw::Row(row)) if row.pair.is_some() => {
                        Goal::Replacement(row.pair.unwrap_or(Pair::A0))
                    }
                    _ => Goal::Usable,
                };
                let mut worker = Live::new(Mind::Flow(Flow::worker(demand)));
                worker.lock = self.live.lock && self.walk.world.has(Repair::InheritedLock);
                process.worker = Part::Live(worker);
                let (who, mut caller) = (self.who, self.live);
                caller.lock = false;
                *next.part(who) = Part::Live(caller);
                self.walk.push(Some(who), What::Spawn, next);
                let mut next = *self.state;
                if next.budget.no_worker > 0 {
                    next.budget.no_worker -= 1;
                    self.live.alone = true;
                    self.saw(Saw::NoWorker, next);
                }
            }
            Part::Live(worker) => {
                let who = Who {
                    is_worker: true,
                    ..self.who
                };
                if self.walk.world.has(Repair::ParentLimit) && self.walk.is_stalled(who, &worker) {
                    self.saw(Saw::WorkerSilent, next);
                }
            }
            Part::Over => {
                process.worker = Part::Unborn;
                let report = process.pipe.take();
                self.saw(report.map_or(Saw::WorkerDied, Saw::Reported), next);
            }
        }
    }

    pub(super) fn exit(&mut self, conclusion: Conclusion) {
        let mut next = *self.state;
        if self.who.is_worker {
            next.processes[self.who.process].pipe = Some(outcome(conclusion));
        }
        match (self.kind, conclusion, self.live.holds) {
            (Kind::Login, Conclusion::Done, Some(stored)) => {
                *next.part(self.who) = Part::Live(Live::new(Mind::Naming(stored)));
            }
            _ => next.end(self.who),
        }
        self.walk.push(Some(self.who), What::Exit, next);
    }
}

/// What a worker tells its parent.
fn outcome(conclusion: Conclusion) -> Outcome {
    match conclusion {
        Conclusion::Current | Conclusion::Done => Outcome::Usable { refreshed: false },
        Conclusion::Refreshed => Outcome::Usable { refreshed: true },
        Conclusion::Stale(_) => Outcome::Stale,
        Conclusion::Unavailable(_) => Outcome::Unavailable,
        Conclusion::LoginRequired(_) => Outcome::LoginRequired,
    }
}
