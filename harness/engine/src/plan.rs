//! Turns a suite and the user's selection into the list of cases, without touching a device.
//!
//! The plan is pure data: it can be printed (`--dry-run`), hashed (`--resume`) and split
//! (`--shard`). Cases that cannot run are in it with the reason, except where the implementation is
//! for other devices, which the plan says once.

use crate::axis::AxisValues;
use crate::catalog::{Catalog, UnknownName};
use crate::suite::{Entry, ShapeTable, Shapes, Suite, SuiteError, Text, named_shapes};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::str::FromStr;
use tilemark_core::family::{Code, Standing};
use tilemark_core::record::WorkDone;
use tilemark_core::shape::ShapeError;
use tilemark_core::{
    Bytes, Case, Distribution, Dtype, Family, Implementation, Info, Problem, Shape, Value,
};
use wildmatch::WildMatch;

/// What the user asked for beyond the suite. Empty lists select everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Families.
    pub families: Vec<String>,
    /// Globs of implementations, or of case ids where they hold a `/`.
    pub only: Vec<String>,
    /// The same, left out.
    pub skip: Vec<String>,
    /// Axes whose values replace the suite's.
    pub axes: Vec<AxisValues>,
    /// Element types.
    pub dtypes: Vec<Dtype>,
    /// Distributions of the inputs.
    pub distributions: Vec<Distribution>,
    /// The seed.
    pub seed: Option<u64>,
    /// Which part of the plan.
    pub shard: Option<Shard>,
}

/// Part `index` of `count`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

/// Everything a run will do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Problems in order, each with all its cases on one device.
    pub groups: Vec<Group>,
    /// Of each device, the implementations that were asked for and are for other devices.
    pub left_out: BTreeMap<String, BTreeSet<String>>,
    /// Filters as the user would type them whose globs match nothing, here or on any other device.
    pub unmatched: Vec<String>,
}

/// One problem on one device: its cases take turns.
#[derive(Clone, Debug)]
pub struct Group {
    /// The problem.
    pub problem: Problem,
    /// The device's name.
    pub device: String,
    /// How much work it is.
    pub work: WorkDone,
    /// One entry an implementation.
    pub cases: Vec<Planned>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The case.
    pub case: Case,
    /// What its implementation stands for.
    pub standing: Standing,
    /// Whether it can run.
    pub status: Status,
}

/// Whether a case can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Ready,
    /// The implementation does not cover it.
    Unsupported(String),
    /// Its tensors do not fit the device.
    TooLarge {
        /// What they need.
        requested: Bytes,
        /// What the device has.
        available: Bytes,
    },
}

/// Why there is no plan.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlanError {
    /// A name that no list has.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The suite or a family's list of shapes is wrong.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// A flag asks for what no selected family has.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag.
        flag: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing is left to run.
    #[error(
        "the selection is empty: suite `{suite}` has {cases} cases, none of which matches {filters}"
    )]
    Empty {
        /// The suite's name.
        suite: String,
        /// Cases before the filters.
        cases: usize,
        /// The filters.
        filters: String,
    },
}

