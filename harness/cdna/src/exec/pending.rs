//! What has been issued and not waited for, and what the two counters of s_waitcnt say about it.
//! Vector memory completes in order, LDS completes in order, scalar loads complete in any order.

use super::group::Group;
use super::wave::Wave;
use crate::fault::Step;
use crate::isa::{Lanes, Op, VectorRegister, Wait};

/// One memory instruction on its way.
pub struct Outstanding {
    /// Index of the instruction, which says how to complete it.
    pub pc: usize,
    pub mask: u64,
    /// Addresses in LDS, where it touches LDS.
    pub addresses: Lanes,
    pub data: Vec<Lanes>,
    /// Whether its effect on LDS and registers has happened.
    pub done: bool,
    pub first: VectorRegister,
    pub count: u16,
}

impl Outstanding {
    /// An instruction whose only trace is the counter and the registers it fills.
    pub fn registers(pc: usize, first: VectorRegister, count: u16) -> Self {
        Self { pc, mask: 0, addresses: [0; 64], data: Vec::new(), done: true, first, count }
    }
}

pub fn wait(wave: &mut Wave, group: &mut Group<'_>, wait: Wait) -> Step<()> {
    let before = (wave.vector_queue.len(), wave.lds_queue.len(), wave.scalar_queue.len());
    let stores = wave.vector_queue.iter().filter(|item| item.count == 0 && item.mask == 0).count();
    if let Some(left) = wait.vector {
        while wave.vector_queue.len() > left as usize {
            retire_vector(wave, group)?;
        }
    }
    if let Some(left) = wait.scalar_and_lds {
        // While scalar loads are outstanding, they may be the ones that are left or the ones that are done.
        let complete = match left {
            0 => wave.lds_queue.len(),
            _ => wave.lds_queue.len().saturating_sub(left as usize),
        };
        for _ in 0..complete {
            retire_lds(wave, group)?;
        }
        if left == 0 {
            wave.scalars_arrived();
        }
    }
    if let Some(coverage) = &mut group.coverage {
        let left =
            wave.vector_queue.iter().filter(|item| item.count == 0 && item.mask == 0).count();
        let loads = (before.0 - stores) - (wave.vector_queue.len() - left);
        let completed =
            loads > 0 || wave.lds_queue.len() < before.1 || wave.scalar_queue.len() < before.2;
        coverage.completed[wave.pc] |= completed;
    }
    Ok(())
}

/// Completes everything, as the end of a wave does.
pub fn drain(wave: &mut Wave, group: &mut Group<'_>) -> Step<()> {
    while !wave.vector_queue.is_empty() {
        retire_vector(wave, group)?;
    }
    while !wave.lds_queue.is_empty() {
        retire_lds(wave, group)?;
    }
    wave.scalars_arrived();
    Ok(())
}

fn retire_vector(wave: &mut Wave, group: &mut Group<'_>) -> Step<()> {
    let Some(item) = wave.vector_queue.pop_front() else {
        return Ok(());
    };
    if let Op::Memory(op) = &group.kernel.code[item.pc].op {
        super::memory::complete(wave, group, op, &item)?;
    }
    wave.arrived(item.first, item.count);
    Ok(())
}

fn retire_lds(wave: &mut Wave, group: &mut Group<'_>) -> Step<()> {
    let Some(item) = wave.lds_queue.pop_front() else {
        return Ok(());
    };
    if let Op::Shared(op) = &group.kernel.code[item.pc].op
        && !item.done
    {
        super::shared::complete(wave, group, op, &item);
    }
    wave.arrived(item.first, item.count);
    Ok(())
}

/// Notes again, in the epoch after a barrier, every LDS access that has not been waited for: it may happen on either side.
pub fn carry_over(wave: &Wave, group: &mut Group<'_>) -> Step<()> {
    for item in &wave.lds_queue {
        if let Op::Shared(op) = &group.kernel.code[item.pc].op {
            super::shared::note(wave, group, op, item)?;
        }
    }
    for item in &wave.vector_queue {
        if let Op::Memory(op) = &group.kernel.code[item.pc].op {
            super::memory::note(wave, group, op, item)?;
        }
    }
    Ok(())
}
