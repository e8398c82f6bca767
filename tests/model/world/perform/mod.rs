//! What one step of a flow does in this world: the counterpart of `src/session/perform/`.

mod exchange;
mod worker;

use crate::protocol::{Conclusion, Do, Flow, Saw, WaitLimit};
use crate::world::config::{Kind, Repair};
use crate::world::pair::Pair;
use crate::world::process::{Live, Mind, Motion, Net, Part, Who};
use crate::world::state::{Kept, Machine, State};
use crate::world::steps::{Walk, What};

/// The steps that a flow can make now.
pub(crate) fn flow(walk: &mut Walk<'_>, who: Who, kind: Kind, live: Live, flow: Flow<Pair>) {
    let mut turn = Turn {
        machine: walk.state.machine_of(who),
        state: walk.state,
        walk,
        who,
        kind,
        live,
        flow,
        todo: flow.next(),
    };
    turn.perform();
}

/// A process of ours at one step of its flow.
struct Turn<'a, 'b> {
    walk: &'a mut Walk<'b>,
    state: &'b State,
    who: Who,
    kind: Kind,
    machine: usize,
    live: Live,
    flow: Flow<Pair>,
    todo: Do<Pair>,
}

impl Turn<'_, '_> {
    fn perform(&mut self) {
        let world = self.walk.world;
        match self.todo {
            Do::Look | Do::Read => self.read(true),
            Do::TryLock => self.try_lock(),
            Do::Wait(wait_limit) => self.wait(wait_limit),
            Do::Import => self.import(),
            Do::Delegate => self.delegate(),
            Do::Check(pair) => self.check(pair),
            Do::Trust(_) => self.write(|here| {
                here.suspect = None;
                Saw::Done
            }),
            Do::Intend(pair) => {
                self.live.again = self.here().intent == Some(pair);
                self.write(|here| {
                    here.intent = Some(pair);
                    Saw::Done
                });
            }
            Do::Post(pair, client) => self.post(pair, client),
            Do::Swap { old, new } => {
                self.write_patiently(|here| Saw::Swapped(here.swap(old, new)));
            }
            Do::Store(pair) => self.write_patiently(|here| {
                here.store_login(pair);
                Saw::Done
            }),
            Do::Keep { old, new } => {
                let mut next = *self.state;
                let kept = Kept { old, new };
                let saw = match next.machines[self.machine].keep(world, kept) {
                    true => Saw::Done,
                    false => Saw::Refused,
                };
                self.saw(saw, next);
            }
            Do::Settle(pair) => self.settle(pair),
            Do::Reject(pair) => self.write(|here| Saw::Swapped(here.reject(world, pair))),
            Do::Pause(pause, intent) => self.pause(pause, intent),
            Do::Remove => self.remove(),
            Do::End(conclusion) => self.exit(conclusion),
        }
    }

    fn here(&self) -> &Machine {
        &self.state.machines[self.machine]
    }

    /// The flow goes on from `next` with what it saw.
    fn saw(&mut self, saw: Saw<Pair>, mut next: State) {
        let mut flow = self.flow;
        flow.saw(saw);
        let mut live = self.live;
        live.mind = Mind::Flow(flow);
        live.holds = match (flow.next(), saw) {
            // It writes the user's names next.
            (Do::End(Conclusion::Done), _) => live.holds,
            (Do::End(_), _) => None,
            (Do::Look, _) if self.kind != Kind::Login => None,
            (_, Saw::Granted(new)) => Some(new),
            _ => live.holds,
        };
        live.answered = !matches!(saw, Saw::AnswerLost | Saw::NotSent);
        live.settled = matches!(self.todo, Do::Settle(_));
        *next.part(self.who) = Part::Live(live);
        let what = What::Flow(self.todo, saw);
        self.walk.push(Some(self.who), what, next);
    }

    /// The step is done in part, or without this process knowing.
    fn half(&mut self, mut next: State) {
        *next.part(self.who) = Part::Live(self.live);
        let what = What::Half(self.todo);
        self.walk.push(Some(self.who), what, next);
    }

