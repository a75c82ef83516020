//! Executes vector arithmetic. The plain case, without modifiers, touches no memory but the registers.

use super::wave::Wave;
use crate::asm::operand::EXEC;
use crate::fault::Step;
use crate::isa::lanes::{collect, expand};
use crate::isa::{
    Carry, Compare, Compute, Dpp, DppControl, Extras, Insert, Kind, Lanes, Place, Rest,
    ScalarSource, Select, Source, Transform, Vector, VectorRegister, Wide, WideFn,
};
use crate::number::{exp2d, flush, from_f16, to_f16};

/// The destination's bit among indexed operands.
const DESTINATION: u8 = 8;

pub fn vector(wave: &mut Wave, op: &Vector) -> Step<()> {
    let mask = wave.exec();
    if mask == 0 {
        return Ok(());
    }
    if op.extras.is_some() || wave.flush_f32 && op.kind == Kind::F32 {
        return with_extras(wave, op, mask);
    }
    if let Compute::Wide(compute, sources, dwords) = op.compute {
        let undefined = undefined_above(wave, op, sources, mask)?;
        let out = wide(wave, op, compute, sources, mask)?;
        store_wide(wave, op, &out, dwords, mask)?;
        return match undefined {
            0 => Ok(()),
            lanes => wave.undefine(wave.moved(op.to, DESTINATION) + 1, lanes),
        };
    }
    if moves_undefined(wave, op, mask)? {
        return Ok(());
    }
    let mut out = [0; 64];
    compute(wave, op, mask, &mut out)?;
    wave.set_vector(wave.moved(op.to, DESTINATION), mask, &out)
}

fn compute(wave: &Wave, op: &Vector, mask: u64, out: &mut Lanes) -> Step<()> {
    let (mut first, mut second, mut third) = ([0; 64], [0; 64], [0; 64]);
    let [a, b, c] = &op.sources;
    match op.compute {
        Compute::One(f) => f(out, wave.source(a, 1, mask, &mut first)?),
        Compute::Two(f) => {
            let a = wave.source(a, 1, mask, &mut first)?;
            f(out, a, wave.source(b, 2, mask, &mut second)?);
        }
        Compute::Three(f) => {
            let a = wave.source(a, 1, mask, &mut first)?;
            let b = wave.source(b, 2, mask, &mut second)?;
            f(out, a, b, wave.source(c, 4, mask, &mut third)?);
        }
        Compute::Wide(..) | Compute::Compare(_) | Compute::CompareWide(_) => {}
    }
    Ok(())
}

/// Copying a register that was never written is not a use of it: the compiler copies undefined values.
fn moves_undefined(wave: &mut Wave, op: &Vector, mask: u64) -> Step<bool> {
    let (Compute::One(_), Place::Vector(from), Kind::U32) =
        (op.compute, op.sources[0].place, op.kind)
    else {
        return Ok(false);
    };
    let from = wave.moved(from, 1);
    let undefined = mask & !wave.defined(from)?;
    if undefined == 0 {
        return Ok(false);
    }
    let value = *wave.kept(from)?;
    let to = wave.moved(op.to, DESTINATION);
    wave.set_vector(to, mask, &value)?;
    wave.undefine(to, undefined)?;
    Ok(true)
}

/// Lanes whose high result is undefined because a high source is: the compiler adds 64-bit values of which it uses the low half.
fn undefined_above(wave: &Wave, op: &Vector, sources: usize, mask: u64) -> Step<u64> {
    let mut undefined = 0;
    if op.upward {
        for source in op.sources[..sources].iter().filter(|source| source.width > 1) {
            if let Place::Vector(first) = source.place {
                undefined |= mask & !wave.defined(first + 1)?;
            }
        }
    }
    Ok(undefined)
}

fn wide(wave: &Wave, op: &Vector, compute: WideFn, sources: usize, mask: u64) -> Step<Wide> {
    let mut values = [[0; 64]; 3];
    for (index, value) in values.iter_mut().enumerate().take(sources) {
        let source = &op.sources[index];
        *value = wave.wide_source(source, 1 << index, mask, op.upward)?;
    }
    let mut out = [0; 64];
    compute(&mut out, &values[0], &values[1], &values[2]);
    Ok(out)
}

fn store_wide(wave: &mut Wave, op: &Vector, out: &Wide, dwords: u16, mask: u64) -> Step<()> {
    let to = wave.moved(op.to, DESTINATION);
    if dwords == 2 {
        wave.set_pair(to, mask, out)
    } else {
        wave.set_vector(to, mask, &out.map(|value| value as u32))
    }
}

