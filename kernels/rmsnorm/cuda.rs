//! Who can run the device kernels of both passes, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Two kernels
//! serve a pass: one holds rows in registers and takes any of them, one moves rows by the copy
//! engine and takes those that are whole vectors and fit shared memory.

use super::EPSILON;
use super::choices::{Pass, nearest, tile_tensors};
use crate::tile::{self, AMD, NULL, count, element, needs_31_bits, needs_amd, needs_sm, tensor};
use tilemark_core::device::Vendor;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

const ROW: Header = Header { name: "rmsnorm/row.h", text: include_str!("row.h") };
const BULK: Header = Header { name: "rmsnorm/bulk.h", text: include_str!("bulk.h") };

static ROW_HEADERS: &[Header] = &[ROW, tile::TILE, tile::CUDA, tile::CUDA_WGMMA, tile::HIP];
static BULK_HEADERS: &[Header] = &[BULK, ROW, tile::TILE, tile::CUDA, tile::CUDA_WGMMA];

static FORWARD: Source =
    Source { path: "rmsnorm/forward.cu", text: include_str!("forward.cu"), headers: ROW_HEADERS };
static BACKWARD: Source =
    Source { path: "rmsnorm/backward.cu", text: include_str!("backward.cu"), headers: ROW_HEADERS };
static BULK_FORWARD: Source = Source {
    path: "rmsnorm/sm90_bulk_forward.cu",
    text: include_str!("sm90_bulk_forward.cu"),
    headers: BULK_HEADERS,
};
static BULK_BACKWARD: Source = Source {
    path: "rmsnorm/sm90_bulk_backward.cu",
    text: include_str!("sm90_bulk_backward.cu"),
    headers: BULK_HEADERS,
};
static WEIGHT_GRADIENT: Source = Source {
    path: "rmsnorm/weight_gradient.cu",
    text: include_str!("weight_gradient.cu"),
    headers: tile::HEADERS,
};

/// Elements of a vector of 16 bytes.
const VECTOR: u64 = 8;

/// Warps of the largest block.
const MOST_WARPS: u64 = 32;

/// The longest row that the registers of the largest block hold, at four vectors a thread; beyond
/// two, which is 16384 elements, they spill.
const LONGEST_ROW: u64 = MOST_WARPS * 32 * VECTOR * 4;

/// Threads a multiprocessor is to hold of the kernels that keep rows in registers: 64 registers each.
const RESIDENT_THREADS: u64 = 1024;

/// The same where elements are loaded one by one, or a residual meets fp16, which takes up to 119
/// registers: with 640 threads the backward pass spilled 8 bytes.
const RESIDENT_THREADS_SLOW: u64 = 512;

/// Blocks a multiprocessor holds at most.
pub const MOST_BLOCKS: u64 = 32;

/// A problem of either pass as the kernels see it.
#[derive(Clone, Copy)]
pub struct Rows {
    /// Rows.
    pub rows: u64,
    /// Elements of a row.
    pub hidden: u64,
    /// Whether there is a residual.
    pub residual: bool,
    dtype: Dtype,
}

impl Rows {
    fn of(problem: &Problem) -> Self {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        Rows { rows, hidden, residual: problem.shape.flag("residual"), dtype: problem.dtype }
    }

    fn is_aligned(self) -> bool {
        self.hidden.is_multiple_of(VECTOR)
    }

    /// Warps of so many lanes that hold a row in registers, and vectors a thread.
    fn in_registers(self, lanes: u64) -> (u64, u64) {
        let vectors = if self.hidden > LONGEST_ROW / 2 { 4 } else { 2 };
        (self.hidden.div_ceil(lanes * VECTOR * vectors), vectors)
    }

    /// Blocks of these warps that a multiprocessor is to hold.
    fn resident_blocks(self, lanes: u64) -> u64 {
        let block = lanes * self.in_registers(lanes).0;
        let is_slow = !self.is_aligned() || (self.residual && self.dtype == Dtype::F16);
        let blocks = if is_slow {
            // To the nearest: one block of 288 threads would leave the multiprocessor half empty.
            (RESIDENT_THREADS_SLOW + block / 2) / block
        } else {
            RESIDENT_THREADS / block
        };
        blocks.clamp(1, MOST_BLOCKS)
    }

    /// The macros of every kernel of rows, for rows of `warps` warps.
    fn constants(self, warps: u64, vectors: u64) -> Vec<(&'static str, Constant)> {
        vec![
            ("ELEMENT", element(self.dtype).into()),
            ("RESIDUAL", i64::from(self.residual).into()),
            ("WARPS", (warps as i64).into()),
            ("VECTORS", (vectors as i64).into()),
        ]
    }

    /// Rows, their length and ε.
    fn extents(self) -> [Argument; 3] {
        [count(self.rows), count(self.hidden), Argument::F32(EPSILON as f32)]
    }

    /// x, residual, w, y, r and the extents.
    fn forward_arguments(self) -> Vec<Argument> {
        let pointers = if self.residual {
            [tensor(0), tensor(1), tensor(2), tensor(3), tensor(4)]
        } else {
            [tensor(0), NULL, tensor(1), tensor(2), NULL]
        };
        pointers.into_iter().chain(self.extents()).collect()
    }

