//! Executes global, scratch, flat and buffer instructions, and loads from memory straight to LDS.
//! Memory is touched when the instruction is issued; registers and LDS have the data when it has been waited for.

use super::group::Group;
use super::lds::Access;
use super::pending::Outstanding;
use super::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Wave};
use crate::asm::operand::M0;
use crate::fault::{Kind, Step};
use crate::isa::{Action, Address, Atomic, Half, Lanes, Memory as Op, Shape, Space, Wide};

/// An address a lane, and the lanes that a buffer's size lets through.
struct Addresses {
    lanes: Wide,
    allowed: u64,
}

pub fn issue(wave: &mut Wave, group: &mut Group<'_>, op: &Op) -> Step<()> {
    let mask = wave.exec();
    let pc = wave.pc;
    if mask == 0 && !matches!(op.action, Action::LoadToLds) {
        wave.vector_queue.push_back(Outstanding::registers(pc, 0, 0));
        return Ok(());
    }
    if op.space == Space::Scratch {
        return scratch(wave, op, mask);
    }
    let addresses = addresses(wave, op, mask)?;
    let item = match &op.action {
        Action::Load => load(wave, group, op, mask, &addresses)?,
        Action::Store => store(wave, group, op, mask, &addresses)?,
        Action::Atomic { update, returns } => {
            atomic(wave, group, op, mask, &addresses, (*update, *returns))?
        }
        Action::LoadToLds => load_to_lds(wave, group, op, mask, &addresses)?,
    };
    wave.vector_queue.push_back(item);
    Ok(())
}

/// Cache maintenance is counted like a store.
pub fn count_only(wave: &mut Wave) {
    wave.vector_queue.push_back(Outstanding::registers(wave.pc, 0, 0));
}

fn addresses(wave: &Wave, op: &Op, mask: u64) -> Step<Addresses> {
    let offset = op.offset as u64;
    let lanes = match &op.address {
        Address::Lane(first) => {
            let (low, high) = (wave.vector(*first, mask)?, wave.vector(first + 1, mask)?);
            let joined = |l: usize| u64::from(low[l]) | u64::from(high[l]) << 32;
            std::array::from_fn(|l| joined(l).wrapping_add(offset))
        }
        Address::Base { base, offset: lane } => {
            let base = wave.scalar(*base, 2)?.wrapping_add(offset);
            match lane {
                Some(register) => {
                    wave.vector(*register, mask)?.map(|lane| base.wrapping_add(u64::from(lane)))
                }
                None => [base; 64],
            }
        }
        Address::Buffer { resource, lane, base } => {
            let [low, high, records, _] = wave.scalars::<4>(*resource)?;
            let start = u64::from(low) | u64::from(high & 0xffff) << 32;
            let scalar = wave.scalar_source(*base)? & 0xffff_ffff;
            let lanes = match lane {
                Some(register) => wave.vector(*register, mask)?.map(u64::from),
                None => [0; 64],
            };
            // An offset beyond the records reads zero and drops a store, lane by lane.
            let inside =
                |lane: u64| lane + offset + scalar + op.shape.bytes() as u64 <= u64::from(records);
            let allowed = (0..64).filter(|&l| inside(lanes[l])).fold(0, |all, l| all | 1 << l);
            let lanes = lanes.map(|lane| start.wrapping_add(lane + offset + scalar));
            return Ok(Addresses { lanes, allowed });
        }
        Address::Scratch { .. } => [0; 64],
    };
    if op.space == Space::Flat {
        let aperture =
            |address: u64| matches!((address >> 32) as u32, SHARED_APERTURE | PRIVATE_APERTURE);
        if let Some(lane) = active(mask).find(|&lane| aperture(lanes[lane])) {
            return Kind::Unsupported { what: "a flat access to LDS or scratch".into() }.at(lane);
        }
    }
    Ok(Addresses { lanes, allowed: u64::MAX })
}

/// The lanes whose bits are set, in order.
pub fn active(mask: u64) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        rest &= rest.wrapping_sub(1);
        (lane < 64).then_some(lane)
    })
}

/// A part of a dword as its register will hold it, given what the register held.
pub fn placed(shape: Shape, value: u32, old: u32) -> u32 {
    let unused = 32 - 8 * u32::from(shape.element_bytes);
    let value = if shape.signed { ((value << unused) as i32 >> unused) as u32 } else { value };
    match shape.half {
        Half::Whole => value,
        Half::Low => value & 0xffff | old & 0xffff_0000,
        Half::High => value << 16 | old & 0xffff,
    }
}

/// Fills registers with what a load has read: `values[k][lane]`.
fn deliver(wave: &mut Wave, op: &Op, mask: u64, values: &[Lanes]) -> Step<Outstanding> {
    for (register, value) in (op.to..).zip(values) {
        wave.fill(register, mask, value);
    }
    let count = op.shape.dwords;
    wave.expect(op.to, count, mask)?;
    Ok(Outstanding::registers(wave.pc, op.to, count))
}