/// The slow path: every modifier in the order the hardware applies them.
fn with_extras(wave: &mut Wave, op: &Vector, mask: u64) -> Step<()> {
    let none = Extras::default();
    let extras = op.extras.as_deref().unwrap_or(&none);
    let mut write = mask;
    let mut sources = [[0; 64]; 3];
    let count = op.compute.sources().min(3);
    if let Compute::Wide(compute, given, dwords) = op.compute {
        return wide_with_extras(wave, op, extras, (compute, given, dwords), mask);
    }
    for (index, slot) in sources.iter_mut().enumerate().take(count) {
        let source = &op.sources[index];
        let raw = Source { keep: u32::MAX, flip: 0, ..*source };
        let bit = 1 << index;
        *slot = match extras.dpp.filter(|_| index == 0) {
            Some(dpp) => permute(wave, &raw, dpp, mask, &mut write)?,
            None => *wave.source(&raw, bit, mask, &mut [0; 64])?,
        };
        let transform = extras.transforms[index];
        for value in slot.iter_mut() {
            *value = transformed(*value, transform) & source.keep ^ source.flip;
        }
        if wave.flush_f32 && op.kind == Kind::F32 {
            *slot = slot.map(flush_bits);
        }
    }
    let mut out = [0; 64];
    match op.compute {
        Compute::One(f) => f(&mut out, &sources[0]),
        Compute::Two(f) => f(&mut out, &sources[0], &sources[1]),
        Compute::Three(f) => f(&mut out, &sources[0], &sources[1], &sources[2]),
        _ => {}
    }
    finish(wave, op, extras, write, out)
}

/// Of 64-bit instructions, those that widen a part of a 32-bit source have SDWA; the others clamp and scale at most.
fn wide_with_extras(
    wave: &mut Wave,
    op: &Vector,
    extras: &Extras,
    (compute, sources, dwords): (WideFn, usize, u16),
    mask: u64,
) -> Step<()> {
    let mut values = [[0; 64]; 3];
    for (index, value) in values.iter_mut().enumerate().take(sources) {
        *value = wave.wide_source(&op.sources[index], 1 << index, mask, false)?;
        if extras.transforms[index] != Transform::None {
            *value = value.map(|v| u64::from(transformed(v as u32, extras.transforms[index])));
        }
    }
    let mut out = [0; 64];
    compute(&mut out, &values[0], &values[1], &values[2]);
    if op.result == Kind::F64 {
        out = out.map(|value| {
            let scaled = f64::from_bits(value) * exp2d(extras.scale);
            if extras.clamp { scaled.clamp(0.0, 1.0).to_bits() } else { scaled.to_bits() }
        });
    }
    store_wide(wave, op, &out, dwords, mask)
}

fn finish(wave: &mut Wave, op: &Vector, extras: &Extras, write: u64, mut out: Lanes) -> Step<()> {
    if wave.flush_f32 && op.result == Kind::F32 {
        out = out.map(flush_bits);
    }
    if extras.scale != 0 || extras.clamp {
        let factor = exp2d(extras.scale) as f32;
        let adjust = |value: f32| match value * factor {
            scaled if !extras.clamp => scaled,
            // NaN becomes zero, as dx10_clamp has it.
            scaled if scaled > 0.0 => scaled.min(1.0),
            _ => 0.0,
        };
        out = match op.result {
            Kind::F16 => out.map(|value| to_f16(adjust(from_f16(value)))),
            _ => out.map(|value| adjust(f32::from_bits(value)).to_bits()),
        };
    }
    let to = wave.moved(op.to, DESTINATION);
    if let Insert::Part { shift, bits, rest } = extras.insert {
        let old = *wave.kept(to)?;
        for l in 0..64 {
            out[l] = inserted(out[l], old[l], shift, bits, rest);
        }
    }
    wave.set_vector(to, write, &out)
}

fn flush_bits(value: u32) -> u32 {
    flush(f32::from_bits(value)).to_bits()
}

fn transformed(value: u32, transform: Transform) -> u32 {
    match transform {
        Transform::None => value,
        Transform::Part { shift, bits, signed } => {
            let unused = 32 - bits;
            let top = value >> shift << unused;
            if signed { (top as i32 >> unused) as u32 } else { top >> unused }
        }
        Transform::Widen { shift } => from_f16(value >> shift).to_bits(),
        Transform::Halves { low, high, negate } => {
            (value >> low & 0xffff | (value >> high & 0xffff) << 16) ^ negate
        }
    }
}

