//! Who can run the device kernels of both passes, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. One kernel a
//! pass holds rows in registers and takes any of them; a second one backward moves rows by the copy
//! engine and takes those that are whole vectors and fit shared memory.

use super::EPSILON;
use super::choices::{nearest, tile_tensors};
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

/// The longest row that the registers of the largest block hold at two vectors a thread.
const LONGEST_OF_TWO: u64 = MOST_WARPS * 32 * VECTOR * 2;

/// The same at four vectors a thread, which spill beyond two but for the forward pass of aligned rows.
const LONGEST_ROW: u64 = 2 * LONGEST_OF_TWO;

/// Blocks that a multiprocessor is asked to hold at most: sm_89 holds no more.
pub const MOST_BLOCKS: u64 = 24;

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

    /// Elements of the vectors that a row touches: unless all rows are whole vectors, the first and
    /// the last belong to two rows.
    fn touched(self) -> u64 {
        if self.is_aligned() { self.hidden } else { self.hidden + VECTOR - 1 }
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
    fits_registers(problem, LONGEST_OF_TWO)
}

fn fits_registers(problem: &Problem, longest: u64) -> Result<(), String> {
    let rows = Rows::of(problem);
    if !matches!(rows.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("takes bf16 and f16, not {}", rows.dtype));
    }
    if rows.touched() > longest {
        return Err(format!("a block's registers hold {longest} elements, not {}", rows.touched()));
    }
    needs_31_bits(&[rows.rows])
}

/// `supports` of the kernels that move rows by the copy engine.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    any_since_sm80(problem, info)
}

/// A row a block, in registers.
pub fn forward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let hold = hold_forward(rows, lanes(info));
    let mut launch = in_registers(&FORWARD, "rmsnorm_forward", rows, hold, info);
    launch.grid[0] = rows.rows as u32;
    launch.arguments = rows.forward_arguments();
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

/// The backward pass with rows in registers, then the sum of the weight's gradients.
pub fn backward(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let hold = hold_backward(rows, lanes(info));
    let mut launch = in_registers(&BACKWARD, "rmsnorm_backward", rows, hold, info);
    let mut resident = hold.blocks * u64::from(info.units);
    if !rows.is_aligned() {
        // All rows of a block start at the same place of a vector.
        resident = (resident / VECTOR).max(1) * VECTOR;
        launch.dynamic_shared_bytes = 16 * launch.block[0] * hold.vectors as u32;
    }
    launch.grid[0] = resident.min(rows.rows) as u32;
    launch.arguments = rows.backward_arguments();
    with_weight_gradient(rows, launch, info)
}

/// The same with rows by the copy engine, where they are whole vectors and fit.
pub fn bulk_backward(problem: &Problem, info: &Info) -> Plan {
    match by_copies(Rows::of(problem), info) {
        Some(launch) => with_weight_gradient(Rows::of(problem), launch, info),
        None => backward(problem, info),
    }
}

/// How a block's threads hold a row in registers.
#[derive(Clone, Copy)]
struct Hold {
    /// Vectors a thread.
    vectors: u64,
    /// Warps a row.
    warps: u64,
    /// Blocks that a multiprocessor is to find registers for.
    blocks: u64,
}

impl Hold {
    /// Blocks of at most so many threads a multiprocessor.
    fn of(rows: Rows, lanes: u64, vectors: u64, threads: u64) -> Self {
        let warps = rows.touched().div_ceil(lanes * VECTOR * vectors);
        Hold { vectors, warps, blocks: (threads / (lanes * warps)).clamp(1, MOST_BLOCKS) }
    }
}

/// With two vectors a thread takes 40 registers, with four 64, as with two where rows are not aligned.
fn hold_forward(rows: Rows, lanes: u64) -> Hold {
    match (rows.is_aligned(), rows.touched()) {
        (true, ..=4096) => Hold::of(rows, lanes, 2, 1536),
        (false, ..=LONGEST_OF_TWO) => Hold::of(rows, lanes, 2, 1024),
        _ => Hold::of(rows, lanes, 4, 1024),
    }
}

/// With two vectors a thread takes 64 registers, and 84 where rows are not aligned.
fn hold_backward(rows: Rows, lanes: u64) -> Hold {
    let vectors = if rows.touched() > LONGEST_OF_TWO { 4 } else { 2 };
    Hold::of(rows, lanes, vectors, if rows.is_aligned() { 1024 } else { 640 })
}

/// Threads of a warp.
fn lanes(info: &Info) -> u64 {
    if info.vendor == Vendor::Amd { 64 } else { 32 }
}

/// A launch with a row a block at a time; its grid and arguments are left to the caller.
fn in_registers(
    source: &'static Source,
    entry: &'static str,
    rows: Rows,
    hold: Hold,
    info: &Info,
) -> Launch {
    // What the bound on blocks means is NVIDIA's alone.
    let blocks = if info.vendor == Vendor::Amd { 1 } else { hold.blocks };
    let mut constants = rows.constants(hold.warps, hold.vectors);
    constants.extend([
        ("ALIGNED", i64::from(rows.is_aligned()).into()),
        ("BLOCKS", (blocks as i64).into()),
    ]);
    Launch {
        source,
        entry,
        constants,
        grid: [1, 1, 1],
        block: [(lanes(info) * hold.warps) as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: Vec::new(),
    }
}

/// A launch of as many blocks as the device holds at once, or as there are tiles, if the table has
/// constants for these rows.
fn by_copies(rows: Rows, info: &Info) -> Option<Launch> {
    let tile = nearest(rows, info)?;
    let mut constants = rows.constants(tile.warps(rows.hidden), tile.vectors);
    constants.extend([
        ("GROUPS", (tile.groups as i64).into()),
        ("STAGES", (tile.stages as i64).into()),
        ("BLOCKS", (tile.blocks as i64).into()),
    ]);
    let blocks = (tile.blocks * u64::from(info.units)).min(rows.rows.div_ceil(tile.groups));
    Some(Launch {
        source: &BULK_BACKWARD,
        entry: "rmsnorm_backward",
        constants,
        grid: [blocks as u32, 1, 1],
        block: [tile.threads(rows.hidden) as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(rows.hidden, tile_tensors(rows.residual)) as u32,
        arguments: rows.backward_arguments(),
    })
}

/// The backward pass: a kernel that leaves a row of partial sums a block, and one that adds them.
fn with_weight_gradient(rows: Rows, launch: Launch, info: &Info) -> Plan {
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
    let sum = if info.vendor == Vendor::Amd { Step::Launch(sum) } else { Step::Early(sum) };
    Plan {
        scratch: vec![Bytes(partial_rows * rows.hidden * 4)],
        steps: vec![Step::Launch(launch), sum],
    }
}
