//! Executes LDS instructions. Addresses and data are taken when the instruction is issued;
//! LDS and the destination change then or at the wait, as the workgroup's order has it.

use super::group::Group;
use super::lds::{Access, Lds};
use super::memory::{active, placed, wide};
use super::pending::Outstanding;
use super::wave::Wave;
use crate::fault::{Kind, Step};
use crate::isa::{Atomic, Half, Lanes, Shape, Shared, SharedAction};

pub fn issue(wave: &mut Wave, group: &mut Group<'_>, op: &Shared) -> Step<()> {
    let mask = wave.exec();
    let mut item = Outstanding::registers(wave.pc, op.to, results(op));
    item.mask = mask;
    if mask == 0 {
        (item.first, item.count) = (0, 0);
        wave.lds_queue.push_back(item);
        return Ok(());
    }
    item.addresses = *wave.vector(op.address, mask)?;
    item.data = data(wave, op, mask)?;
    claim(wave, op)?;
    if is_exchange(op) {
        let value = exchange(op, mask, &item);
        wave.fill(op.to, mask, &value);
    } else {
        check(group, op, &item)?;
        note(wave, group, op, &item)?;
        item.done = group.eager;
        if group.eager {
            complete(wave, group, op, &item);
        }
    }
    wave.expect(item.first, item.count, mask)?;
    wave.lds_queue.push_back(item);
    Ok(())
}

/// Registers that the instruction fills.
fn results(op: &Shared) -> u16 {
    match op.action {
        SharedAction::Read { both } => op.shape.dwords * if both { 2 } else { 1 },
        SharedAction::ReadTransposed { .. } => op.shape.dwords,
        SharedAction::Write { .. } | SharedAction::Atomic { returns: false, .. } => 0,
        SharedAction::Atomic { .. } => op.shape.dwords,
        SharedAction::Permute | SharedAction::BackPermute | SharedAction::Swizzle(_) => 1,
    }
}

fn is_exchange(op: &Shared) -> bool {
    matches!(
        op.action,
        SharedAction::Permute | SharedAction::BackPermute | SharedAction::Swizzle(_)
    )
}

/// A destination may have another LDS instruction on its way to it, but no memory instruction, which completes in another order.
fn claim(wave: &Wave, op: &Shared) -> Step<()> {
    let count = results(op);
    if count == 0 {
        return Ok(());
    }
    wave.is_expected(op.to, count)?;
    let clash = wave.vector_queue.iter().any(|item| {
        item.count > 0 && op.to < item.first + item.count && item.first < op.to + count
    });
    if clash {
        let register = super::wave::vector_name(usize::from(op.to));
        return Kind::OverwriteBeforeWait { register }.trap();
    }
    Ok(())
}

/// The registers that are written to LDS or exchanged.
fn data(wave: &Wave, op: &Shared, mask: u64) -> Step<Vec<Lanes>> {
    let dwords = op.shape.dwords;
    let read = |first: u16| (first..first + dwords).map(|r| wave.vector(r, mask).copied());
    match op.action {
        SharedAction::Read { .. } | SharedAction::ReadTransposed { .. } => Ok(Vec::new()),
        SharedAction::Write { both: true } => read(op.data[0]).chain(read(op.data[1])).collect(),
        SharedAction::Atomic { update, .. } if update.compares => {
            read(op.data[0]).chain(read(op.data[1])).collect()
        }
        SharedAction::Atomic { .. } => {
            let values = wide(wave, op.data[0], dwords, mask)?;
            let low = values.map(|value| value as u32);
            let high = values.map(|value| (value >> 32) as u32);
            Ok([low, high].into_iter().take(usize::from(dwords)).collect())
        }
        SharedAction::Write { both: false }
        | SharedAction::Permute
        | SharedAction::BackPermute
        | SharedAction::Swizzle(_) => read(op.data[0]).collect(),
    }
}

