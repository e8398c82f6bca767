//! Breadth-first search through every state that a world can reach.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::promises::events::Event;
use crate::promises::observe;
use crate::world::config::World;
use crate::world::process::{Motion, Part};
use crate::world::state::State;
use crate::world::steps::{Step, steps};

/// What a search has found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// With the shortest way to each.
    pub(crate) events: BTreeMap<Event, Trace>,
}

pub(crate) struct Trace(Vec<usize>);

/// States are known by their hash: of 64 bits, for a few million of them.
type Seen = HashMap<u64, u32, BuildHasherDefault<ClientId>>;

pub(crate) fn search(world: &World) -> Found {
    let mut seen = Seen::default();
    // Where each state comes from: its predecessor, and which of its steps.
    let mut from: Vec<(u32, u16)> = vec![(0, 0)];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut events: BTreeMap<Event, Trace> = BTreeMap::new();
    let first = State::first(world);
    seen.insert(fingerprint(&first), 0);
    let mut level = vec![(0, first)];
    let mut out = Vec::new();
    while !level.is_empty() {
        let mut below = Vec::new();
        for (number, state) in level {
            steps(world, &state, &mut out);
            let trace = |last| {
                let mut choices = path(&from, number);
                choices.extend(last);
                Trace(choices)
            };
            if is_stuck(&state, &out) {
                events.entry(Event::Stuck).or_insert_with(|| trace(None));
            }
            for (choice, (step, next)) in out.iter().enumerate() {
                let mut notice = |event| {
                    events.entry(event).or_insert_with(|| trace(Some(choice)));
                };
                observe(world, &state, *step, next, &mut notice);
                let mut next = *next;
                order(&mut next);
                let known = seen.len() as u32;
                let to = *seen.entry(fingerprint(&next)).or_insert(known);
                edges.push((number, to));
                if to == known {
                    below.push((to, next, (number, choice as u16)));
                }
            }
        }
        level = Vec::with_capacity(below.len());
        for (number, state, source) in below {
            from.push(source);
            level.push((number, state));
        }
    }
    if has_circle(seen.len(), &edges) {
        events.insert(Event::Endless, Trace(Vec::new()));
    }
    Found {
        states: seen.len(),
        steps: edges.len(),
        events,
    }
}

/// S6: a process waits, and no event can end the wait.
fn is_stuck(state: &State, out: &[(Step, State)]) -> bool {
    let is_waiting = state
        .living()
        .any(|(_, live)| live.motion != Motion::Stopped);
    is_waiting && !out.iter().any(|(step, _)| step.what.is_progress())
}

/// Whether a run need not end: takes away the states without a successor until none is left.
fn has_circle(states: usize, edges: &[(u32, u32)]) -> bool {
    let mut successors = vec![0_u32; states];
    let mut starts = vec![0_u32; states + 1];
    for (from, to) in edges {
        successors[*from as usize] += 1;
        starts[*to as usize + 1] += 1;
    }
    for state in 0..states {
        starts[state + 1] += starts[state];
    }
    let mut free = starts.clone();
    let mut predecessors = vec![0_u32; edges.len()];
    for (from, to) in edges {
        let place = &mut free[*to as usize];
        predecessors[*place as usize] = *from;
        *place += 1;
    }
    let mut last: Vec<usize> = (0..states)
        .filter(|state| successors[*state] == 0)
        .collect();
    let mut taken = 0;
    while let Some(state) = last.pop() {
        taken += 1;
        let (begin, end) = (starts[state] as usize, starts[state + 1] as usize);
        for predecessor in &predecessors[begin..end] {
            let left = &mut successors[*predecessor as usize];
            *left -= 1;
            if *left == 0 {
                last.push(*predecessor as usize);
            }
        }
    }
    taken < states
}

/// Two processes of one kind can change places.
fn order(state: &mut State) {
    let processes = &mut state.processes;
    for last in (1..processes.len()).rev() {
        for place in 0..last {
            let (a, b) = (processes[place], processes[place + 1]);
            let is_same = a.kind.is_some() && a.kind == b.kind && a.machine == b.machine;
            if is_same
                && (a.caller != b.caller || a.worker != b.worker || a.pipe != b.pipe)
                && fingerprint(&a) > fingerprint(&b)
            {
                processes.swap(place, place + 1);
            }
        }
    }
}

fn path(from: &[(u32, u16)], mut number: u32) -> Vec<usize> {
    let mut choices = Vec::new();
    while number != 0 {
        let (source, choice) = from[number as usize];
        choices.push(usize::from(choice));
        number = source;
    }
    choices.reverse();
    choices
}

impl Trace {
    /// The story, one step a line.
    pub(crate) fn tell(&self, world: &World) -> String {
        let mut story = String::new();
        let mut state = State::first(world);
        let mut out = Vec::new();
        for choice in &self.0 {
            steps(world, &state, &mut out);
            let (step, mut next) = out[*choice];
            let (name, machine) = match step.who {
                None => ("-".to_owned(), String::new()),
                Some(who) => {
                    let process = &state.processes[who.process];
                    let kind = process
                        .kind
                        .map_or(String::new(), |kind| format!("{kind:?}"));
                    let role = if who.is_worker { "'s worker" } else { "" };
                    let machine = format!(" on {}", process.machine);
                    (format!("{kind}{role}"), machine)
                }
            };
            writeln!(story, "  {name}{machine}: {:?}", step.what).ok();
            order(&mut next);
            state = next;
        }
        for machine in &state.machines[..world.machines] {
            writeln!(story, "  = {machine:?}").ok();
        }
        for (place, process) in state.processes.iter().enumerate() {
            if matches!(process.caller, Part::Live(_)) || matches!(process.worker, Part::Live(_)) {
                writeln!(story, "  = {place} {process:?}").ok();
            }
        }
        writeln!(story, "  = {:?}", state.families).ok();
        story
    }
}

fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = Mixer::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Quick, and good enough where nobody chooses the input.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        let mut hash = self.0;
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ (hash >> 32)
    }
}

/// For what is a hash already.
#[derive(Default)]
struct ClientId(u64);

impl Hasher for ClientId {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers")
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
