//! The state of one wave: registers, what of them is defined, and which loads are outstanding.
//! Every read and write of a register passes here, so that none escapes the checks.

use std::collections::VecDeque;

use crate::asm::operand::{EXEC, EXECZ, PRIVATE_BASE, SCC, SHARED_BASE, VCC, VCCZ};
use crate::exec::pending::Outstanding;
use crate::exec::wait_states::History;
use crate::fault::{Kind, Step};
use crate::isa::decode::scalar_mask;
use crate::isa::lanes::expand;
use crate::isa::{ACCUMULATORS, Lanes, Place, ScalarSource, Source, VectorRegister, Wide};

/// High dwords of the flat apertures, far above any buffer.
pub const SHARED_APERTURE: u32 = 0x0100_0000;
pub const PRIVATE_APERTURE: u32 = 0x0200_0000;

pub struct Wave {
    pub number: u32,
    pub pc: usize,
    pub executed: u64,
    pub scc: bool,
    /// Operands indexed by `s_set_gpr_idx_on`, and the index.
    pub indexed: u8,
    pub index: u16,
    pub flush_f32: bool,
    pub flush_f16_f64: bool,
    pub vector_queue: VecDeque<Outstanding>,
    pub lds_queue: VecDeque<Outstanding>,
    /// Scalar loads, which complete in any order: one mask of registers each.
    pub scalar_queue: Vec<u128>,
    pub history: History,
    pub scratch: Vec<Lanes>,
    pub scratch_ready: Vec<u64>,
    vector: Vec<Lanes>,
    /// Lanes of each register that have been written.
    ready: Vec<u64>,
    /// Loads outstanding into each register.
    outstanding: Vec<u8>,
    scalar: [u32; 128],
    scalar_ready: u128,
    scalar_outstanding: u128,
}

impl Wave {
    pub fn new(registers: usize, scratch_dwords: usize) -> Self {
        Self {
            number: 0,
            pc: 0,
            executed: 0,
            scc: false,
            indexed: 0,
            index: 0,
            flush_f32: false,
            flush_f16_f64: false,
            vector_queue: VecDeque::new(),
            lds_queue: VecDeque::new(),
            scalar_queue: Vec::new(),
            history: History::default(),
            scratch: vec![[0; 64]; scratch_dwords],
            scratch_ready: vec![0; scratch_dwords],
            vector: vec![[0; 64]; registers],
            ready: vec![0; registers],
            outstanding: vec![0; registers],
            scalar: [0; 128],
            scalar_ready: 0,
            scalar_outstanding: 0,
        }
    }

    /// Forgets everything, for the next workgroup.
    pub fn clear(&mut self, number: u32) {
        self.number = number;
        self.pc = 0;
        self.executed = 0;
        self.scc = false;
        self.indexed = 0;
        self.vector_queue.clear();
        self.lds_queue.clear();
        self.scalar_queue.clear();
        self.history = History::default();
        self.scratch_ready.fill(0);
        self.ready.fill(0);
        self.outstanding.fill(0);
        self.scalar_ready = 0;
        self.scalar_outstanding = 0;
    }

    pub fn exec(&self) -> u64 {
        self.pair(EXEC)
    }

    pub fn vcc(&self) -> u64 {
        self.pair(VCC)
    }

    fn pair(&self, first: u8) -> u64 {
        let first = usize::from(first);
        u64::from(self.scalar[first]) | u64::from(self.scalar[first + 1]) << 32
    }

    // Scalar registers.

    fn check_scalar(&self, first: u8, count: u8) -> Step<()> {
        let mask = scalar_mask(first, count);
        if self.scalar_outstanding & mask != 0 {
            let register = (self.scalar_outstanding & mask).trailing_zeros();
            return Kind::RegisterBeforeWait { register: format!("s{register}") }.trap();
        }
        if mask & !self.scalar_ready != 0 {
            let register = (mask & !self.scalar_ready).trailing_zeros() as u8;
            return Kind::UninitialisedRegister { register: scalar_name(register) }.trap();
        }
        Ok(())
    }

    /// One or two dwords; of wider operands the first two.
    pub fn scalar(&self, first: u8, count: u8) -> Step<u64> {
        if first >= 128 {
            return self.special(first);
        }
        self.check_scalar(first, count)?;
        let low = u64::from(self.scalar[usize::from(first)]);
        Ok(if count == 1 { low } else { self.pair(first) })
    }