impl Plan {
    /// Makes the plan of a suite on the given devices.
    pub fn make(
        suite: &Suite,
        catalog: &Catalog,
        devices: &[Info],
        selection: &Selection,
    ) -> Result<Plan, PlanError> {
        for name in &selection.families {
            catalog.family(name)?;
        }
        let problems = problems(suite, catalog, selection)?;
        let mut plan = Plan::default();
        let mut unfiltered = 0;
        let mut globs = selection.globs();
        for device in devices {
            for (problem, entry) in &problems {
                let family = catalog.family(&problem.family)?;
                let mut group = group(catalog, family, problem, device);
                let sits_out = |p: &Planned| entry.skip.iter().any(|glob| matches(glob, &p.case));
                group.cases.retain(|planned| !sits_out(planned));
                unfiltered += group.cases.len();
                globs.retain(|(_, glob)| {
                    let mut anyone = catalog.implementations(family);
                    !anyone
                        .any(|implementation| matches(glob, &case(problem, implementation, device)))
                });
                for left_out in strangers(catalog, family, problem, device) {
                    if selection.keeps(&left_out) {
                        let of_device = plan.left_out.entry(device.name.clone()).or_default();
                        of_device.insert(left_out.implementation);
                    }
                }
                group.cases.retain(|planned| selection.keeps(&planned.case));
                mark_too_large(&mut group, family, device);
                if !group.cases.is_empty() {
                    plan.groups.push(group);
                }
            }
        }
        plan.unmatched = globs.into_iter().map(|(flag, glob)| format!("{flag} '{glob}'")).collect();
        if let Some(shard) = selection.shard {
            let part = plan.groups.into_iter().skip(shard.index - 1).step_by(shard.count);
            plan.groups = part.collect();
        }
        if plan.ready_or_failed() == 0 {
            let filters = selection.describe(devices);
            return Err(PlanError::Empty { suite: suite.name.clone(), cases: unfiltered, filters });
        }
        Ok(plan)
    }

    /// Every case in order.
    pub fn cases(&self) -> impl Iterator<Item = &Planned> {
        self.groups.iter().flat_map(|group| &group.cases)
    }

    /// A hash of all case ids in order.
    pub fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for planned in self.cases() {
            hasher.update(planned.case.id().as_bytes());
            hasher.update(b"\n");
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Cases that are of this device's world at all: a plan of nothing but `unsupported` is empty.
    fn ready_or_failed(&self) -> usize {
        self.cases().filter(|p| !matches!(p.status, Status::Unsupported(_))).count()
    }
}

impl Selection {
    fn keeps(&self, case: &Case) -> bool {
        let matches = |glob: &String| matches(glob, case);
        (self.only.is_empty() || self.only.iter().any(matches)) && !self.skip.iter().any(matches)
    }

    /// Every glob with its flag.
    fn globs(&self) -> Vec<(&'static str, &str)> {
        let only = self.only.iter().map(|glob| ("--only", glob.as_str()));
        only.chain(self.skip.iter().map(|glob| ("--skip", glob.as_str()))).collect()
    }

    /// The filters as the user would type them.
    fn describe(&self, devices: &[Info]) -> String {
        let mut flags: Vec<String> = Vec::new();
        flags.extend(self.families.iter().map(|f| format!("--op {f}")));
        flags.extend(self.only.iter().map(|g| format!("--only '{g}'")));
        flags.extend(self.skip.iter().map(|g| format!("--skip '{g}'")));
        flags.extend(self.dtypes.iter().map(|d| format!("--dtype {d}")));
        flags.extend(self.shard.iter().map(|s| format!("--shard {}/{}", s.index, s.count)));
        flags.extend(devices.iter().map(|d| format!("-d {}", d.name)));
        flags.join(" ")
    }
}

fn matches(glob: &str, case: &Case) -> bool {
    let subject = if glob.contains('/') { &case.id() } else { &case.implementation };
    WildMatch::new(glob).matches(subject)
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no shard I/N with 1 <= I <= N");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let parse = |part: &str| part.parse::<usize>().map_err(|_| wrong());
        let shard = Shard { index: parse(index)?, count: parse(count)? };
        if shard.index == 0 || shard.index > shard.count { Err(wrong()) } else { Ok(shard) }
    }
}

