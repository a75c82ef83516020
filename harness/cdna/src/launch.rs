//! Launches a kernel: arguments into their segment, registers as the hardware sets them, workgroups over threads.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;
use thiserror::Error;

use crate::asm::operand::{EXEC, VCC};
use crate::exec::group::{Coverage, Group, Order};
use crate::exec::lds::Lds;
use crate::exec::wave::Wave;
use crate::fault::{Fault, Kind, Step};
use crate::kernel::Kernel;
use crate::memory::Memory;

/// How many workgroups, and how large each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub groups: [u32; 3],
    pub block: [u32; 3],
    pub dynamic_lds_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub order: Order,
    /// Instructions a wave may execute before it is taken to hang.
    pub limit: u64,
    pub coverage: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { order: Order::InTurn, limit: 1 << 32, coverage: false }
    }
}

/// What was executed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub instructions: u64,
    pub matrix_instructions: u64,
    /// Whether each instruction was executed, where that was asked for.
    pub coverage: Vec<bool>,
    /// Whether each wait ever completed a load or an access of LDS, likewise.
    pub completed: Vec<bool>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("{0}")]
    Fault(Box<Fault>),
    #[error(
        "launch of {kernel}: a block of {threads} threads, but it is compiled for at most {limit}"
    )]
    Block { kernel: String, threads: usize, limit: usize },
    #[error("launch of {kernel}: {bytes} bytes of LDS, but the architecture has {limit}")]
    Lds { kernel: String, bytes: usize, limit: usize },
    #[error("launch of {kernel}: {given} argument bytes, but it takes {wanted}")]
    Arguments { kernel: String, given: usize, wanted: usize },
}

/// Kernel arguments by value, each already as its bytes, into the layout the kernel expects.
pub fn pack(kernel: &Kernel, arguments: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let slots: Vec<_> = kernel.slots.iter().filter(|slot| !slot.is_hidden()).collect();
    let mut bytes = vec![0; kernel.kernarg_bytes()];
    let wanted: usize = slots.iter().map(|slot| slot.size).sum();
    let given: usize = arguments.iter().map(Vec::len).sum();
    let fits = slots.len() == arguments.len()
        && slots.iter().zip(arguments).all(|(slot, a)| slot.size == a.len());
    if !fits {
        return Err(Error::Arguments { kernel: kernel.name.clone(), given, wanted });
    }
    for (slot, argument) in slots.iter().zip(arguments) {
        bytes[slot.offset..slot.offset + slot.size].copy_from_slice(argument);
    }
    Ok(bytes)
}

/// Runs every workgroup. The fault returned is that of the first workgroup, by number, that has one.
pub fn launch(
    kernel: &Kernel,
    memory: &mut Memory,
    grid: Grid,
    arguments: &[u8],
    options: &Options,
) -> Result<Report, Error> {
    check(kernel, grid)?;
    let mut kernarg = arguments.to_vec();
    // Scalar loads may fetch more than they need, up to the next 64 bytes.
    kernarg.resize(kernel.kernarg_bytes().max(arguments.len()).next_multiple_of(64) + 64, 0);
    hidden(kernel, grid, &mut kernarg);
    let segment = memory.upload(&kernarg);
    let packet = memory.upload(&dispatch_packet(kernel, grid, segment));
    let entry = Entry { segment, packet, preload: preload(kernel, &kernarg) };
    let outcome = run(kernel, memory, grid, &entry, options);
    memory.free(segment);
    memory.free(packet);
    outcome
}

fn check(kernel: &Kernel, grid: Grid) -> Result<(), Error> {
    let threads = grid.block.iter().map(|&n| n as usize).product::<usize>();
    if threads == 0 || threads > kernel.max_threads {
        return Err(Error::Block {
            kernel: kernel.name.clone(),
            threads,
            limit: kernel.max_threads,
        });
    }
    let bytes = kernel.descriptor.lds_bytes + grid.dynamic_lds_bytes;
    let limit = kernel.arch.lds_bytes();
    if bytes > limit {
        return Err(Error::Lds { kernel: kernel.name.clone(), bytes, limit });
    }
    Ok(())
}