fn inserted(value: u32, old: u32, shift: u32, bits: u32, rest: Rest) -> u32 {
    let mask = ((1u64 << bits) - 1) as u32;
    let placed = (value & mask) << shift;
    match rest {
        Rest::Zero => placed,
        Rest::Keep => placed | old & !(mask << shift),
        Rest::Sign => {
            let unused = 32 - bits;
            ((value << unused) as i32 >> unused) as u32 & !((1u64 << shift) - 1) as u32 | placed
        }
    }
}

/// The source of a DPP instruction; lanes without a source are dropped from `write` unless they read zero.
fn permute(wave: &Wave, source: &Source, dpp: Dpp, exec: u64, write: &mut u64) -> Step<Lanes> {
    let mut needed = 0;
    let mut from = [usize::MAX; 64];
    for (lane, slot) in from.iter_mut().enumerate() {
        let enabled =
            dpp.row_mask >> (lane / 16) & 1 == 1 && dpp.bank_mask >> (lane / 4 % 4) & 1 == 1;
        let found = dpp_source(dpp.control, lane).filter(|&other| exec >> other & 1 == 1);
        match found {
            Some(other) => *slot = other,
            None if dpp.bound_control => {}
            None => *write &= !(1 << lane),
        }
        if !enabled {
            *write &= !(1 << lane);
        } else if let Some(other) = found.filter(|_| exec >> lane & 1 == 1) {
            needed |= 1 << other;
        }
    }
    let mut buffer = [0; 64];
    let lanes = wave.source(source, 1, needed, &mut buffer)?;
    Ok(from.map(|other| if other == usize::MAX { 0 } else { lanes[other] }))
}

/// The lane that DPP reads for a lane, or `None` where it lies outside the row or the wave.
fn dpp_source(control: DppControl, lane: usize) -> Option<usize> {
    let (row, column) = (lane / 16 * 16, lane % 16);
    match control {
        DppControl::QuadPermute(quad) => Some(lane / 4 * 4 + usize::from(quad[lane % 4])),
        DppControl::RowShiftLeft(by) => {
            Some(column + usize::from(by)).filter(|&c| c < 16).map(|c| row + c)
        }
        DppControl::RowShiftRight(by) => column.checked_sub(usize::from(by)).map(|c| row + c),
        DppControl::RowRotate(by) => Some(row + (column + 16 - usize::from(by)) % 16),
        DppControl::RowMirror => Some(row + 15 - column),
        DppControl::RowHalfMirror => Some(lane / 8 * 8 + 7 - lane % 8),
        DppControl::RowBroadcast15 => row.checked_sub(1),
        DppControl::RowBroadcast31 => (lane >= 32).then_some(31),
        DppControl::RowNewBroadcast(lane) => Some(row + usize::from(lane)),
        DppControl::WaveShift { by, rotate } => {
            let other = lane as i32 + i32::from(by);
            (rotate || (0..64).contains(&other)).then_some(other.rem_euclid(64) as usize)
        }
    }
}

pub fn pair(wave: &mut Wave, pair: &[Vector; 2]) -> Step<()> {
    let mask = wave.exec();
    if mask == 0 {
        return Ok(());
    }
    let mut out = [[0; 64]; 2];
    for (op, out) in pair.iter().zip(&mut out) {
        compute(wave, op, mask, out)?;
        if wave.flush_f32 {
            *out = out.map(flush_bits);
        }
    }
    wave.set_vector(pair[0].to, mask, &out[0])?;
    wave.set_vector(pair[1].to, mask, &out[1])
}

pub fn compare(wave: &mut Wave, op: &Compare) -> Step<()> {
    let mask = wave.exec();
    let mut flags = [0; 64];
    let [a, b] = &op.sources;
    match op.compute {
        Compute::CompareWide(f) => {
            let a = wave.wide_source(a, 1, mask, false)?;
            f(&mut flags, &a, &wave.wide_source(b, 2, mask, false)?);
        }
        Compute::Compare(f) => {
            let (mut first, mut second) = ([0; 64], [0; 64]);
            let a = prepared(wave, a, 1, op.transforms[0], mask, &mut first)?;
            f(&mut flags, a, prepared(wave, b, 2, op.transforms[1], mask, &mut second)?);
        }
        _ => {}
    }
    let result = collect(&flags) & mask;
    wave.set_scalar_pair(op.to, result)?;
    if op.writes_exec {
        wave.set_scalar_pair(EXEC, result)?;
    }
    Ok(())
}

