//! Deletes one instruction at a time and asks whether anything notices: a fault, or a result that differs in any bit.
//! Measures how much the checks of this crate are worth on a given kernel.

use std::fmt;

use crate::exec::group::Order;
use crate::isa::{Action, Instruction, Op, SharedAction, Unit};
use crate::kernel::Kernel;
use crate::launch::{Error, Grid, Options, Report};
use crate::session::{Argument, run};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Barrier,
    Wait,
    Matrix,
    LdsRead,
    LdsWrite,
    Transcendental,
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::Barrier,
        Self::Wait,
        Self::Matrix,
        Self::LdsRead,
        Self::LdsWrite,
        Self::Transcendental,
    ];

    fn of(instruction: &Instruction) -> Option<Self> {
        match &instruction.op {
            Op::Barrier => Some(Self::Barrier),
            Op::Wait(_) => Some(Self::Wait),
            Op::Matrix(_) => Some(Self::Matrix),
            Op::Memory(op) if matches!(op.action, Action::LoadToLds) => Some(Self::LdsWrite),
            Op::Shared(op) => match op.action {
                SharedAction::Read { .. } | SharedAction::ReadTransposed { .. } => {
                    Some(Self::LdsRead)
                }
                SharedAction::Write { .. } => Some(Self::LdsWrite),
                _ => None,
            },
            _ if instruction.traits.unit == Unit::Transcendental => Some(Self::Transcendental),
            _ => None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Barrier => "s_barrier",
            Self::Wait => "s_waitcnt",
            Self::Matrix => "v_mfma",
            Self::LdsRead => "LDS read",
            Self::LdsWrite => "LDS write",
            Self::Transcendental => "transcendental",
        })
    }
}

/// What became of one deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fault(String),
    WrongResult,
    Unnoticed,
}

#[derive(Clone, Debug)]
pub struct Mutant {
    pub index: usize,
    pub class: Class,
    pub verdict: Verdict,
}

/// The deletions worth trying: executed, and of waits those that ever completed anything.
pub fn candidates(kernel: &Kernel, report: &Report) -> Vec<(usize, Class)> {
    let classes =
        kernel.code.iter().enumerate().map(|(index, instruction)| (index, Class::of(instruction)));
    classes
        .filter_map(|(index, class)| {
            let counted =
                if class == Some(Class::Wait) { &report.completed } else { &report.coverage };
            class.filter(|_| counted.get(index) == Some(&true)).map(|class| (index, class))
        })
        .collect()
}

/// Tries every `stride`-th candidate of each class.
pub fn mutate(
    kernel: &mut Kernel,
    grid: Grid,
    arguments: &[Argument],
    stride: usize,
) -> Result<Vec<Mutant>, Error> {
    let options = Options { coverage: true, ..Options::default() };
    let baseline = run(kernel, grid, arguments, &options)?;
    // A wave alone cannot execute more than all did, twice over: beyond that it hangs.
    let limit = 2 * baseline.report.instructions + 1000;
    let mut mutants = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for (index, class) in candidates(kernel, &baseline.report) {
        let count = seen.entry(class).or_insert(0usize);
        *count += 1;
        if (*count - 1) % stride != 0 {
            continue;
        }
        let removed = kernel.delete(index);
        let verdict = verdict(kernel, grid, arguments, limit, &baseline.buffers);
        kernel.replace(index, removed);
        mutants.push(Mutant { index, class, verdict });
    }
    Ok(mutants)
}

/// Runs in several orders until one notices.
fn verdict(
    kernel: &Kernel,
    grid: Grid,
    arguments: &[Argument],
    limit: u64,
    want: &[Vec<u8>],
) -> Verdict {
    for order in [Order::InTurn, Order::Seeded(1), Order::Seeded(2)] {
        let options = Options { order, limit, coverage: false };
        match run(kernel, grid, arguments, &options) {
            Err(error) => return Verdict::Fault(error.to_string()),
            Ok(outcome) if outcome.buffers != want => return Verdict::WrongResult,
            Ok(_) => {}
        }
    }
    Verdict::Unnoticed
}

/// How many mutants there are, and how many were noticed.
pub fn tally<'a>(mutants: impl IntoIterator<Item = &'a Mutant>) -> (usize, usize) {
    mutants.into_iter().fold((0, 0), |(all, noticed), mutant| {
        (all + 1, noticed + usize::from(mutant.verdict != Verdict::Unnoticed))
    })
}
