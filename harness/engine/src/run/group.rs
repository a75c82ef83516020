//! One problem: every implementation is made ready and checked, then they take turns in random
//! order, then each is checked again. On a host a case moves to a new process between turns, with
//! both checks in each, as long as the method lets it.

use super::others::{LOOK, Others};
use super::{RunError, Runner};
use crate::compare::beside::wants_another_block;
use crate::compare::company;
use crate::measure::{implausible, unusable};
use crate::plan::{Group, Planned, Status};
use crate::run::Observer;
use crate::worker::{Failure, Reply, Request};
use tilemark_core::device::Vendor;
use tilemark_core::family::Standing;
use tilemark_core::generator::mix;
use tilemark_core::record::{CaseResult, CodeReport, Outcome, Timing, Verification};
use tilemark_core::{Case, Fault, Info};

/// A case on its way to an outcome.
struct Entrant<'p> {
    planned: &'p Planned,
    state: State,
    code: Vec<CodeReport>,
    choice: Option<String>,
    wall_s: f64,
    device_s: f64,
    /// What another process costs beside the device.
    move_s: f64,
}

impl Entrant<'_> {
    /// What the harness took beside the device so far.
    fn overhead_s(&self) -> f64 {
        self.wall_s - self.device_s
    }
}

enum State {
    /// Its answers were right, these furthest off; these rounds are behind it.
    Running { verification: Verification, timing: Timing },
    /// It has its outcome.
    Ended(Outcome),
}

impl State {
    /// Adds another verdict to those that it has.
    fn saw(&mut self, another: Verification) {
        if let State::Running { verification, .. } = self {
            *verification = verification.clone().worse(another);
        }
    }
}