/// A load may follow another of the same counter into a register, but not one that completes in another order.
fn claim(wave: &Wave, op: &Op) -> Step<()> {
    let same_order = wave.lds_queue.iter().all(|item| {
        let end = item.first + item.count;
        op.to >= end || op.to + op.shape.dwords <= item.first
    });
    if same_order {
        return wave.is_expected(op.to, op.shape.dwords).map(|_| ());
    }
    let register = super::wave::vector_name(usize::from(op.to));
    Kind::OverwriteBeforeWait { register }.trap()
}

fn load(
    wave: &mut Wave,
    group: &Group<'_>,
    op: &Op,
    mask: u64,
    from: &Addresses,
) -> Step<Outstanding> {
    claim(wave, op)?;
    let dwords = usize::from(op.shape.dwords);
    let mut values = [[0; 64]; 4];
    if op.shape.half != Half::Whole {
        values[0] = wave.peek(op.to)?;
    }
    for lane in active(mask) {
        let allowed = from.allowed >> lane & 1 == 1;
        let address = from.lanes[lane];
        if op.shape.element_bytes < 4 {
            let part = usize::from(op.shape.element_bytes);
            let value = if allowed { group.memory.load_part(address, part, lane)? } else { 0 };
            values[0][lane] = placed(op.shape, value, values[0][lane]);
        } else if allowed {
            let loaded = group.memory.load(address, dwords, lane)?;
            for (value, loaded) in values.iter_mut().zip(loaded) {
                value[lane] = loaded;
            }
        }
    }
    deliver(wave, op, mask, &values[..dwords])
}

fn store(
    wave: &mut Wave,
    group: &Group<'_>,
    op: &Op,
    mask: u64,
    to: &Addresses,
) -> Step<Outstanding> {
    let dwords = usize::from(op.shape.dwords);
    let mut values = [[0; 64]; 4];
    for (register, value) in (op.data..).zip(&mut values[..dwords]) {
        *value = *wave.vector(register, mask)?;
    }
    for lane in active(mask & to.allowed) {
        let address = to.lanes[lane];
        if op.shape.element_bytes < 4 {
            let value =
                if op.shape.half == Half::High { values[0][lane] >> 16 } else { values[0][lane] };
            group.memory.store_part(address, usize::from(op.shape.element_bytes), value, lane)?;
        } else {
            let words: [u32; 4] = std::array::from_fn(|k| values[k][lane]);
            group.memory.store(address, &words[..dwords], lane)?;
        }
    }
    Ok(Outstanding::registers(wave.pc, 0, 0))
}

fn atomic(
    wave: &mut Wave,
    group: &Group<'_>,
    op: &Op,
    mask: u64,
    at: &Addresses,
    (update, returns): (Atomic, bool),
) -> Step<Outstanding> {
    let size = u16::from(update.bytes) / 4;
    let data = wide(wave, op.data, size, mask)?;
    let comparand = if update.compares { wide(wave, op.data + size, size, mask)? } else { [0; 64] };
    if returns {
        claim(wave, op)?;
    }
    let mut old = [[0; 64]; 2];
    for lane in active(mask & at.allowed) {
        let before =
            group.memory.update(at.lanes[lane], update, data[lane], comparand[lane], lane)?;
        old[0][lane] = before as u32;
        old[1][lane] = (before >> 32) as u32;
    }
    if returns {
        return deliver(wave, op, mask, &old[..usize::from(size)]);
    }
    Ok(Outstanding::registers(wave.pc, 0, 0))
}

/// One or two registers as 64-bit values.
pub fn wide(wave: &Wave, first: u16, dwords: u16, mask: u64) -> Step<Wide> {
    let mut wide = wave.vector(first, mask)?.map(u64::from);
    if dwords == 2 {
        let high = wave.vector(first + 1, mask)?;
        for l in 0..64 {
            wide[l] |= u64::from(high[l]) << 32;
        }
    }
    Ok(wide)
}

/// The destination is M0 + the instruction's offset + lane · size, whatever the lane's address.
fn load_to_lds(
    wave: &mut Wave,
    group: &mut Group<'_>,
    op: &Op,
    mask: u64,
    from: &Addresses,
) -> Step<Outstanding> {
    let bytes = op.shape.bytes();
    let base = wave.scalar(M0, 1)?;
    let fixed = base + op.offset as u64;
    let mut item = Outstanding::registers(wave.pc, 0, 0);
    item.mask = mask;
    item.done = group.eager;
    item.data = vec![[0; 64]; usize::from(op.shape.dwords)];
    for lane in active(mask) {
        let address = fixed + (lane * bytes) as u64;
        group.lds.check(address, bytes, bytes.min(4), lane)?;
        item.addresses[lane] = address as u32;
        if from.allowed >> lane & 1 == 0 {
            continue;
        }
        if op.shape.element_bytes < 4 {
            item.data[0][lane] = group.memory.load_part(from.lanes[lane], bytes, lane)?;
        } else {
            let loaded = group.memory.load(from.lanes[lane], item.data.len(), lane)?;
            for (data, loaded) in item.data.iter_mut().zip(loaded) {
                data[lane] = loaded;
            }
        }
    }
    note(wave, group, op, &item)?;
    if group.eager {
        write_lds(group, op, &item);
    }
    Ok(item)
}

