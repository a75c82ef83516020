//! Executes scalar arithmetic, branches, scalar loads and the instructions that change a wave's mode.

use super::group::Next;
use super::wave::Wave;
use crate::asm::operand::{EXEC, M0};
use crate::fault::{Kind, Step};
use crate::isa::{Branch, Condition, Op, SaveExec, Scalar, ScalarLoad};
use crate::memory::Memory;

pub fn scalar(wave: &mut Wave, memory: &Memory, op: &Op) -> Step<Next> {
    match op {
        Op::Scalar(op) => arithmetic(wave, op)?,
        Op::SaveExec(op) => save_exec(wave, op)?,
        Op::Branch(op) => return Ok(branch(wave, *op)),
        Op::ScalarLoad(op) => load(wave, memory, op)?,
        Op::GetRegister { to, value } => wave.set_scalar(*to, *value)?,
        Op::SetMode { bit, size, value } => {
            let value = wave.scalar_source(*value)?;
            set_denormals(wave, *bit, *size, value);
        }
        Op::IndexOn { index, operands } => {
            let index = wave.scalar_source(*index)? as u32 & 0xff;
            wave.indexed = *operands;
            wave.index = index as u16;
            wave.set_scalar(M0, index | u32::from(*operands) << 12)?;
        }
        Op::IndexOff => wave.indexed = 0,
        _ => {
            return Kind::Unsupported { what: "this instruction".into() }.trap();
        }
    }
    Ok(Next::Following)
}

fn arithmetic(wave: &mut Wave, op: &Scalar) -> Step<()> {
    let (a, b) = (wave.scalar_source(op.a)?, wave.scalar_source(op.b)?);
    let (value, scc) = (op.compute)(a, b, wave.scc);
    match op.to {
        Some((first, 1)) => wave.set_scalar(first, value as u32)?,
        Some((first, _)) => wave.set_scalar_pair(first, value)?,
        None => {}
    }
    if !op.keep_scc {
        wave.scc = scc;
    }
    Ok(())
}

fn save_exec(wave: &mut Wave, op: &SaveExec) -> Step<()> {
    let old = wave.exec();
    let new = (op.compute)(wave.scalar_source(op.from)?, old);
    wave.set_scalar_pair(op.to, old)?;
    wave.set_scalar_pair(EXEC, new)?;
    wave.scc = new != 0;
    Ok(())
}

fn branch(wave: &Wave, op: Branch) -> Next {
    let taken = match op.when {
        Condition::Always => true,
        Condition::Scc(wanted) => wave.scc == wanted,
        Condition::VccZero(wanted) => (wave.vcc() == 0) == wanted,
        Condition::ExecZero(wanted) => (wave.exec() == 0) == wanted,
    };
    if taken { Next::Jump(op.target) } else { Next::Following }
}

fn load(wave: &mut Wave, memory: &Memory, op: &ScalarLoad) -> Step<()> {
    let offset = wave.scalar_source(op.offset)?.wrapping_add(op.extra as u64);
    let bytes = 4 * u64::from(op.dwords);
    let mut values = [0; 16];
    let dwords = usize::from(op.dwords);
    let base = if op.buffer {
        let [low, high, records, _] = wave.scalars::<4>(op.base)?;
        if offset + bytes > u64::from(records) {
            return wave.load_scalars(op.to, &values[..dwords]);
        }
        u64::from(low) | u64::from(high & 0xffff) << 32
    } else {
        wave.scalar(op.base, 2)?
    };
    // Scalar loads ignore the two lowest bits of the address.
    let address = base.wrapping_add(offset) & !3;
    for (index, chunk) in values[..dwords].chunks_mut(4).enumerate() {
        let count = chunk.len();
        let loaded = memory.load(address + 16 * index as u64, count, 0)?;
        chunk.copy_from_slice(&loaded[..count]);
    }
    wave.load_scalars(op.to, &values[..dwords])
}

/// MODE bits 4 and 5 are f32's denormals, 6 and 7 those of f16 and f64; zero flushes.
fn set_denormals(wave: &mut Wave, bit: u32, size: u32, value: u64) {
    let old = if wave.flush_f32 { 0 } else { 3 } | if wave.flush_f16_f64 { 0 } else { 12 };
    let mask = ((1u64 << size) - 1) << (bit - 4);
    let new = old & !mask | value << (bit - 4) & mask;
    wave.flush_f32 = new & 3 == 0;
    wave.flush_f16_f64 = new & 12 == 0;
}