    /// All dwords of a wide operand.
    pub fn scalars<const N: usize>(&self, first: u8) -> Step<[u32; N]> {
        self.check_scalar(first, N as u8)?;
        Ok(std::array::from_fn(|index| self.scalar[usize::from(first) + index]))
    }

    fn special(&self, register: u8) -> Step<u64> {
        Ok(match register {
            SHARED_BASE => u64::from(SHARED_APERTURE) << 32,
            PRIVATE_BASE => u64::from(PRIVATE_APERTURE) << 32,
            SCC => u64::from(self.scc),
            VCCZ => u64::from(self.vcc() == 0),
            EXECZ => u64::from(self.exec() == 0),
            _ => {
                return Kind::Unsupported { what: format!("scalar operand {register}") }.trap();
            }
        })
    }

    pub fn scalar_source(&self, source: ScalarSource) -> Step<u64> {
        match source {
            ScalarSource::Register { first, count } => self.scalar(first, count.min(2)),
            ScalarSource::Constant(value) => Ok(value),
        }
    }

    pub fn set_scalar(&mut self, first: u8, value: u32) -> Step<()> {
        let mask = scalar_mask(first, 1);
        if self.scalar_outstanding & mask != 0 {
            return Kind::OverwriteBeforeWait { register: scalar_name(first) }.trap();
        }
        self.scalar_ready |= mask;
        self.scalar[usize::from(first)] = value;
        Ok(())
    }

    pub fn set_scalar_pair(&mut self, first: u8, value: u64) -> Step<()> {
        self.set_scalar(first, value as u32)?;
        self.set_scalar(first + 1, (value >> 32) as u32)
    }

    /// Fills registers by a load that is outstanding until the next wait.
    pub fn load_scalars(&mut self, first: u8, values: &[u32]) -> Step<()> {
        for (register, &value) in (first..).zip(values) {
            self.set_scalar(register, value)?;
        }
        let mask = scalar_mask(first, values.len() as u8);
        self.scalar_outstanding |= mask;
        self.scalar_queue.push(mask);
        Ok(())
    }

    pub fn scalars_arrived(&mut self) {
        self.scalar_queue.clear();
        self.scalar_outstanding = 0;
    }

    // Vector registers.

    fn slot(&self, register: VectorRegister) -> Step<usize> {
        let index = usize::from(register);
        if index < self.vector.len() {
            return Ok(index);
        }
        Kind::RegisterIndex { index, count: self.vector.len() }.trap()
    }

    /// Traps unless the lanes in `mask` are defined and no load is outstanding.
    fn check(&self, slot: usize, mask: u64) -> Step<()> {
        if self.outstanding[slot] != 0 {
            return Kind::RegisterBeforeWait { register: vector_name(slot) }.trap();
        }
        let undefined = mask & !self.ready[slot];
        if undefined != 0 {
            let register = vector_name(slot);
            return Kind::UninitialisedRegister { register }
                .at(undefined.trailing_zeros() as usize);
        }
        Ok(())
    }

    /// A register whose lanes in `mask` are about to be used.
    pub fn vector(&self, register: VectorRegister, mask: u64) -> Step<&Lanes> {
        let slot = self.slot(register)?;
        self.check(slot, mask)?;
        Ok(&self.vector[slot])
    }

    /// The contents without a check of what is defined: for what an instruction keeps rather than uses.
    pub fn kept(&self, register: VectorRegister) -> Step<&Lanes> {
        let slot = self.slot(register)?;
        self.check(slot, 0)?;
        Ok(&self.vector[slot])
    }

    /// The contents as they are, for a load that keeps half of its destination.
    pub fn peek(&self, register: VectorRegister) -> Step<Lanes> {
        Ok(self.vector[self.slot(register)?])
    }

    /// The lanes of a register that have been written.
    pub fn defined(&self, register: VectorRegister) -> Step<u64> {
        Ok(self.ready[self.slot(register)?])
    }

    /// Writes the lanes in `mask`.
    pub fn set_vector(&mut self, register: VectorRegister, mask: u64, value: &Lanes) -> Step<()> {
        let slot = self.slot(register)?;
        if self.outstanding[slot] != 0 {
            return Kind::OverwriteBeforeWait { register: vector_name(slot) }.trap();
        }
        self.ready[slot] |= mask;
        self.fill(register, mask, value);
        Ok(())
    }