    /// r, dy, dr, w, dx, the parts of dw and the extents.
    fn backward_arguments(self) -> Vec<Argument> {
        let pointers = if self.residual {
            [tensor(0), tensor(1), tensor(2), tensor(3), tensor(4), tensor(6)]
        } else {
            [tensor(0), tensor(1), NULL, tensor(2), tensor(3), tensor(5)]
        };
        pointers.into_iter().chain(self.extents()).collect()
    }
}

/// `supports` of the kernels that hold rows in registers.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    fits_registers(problem, LONGEST_ROW)
}

/// The same on AMD, for which they are written too.
pub fn any_amd(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, AMD)?;
    // Four vectors a thread spill in the largest block, which leaves a thread 128 registers.
    fits_registers(problem, LONGEST_ROW / 2)
}

fn fits_registers(problem: &Problem, longest: u64) -> Result<(), String> {
    let rows = Rows::of(problem);
    if !matches!(rows.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("takes bf16 and f16, not {}", rows.dtype));
    }
    if rows.hidden > longest {
        return Err(format!("a block's registers hold {longest} elements, not {}", rows.hidden));
    }
    needs_31_bits(&[rows.rows])
}

/// `supports` of the kernels that move rows by the copy engine.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    any_since_sm80(problem, info)
}

/// Rows in registers, the next one loaded before this one is summed.
pub fn forward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let mut launch =
        in_registers(&FORWARD, "rmsnorm_forward", rows, rows.forward_arguments(), info);
    launch.grid[0] = rows.rows as u32;
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

/// Rows by the copy engine, or in registers where they are not whole vectors or do not fit.
pub fn bulk_forward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    match by_copies(rows, Pass::Forward, info) {
        Some(launch) => Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] },
        None => forward(problem, info),
    }
}

/// The backward pass with rows in registers, then the sum of the weight's gradients.
pub fn backward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let mut launch =
        in_registers(&BACKWARD, "rmsnorm_backward", rows, rows.backward_arguments(), info);
    let resident = rows.resident_blocks(lanes(info)) * u64::from(info.units);
    launch.grid[0] = resident.min(rows.rows) as u32;
    with_weight_gradient(rows, launch)
}

/// The same with rows by the copy engine, where they are whole vectors and fit.
pub fn bulk_backward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    match by_copies(rows, Pass::Backward, info) {
        Some(launch) => with_weight_gradient(rows, launch),
        None => backward(problem, info),
    }
}

/// Threads of a warp.
fn lanes(info: &Info) -> u64 {
    if info.vendor == Vendor::Amd { 64 } else { 32 }
}

/// A launch with a group of warps a block; its grid is left to the caller.
fn in_registers(
    source: &'static Source,
    entry: &'static str,
    rows: Rows,
    arguments: Vec<Argument>,
    info: &Info,
) -> Launch {
    let lanes = lanes(info);
    let (warps, vectors) = rows.in_registers(lanes);
    // What the bound on blocks means is NVIDIA's alone.
    let blocks = if info.vendor == Vendor::Amd { 1 } else { rows.resident_blocks(lanes) };
    let mut constants = rows.constants(warps, vectors);
    constants.extend([
        ("ALIGNED", i64::from(rows.is_aligned()).into()),
        ("BLOCKS", (blocks as i64).into()),
    ]);
    Launch {
        source,
        entry,
        constants,
        grid: [1, 1, 1],
        block: [(lanes * warps) as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    }
}

/// A launch of as many blocks as the device holds at once, or as there are tiles, if the table has
/// constants for these rows.
fn by_copies(rows: Rows, pass: Pass, info: &Info) -> Option<Launch> {
    let tile = nearest(rows, pass, info)?;
    let (source, entry, arguments) = match pass {
        Pass::Forward => (&BULK_FORWARD, "rmsnorm_forward", rows.forward_arguments()),
        Pass::Backward => (&BULK_BACKWARD, "rmsnorm_backward", rows.backward_arguments()),
    };
    let mut constants = rows.constants(tile.warps(rows.hidden), tile.vectors);
    constants.extend([
        ("GROUPS", (tile.groups as i64).into()),
        ("STAGES", (tile.stages as i64).into()),
        ("BLOCKS", (tile.blocks as i64).into()),
    ]);
    let blocks = (tile.blocks * u64::from(info.units)).min(rows.rows.div_ceil(tile.groups));
    let tensors = tile_tensors(pass, rows.residual);
    Some(Launch {
        source,
        entry,
        constants,
        grid: [blocks as u32, 1, 1],
        block: [tile.threads(rows.hidden) as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(rows.hidden, tensors) as u32,
        arguments,
    })
}

/// The backward pass: a kernel that leaves a row of partial sums a block, and one that adds them.
fn with_weight_gradient(rows: Rows, launch: Launch) -> Plan {
    let (dw, partial) = if rows.residual { (5, 6) } else { (4, 5) };
    let partial_rows = u64::from(launch.grid[0]);
    let sum = Launch {
        source: &WEIGHT_GRADIENT,
        entry: "rmsnorm_weight_gradient",
        constants: vec![("ELEMENT", element(rows.dtype).into())],
        grid: [rows.hidden.div_ceil(32) as u32, 1, 1],
        block: [32, 32, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: vec![tensor(partial), tensor(dw), count(partial_rows), count(rows.hidden)],
    };
    Plan {
        scratch: vec![Bytes(partial_rows * rows.hidden * 4)],
        steps: vec![Step::Launch(launch), Step::Launch(sum)],
    }
}
