//! Searches the variants of an implementation for the quickest right one, problem by problem.
//!
//! A variant is a case like any other: a worker prepares it, the gate checks it before and after
//! it is timed, and variants take turns. First every variant has one round, then the best few have
//! as many as a verdict takes. It knows no kernel and touches no device.

mod choose;
mod file;

pub use choose::Verdict;
pub use file::{ChoicesFile, FileError};

use crate::catalog::{Catalog, UnknownName};
use crate::plan::{self, Group, Plan, Planned, Status};
use crate::run::{Observer, RunError, Runner, Settings};
use serde::Serialize;
use tilemark_core::family::Tuning;
use tilemark_core::record::CaseResult;
use tilemark_core::{Case, Family, Info};

/// The search for the best variant of one implementation on one problem and device.
#[derive(Clone, Debug)]
pub struct Search {
    /// The file of choices, below `kernels/`.
    pub file: &'static str,
    /// The keys of its entry for this problem and device; see [`Tuning::scope`].
    pub scope: String,
    /// One case a variant. The first is what the implementation takes by itself.
    pub group: Group,
}

/// How the two stages of a search are carried out.
#[derive(Clone, Debug)]
pub struct Stages {
    screening: Settings,
    last: Settings,
}

/// What a search found, with every sample.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The file of choices, below `kernels/`.
    pub file: &'static str,
    /// The keys of its entry.
    pub scope: String,
    /// Every variant's first round, in the search's order.
    pub screened: Vec<CaseResult>,
    /// The rounds of those that went on.
    pub last: Vec<CaseResult>,
    /// Which won; none if no variant was right.
    pub verdict: Option<Verdict>,
}

/// The searches in a plan for these devices: one for each problem and implementation that has
/// variants there.
pub fn searches(
    plan: &Plan,
    catalog: &Catalog,
    devices: &[Info],
) -> Result<Vec<Search>, UnknownName> {
    let mut searches = Vec::new();
    for group in &plan.groups {
        let family = catalog.family(&group.problem.family)?;
        let device = devices.iter().find(|info| info.name == group.device);
        let device = device.expect("the plan is of these devices");
        for planned in &group.cases {
            let tuning = family.tuning(&planned.case.implementation, &group.problem, device);
            let search = |tuning| search(group, planned, tuning, family, device);
            searches.extend(tuning.map(search));
        }
    }
    Ok(searches)
}

fn search(
    group: &Group,
    planned: &Planned,
    tuning: Tuning,
    family: &dyn Family,
    device: &Info,
) -> Search {
    let cases = tuning.variants.into_iter().map(|variant| Planned {
        case: Case { variant: Some(variant.choice), ..planned.case.clone() },
        standing: planned.standing,
        status: Status::Ready,
    });
    let mut group = Group { cases: cases.collect(), ..group.clone() };
    plan::mark_too_large(&mut group, family, device);
    Search { file: tuning.file, scope: tuning.scope, group }
}

impl Stages {
    /// The last stage is carried out as `settings` say, the first with a single round.
    pub fn new(settings: Settings) -> Self {
        let mut screening = settings.clone();
        screening.method.rounds = 1;
        Stages { screening, last: settings }
    }

    /// The settings of the last stage.
    pub fn last(&self) -> &Settings {
        &self.last
    }
}

/// Carries out one search.
pub fn tune<'s>(
    search: &Search,
    runner: &mut Runner<'s>,
    stages: &'s Stages,
    observer: &mut dyn Observer,
) -> Result<Trial, RunError> {
    runner.switch(&stages.screening);
    let screened = results(&search.group, runner, observer)?;
    let finalists = choose::finalists(&screened);
    let cases = finalists.into_iter().map(|at| search.group.cases[at].clone()).collect();
    runner.switch(&stages.last);
    let last = results(&Group { cases, ..search.group.clone() }, runner, observer)?;
    let present = search.group.cases.first().and_then(|planned| planned.case.variant.as_deref());
    let verdict = choose::verdict(&last, present);
    Ok(Trial { file: search.file, scope: search.scope.clone(), screened, last, verdict })
}

fn results(
    group: &Group,
    runner: &mut Runner<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<CaseResult>, RunError> {
    let mut all = Vec::new();
    let mut keep = |results| {
        all = results;
        Ok(())
    };
    runner.run(
        &Plan { groups: vec![group.clone()], ..Plan::default() },
        &|_| false,
        &mut keep,
        observer,
    )?;
    Ok(all)
}

impl Trial {
    /// The entry that the file of choices gets for the winner, with the times that made it one and
    /// with `origin` as a comment.
    pub fn entry(&self, origin: &str) -> Option<String> {
        let verdict = self.verdict.as_ref()?;
        let entry = format!("{{ {}, {} }},", self.scope, verdict.choice);
        Some(format!("{entry} # {}; {origin}", verdict.times()))
    }

    /// Results of variants that have no time that counts: they are never chosen.
    pub fn left_out(&self) -> impl Iterator<Item = &CaseResult> {
        self.screened.iter().chain(&self.last).filter(|result| !result.outcome.is_ok())
    }
}