/// Notes that a load to LDS is on its way, in the present epoch.
pub fn note(wave: &Wave, group: &mut Group<'_>, op: &Op, item: &Outstanding) -> Step<()> {
    if matches!(op.action, Action::LoadToLds) {
        for lane in active(item.mask) {
            let at = item.addresses[lane] as usize;
            group.lds.note(Access::Incoming, wave.number as u8, at, op.shape.bytes(), lane)?;
        }
    }
    Ok(())
}

/// What a wait completes: the data of a load to LDS arrives.
pub fn complete(wave: &Wave, group: &mut Group<'_>, op: &Op, item: &Outstanding) -> Step<()> {
    if !matches!(op.action, Action::LoadToLds) {
        return Ok(());
    }
    if !item.done {
        write_lds(group, op, item);
    }
    for lane in active(item.mask) {
        let at = item.addresses[lane] as usize;
        group.lds.arrived(wave.number as u8, at, op.shape.bytes(), lane)?;
    }
    Ok(())
}

fn write_lds(group: &mut Group<'_>, op: &Op, item: &Outstanding) {
    for lane in active(item.mask) {
        let at = item.addresses[lane] as usize;
        if op.shape.element_bytes < 4 {
            group.lds.write_part(at, op.shape.bytes(), item.data[0][lane]);
        } else {
            for (k, data) in item.data.iter().enumerate() {
                group.lds.write(at + 4 * k, data[lane]);
            }
        }
    }
}

/// Scratch is private to a lane, so it is kept a dword of all lanes at a time.
fn scratch(wave: &mut Wave, op: &Op, mask: u64) -> Step<()> {
    let Address::Scratch { lane, base } = &op.address else {
        return Kind::Unsupported { what: "this form of scratch address".into() }.trap();
    };
    let base = base.map_or(Ok(0), |base| wave.scalar_source(base))?.wrapping_add(op.offset as u64);
    let lanes = match lane {
        Some(register) => wave
            .vector(*register, mask)?
            .map(|lane| base.wrapping_add(u64::from(lane)) & 0xffff_ffff),
        None => [base & 0xffff_ffff; 64],
    };
    let (dwords, bytes, size) =
        (usize::from(op.shape.dwords), op.shape.bytes(), 4 * wave.scratch.len());
    for lane in active(mask) {
        let address = lanes[lane];
        if address + bytes as u64 > size as u64 {
            return Kind::ScratchOutOfBounds { address, bytes, size }.at(lane);
        }
        let alignment = bytes.min(4);
        if !address.is_multiple_of(alignment as u64) {
            return Kind::Misaligned { space: "scratch", address, alignment }.at(lane);
        }
    }
    let item = match op.action {
        Action::Store => {
            for k in 0..dwords {
                let value = *wave.vector(op.data + k as u16, mask)?;
                store_scratch(wave, op.shape, &lanes, k, mask, &value);
            }
            Outstanding::registers(wave.pc, 0, 0)
        }
        Action::Load => {
            claim(wave, op)?;
            let mut values = [[0; 64]; 4];
            if op.shape.half != Half::Whole {
                values[0] = wave.peek(op.to)?;
            }
            for (k, value) in values.iter_mut().enumerate().take(dwords) {
                load_scratch(wave, op.shape, &lanes, k, mask, value)?;
            }
            deliver(wave, op, mask, &values[..dwords])?
        }
        _ => {
            return Kind::Unsupported { what: "this access to scratch".into() }.trap();
        }
    };
    wave.vector_queue.push_back(item);
    Ok(())
}

fn store_scratch(wave: &mut Wave, shape: Shape, at: &Wide, k: usize, mask: u64, value: &Lanes) {
    for lane in active(mask) {
        let address = at[lane] as usize + 4 * k;
        let value = if shape.half == Half::High { value[lane] >> 16 } else { value[lane] };
        let part = ((1u64 << (8 * shape.element_bytes)) - 1) as u32;
        let shift = 8 * (address % 4);
        let word = &mut wave.scratch[address / 4][lane];
        *word = *word & !(part << shift) | (value & part) << shift;
        wave.scratch_ready[address / 4] |= 1 << lane;
    }
}

fn load_scratch(
    wave: &Wave,
    shape: Shape,
    at: &Wide,
    k: usize,
    mask: u64,
    value: &mut Lanes,
) -> Step<()> {
    for lane in active(mask) {
        let address = at[lane] as usize + 4 * k;
        if wave.scratch_ready[address / 4] >> lane & 1 == 0 {
            return Kind::UninitialisedScratch { address: address as u64 }.at(lane);
        }
        let word = wave.scratch[address / 4][lane] >> (8 * (address % 4));
        let part = ((1u64 << (8 * shape.element_bytes)) - 1) as u32;
        value[lane] = placed(shape, word & part, value[lane]);
    }
    Ok(())
}
