//! One workgroup: its waves, in which order they run, and the barriers between them.

use super::lds::Lds;
use super::wave::Wave;
use super::{matrix, memory, pending, scalar, shared, vector, wait_states};
use crate::fault::{Fault, Kind, Step, Trap};
use crate::isa::Op;
use crate::kernel::Kernel;
use crate::memory::Memory;

/// What a workgroup shares, apart from its waves.
pub struct Group<'a> {
    pub kernel: &'a Kernel,
    pub memory: &'a Memory,
    pub lds: Lds,
    /// Whether LDS is touched when an instruction is issued, or only when it is waited for. Both are allowed.
    pub eager: bool,
    pub matrix_count: u64,
    /// Instructions that were executed, where the caller wants to know.
    pub coverage: Option<Coverage>,
}

/// What happened at each instruction.
#[derive(Default)]
pub struct Coverage {
    pub executed: Vec<bool>,
    /// A wait completed a load or an access of LDS.
    pub completed: Vec<bool>,
}

impl Coverage {
    pub fn new(instructions: usize) -> Self {
        Self { executed: vec![false; instructions], completed: vec![false; instructions] }
    }
}

/// How the waves of a workgroup take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each wave runs to its next barrier, in order.
    InTurn,
    /// A random wave runs for a random time; even seeds complete LDS accesses at the wait, odd ones at issue.
    Seeded(u64),
}

/// Where an instruction leaves its wave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Following,
    Jump(usize),
    Barrier,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    AtBarrier,
    Ended,
}

impl Group<'_> {
    /// Runs every wave to its end.
    pub fn run(
        &mut self,
        waves: &mut [Wave],
        order: Order,
        limit: u64,
        id: [u32; 3],
    ) -> Result<(), Box<Fault>> {
        let mut states = vec![State::Runs; waves.len()];
        let mut random = match order {
            Order::InTurn => None,
            Order::Seeded(seed) => {
                Some(Random(seed ^ u64::from(id[0]) << 20 ^ u64::from(id[1]) << 40))
            }
        };
        loop {
            let running: Vec<usize> =
                (0..waves.len()).filter(|&w| states[w] == State::Runs).collect();
            if running.is_empty() {
                if states.iter().all(|state| *state == State::Ended) {
                    return Ok(());
                }
                self.release(waves, &mut states)
                    .map_err(|(w, trap)| self.fault(&waves[w], id, *trap))?;
                continue;
            }
            let (wave, quantum) = match &mut random {
                None => (running[0], u64::MAX),
                Some(random) => (running[random.below(running.len())], 1 + random.below(64) as u64),
            };
            let outcome = self.advance(&mut waves[wave], quantum, limit);
            states[wave] = outcome.map_err(|trap| self.fault(&waves[wave], id, *trap))?;
        }
    }

    /// Runs one wave until it stops or its time is over.
    fn advance(&mut self, wave: &mut Wave, quantum: u64, limit: u64) -> Step<State> {
        let stop = wave.executed.saturating_add(quantum);
        while wave.executed < stop {
            let pc = wave.pc;
            if wave.executed >= limit {
                return Kind::InstructionLimit { limit }.trap();
            }
            match self.step(wave)? {
                Next::Following => wave.pc = pc + 1,
                Next::Jump(target) => wave.pc = target,
                Next::Barrier => {
                    wave.pc = pc + 1;
                    return Ok(State::AtBarrier);
                }
                Next::End => return Ok(State::Ended),
            }
        }
        Ok(State::Runs)
    }

    /// Every wave waits or has ended: the barrier opens if all wait.
    fn release(&mut self, waves: &[Wave], states: &mut [State]) -> Result<(), (usize, Box<Trap>)> {
        let numbers = |wanted: State, states: &[State]| -> Vec<u32> {
            (0..)
                .zip(states)
                .filter(|(_, state)| **state == wanted)
                .map(|(number, _)| number)
                .collect()
        };
        let (waiting, ended) = (numbers(State::AtBarrier, states), numbers(State::Ended, states));
        if !ended.is_empty() {
            let first = waiting[0] as usize;
            let kind = Kind::BarrierNotReached { waiting, ended };
            return Err((first, Box::new(Trap { kind, lane: None })));
        }
        self.lds.barrier();
        for (index, wave) in waves.iter().enumerate() {
            pending::carry_over(wave, self).map_err(|trap| (index, trap))?;
        }
        states.fill(State::Runs);
        Ok(())
    }

    fn fault(&self, wave: &Wave, workgroup: [u32; 3], trap: Trap) -> Box<Fault> {
        // A wave at a barrier has already moved past it.
        let at_barrier = matches!(trap.kind, Kind::BarrierNotReached { .. });
        let pc = wave.pc - usize::from(at_barrier);
        Box::new(Fault {
            kind: trap.kind,
            kernel: self.kernel.name.clone(),
            location: self.kernel.locations[pc].clone(),
            workgroup,
            wave: wave.number,
            lane: trap.lane,
        })
    }

    fn step(&mut self, wave: &mut Wave) -> Step<Next> {
        let kernel = self.kernel;
        let pc = wave.pc;
        let Some(instruction) = kernel.code.get(pc) else {
            return Kind::Unsupported { what: "running past the end of the kernel".into() }.trap();
        };
        if let Some(coverage) = &mut self.coverage {
            coverage.executed[pc] = true;
        }
        if !kernel.settled[pc] {
            wave.history.check(&kernel.code, pc, kernel.arch, |pc| kernel.locations[pc].line)?;
        }
        wave.executed += 1;
        wave.history.push(pc, wait_states::states(&instruction.op));
        match &instruction.op {
            Op::Vector(op) => vector::vector(wave, op)?,
            Op::Pair(pair) => vector::pair(wave, pair)?,
            Op::Compare(op) => vector::compare(wave, op)?,
            Op::Select(op) => vector::select(wave, op)?,
            Op::Carry(op) => vector::carry(wave, op)?,
            Op::DivideScale(op, flags) => vector::divide_scale(wave, op, *flags)?,
            Op::ReadLane { to, from, lane } => vector::read_lane(wave, *to, *from, *lane)?,
            Op::WriteLane { to, value, lane } => vector::write_lane(wave, *to, *value, *lane)?,
            Op::LaneSwap { a, b, block } => vector::lane_swap(wave, *a, *b, *block)?,
            Op::Matrix(op) => {
                self.matrix_count += 1;
                matrix::matrix(wave, op)?;
            }
            Op::Memory(op) => memory::issue(wave, self, op)?,
            Op::Shared(op) => shared::issue(wave, self, op)?,
            Op::Cache => memory::count_only(wave),
            Op::Wait(op) => pending::wait(wave, self, *op)?,
            Op::Barrier => return Ok(Next::Barrier),
            Op::End => {
                pending::drain(wave, self)?;
                return Ok(Next::End);
            }
            Op::Deleted | Op::Idle(_) => {}
            op => return scalar::scalar(wave, self.memory, op),
        }
        Ok(Next::Following)
    }
}

/// SplitMix64: enough to shuffle waves, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % bound as u64) as usize
    }
}