/// Every problem once, with the first entry that has it.
fn problems<'s>(
    suite: &'s Suite,
    catalog: &Catalog,
    selection: &Selection,
) -> Result<Vec<(Problem, &'s Entry)>, PlanError> {
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    let mut dtype_used = selection.dtypes.is_empty();
    for entry in &suite.entries {
        if !selection.families.is_empty() && !selection.families.contains(&entry.family) {
            continue;
        }
        let family = catalog.family(&entry.family).map_err(|e| at(entry, e.to_string()))?;
        check_axes(family, &selection.axes)?;
        for table in tables(entry, family)? {
            for problem in expand(entry, family, &table, selection)? {
                dtype_used |= selection.dtypes.contains(&problem.dtype);
                if seen.insert(problem.clone()) {
                    problems.push((problem, entry));
                }
            }
        }
    }
    if !dtype_used {
        let names: Vec<_> = selection.dtypes.iter().map(|d| d.name()).collect();
        return Err(PlanError::Flag {
            flag: format!("--dtype {}", names.join(",")),
            problem: "no selected family is defined for it; `tilemark list` shows which are"
                .to_owned(),
        });
    }
    Ok(problems)
}

fn at(entry: &Entry, problem: String) -> PlanError {
    SuiteError { place: entry.place.clone(), problem }.into()
}

fn check_axes(family: &dyn Family, axes: &[AxisValues]) -> Result<(), PlanError> {
    let about = family.about();
    for AxisValues { axis, flag, .. } in axes {
        if about.axes.iter().all(|known| known.name != axis) {
            let known: Vec<_> = about.axes.iter().map(|a| a.name).collect();
            return Err(PlanError::Flag {
                flag: flag.clone(),
                problem: format!(
                    "family `{}` has no axis `{axis}`; its axes: {} (select families with --op)",
                    about.name,
                    known.join(", ")
                ),
            });
        }
    }
    Ok(())
}

fn tables(entry: &Entry, family: &dyn Family) -> Result<Vec<ShapeTable>, PlanError> {
    match &entry.shapes {
        Shapes::Listed(tables) => Ok(tables.clone()),
        Shapes::Named { list, place } => {
            let about = family.about();
            let file = format!("{}/shapes.toml", about.name);
            Ok(named_shapes(Text { file: &file, text: about.shapes }, list, place)?)
        }
    }
}

fn expand(
    entry: &Entry,
    family: &dyn Family,
    table: &ShapeTable,
    selection: &Selection,
) -> Result<Vec<Problem>, PlanError> {
    let mut table = table.clone();
    for AxisValues { axis, values, .. } in &selection.axes {
        table.axes.retain(|(name, _)| name != axis);
        table.axes.push((axis.clone(), values.clone()));
    }
    let distributions = if selection.distributions.is_empty() {
        &entry.distributions
    } else {
        &selection.distributions
    };
    let mut problems = Vec::new();
    for given in table.combinations() {
        let shape = shape(entry, family, &given, &selection.axes)?;
        for dtype in dtypes(entry, family, &table, selection)? {
            for distribution in distributions {
                problems.push(Problem {
                    family: entry.family.clone(),
                    shape: shape.clone(),
                    dtype,
                    distribution: *distribution,
                    seed: selection.seed.unwrap_or(entry.seed),
                });
            }
        }
    }
    Ok(problems)
}

fn shape(
    entry: &Entry,
    family: &dyn Family,
    given: &[(String, Value)],
    flags: &[AxisValues],
) -> Result<Shape, PlanError> {
    let name = family.about().name;
    let shape = Shape::complete(given, family.about().axes).map_err(|error| {
        let at_fault = |flag: &&AxisValues| {
            matches!(&error, ShapeError::BadValue { axis, .. } if *axis == flag.axis)
        };
        let at_fault: Vec<_> = flags.iter().filter(at_fault).collect();
        blame(entry, &at_fault, format!("family `{name}`: {error}"))
    })?;
    family.check(&shape).map_err(|problem| {
        let all: Vec<_> = flags.iter().collect();
        blame(entry, &all, format!("family `{name}`, {shape}: {problem}"))
    })?;
    Ok(shape)
}

