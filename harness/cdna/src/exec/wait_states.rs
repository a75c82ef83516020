//! The wait states that the architecture leaves to the compiler, after LLVM's hazard recogniser for gfx940.
//! Compares pairs of instructions by their traits; executes nothing.
//!
//! Most instructions are settled before execution, when no path to them is too short.
//! For the others the path that was taken is looked at.

use crate::arch::Arch;
use crate::asm::operand::{EXEC, M0};
use crate::fault::{Kind, Step};
use crate::isa::decode::scalar_mask;
use crate::isa::{Condition, Instruction, Op, Traits, Unit, VectorRegister};

/// No rule reaches further back than this.
const WINDOW: u32 = 20;
const KEPT: usize = 32;

/// The instructions a wave executed last, with the wait state each began in.
#[derive(Clone, Copy, Default)]
pub struct History {
    recent: [(u32, u32); KEPT],
    count: usize,
    clock: u32,
}

impl History {
    #[inline]
    pub fn push(&mut self, pc: usize, states: u32) {
        if states == 0 {
            return;
        }
        self.recent[self.count % KEPT] = (pc as u32, self.clock);
        self.count += 1;
        self.clock += states;
    }

    /// Traps if the instruction at `pc` comes too soon after one that was executed before it.
    pub fn check(
        &self,
        code: &[Instruction],
        pc: usize,
        arch: Arch,
        line: impl Fn(usize) -> u32,
    ) -> Step<()> {
        let after = &code[pc].traits;
        let mut made = false;
        for back in 1..=self.count.min(KEPT) {
            let (before, began) = self.recent[(self.count - back) % KEPT];
            let found = self.clock - began - 1;
            if found >= WINDOW {
                break;
            }
            let pc = before as usize;
            let before = &code[pc].traits;
            if let Some((rule, required)) = rule(before, after, made, arch)
                && found < required
            {
                return Kind::WaitStates { rule, required, found, after: line(pc) }.trap();
            }
            made |= makes_addend(before, after);
        }
        Ok(())
    }
}

/// Wait states an instruction takes.
pub fn states(op: &Op) -> u32 {
    match op {
        Op::Deleted => 0,
        Op::Idle(states) => *states,
        _ => 1,
    }
}

/// For each instruction, whether no path to it can break a rule.
pub fn settle(code: &[Instruction], arch: Arch) -> Vec<bool> {
    let predecessors = predecessors(code);
    (0..code.len()).map(|pc| settled(code, &predecessors, pc, arch)).collect()
}

/// The instructions that may have been executed just before each.
fn predecessors(code: &[Instruction]) -> Vec<Vec<usize>> {
    let mut predecessors = vec![Vec::new(); code.len() + 1];
    for (pc, instruction) in code.iter().enumerate() {
        let mut falls_through = true;
        match &instruction.op {
            Op::Branch(branch) => {
                predecessors[branch.target].push(pc);
                falls_through = branch.when != Condition::Always;
            }
            Op::End => falls_through = false,
            _ => {}
        }
        if falls_through {
            predecessors[pc + 1].push(pc);
        }
    }
    predecessors
}

/// Walks back over every path until the window is full.
fn settled(code: &[Instruction], predecessors: &[Vec<usize>], pc: usize, arch: Arch) -> bool {
    // So many steps that only a knot of short branches needs more; what is not settled is checked as it runs.
    let mut steps = 2000;
    let mut paths = vec![(pc, 0)];
    let consumer = &code[pc].traits;
    if consumer.unit == Unit::Scalar {
        return true;
    }
    while let Some((at, found)) = paths.pop() {
        for &before in &predecessors[at] {
            let needed = rule(&code[before].traits, consumer, false, arch);
            if steps == 0 || needed.is_some_and(|(_, required)| found < required) {
                return false;
            }
            steps -= 1;
            let found = found + states(&code[before].op);
            if found < WINDOW {
                paths.push((before, found));
            }
        }
    }
    true
}

