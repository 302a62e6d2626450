//! Which steps may begin: those whose predecessors are done, as far as the limits allow. Every
//! step and every edge is handled a constant number of times, however large the plan is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use tcloud_model::Address;
use tcloud_planner::plan::{Step, StepId};

/// Why the steps of a plan cannot be put in an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A step refers to one that does not exist, or is not where its number says.
    #[error("the plan is damaged: step {0} is out of place")]
    Misplaced(u32),
    /// Steps wait for each other.
    #[error("the plan is damaged: step {0} waits for itself")]
    Cycle(u32),
}

/// The steps of a plan while it is carried out.
pub(crate) struct Queue {
    states: Vec<State>,
    /// How many predecessors of each step are not done yet.
    missing: Vec<u32>,
    /// For each step, where its dependents begin in `dependents`.
    first: Vec<u32>,
    dependents: Vec<u32>,
    /// The lane of each step; the last number stands for steps that ask nobody.
    lane: Vec<u32>,
    lanes: Vec<LaneQueue>,
    /// Lanes with ready steps and room for one more.
    open: BTreeSet<usize>,
    /// Where the next search for an open lane begins, so that all get their turn.
    turn: usize,
    running: usize,
    limit: usize,
}

/// What operations wait on for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane<'a> {
    /// Whose it is.
    pub(crate) of: LaneOf<'a>,
    /// How many may be under way on it.
    pub(crate) room: usize,
}