/// A mistake of the flags that may have caused it; of the suite's entry if there are none.
fn blame(entry: &Entry, flags: &[&AxisValues], problem: String) -> PlanError {
    if flags.is_empty() {
        return at(entry, problem);
    }
    let problem = format!("{problem} (of a shape of {})", entry.place);
    let flags: Vec<_> = flags.iter().map(|values| values.flag.as_str()).collect();
    PlanError::Flag { flag: flags.join(" "), problem }
}

fn dtypes(
    entry: &Entry,
    family: &dyn Family,
    table: &ShapeTable,
    selection: &Selection,
) -> Result<Vec<Dtype>, PlanError> {
    let about = family.about();
    let mut dtypes = match (table.dtypes.is_empty(), entry.dtypes.is_empty()) {
        (false, _) => table.dtypes.clone(),
        (true, false) => entry.dtypes.clone(),
        (true, true) => vec![about.dtypes[0]],
    };
    if let Some(unknown) = dtypes.iter().find(|d| !about.dtypes.contains(d)) {
        let known: Vec<_> = about.dtypes.iter().map(|d| d.name()).collect();
        let problem = format!(
            "family `{}` has no dtype `{unknown}`; its dtypes: {}",
            about.name,
            known.join(", ")
        );
        return Err(at(entry, problem));
    }
    if !selection.dtypes.is_empty() {
        // The flag asks for these types at every shape, whatever types the suite gives them.
        dtypes = selection.dtypes.iter().copied().filter(|d| about.dtypes.contains(d)).collect();
    }
    Ok(dtypes)
}

fn group(
    catalog: &Catalog,
    family: &'static dyn Family,
    problem: &Problem,
    device: &Info,
) -> Group {
    let work = family.work(problem);
    let is_at_home = |i: &&Implementation| !i.is_for_other_devices(problem, device);
    let cases = catalog.implementations(family).filter(is_at_home).map(|implementation| Planned {
        case: case(problem, implementation, device),
        standing: implementation.standing,
        status: match (implementation.supports)(problem, device) {
            Ok(()) => Status::Ready,
            Err(reason) => Status::Unsupported(reason),
        },
    });
    Group {
        problem: problem.clone(),
        device: device.name.clone(),
        cases: cases.collect(),
        work: WorkDone {
            convention: work.convention,
            convention_name: work.convention_name.to_owned(),
            executed: work.executed,
            least_bytes: work.least_bytes,
        },
    }
}

/// What the cases would be of implementations that are for other GPUs. Functions on a host are not
/// worth a word on a GPU, nor the reverse.
fn strangers(
    catalog: &Catalog,
    family: &'static dyn Family,
    problem: &Problem,
    device: &Info,
) -> impl Iterator<Item = Case> {
    let is_stranger = |i: &&Implementation| {
        matches!(i.code, Code::Host(_)) == device.vendor.runs_host_code()
            && i.is_for_other_devices(problem, device)
    };
    let strangers = catalog.implementations(family).filter(is_stranger);
    strangers.map(|implementation| case(problem, implementation, device))
}

fn case(problem: &Problem, implementation: &Implementation, device: &Info) -> Case {
    Case {
        problem: problem.clone(),
        implementation: implementation.name.to_owned(),
        variant: None,
        device: device.name.clone(),
    }
}

/// The workers of a group hold its tensors at the same time, so they must all fit at once.
pub(crate) fn mark_too_large(group: &mut Group, family: &dyn Family, device: &Info) {
    let tensors = family.tensors(&group.problem);
    let one = tensors.iter().fold(0, |sum: u64, t| sum.saturating_add(t.bytes().0));
    let ready = group.cases.iter().filter(|p| p.status == Status::Ready).count() as u64;
    let requested = Bytes(one.saturating_mul(ready));
    if requested <= device.memory {
        return;
    }
    for planned in group.cases.iter_mut().filter(|p| p.status == Status::Ready) {
        planned.status = Status::TooLarge { requested, available: device.memory };
    }
}
