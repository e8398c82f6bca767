//! The steps that are possible in a state.

use super::config::{Kind, Server, World};
use super::pair::{FAMILIES, Pair};
use super::process::{Answer, Live, Mind, Motion, Neighbour, Net, Part, Who};
use super::server::serve;
use super::state::{Orphan, Paused, Sender, State};
use super::{faults, neighbours, ours, perform};
use crate::protocol::{Do, Saw};

/// One step: one transaction, lock, file operation or message, of one process or of what surrounds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) who: Option<Who>,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Begin,
    /// A step of a flow, as the program traces it.
    Flow(Do<Pair>, Saw<Pair>),
    /// The first half of the step: what it does is done, and the process has not seen that yet.
    Half(Do<Pair>),
    /// A request leaves.
    Send(Pair),
    /// A granted login comes in.
    Granted(Pair),
    /// A worker starts.
    Spawn,
    /// What the login does after its commit.
    Name,
    MarkSuspect,
    Exit,
    Neighbour(Neighbour),
    NeighbourLogsOut,
    Thaw,

    /// The server acts on the request of a process.
    Serve,
    /// The server acts on a request that nobody waits for any more.
    ServeOrphan(Orphan),
    GraceOver,
    PauseOver,
    DatabaseBack,
    NetworkBack,

    Kill,
    Freeze,
    Stop,
    Slow,
    LoseConnection,
    AnswerError,
    PowerCut,
    DatabaseAway,
    NetworkAway,
}

impl What {
    /// Whether this happens by itself sooner or later, where nothing else does.
    pub(crate) fn is_progress(self) -> bool {
        use What::{
            AnswerError, DatabaseAway, Freeze, GraceOver, Kill, LoseConnection, NetworkAway,
            PauseOver, PowerCut, ServeOrphan, Slow, Stop,
        };
        !matches!(
            self,
            ServeOrphan(_)
                | GraceOver
                | PauseOver
                | Kill
                | Freeze
                | Stop
                | Slow
                | LoseConnection
                | AnswerError
                | PowerCut
                | DatabaseAway
                | NetworkAway
        )
    }
}

/// Collects the steps from one state.
pub(crate) struct Walk<'a> {
    pub(crate) world: &'a World,
    pub(crate) state: &'a State,
    pub(crate) out: &'a mut Vec<(Step, State)>,
}

/// Every step from a state, with the state that it leads to.
pub(crate) fn steps(world: &World, state: &State, out: &mut Vec<(Step, State)>) {
    out.clear();
    let mut walk = Walk { world, state, out };
    for (process, parts) in state.processes.iter().enumerate() {
        let Some(kind) = parts.kind else {
            continue;
        };
        for is_worker in [false, true] {
            let who = Who { process, is_worker };
            match if is_worker {
                parts.worker
            } else {
                parts.caller
            } {
                Part::Unborn if !is_worker => walk.begin(who, kind),
                Part::Live(live) => walk.live(who, kind, live),
                _ => {}
            }
        }
    }
    walk.surroundings();
    faults::machines(&mut walk);
}

impl Walk<'_> {
    pub(crate) fn push(&mut self, who: Option<Who>, what: What, next: State) {
        self.out.push((Step { who, what }, next));
    }

    fn begin(&mut self, who: Who, kind: Kind) {
        match kind.is_ours() {
            true => ours::begin(self, who, kind),
            false => neighbours::begin(self, who, kind),
        }
    }

    fn live(&mut self, who: Who, kind: Kind, live: Live) {
        if let Net::Sent { pair, right_client } = live.net {
            self.serve(who, kind, pair, right_client);
        }
        faults::process(self, who, live);
        match (live.motion, live.mind) {
            (Motion::Running, Mind::Flow(flow)) => perform::flow(self, who, kind, live, flow),
            (Motion::Running, Mind::Naming(pair)) => ours::naming(self, who, pair),
            (Motion::Running, Mind::Neighbour(mind)) => {
                neighbours::go_on(self, who, kind, live, mind);
            }
            (Motion::Frozen | Motion::Stopped, _) => {}
        }
    }

    fn serve(&mut self, who: Who, kind: Kind, pair: Pair, right_client: bool) {
        let answers = match right_client {
            true => {
                let mut next = *self.state;
                let sender = sender(kind, self.state.machine_of(who));
                let answer = serve(&mut next.families, self.world.server, pair, sender);
                answer_to(&mut next, who, answer);
                return self.push(Some(who), What::Serve, next);
            }
            // Sentry says the one, others the other.
            false => [Answer::InvalidGrant, Answer::InvalidClient],
        };
        for answer in answers {
            let mut next = *self.state;
            answer_to(&mut next, who, answer);
            self.push(Some(who), What::Serve, next);
        }
    }

    fn surroundings(&mut self) {
        for place in 0..self.state.orphans.len() {
            let Some(orphan) = self.state.orphans[place] else {
                continue;
            };
            let mut next = *self.state;
            next.orphans[place] = None;
            next.orphans.sort_unstable_by(|a, b| b.cmp(a));
            let _unheard = serve(
                &mut next.families,
                self.world.server,
                orphan.pair,
                orphan.sender,
            );
            self.push(None, What::ServeOrphan(orphan), next);
        }
        for family in 0..FAMILIES {
            if self.state.families[family].grace && !self.is_within_grace() {
                let mut next = *self.state;
                next.families[family].grace = false;
                self.push(None, What::GraceOver, next);
            }
        }
        for machine in 0..self.world.machines {
            let now = &self.state.machines[machine];
            let grace = self.state.families.iter().any(|family| family.grace);
            let may_end = match now.pause {
                Paused::No => false,
                Paused::Short | Paused::Answered => true,
                Paused::Long => !grace,
            };
            if may_end {
                let mut next = *self.state;
                next.machines[machine].pause = Paused::No;
                self.push(None, What::PauseOver, next);
            }
            if now.down {
                let mut next = *self.state;
                next.machines[machine].down = false;
                self.push(None, What::DatabaseBack, next);
            }
        }
        if self.state.offline {
            let mut next = *self.state;
            next.offline = false;
            self.push(None, What::NetworkBack, next);
        }
    }

    /// Whether a running process will end before the grace period does; or a pause ends before.
    fn is_within_grace(&self) -> bool {
        if self.world.server != Server::Grace {
            return false;
        }
        let short = |pause| pause == Paused::Short;
        self.state
            .machines
            .iter()
            .any(|machine| short(machine.pause))
            || self
                .state
                .living()
                .any(|(who, live)| !self.is_stalled(who, live))
    }

    /// Whether a process may take longer than it usually does.
    pub(crate) fn is_stalled(&self, who: Who, live: &Live) -> bool {
        let machine = self.state.machine_of(who);
        let waits = match live.mind {
            Mind::Flow(flow) => match flow.next() {
                // The holder of the lock, or its worker, counts instead.
                Do::Wait(_) => self.state.holder(machine).is_some(),
                Do::Delegate => matches!(self.state.processes[who.process].worker, Part::Live(_)),
                _ => false,
            },
            _ => false,
        };
        live.motion != Motion::Running || live.slow || self.state.machines[machine].down || waits
    }
}

pub(crate) fn sender(kind: Kind, machine: usize) -> Sender {
    match kind.is_ours() {
        true => Sender::Ours(machine as u8),
        false => Sender::Neighbour,
    }
}

fn answer_to(state: &mut State, who: Who, answer: Answer) {
    if let Part::Live(live) = state.part(who) {
        live.net = Net::Answered(answer);
    }
}