/// Whose a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LaneOf<'a> {
    /// A host's.
    Host(&'a Address),
    /// That of all hosts of a provider.
    Provider(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Ended,
}

struct LaneQueue {
    ready: BinaryHeap<Reverse<u32>>,
    room: usize,
}

impl Queue {
    /// The queue for these steps; `lane_of` says which lane a host is on.
    pub(crate) fn new<'a>(
        steps: &'a [Step],
        limit: usize,
        lane_of: impl Fn(&'a Address) -> Lane<'a>,
    ) -> Result<Queue, Malformed> {
        let (missing, first, dependents) = edges(steps)?;
        check_order(&missing, &first, &dependents)?;
        let (lane, lanes) = by_lane(steps, lane_of);
        let mut queue = Queue {
            states: vec![State::Waiting; steps.len()],
            missing,
            first,
            dependents,
            lane,
            lanes,
            open: BTreeSet::new(),
            turn: 0,
            running: 0,
            limit: limit.max(1),
        };
        for step in 0..queue.missing.len() {
            if queue.missing[step] == 0 {
                queue.make_ready(step as u32);
            }
        }
        Ok(queue)
    }

    /// The next step that may begin, which then runs.
    pub(crate) fn next(&mut self) -> Option<StepId> {
        let recording = self.lanes.len() - 1;
        let at = if self.open.contains(&recording) {
            recording
        } else if self.running < self.limit {
            *self.open.range(self.turn..).next().or_else(|| self.open.first())?
        } else {
            return None;
        };
        let queue = &mut self.lanes[at];
        let Reverse(step) = queue.ready.pop()?;
        if at != recording {
            queue.room -= 1;
            self.running += 1;
            self.turn = at + 1;
        }
        if queue.ready.is_empty() || queue.room == 0 {
            self.open.remove(&at);
        }
        self.states[step as usize] = State::Running;
        Some(StepId(step))
    }

    /// Whether [`Queue::next`] would find a step.
    pub(crate) fn has_next(&self) -> bool {
        let recording = self.lanes.len() - 1;
        self.open.contains(&recording) || (self.running < self.limit && !self.open.is_empty())
    }

    /// The step is done: what waited only for it may begin.
    pub(crate) fn done(&mut self, step: StepId) {
        self.ended(step);
        for at in self.dependents_of(step) {
            let next = self.dependents[at];
            let missing = &mut self.missing[next as usize];
            *missing -= 1;
            if *missing == 0 && self.states[next as usize] == State::Waiting {
                self.make_ready(next);
            }
        }
    }

    /// The step was not done: nothing that needs it may begin. Returns what is given up because of
    /// it, in the order of the plan.
    pub(crate) fn not_done(&mut self, step: StepId) -> Vec<StepId> {
        self.ended(step);
        let mut given_up = Vec::new();
        let mut search = vec![step];
        while let Some(step) = search.pop() {
            for at in self.dependents_of(step) {
                let next = StepId(self.dependents[at]);
                let state = &mut self.states[next.0 as usize];
                if *state == State::Waiting {
                    *state = State::Ended;
                    given_up.push(next);
                    search.push(next);
                }
            }
        }
        given_up.sort_unstable();
        given_up
    }

    /// Gives up everything that has not begun, in the order of the plan.
    pub(crate) fn give_up_all(&mut self) -> Vec<StepId> {
        self.open.clear();
        self.lanes.iter_mut().for_each(|lane| lane.ready.clear());
        let mut given_up = Vec::new();
        for (step, state) in self.states.iter_mut().enumerate() {
            if *state == State::Waiting {
                *state = State::Ended;
                given_up.push(StepId(step as u32));
            }
        }
        given_up
    }

    fn ended(&mut self, step: StepId) {
        self.states[step.0 as usize] = State::Ended;
        let at = self.lane[step.0 as usize] as usize;
        if at == self.lanes.len() - 1 {
            return;
        }
        self.running -= 1;
        self.lanes[at].room += 1;
        if !self.lanes[at].ready.is_empty() {
            self.open.insert(at);
        }
    }

    fn make_ready(&mut self, step: u32) {
        let at = self.lane[step as usize] as usize;
        self.lanes[at].ready.push(Reverse(step));
        if self.lanes[at].room > 0 {
            self.open.insert(at);
        }
    }

    fn dependents_of(&self, step: StepId) -> std::ops::Range<usize> {
        let step = step.0 as usize;
        self.first[step] as usize..self.first[step + 1] as usize
    }
}

type Edges = (Vec<u32>, Vec<u32>, Vec<u32>);

/// Turns "after these" into "before those", with one list for all steps.
fn edges(steps: &[Step]) -> Result<Edges, Malformed> {
    let mut missing = Vec::with_capacity(steps.len());
    let mut first = vec![0_u32; steps.len() + 1];
    for (position, step) in steps.iter().enumerate() {
        let in_place = step.id.0 as usize == position;
        if !in_place || step.after.iter().any(|other| other.0 as usize >= steps.len()) {
            return Err(Malformed::Misplaced(step.id.0));
        }
        missing.push(step.after.len() as u32);
        step.after.iter().for_each(|other| first[other.0 as usize + 1] += 1);
    }
    for position in 1..first.len() {
        first[position] += first[position - 1];
    }
    let mut next = first.clone();
    let mut dependents = vec![0_u32; first.last().copied().unwrap_or(0) as usize];
    for step in steps {
        for other in &step.after {
            let slot = &mut next[other.0 as usize];
            dependents[*slot as usize] = step.id.0;
            *slot += 1;
        }
    }
    Ok((missing, first, dependents))
}

/// A plan file may have been edited: steps that wait for each other would wait for ever.
fn check_order(missing: &[u32], first: &[u32], dependents: &[u32]) -> Result<(), Malformed> {
    let mut missing = missing.to_vec();
    let mut ready: Vec<u32> =
        (0..missing.len() as u32).filter(|step| missing[*step as usize] == 0).collect();
    while let Some(step) = ready.pop() {
        let step = step as usize;
        for next in &dependents[first[step] as usize..first[step + 1] as usize] {
            missing[*next as usize] -= 1;
            if missing[*next as usize] == 0 {
                ready.push(*next);
            }
        }
    }
    match missing.iter().position(|missing| *missing > 0) {
        Some(step) => Err(Malformed::Cycle(step as u32)),
        None => Ok(()),
    }
}

fn by_lane<'a>(
    steps: &'a [Step],
    lane_of: impl Fn(&'a Address) -> Lane<'a>,
) -> (Vec<u32>, Vec<LaneQueue>) {
    let mut hosts: BTreeMap<&Address, Lane<'_>> = BTreeMap::new();
    for operation in steps.iter().filter_map(|step| step.operation.as_ref()) {
        let host = &operation.object.host;
        hosts.entry(host).or_insert_with(|| lane_of(host));
    }
    let lanes: BTreeSet<&Lane<'_>> = hosts.values().collect();
    let numbers: BTreeMap<&Lane<'_>, u32> = lanes.into_iter().zip(0..).collect();
    let nobody = numbers.len() as u32;
    let of = |step: &Step| {
        let operation = step.operation.as_ref();
        let lane = operation.and_then(|own| hosts.get(&own.object.host));
        lane.and_then(|lane| numbers.get(lane)).copied().unwrap_or(nobody)
    };
    let queue = |room| LaneQueue { ready: BinaryHeap::new(), room };
    let mut lanes: Vec<LaneQueue> = numbers.keys().map(|lane| queue(lane.room.max(1))).collect();
    lanes.push(queue(usize::MAX));
    (steps.iter().map(of).collect(), lanes)
}