    /// Writes data that a load has brought.
    pub fn fill(&mut self, register: VectorRegister, mask: u64, value: &Lanes) {
        let old = &mut self.vector[usize::from(register)];
        if mask == u64::MAX {
            *old = *value;
            return;
        }
        let select = expand(mask);
        for l in 0..64 {
            old[l] = value[l] & select[l] | old[l] & !select[l];
        }
    }

    pub fn set_pair(&mut self, register: VectorRegister, mask: u64, value: &Wide) -> Step<()> {
        self.set_vector(register, mask, &value.map(|v| v as u32))?;
        self.set_vector(register + 1, mask, &value.map(|v| (v >> 32) as u32))
    }

    /// Marks what happened to lanes outside the checks: they count as never written.
    pub fn undefine(&mut self, register: VectorRegister, mask: u64) -> Step<()> {
        let slot = self.slot(register)?;
        self.ready[slot] &= !mask;
        Ok(())
    }

    /// Registers become the destination of a load: their lanes in `mask` will be defined when it arrives.
    pub fn expect(&mut self, first: VectorRegister, count: u16, mask: u64) -> Step<()> {
        for register in first..first + count {
            let slot = self.slot(register)?;
            self.outstanding[slot] += 1;
            self.ready[slot] |= mask;
        }
        Ok(())
    }

    pub fn arrived(&mut self, first: VectorRegister, count: u16) {
        for register in first..first + count {
            self.outstanding[usize::from(register)] -= 1;
        }
    }

    /// Whether any load into the registers is outstanding.
    pub fn is_expected(&self, first: VectorRegister, count: u16) -> Step<bool> {
        self.slot(first + count.max(1) - 1)?;
        let range = usize::from(first)..usize::from(first + count);
        Ok(self.outstanding[range].iter().any(|&loads| loads != 0))
    }

    /// The register an operand names, moved by the index where indexing is on. `bit` is the operand's bit in `indexed`.
    pub fn moved(&self, register: VectorRegister, bit: u8) -> VectorRegister {
        if self.indexed & bit == 0 { register } else { register + self.index }
    }

    /// A 32-bit source with its sign handled; `buffer` holds what is not a register as it stands.
    #[inline]
    pub fn source<'a>(
        &'a self,
        source: &Source,
        bit: u8,
        mask: u64,
        buffer: &'a mut Lanes,
    ) -> Step<&'a Lanes> {
        let plain = source.keep == u32::MAX && source.flip == 0;
        match source.place {
            Place::Vector(register) => {
                let lanes = self.vector(self.moved(register, bit), mask)?;
                if plain {
                    return Ok(lanes);
                }
                for l in 0..64 {
                    buffer[l] = lanes[l] & source.keep ^ source.flip;
                }
            }
            Place::Scalar(first) => {
                let value = self.scalar(first, 1)? as u32;
                buffer.fill(value & source.keep ^ source.flip);
            }
            Place::Constant(value) => buffer.fill(value as u32 & source.keep ^ source.flip),
        }
        Ok(buffer)
    }

    /// A 64-bit source; one register is zero-extended. Of an `upward` instruction the high register may be undefined.
    pub fn wide_source(&self, source: &Source, bit: u8, mask: u64, upward: bool) -> Step<Wide> {
        let mut wide = match source.place {
            Place::Vector(register) => {
                let first = self.moved(register, bit);
                let mut wide = self.vector(first, mask)?.map(u64::from);
                if source.width > 1 {
                    let high = self.vector(first + 1, if upward { 0 } else { mask })?;
                    for l in 0..64 {
                        wide[l] |= u64::from(high[l]) << 32;
                    }
                }
                wide
            }
            Place::Scalar(first) => [self.scalar(first, source.width.min(2))?; 64],
            Place::Constant(value) => [value; 64],
        };
        let shift = if source.width > 1 { 32 } else { 0 };
        let keep = !(u64::from(!source.keep) << shift);
        let flip = u64::from(source.flip) << shift;
        if keep != u64::MAX || flip != 0 {
            wide = wide.map(|value| value & keep ^ flip);
        }
        Ok(wide)
    }
}

pub fn vector_name(slot: usize) -> String {
    match slot.checked_sub(usize::from(ACCUMULATORS)) {
        Some(accumulator) => format!("a{accumulator}"),
        None => format!("v{slot}"),
    }
}

fn scalar_name(register: u8) -> String {
    match register {
        106 => "vcc_lo".into(),
        107 => "vcc_hi".into(),
        124 => "m0".into(),
        126 => "exec_lo".into(),
        127 => "exec_hi".into(),
        _ => format!("s{register}"),
    }
}