/// The hidden arguments that code of the present ABI reads.
fn hidden(kernel: &Kernel, grid: Grid, kernarg: &mut [u8]) {
    for slot in kernel.slots.iter().filter(|slot| slot.is_hidden()) {
        let axis = |prefix: &str| slot.kind.strip_prefix(prefix).and_then(|axis| "xyz".find(axis));
        let value = if let Some(axis) = axis("hidden_block_count_") {
            u64::from(grid.groups[axis])
        } else if let Some(axis) = axis("hidden_group_size_") {
            u64::from(grid.block[axis])
        } else if slot.kind == "hidden_grid_dims" {
            3
        } else if slot.kind == "hidden_dynamic_lds_size" {
            grid.dynamic_lds_bytes as u64
        } else {
            // Remainders are zero, since a grid is whole blocks; the rest serves printf and the heap.
            0
        };
        kernarg[slot.offset..slot.offset + slot.size]
            .copy_from_slice(&value.to_le_bytes()[..slot.size]);
    }
}

/// The packet of the dispatch queue, from which older code reads the sizes.
fn dispatch_packet(kernel: &Kernel, grid: Grid, segment: u64) -> Vec<u8> {
    let mut packet = vec![0; 64];
    for axis in 0..3 {
        packet[4 + 2 * axis..][..2].copy_from_slice(&(grid.block[axis] as u16).to_le_bytes());
        let items = grid.groups[axis] * grid.block[axis];
        packet[12 + 4 * axis..][..4].copy_from_slice(&items.to_le_bytes());
    }
    packet[24..28].copy_from_slice(&(kernel.descriptor.scratch_bytes as u32).to_le_bytes());
    packet[28..32].copy_from_slice(&(kernel.descriptor.lds_bytes as u32).to_le_bytes());
    packet[40..48].copy_from_slice(&segment.to_le_bytes());
    packet
}

/// Arguments that the descriptor asks to find in registers.
fn preload(kernel: &Kernel, kernarg: &[u8]) -> Vec<u32> {
    let skipped = kernarg.chunks_exact(4).skip(kernel.descriptor.preload_offset);
    let dwords = skipped.map(|chunk| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
    dwords.take(kernel.descriptor.preload_dwords).collect()
}

/// Values that stand in registers when a wave begins.
struct Entry {
    segment: u64,
    packet: u64,
    preload: Vec<u32>,
}

/// A fault, and the number of the workgroup that has it.
type Found = (usize, Box<Fault>);

fn run(
    kernel: &Kernel,
    memory: &Memory,
    grid: Grid,
    entry: &Entry,
    options: &Options,
) -> Result<Report, Error> {
    let [x, y, z] = grid.groups.map(|n| n as usize);
    let total = x * y * z;
    let next = AtomicUsize::new(0);
    // Groups after one that has faulted are not run; those before it are, so that the same fault is reported every time.
    let first_fault = AtomicU64::new(u64::MAX);
    let workers = rayon::current_num_threads().clamp(1, total.max(1));
    let results: Vec<(Report, Option<Found>)> = (0..workers)
        .into_par_iter()
        .map(|_| {
            let mut worker = Worker::new(kernel, memory, grid, entry, options);
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= total || number as u64 > first_fault.load(Relaxed) {
                    return (worker.report(), None);
                }
                let id = [number % x, number / x % y, number / x / y].map(|n| n as u32);
                if let Err(fault) = worker.group(id) {
                    first_fault.fetch_min(number as u64, Relaxed);
                    return (worker.report(), Some((number, fault)));
                }
            }
        })
        .collect();
    let mut report = Report::default();
    let mut fault = None;
    for (part, found) in results {
        report.add(part);
        fault = [fault, found].into_iter().flatten().min_by_key(|(number, _)| *number);
    }
    match fault {
        Some((_, fault)) => Err(Error::Fault(fault)),
        None => Ok(report),
    }
}

impl Report {
    fn add(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.matrix_instructions += other.matrix_instructions;
        for (mine, theirs) in
            [(&mut self.coverage, other.coverage), (&mut self.completed, other.completed)]
        {
            mine.resize(theirs.len().max(mine.len()), false);
            for (all, one) in mine.iter_mut().zip(theirs) {
                *all |= one;
            }
        }
    }
}