/// The byte ranges a lane touches: one, or two for the paired forms.
fn ranges(op: &Shared, address: u32) -> impl Iterator<Item = u64> {
    let both =
        matches!(op.action, SharedAction::Read { both: true } | SharedAction::Write { both: true });
    let count = if both { 2 } else { 1 };
    op.offsets.into_iter().take(count).map(move |offset| u64::from(address) + u64::from(offset))
}

fn check(group: &Group<'_>, op: &Shared, item: &Outstanding) -> Step<()> {
    let bytes = op.shape.bytes();
    // 96-bit accesses need the alignment of 128-bit ones.
    let alignment = if bytes == 12 { 16 } else { bytes };
    for lane in active(item.mask) {
        for address in ranges(op, item.addresses[lane]) {
            group.lds.check(address, bytes, alignment, lane)?;
        }
    }
    Ok(())
}

/// Notes what the instruction touches, in the present epoch.
pub fn note(wave: &Wave, group: &mut Group<'_>, op: &Shared, item: &Outstanding) -> Step<()> {
    let access = match op.action {
        SharedAction::Read { .. } | SharedAction::ReadTransposed { .. } => Access::Read,
        SharedAction::Write { .. } => Access::Write,
        SharedAction::Atomic { .. } => Access::Atomic,
        _ => return Ok(()),
    };
    let bytes = op.shape.bytes();
    for lane in active(item.mask) {
        for address in ranges(op, item.addresses[lane]) {
            group.lds.note(access, wave.number as u8, address as usize, bytes, lane)?;
        }
    }
    Ok(())
}

/// Does what the instruction does to LDS and registers.
pub fn complete(wave: &mut Wave, group: &mut Group<'_>, op: &Shared, item: &Outstanding) {
    match op.action {
        SharedAction::Read { .. } => read(wave, &group.lds, op, item),
        SharedAction::ReadTransposed { bits } => read_transposed(wave, &group.lds, op, item, bits),
        SharedAction::Write { .. } => write(&mut group.lds, op, item),
        SharedAction::Atomic { update, returns } => {
            atomic(wave, &mut group.lds, op, item, update, returns)
        }
        SharedAction::Permute | SharedAction::BackPermute | SharedAction::Swizzle(_) => {}
    }
}

fn read(wave: &mut Wave, lds: &Lds, op: &Shared, item: &Outstanding) {
    let dwords = usize::from(op.shape.dwords);
    let mut values = [[0; 64]; 8];
    if op.shape.half != Half::Whole {
        values[0] = wave.peek(op.to).unwrap_or([0; 64]);
    }
    for lane in active(item.mask) {
        for (part, address) in ranges(op, item.addresses[lane]).enumerate() {
            for k in 0..dwords {
                let slot = &mut values[part * dwords + k][lane];
                *slot = read_element(lds, op.shape, address as usize + 4 * k, *slot);
            }
        }
    }
    for (register, value) in (op.to..op.to + results(op)).zip(&values) {
        wave.fill(register, item.mask, value);
    }
}

fn read_element(lds: &Lds, shape: Shape, address: usize, old: u32) -> u32 {
    if shape.element_bytes == 4 {
        return lds.read(address);
    }
    placed(shape, lds.read_part(address, usize::from(shape.element_bytes)), old)
}