impl Runner<'_> {
    pub(super) fn group_with_retries(
        &mut self,
        group: &Group,
        observer: &mut dyn Observer,
    ) -> Result<Vec<CaseResult>, RunError> {
        let mut results = self.group(group, observer)?;
        for _ in 0..self.settings.retries {
            if !results.iter().any(|result| worth_retrying(&result.outcome)) {
                break;
            }
            let failed = std::mem::replace(&mut results, self.group(group, observer)?);
            results.iter_mut().zip(failed).for_each(|(result, failed)| remember(result, failed));
        }
        Ok(results)
    }

    fn group(
        &mut self,
        group: &Group,
        observer: &mut dyn Observer,
    ) -> Result<Vec<CaseResult>, RunError> {
        let mut entrants = Vec::with_capacity(group.cases.len());
        for planned in &group.cases {
            entrants.push(self.prepare(planned)?);
        }
        // The first process of a problem computes the truth, which others only read.
        let running = entrants.iter().filter(|e| matches!(e.state, State::Running { .. }));
        let least = running.map(Entrant::overhead_s).fold(f64::INFINITY, f64::min);
        entrants.iter_mut().for_each(|entrant| entrant.move_s = least);
        if !self.verifies_only(&group.device) {
            self.rounds(&mut entrants, observer)?;
        }
        let mut results = Vec::with_capacity(entrants.len());
        for entrant in entrants {
            results.push(self.finish(group, entrant)?);
        }
        Ok(results)
    }

    /// Whether cases of this device end once their answer is right.
    fn verifies_only(&self, device: &str) -> bool {
        let times = |info: &Info| info.name != device || info.keeps_time();
        self.settings.verify_only || !self.infos.iter().all(times)
    }

    fn prepare<'p>(&mut self, planned: &'p Planned) -> Result<Entrant<'p>, RunError> {
        let start = self.clock.now();
        let (mut code, mut choice, mut device_s) = (Vec::new(), None, 0.0);
        let state = match &planned.status {
            Status::Unsupported(reason) => {
                State::Ended(Outcome::Unsupported { reason: reason.clone() })
            }
            Status::TooLarge { requested, available } => {
                State::Ended(Outcome::OutOfMemory { requested: *requested, available: *available })
            }
            Status::Ready => match self.ask(&planned.case, &self.preparation(&planned.case)) {
                Ok(Reply::Ready { verification, code: compiled, choice: chosen, ran_s }) => {
                    (code, choice, device_s) = (compiled, chosen, ran_s);
                    State::Running { verification, timing: Timing { rounds: Vec::new() } }
                }
                other => State::Ended(outcome(other)),
            },
        };
        self.check_cancelled()?;
        let wall_s = self.clock.now() - start;
        Ok(Entrant { planned, state, code, choice, wall_s, device_s, move_s: 0.0 })
    }

    fn preparation(&self, case: &Case) -> Request {
        Request::Prepare {
            case: Box::new(case.clone()),
            method: Box::new(self.settings.method.clone()),
            overrides: self.settings.overrides.clone(),
            scratch: self.settings.scratch.clone(),
        }
    }

    fn is_host(&self, device: &str) -> bool {
        self.infos.iter().any(|info| info.name == device && info.vendor == Vendor::Cpu)
    }

    /// Blocks of rounds, until it is clear how ours stands to the rivals or the method's limit is
    /// reached. In the later ones the rungs rest: they are told from no one. Where others disturbed
    /// the rounds of a host too often there are more, once it is quiet again.
    fn rounds(
        &mut self,
        entrants: &mut [Entrant<'_>],
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let method = self.settings.method.clone();
        let mut done = 0;
        loop {
            let takes_part = |e: &Entrant<'_>| done == 0 || is_judged_beside_others(e);
            self.block(entrants, done, &takes_part, observer)?;
            done += method.rounds;
            let candidates = timings(entrants, Standing::Candidate);
            let rivals = timings(entrants, Standing::Rival);
            if !wants_another_block(&method, done, &candidates, &rivals) {
                break;
            }
        }
        let on_host = entrants.iter().any(|e| self.is_host(&e.planned.case.device));
        let makes_up = on_host && company::are_enough(method.rounds);
        while makes_up && entrants.iter().any(lacks_rounds) && self.quiet_again(observer)? {
            let start = self.clock.now();
            let takes_part = |e: &Entrant<'_>| lacks_rounds(e) || is_judged_beside_others(e);
            self.block(entrants, done, &takes_part, observer)?;
            self.patience.spend(self.clock.now() - start);
            done += method.rounds;
        }
        Ok(())
    }

    /// A turn for everyone who takes part, in each of the rounds that follow `done` others.
    fn block(
        &mut self,
        entrants: &mut [Entrant<'_>],
        done: u32,
        takes_part: &dyn Fn(&Entrant<'_>) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let takes_part: Vec<bool> = entrants.iter().map(takes_part).collect();
        let end = done + self.settings.method.rounds;
        for index in done..end {
            for (order, at) in shuffled(entrants.len(), index).into_iter().enumerate() {
                let entrant = &mut entrants[at];
                if matches!(entrant.state, State::Running { .. }) && takes_part[at] {
                    observer.turn(&entrant.planned.case, index, end);
                    if index > 0 {
                        self.renew(entrant);
                    }
                    self.turn(entrant, index, order as u32);
                    self.check_cancelled()?;
                }
            }
        }
        Ok(())
    }

    /// Waits until others leave the host alone; whether they did while the patience lasted.
    fn quiet_again(&mut self, observer: &mut dyn Observer) -> Result<bool, RunError> {
        observer.waits(self.patience.left_s());
        self.others = Others::default();
        let start = self.clock.now();
        loop {
            self.check_cancelled()?;
            self.watch_others();
            let waited = self.clock.now() - start;
            let is_quiet = self.others.load().is_some_and(|cores| !company::is_busy(cores));
            if is_quiet || !self.patience.lasts(waited) {
                self.patience.spend(waited);
                return Ok(is_quiet && self.patience.lasts(0.0));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Moves a case on a host to a new process, if the method lets the harness take so long. What the
    /// old one's last launch left is checked before it goes.
    fn renew(&mut self, entrant: &mut Entrant<'_>) {
        let case = &entrant.planned.case;
        let after = entrant.overhead_s() + entrant.move_s;
        if !self.is_host(&case.device) || after > self.settings.method.fresh_workers_s {
            return;
        }
        let (start, before) = (self.clock.now(), entrant.overhead_s());
        let moved = match self.ask(case, &Request::Finish) {
            Ok(Reply::Finished { verification }) => {
                entrant.state.saw(verification);
                self.dismiss(case);
                self.ask(case, &self.preparation(case))
            }
            other => other,
        };
        match moved {
            Ok(Reply::Ready { verification, ran_s, .. }) => {
                entrant.state.saw(verification);
                entrant.device_s += ran_s;
            }
            other => entrant.state = State::Ended(outcome(other)),
        }
        entrant.wall_s += self.clock.now() - start;
        entrant.move_s = entrant.overhead_s() - before;
    }

    fn turn(&mut self, entrant: &mut Entrant<'_>, index: u32, order: u32) {
        if matches!(entrant.state, State::Ended(_)) {
            return;
        }
        let case = &entrant.planned.case;
        let is_host = self.is_host(&case.device);
        if is_host {
            self.watch_others();
        }
        let start = self.clock.now();
        let reply = self.ask(case, &Request::Round { index, order });
        let elapsed = self.clock.now() - start;
        entrant.wall_s += elapsed;
        entrant.device_s += elapsed;
        if is_host {
            self.watch_others();
        }
        match (reply, &mut entrant.state) {
            (Ok(Reply::Round { mut round }), State::Running { timing, .. }) => {
                if is_host {
                    round.telemetry.other_load = self.others.load();
                }
                timing.rounds.push(round);
            }
            (other, state) => *state = State::Ended(outcome(other)),
        }
    }

    fn finish(&mut self, group: &Group, entrant: Entrant<'_>) -> Result<CaseResult, RunError> {
        let Entrant { planned, state, code, choice, mut wall_s, device_s, .. } = entrant;
        let start = self.clock.now();
        let outcome = match state {
            State::Ended(outcome) => outcome,
            State::Running { verification, .. } if self.verifies_only(&group.device) => {
                Outcome::Verified { verification }
            }
            State::Running { verification: before, timing } => {
                match self.ask(&planned.case, &Request::Finish) {
                    Ok(Reply::Finished { verification }) => {
                        self.judge(group, before.worse(verification), timing)
                    }
                    other => outcome(other),
                }
            }
        };
        self.check_cancelled()?;
        wall_s += self.clock.now() - start;
        Ok(CaseResult {
            case: planned.case.clone(),
            standing: planned.standing,
            outcome,
            earlier: Vec::new(),
            work: group.work.clone(),
            code,
            choice,
            wall_s,
            device_s,
        })
    }

    /// Right answers can still have times that nobody should believe.
    fn judge(&self, group: &Group, verification: Verification, timing: Timing) -> Outcome {
        if let Some(reason) = unusable(&timing) {
            return Outcome::Unusable { verification, timing, reason };
        }
        let info = self.infos.iter().find(|info| info.name == group.device);
        if let (Some(info), Some(ceilings)) = (info, self.ceilings.get(&group.device)) {
            let dtype = group.problem.dtype;
            let method = &self.settings.method;
            if let Some(reason) = implausible(&timing, &group.work, ceilings, dtype, info, method) {
                return Outcome::Implausible { verification, timing, reason };
            }
        }
        Outcome::Measured { verification, timing }
    }
}

/// Whether its rounds need those of others beside them.
fn is_judged_beside_others(entrant: &Entrant<'_>) -> bool {
    entrant.planned.standing != Standing::Rung
}

/// Whether others took so many rounds of a case on a host that the rest are no evidence.
fn lacks_rounds(entrant: &Entrant<'_>) -> bool {
    match &entrant.state {
        State::Running { timing, .. } => company::leaves_too_few(timing),
        State::Ended(_) => false,
    }
}

/// The times so far of those of a standing that are still running.
fn timings<'e>(entrants: &'e [Entrant<'_>], standing: Standing) -> Vec<&'e Timing> {
    let those = entrants.iter().filter(|entrant| entrant.planned.standing == standing);
    those
        .filter_map(|entrant| match &entrant.state {
            State::Running { timing, .. } => Some(timing),
            State::Ended(_) => None,
        })
        .collect()
}

/// Keeps what an earlier try of a case ended in and took, so that another does not hide it.
fn remember(result: &mut CaseResult, failed: CaseResult) {
    result.wall_s += failed.wall_s;
    result.device_s += failed.device_s;
    result.earlier = failed.earlier;
    if worth_retrying(&failed.outcome) {
        result.earlier.push(failed.outcome);
    }
}

fn worth_retrying(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Crash { .. } | Outcome::Timeout { .. } | Outcome::Infra { .. })
}

/// What an answer other than the hoped-for one means.
fn outcome(reply: Result<Reply, Failure>) -> Outcome {
    match reply {
        Ok(Reply::Rejected { verification, nonfinite: true, reason }) => {
            Outcome::Nonfinite { verification, reason }
        }
        Ok(Reply::Rejected { verification, nonfinite: false, reason }) => {
            Outcome::Incorrect { verification, reason }
        }
        Ok(Reply::Fault { fault }) => match fault {
            Fault::OutOfMemory { requested, available } => {
                Outcome::OutOfMemory { requested, available }
            }
            Fault::Compile { log } => Outcome::CompileError { log },
            Fault::Unsupported { reason } => Outcome::Unsupported { reason },
            Fault::Crash { message } => Outcome::Crash { message },
            Fault::Infra { message } => Outcome::Infra { message },
        },
        Ok(other) => Outcome::Infra { message: format!("the worker answered {other:?}") },
        Err(Failure::Died(message)) => Outcome::Crash { message },
        Err(Failure::TimedOut { limit_s }) => Outcome::Timeout { limit_s },
        Err(Failure::Protocol(message)) => Outcome::Infra { message },
        Err(Failure::Cancelled) => Outcome::NotRun { reason: "interrupted".to_owned() },
    }
}

/// A random order that depends on the round alone, so that a run can be repeated.
fn shuffled(count: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|at| mix(mix(u64::from(round)) ^ *at as u64));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_everyone_once_and_the_order_varies() {
        let orders: Vec<_> = (0..7).map(|round| shuffled(3, round)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        let firsts: std::collections::HashSet<_> = orders.iter().map(|order| order[0]).collect();
        assert!(firsts.len() > 1, "the same implementation always went first: {orders:?}");
    }
}