type Rule = (&'static str, u32);

/// Whether the second adds to just what the first makes.
fn makes_addend(before: &Traits, after: &Traits) -> bool {
    let is_matrix = matches!(before.unit, Unit::Matrix | Unit::SlowMatrix);
    is_matrix && after.addend.is_some_and(|addend| before.vector_writes.first() == Some(&addend))
}

/// The wait states that must lie between two instructions, if any must. `made`: one between the two
/// makes the second's whole addend, so that what the first left of it is gone.
fn rule(before: &Traits, after: &Traits, made: bool, arch: Arch) -> Option<Rule> {
    if after.unit == Unit::Scalar {
        return None;
    }
    let candidates = [
        scalar_rule(before, after),
        exec_rule(before, after),
        forward_rule(before, after),
        store_rule(before, after),
        matrix_rule(before, after, made, arch),
    ];
    candidates.into_iter().flatten().max_by_key(|(_, states)| *states)
}

fn is_vector(unit: Unit) -> bool {
    matches!(unit, Unit::Vector | Unit::Transcendental)
}

fn is_memory(unit: Unit) -> bool {
    matches!(unit, Unit::VectorMemory | Unit::DirectToLds | Unit::Lds)
}

/// A scalar register written by one unit and read by another.
fn scalar_rule(before: &Traits, after: &Traits) -> Option<Rule> {
    let shared = before.scalar_writes & after.scalar_reads;
    if shared == 0 {
        return None;
    }
    if before.unit == Unit::Scalar {
        let direct = after.unit == Unit::DirectToLds && shared & scalar_mask(M0, 1) != 0;
        return direct.then_some(("a load to LDS after a scalar write of m0", 1));
    }
    if !is_vector(before.unit) {
        return None;
    }
    if after.lane_select & before.scalar_writes != 0 {
        return Some(("a lane selected by a register that a vector instruction wrote", 4));
    }
    match after.unit {
        Unit::VectorMemory | Unit::DirectToLds => {
            Some(("vector memory after a vector write of its scalar operand", 5))
        }
        Unit::Vector | Unit::Transcendental => {
            Some(("a vector read of a scalar that a vector instruction wrote", 2))
        }
        _ => None,
    }
}

fn exec_rule(before: &Traits, after: &Traits) -> Option<Rule> {
    let writes_exec = before.scalar_writes & scalar_mask(EXEC, 2) != 0;
    (writes_exec && is_vector(before.unit) && after.dpp)
        .then_some(("DPP after a vector write of exec", 5))
}

/// Results that reach the next vector instruction late.
fn forward_rule(before: &Traits, after: &Traits) -> Option<Rule> {
    if !is_vector(before.unit) || !overlap(&before.vector_writes, &after.vector_reads) {
        return None;
    }
    let reads_lane =
        is_vector(after.unit) && after.vector_writes.is_empty() && after.scalar_writes != 0;
    if after.dpp {
        Some(("DPP after a write of its source", 2))
    } else if before.unit == Unit::Transcendental && after.unit == Unit::Vector {
        Some(("the result of a transcendental instruction", 1))
    } else if before.partial_write && is_vector(after.unit) {
        Some(("a partly written register", 1))
    } else if reads_lane && after.vector_reads.len() == 1 && after.scalar_writes.count_ones() == 1 {
        Some(("a lane read after a vector write", 1))
    } else {
        None
    }
}

/// A wide store reads its data late.
fn store_rule(before: &Traits, after: &Traits) -> Option<Rule> {
    if before.unit != Unit::VectorMemory
        || !before.vector_writes.is_empty()
        || !is_vector(after.unit)
    {
        return None;
    }
    let wide = before.vector_reads.iter().filter(|(_, count)| *count > 2);
    let clash = wide.into_iter().any(|&data| overlap(&[data], &after.vector_writes));
    clash.then_some(("a write of the data of a wide store", 2))
}

/// A matrix result is there some passes later, and the hardware does not wait for it.
fn matrix_rule(before: &Traits, after: &Traits, made: bool, arch: Arch) -> Option<Rule> {
    if !matches!(before.unit, Unit::Matrix | Unit::SlowMatrix) {
        return None;
    }
    let fast = before.unit == Unit::Matrix;
    let later = u32::from(arch == Arch::Gfx950 && before.passes != 2);
    let result = if fast { before.passes + 3 + later } else { before.passes + 2 };
    if matches!(after.unit, Unit::Matrix | Unit::SlowMatrix) {
        return matrix_chain(before, after, made, result, arch);
    }
    if !is_vector(after.unit) && !is_memory(after.unit) {
        return None;
    }
    if overlap(&before.vector_writes, &after.vector_reads) {
        return Some(("a matrix result", result));
    }
    if overlap(&before.vector_writes, &after.vector_writes) {
        return Some(("a write over a matrix result", result));
    }
    let addend = before.addend.is_some_and(|addend| overlap(&[addend], &after.vector_writes));
    (addend && is_vector(after.unit)).then_some(("a write over a matrix addend", before.passes - 1))
}

fn matrix_chain(
    before: &Traits,
    after: &Traits,
    made: bool,
    result: u32,
    arch: Arch,
) -> Option<Rule> {
    let result_range = *before.vector_writes.first()?;
    let addend = after.addend.filter(|addend| overlap(&[*addend], &[result_range]));
    let operands = after.vector_reads.iter().filter(|range| Some(**range) != after.addend);
    if operands.into_iter().any(|&range| overlap(&[range], &[result_range])) {
        return Some(("a matrix result as a matrix operand", result));
    }
    match addend {
        // The accumulator of a chain is forwarded.
        Some(range) if range.0 == result_range.0 || made => None,
        Some(_) if before.unit == Unit::Matrix => {
            let later = u32::from(arch == Arch::Gfx950);
            Some(("a matrix result as part of an addend", before.passes + 1 + later))
        }
        Some(_) => Some(("a matrix result as part of an addend", before.passes)),
        None => None,
    }
}

fn overlap(a: &[(VectorRegister, u16)], b: &[(VectorRegister, u16)]) -> bool {
    a.iter().any(|&(a, na)| b.iter().any(|&(b, nb)| a < b + nb && b < a + na))
}