/// In each group of 16 lanes, lane l receives column l of the tile whose rows 16 / E lanes hold together,
/// E being the elements of a lane. For 16-bit elements this agrees with kernels that run; the others follow by analogy.
fn read_transposed(wave: &mut Wave, lds: &Lds, op: &Shared, item: &Outstanding, bits: u32) {
    let dwords = usize::from(op.shape.dwords);
    let elements = 32 * dwords / bits as usize;
    let lanes_of_row = 16 / elements;
    let mut out = [[0; 64]; 3];
    for lane in 0..64 {
        let (group, column) = (lane / 16 * 16, lane % 16);
        let mut packed = 0u128;
        for element in 0..elements {
            let from = group + lanes_of_row * element + column / elements;
            let at = item.addresses[from] as usize + op.offsets[0] as usize;
            let words = (0..dwords)
                .fold(0u128, |all, k| all | u128::from(lds.read(at + 4 * k)) << (32 * k));
            let value = words >> (bits as usize * (column % elements)) & ((1 << bits) - 1);
            packed |= value << (bits as usize * element);
        }
        for (k, out) in out.iter_mut().enumerate().take(dwords) {
            out[lane] = (packed >> (32 * k)) as u32;
        }
    }
    for (register, value) in (op.to..).zip(&out[..dwords]) {
        wave.fill(register, item.mask, value);
    }
}

fn write(lds: &mut Lds, op: &Shared, item: &Outstanding) {
    let dwords = usize::from(op.shape.dwords);
    for lane in active(item.mask) {
        for (part, address) in ranges(op, item.addresses[lane]).enumerate() {
            let address = address as usize;
            if op.shape.element_bytes < 4 {
                let value = item.data[0][lane];
                let value = if op.shape.half == Half::High { value >> 16 } else { value };
                lds.write_part(address, usize::from(op.shape.element_bytes), value);
                continue;
            }
            for k in 0..dwords {
                lds.write(address + 4 * k, item.data[part * dwords + k][lane]);
            }
        }
    }
}

/// Lanes take effect in order.
fn atomic(
    wave: &mut Wave,
    lds: &mut Lds,
    op: &Shared,
    item: &Outstanding,
    update: Atomic,
    returns: bool,
) {
    let dwords = usize::from(op.shape.dwords);
    let value = |first: usize, lane: usize| {
        (0..dwords).fold(0, |all, k| all | u64::from(item.data[first + k][lane]) << (32 * k))
    };
    let mut old = [[0; 64]; 2];
    for lane in active(item.mask) {
        let at = (item.addresses[lane] + op.offsets[0]) as usize;
        let before =
            (0..dwords).fold(0, |all, k| all | u64::from(lds.read(at + 4 * k)) << (32 * k));
        let comparand = if update.compares { value(dwords, lane) } else { 0 };
        let after = (update.compute)(before, value(0, lane), comparand);
        for (k, old) in old.iter_mut().enumerate().take(dwords) {
            old[lane] = (before >> (32 * k)) as u32;
            lds.write(at + 4 * k, (after >> (32 * k)) as u32);
        }
    }
    if returns {
        for (register, old) in (op.to..).zip(&old[..dwords]) {
            wave.fill(register, item.mask, old);
        }
    }
}

/// Lanes exchange values through the LDS crossbar without touching LDS. A lane that is off gives zero.
fn exchange(op: &Shared, mask: u64, item: &Outstanding) -> Lanes {
    let data = &item.data[0];
    let given = |lane: usize| if mask >> lane & 1 == 1 { data[lane] } else { 0 };
    let target =
        |lane: usize| (item.addresses[lane].wrapping_add(op.offsets[0]) >> 2 & 63) as usize;
    match op.action {
        SharedAction::Swizzle(pattern) => {
            std::array::from_fn(|lane| given(swizzled(pattern, lane)))
        }
        SharedAction::Permute => {
            let mut out = [0; 64];
            for lane in active(mask) {
                out[target(lane)] = data[lane];
            }
            out
        }
        _ => std::array::from_fn(|lane| given(target(lane))),
    }
}

fn swizzled(pattern: u32, lane: usize) -> usize {
    if pattern & 0x8000 != 0 {
        return lane / 4 * 4 + (pattern >> (2 * (lane % 4)) & 3) as usize;
    }
    let [and, or, xor] = [pattern & 31, pattern >> 5 & 31, pattern >> 10 & 31];
    let low = (lane as u32 & 31 & and | or) ^ xor;
    lane & 32 | low as usize
}