/// One thread's waves and LDS, used for one workgroup after another.
struct Worker<'a> {
    group: Group<'a>,
    waves: Vec<Wave>,
    grid: Grid,
    entry: &'a Entry,
    options: Options,
    instructions: u64,
}

impl<'a> Worker<'a> {
    fn new(
        kernel: &'a Kernel,
        memory: &'a Memory,
        grid: Grid,
        entry: &'a Entry,
        options: &Options,
    ) -> Self {
        let threads: u32 = grid.block.iter().product();
        let scratch_dwords = kernel.descriptor.scratch_bytes.div_ceil(4);
        let waves = (0..threads.div_ceil(64))
            .map(|_| Wave::new(kernel.registers, scratch_dwords))
            .collect();
        let group = Group {
            kernel,
            memory,
            lds: Lds::new(kernel.descriptor.lds_bytes + grid.dynamic_lds_bytes),
            eager: matches!(options.order, Order::Seeded(seed) if seed % 2 == 1),
            matrix_count: 0,
            coverage: options.coverage.then(|| Coverage::new(kernel.code.len())),
        };
        Self { group, waves, grid, entry, options: *options, instructions: 0 }
    }

    fn group(&mut self, id: [u32; 3]) -> Result<(), Box<Fault>> {
        self.group.lds.clear();
        for number in 0..self.waves.len() {
            let wave = &mut self.waves[number];
            wave.clear(number as u32);
            let prepared = prepare(wave, self.group.kernel, self.grid, self.entry, id);
            prepared.expect("a wave that has not begun has no load outstanding");
        }
        let outcome = self.group.run(&mut self.waves, self.options.order, self.options.limit, id);
        self.instructions += self.waves.iter().map(|wave| wave.executed).sum::<u64>();
        outcome
    }

    fn report(&mut self) -> Report {
        let coverage = self.group.coverage.take().unwrap_or_default();
        Report {
            instructions: self.instructions,
            matrix_instructions: self.group.matrix_count,
            coverage: coverage.executed,
            completed: coverage.completed,
        }
    }
}

/// Registers at entry, in the order the ABI gives them.
fn prepare(wave: &mut Wave, kernel: &Kernel, grid: Grid, entry: &Entry, id: [u32; 3]) -> Step<()> {
    let descriptor = &kernel.descriptor;
    wave.flush_f32 = descriptor.flush_f32;
    wave.flush_f16_f64 = descriptor.flush_f16_f64;
    let mut next = 0;
    let pointers = [
        (descriptor.dispatch_ptr, entry.packet),
        (descriptor.queue_ptr, 0),
        (descriptor.kernarg_ptr, entry.segment),
        (descriptor.dispatch_id, 0),
    ];
    for (_, value) in pointers.into_iter().filter(|(present, _)| *present) {
        wave.set_scalar_pair(next, value)?;
        next += 2;
    }
    if descriptor.private_size {
        wave.set_scalar(next, descriptor.scratch_bytes as u32)?;
        next += 1;
    }
    for &dword in &entry.preload {
        wave.set_scalar(next, dword)?;
        next += 1;
    }
    for axis in (0..3).filter(|&axis| descriptor.workgroup_id[axis]) {
        wave.set_scalar(next, id[axis])?;
        next += 1;
    }
    wave.set_scalar_pair(VCC, 0)?;
    work_items(wave, descriptor.workitem_id, grid.block)
}

/// v0 packs the work item's coordinates, ten bits each; lanes beyond the block are off.
fn work_items(wave: &mut Wave, dimensions: u32, block: [u32; 3]) -> Step<()> {
    let [x, y, z] = block;
    let mut exec = 0u64;
    let mut ids = [0; 64];
    for (lane, id) in ids.iter_mut().enumerate() {
        let item = wave.number * 64 + lane as u32;
        if item < x * y * z {
            exec |= 1 << lane;
        }
        *id = item % x;
        if dimensions >= 1 {
            *id |= (item / x % y) << 10;
        }
        if dimensions >= 2 {
            *id |= (item / x / y % 1024) << 20;
        }
    }
    if exec == 0 {
        return Kind::Unsupported { what: "an empty wave".into() }.trap();
    }
    wave.set_scalar_pair(EXEC, exec)?;
    wave.set_vector(0, exec, &ids)
}
