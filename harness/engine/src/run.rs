//! Carries out a plan: starts workers, lets the cases of each problem take turns, and hands over
//! the results of a problem the moment they are complete.
//!
//! It touches no device and knows no kernel. What goes wrong in a worker becomes that case's
//! outcome, and the run goes on.

mod group;
mod others;

use crate::measure::Clock;
use crate::plan::Plan;
use crate::store::StoreError;
use crate::validate::{Overrides, Truth};
use crate::worker::{Failure, Launcher, Link, Reply, Request};
use others::{Others, Patience, Reading};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tilemark_core::method::Method;
use tilemark_core::record::{CaseResult, Ceilings};
use tilemark_core::{Case, Info};

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How numbers are made.
    pub method: Method,
    /// The user's own bounds on the error.
    pub overrides: Overrides,
    /// Check answers, time nothing.
    pub verify_only: bool,
    /// Longest wait for one answer of a worker.
    pub timeout: Duration,
    /// A folder of this run alone, in which its workers leave each other the truth of a problem.
    pub scratch: PathBuf,
    /// How often a problem is tried again after a crash, a timeout or a failure of the harness.
    pub retries: u32,
    /// Longest that the run, over all its problems, waits for other processes to leave a host and
    /// repeats rounds that they disturbed. What keeps a host busy for longer will not leave.
    pub patience: Duration,
}

/// Who is told what happens: the terminal, a test.
pub trait Observer {
    /// A problem starts; `done` of `total` cases have an outcome.
    fn group_starts(&mut self, title: &str, done: usize, total: usize);
    /// A case takes its next turn.
    fn turn(&mut self, case: &Case, round: u32, rounds: u32);
    /// A case has its outcome.
    fn case_ends(&mut self, result: &CaseResult);
    /// Other processes keep the host busy, and the run waits for them, at most so long.
    fn waits(&mut self, at_most_s: f64);
}

/// Why a run stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The record cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user broke it off.
    #[error("interrupted")]
    Interrupted,
}

/// Takes the results of a problem, all at once.
pub type Sink<'a> = dyn FnMut(Vec<CaseResult>) -> Result<(), StoreError> + 'a;

/// Runs plans.
pub struct Runner<'a> {
    launcher: &'a Launcher,
    settings: &'a Settings,
    ceilings: &'a HashMap<String, Ceilings>,
    infos: &'a [Info],
    clock: &'a dyn Clock,
    cancel: &'a AtomicBool,
    /// A worker holds one case at a time.
    workers: HashMap<Key, Link>,
    /// What else a host does.
    others: Others,
    patience: Patience,
}

/// Device, implementation and variant.
type Key = (String, String, Option<String>);

fn key(case: &Case) -> Key {
    (case.device.clone(), case.implementation.clone(), case.variant.clone())
}

impl<'a> Runner<'a> {
    /// A runner with no workers yet. `ceilings` holds those of each device where they are known.
    pub fn new(
        launcher: &'a Launcher,
        settings: &'a Settings,
        infos: &'a [Info],
        ceilings: &'a HashMap<String, Ceilings>,
        clock: &'a dyn Clock,
        cancel: &'a AtomicBool,
    ) -> Self {
        let (workers, others) = (HashMap::new(), Others::default());
        let patience = Patience::new(settings.patience);
        Runner { launcher, settings, ceilings, infos, clock, cancel, workers, others, patience }
    }

    /// Carries out every group of the plan for which `is_done` says no.
    pub fn run(
        &mut self,
        plan: &Plan,
        is_done: &dyn Fn(&Case) -> bool,
        sink: &mut Sink<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let total = plan.cases().count();
        let mut done = 0;
        self.watch_others();
        for group in &plan.groups {
            if !group.cases.iter().all(|planned| is_done(&planned.case)) {
                observer.group_starts(&group.problem.id(), done, total);
                let results = self.group_with_retries(group, observer)?;
                Truth::forget(&group.problem, &self.settings.scratch);
                results.iter().for_each(|result| observer.case_ends(result));
                sink(results)?;
            }
            done += group.cases.len();
        }
        Ok(())
    }

    /// Goes on with other settings and the same workers.
    pub fn switch(&mut self, settings: &'a Settings) {
        self.settings = settings;
    }

    /// Asks the worker of a case, starting it where there is none. A worker that fails is gone.
    fn ask(&mut self, case: &Case, request: &Request) -> Result<Reply, Failure> {
        let key = key(case);
        let limit = self.settings.timeout;
        if !self.workers.contains_key(&key) {
            let (link, _) = Link::start(self.launcher, &key.0, &key.1, limit, self.cancel)?;
            self.workers.insert(key.clone(), link);
        }
        let worker = self.workers.get_mut(&key).expect("it was just started");
        let reply = worker.ask(request, limit, self.cancel);
        // After a fault the context may be poisoned, so the process goes as well.
        if matches!(reply, Err(_) | Ok(Reply::Fault { .. })) {
            self.workers.remove(&key);
        }
        reply
    }

    /// Ends the worker of a case, so that the next question starts another.
    fn dismiss(&mut self, case: &Case) {
        self.workers.remove(&key(case));
    }

    /// Looks what else the host does.
    fn watch_others(&mut self) {
        let workers = self.workers.values().map(Link::process);
        self.others.look(Reading::beside(workers, self.clock.now()));
    }

    fn check_cancelled(&self) -> Result<(), RunError> {
        if self.cancel.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }
}

/// What a device says of itself through a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Who it is.
    pub info: Info,
    /// Its ceilings, where they were asked for and could be measured.
    pub ceilings: Option<Ceilings>,
    /// Name and version of the libraries that rivals on it call.
    pub libraries: Vec<(String, String)>,
}

/// Asks a device, through a worker of its own, who it is and what its ceilings are.
pub fn describe(
    launcher: &Launcher,
    device: &str,
    with_ceilings: bool,
    limit: Duration,
    cancel: &AtomicBool,
) -> Result<Description, Failure> {
    let (mut link, info) = Link::start(launcher, device, "none", limit, cancel)?;
    let libraries = match link.ask(&Request::Libraries, limit, cancel)? {
        Reply::Libraries { libraries } => libraries,
        other => return Err(unexpected("libraries", other)),
    };
    if !with_ceilings {
        return Ok(Description { info, ceilings: None, libraries });
    }
    match link.ask(&Request::Ceilings, limit, cancel)? {
        Reply::Ceilings { ceilings } => Ok(Description { info, ceilings, libraries }),
        other => Err(unexpected("ceilings", other)),
    }
}

fn unexpected(asked: &str, reply: Reply) -> Failure {
    Failure::Protocol(match reply {
        Reply::Fault { fault } => fault.to_string(),
        other => format!("{asked} were asked for, not {other:?}"),
    })
}