    fn refuse(&mut self) {
        let mut next = *self.state;
        if next.budget.refuse > 0 {
            next.budget.refuse -= 1;
            self.saw(Saw::Refused, next);
        }
    }

    fn write(&mut self, effect: impl Fn(&mut Machine) -> Saw<Pair>) {
        if self.here().down {
            return self.saw(Saw::Refused, *self.state);
        }
        let mut next = *self.state;
        let saw = effect(&mut next.machines[self.machine]);
        self.saw(saw, next);
        self.refuse();
        if next.budget.ambiguous > 0 {
            next.budget.ambiguous -= 1;
            self.saw(Saw::Refused, next);
        }
    }

    /// The same for what is tried for 60 s.
    fn write_patiently(&mut self, effect: impl Fn(&mut Machine) -> Saw<Pair>) {
        if self.here().down {
            return self.saw(Saw::Refused, *self.state);
        }
        let mut next = *self.state;
        let saw = effect(&mut next.machines[self.machine]);
        self.saw(saw, next);
        if next.budget.ambiguous > 0 {
            next.budget.ambiguous -= 1;
            self.half(next);
        }
    }

    fn read(&mut self, may_refuse: bool) {
        if self.here().down {
            return self.saw(Saw::Refused, *self.state);
        }
        self.saw(self.here().view(self.walk.world), *self.state);
        if may_refuse {
            self.refuse();
        }
    }

    fn try_lock(&mut self) {
        if self.state.holder(self.machine).is_some() {
            return self.saw(Saw::Contended, *self.state);
        }
        self.refuse();
        self.live.lock = true;
        self.saw(Saw::Locked, *self.state);
    }

    /// Polling without end, except that polls which change nothing are left out.
    fn wait(&mut self, wait_limit: WaitLimit) {
        let Some((who, holder)) = self.state.holder(self.machine) else {
            return self.saw(Saw::Done, *self.state);
        };
        let stands = holder.motion != Motion::Running || self.here().down;
        let times_out = match wait_limit {
            WaitLimit::Short => holder.net != Net::Idle || self.walk.is_stalled(who, holder),
            WaitLimit::Long => self.walk.is_stalled(who, holder),
            WaitLimit::Commit => stands,
        };
        if times_out {
            self.saw(Saw::TimedOut, *self.state);
        }
        let mut flow = self.flow;
        flow.saw(Saw::Done);
        flow.saw(Saw::Contended);
        if flow.next() == Do::Look && !self.here().down {
            flow.saw(self.here().view(self.walk.world));
            if matches!(flow.next(), Do::End(_)) {
                self.saw(Saw::Done, *self.state);
            }
        }
    }

    /// A transaction for each file, then its removal.
    fn import(&mut self) {
        let world = self.walk.world;
        let mut next = *self.state;
        let here = &mut next.machines[self.machine];
        if let Some(kept) = self.live.imported.take() {
            here.unlink(kept);
            return self.half(next);
        }
        let Some(kept) = here.files[0] else {
            return self.saw(Saw::Done, next);
        };
        if here.down {
            return self.saw(Saw::Refused, next);
        }
        here.import(world, &self.state.families, kept);
        if next.budget.ambiguous > 0 {
            let mut next = next;
            next.budget.ambiguous -= 1;
            self.saw(Saw::Refused, next);
        }
        self.refuse();
        self.live.imported = Some(kept);
        self.half(next);
    }

    /// One file after the other, within the transaction that takes the row.
    fn remove(&mut self) {
        let world = self.walk.world;
        let mut next = *self.state;
        let here = &mut next.machines[self.machine];
        match here.files[0] {
            Some(kept) if !here.down && world.has(Repair::LogoutDiscards) => {
                here.discard(kept);
                self.refuse();
                self.half(next);
            }
            _ => self.write(|here| {
                here.remove(world);
                Saw::Done
            }),
        }
    }
}