fn prepared<'a>(
    wave: &'a Wave,
    source: &Source,
    bit: u8,
    transform: Transform,
    mask: u64,
    buffer: &'a mut Lanes,
) -> Step<&'a Lanes> {
    if transform == Transform::None {
        return wave.source(source, bit, mask, buffer);
    }
    let raw = Source { keep: u32::MAX, flip: 0, ..*source };
    let value = *wave.source(&raw, bit, mask, &mut [0; 64])?;
    *buffer = value.map(|v| transformed(v, transform) & source.keep ^ source.flip);
    Ok(buffer)
}

/// Each lane uses only the source it selects: the compiler leaves the other undefined where it may.
pub fn select(wave: &mut Wave, op: &Select) -> Step<()> {
    let mask = wave.exec();
    let choice = wave.scalar(op.mask, 2)?;
    let [a, b, _] = &op.vector.sources;
    let extras = op.vector.extras.as_deref();
    let transform =
        |index: usize| extras.map_or(Transform::None, |extras| extras.transforms[index]);
    let mut write = mask;
    let mut first = [0; 64];
    let mut out = match extras.and_then(|extras| extras.dpp) {
        Some(dpp) => permute(wave, a, dpp, mask & !choice, &mut write)?,
        None => *prepared(wave, a, 1, transform(0), mask & !choice, &mut first)?,
    };
    let mut second = [0; 64];
    let b = prepared(wave, b, 2, transform(1), mask & choice, &mut second)?;
    let chosen = expand(choice);
    for l in 0..64 {
        out[l] = b[l] & chosen[l] | out[l] & !chosen[l];
    }
    let none = Extras::default();
    finish(wave, &op.vector, extras.unwrap_or(&none), write, out)
}

pub fn carry(wave: &mut Wave, op: &Carry) -> Step<()> {
    let mask = wave.exec();
    let carry_in = match op.carry_in {
        Some(first) => wave.scalar(first, 2)?,
        None => 0,
    };
    let (mut first, mut second) = ([0; 64], [0; 64]);
    let a = wave.source(&op.sources[0], 1, mask, &mut first)?;
    let b = wave.source(&op.sources[1], 2, mask, &mut second)?;
    let mut out = [0; 64];
    let mut carry_out = 0;
    for l in 0..64 {
        let (value, carry) = (op.compute)(a[l], b[l], carry_in >> l & 1 == 1);
        out[l] = value;
        carry_out |= u64::from(carry) << l;
    }
    wave.set_vector(op.to, mask, &out)?;
    wave.set_scalar_pair(op.carry_out, carry_out & mask)
}

/// Nothing is scaled, and no lane asks for it: `div_fixup` says how division comes out right all the same.
pub fn divide_scale(wave: &mut Wave, op: &Vector, flags: u8) -> Step<()> {
    vector(wave, op)?;
    wave.set_scalar_pair(flags, 0)
}

pub fn read_lane(
    wave: &mut Wave,
    to: u8,
    from: VectorRegister,
    lane: Option<ScalarSource>,
) -> Step<()> {
    let lane = match lane {
        Some(source) => wave.scalar_source(source)? as usize & 63,
        // Without an active lane, lane 0 is read.
        None => wave.exec().trailing_zeros() as usize & 63,
    };
    let value = wave.vector(from, 1 << lane)?[lane];
    wave.set_scalar(to, value)
}

pub fn write_lane(
    wave: &mut Wave,
    to: VectorRegister,
    value: ScalarSource,
    lane: ScalarSource,
) -> Step<()> {
    let value = wave.scalar_source(value)? as u32;
    let lane = wave.scalar_source(lane)? & 63;
    wave.set_vector(to, 1 << lane, &[value; 64])
}

pub fn lane_swap(wave: &mut Wave, a: VectorRegister, b: VectorRegister, block: usize) -> Step<()> {
    let mask = wave.exec();
    let (old_a, old_b) = (*wave.vector(a, mask)?, *wave.vector(b, mask)?);
    let (mut new_a, mut new_b) = (old_a, old_b);
    if block == 64 {
        (new_a, new_b) = (old_b, old_a);
    } else {
        for low in (0..64).filter(|lane| (lane / block).is_multiple_of(2)) {
            new_a[low + block] = old_b[low];
            new_b[low] = old_a[low + block];
        }
    }
    wave.set_vector(a, mask, &new_a)?;
    wave.set_vector(b, mask, &new_b)
}
