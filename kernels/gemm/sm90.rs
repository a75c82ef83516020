//! Launches of Hopper's two kernels, `sm90_wgmma.cu` and `sm90_small_m.cu`, and of the copies that
//! bring an operand to a form which the copy engine accepts.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. It must not
//! know which problem gets which constants: that is the table of choices.

use super::groups::Groups;
use super::operands::{Matrix, Operands};
use super::{Scale, choices};
use crate::tile::{self, SM90_SHARED_BYTES, count, distance, tensor};
use serde::{Deserialize, Serialize};
use std::fmt;
use tilemark_core::launch::{
    Argument, Constant, Header, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static WGMMA: Source = Source {
    path: "gemm/sm90_wgmma.cu",
    text: include_str!("sm90_wgmma.cu"),
    headers: &[
        Header { name: "gemm/sm90_tile.h", text: include_str!("sm90_tile.h") },
        Header { name: "gemm/sm90_stores.h", text: include_str!("sm90_stores.h") },
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
static SMALL_M: Source = Source {
    path: "gemm/sm90_small_m.cu",
    text: include_str!("sm90_small_m.cu"),
    headers: tile::HEADERS,
};
static REPACK: Source =
    Source { path: "gemm/repack.cu", text: include_str!("repack.cu"), headers: tile::HEADERS };

static TRANSPOSE: Source = Source {
    path: "gemm/transpose.cu",
    text: include_str!("transpose.cu"),
    headers: tile::HEADERS,
};

/// Bytes of a row of every box and panel: the width of the swizzle.
const SWIZZLE_BYTES: u64 = 128;

/// One of the two kernels with the constants that tuning decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kernel")]
pub enum Tile {
    /// The persistent kernel.
    #[serde(rename = "sm90_wgmma")]
    Persistent(Persistent),
    /// The kernel for few rows.
    #[serde(rename = "sm90_small_m")]
    SmallM(SmallM),
}

/// Constants of `sm90_wgmma.cu`, by the names of its macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub struct Persistent {
    tile_m: u32,
    tile_n: u32,
    #[serde(default = "one")]
    blocks: u32,
    #[serde(default)]
    pingpong: u32,
    #[serde(default)]
    defer: u32,
    stages: u32,
    #[serde(default = "one")]
    cluster: u32,
    #[serde(default = "two")]
    c_panels: u32,
    #[serde(default)]
    a_policy: Policy,
    #[serde(default)]
    b_policy: Policy,
}

/// Constants of `sm90_small_m.cu`; its TILE_M follows from the problem, and STAGES may be fewer
/// where shared memory does not hold so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub struct SmallM {
    #[serde(default = "sixty_four")]
    tile_n: u32,
    #[serde(default = "one")]
    split: u32,
    stages: u32,
    #[serde(default = "two")]
    boxes: u32,
}

/// What L2 does with the lines of an operand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
enum Policy {
    #[default]
    #[serde(rename = "EVICT_NORMAL")]
    Normal,
    #[serde(rename = "EVICT_FIRST")]
    First,
    #[serde(rename = "EVICT_LAST")]
    Last,
}

/// Columns of a tile of `sm90_wgmma.cu`; what is no multiple of 64 is for 8-bit types.
const WIDTHS: [u32; 5] = [64, 128, 184, 192, 256];

/// The most rows that `sm90_small_m.cu` takes in one tile.
pub const SMALL_M_ROWS: u64 = 128;

/// The kernel and tile that the table names.
pub fn chosen(problem: &Problem, info: &Info) -> Plan {
    let operands = Operands::of(problem);
    choices::nearest(&operands, info, |_| true).plan(&operands, info)
}

/// The kernel for few rows, whatever the table says.
pub fn small_m(problem: &Problem, info: &Info) -> Plan {
    let operands = Operands::of(problem);
    choices::nearest(&operands, info, |tile| matches!(tile, Tile::SmallM(_))).plan(&operands, info)
}

impl Tile {
    /// Whether the kernel has these constants for this problem.
    pub fn is_legal(&self, operands: &Operands) -> bool {
        match self {
            Tile::Persistent(tile) => tile.is_legal(operands),
            Tile::SmallM(tile) => tile.is_legal(operands),
        }
    }

    /// What to put on the stream.
    pub fn plan(&self, operands: &Operands, info: &Info) -> Plan {
        let mut copies = Copies::new(operands, info);
        let a = copies.aligned(operands.a());
        let b = if operands.loads_k_major() && !operands.sizes.transposed {
            copies.transposed(operands.b())
        } else {
            copies.aligned(operands.b())
        };
        let launch = match self {
            Tile::Persistent(tile) => tile.launch(operands, info, a, b, Groups::ONE),
            Tile::SmallM(tile) => tile.launch(operands, a, b),
        };
        copies.plan.steps.push(Step::Launch(launch));
        copies.plan
    }
}

impl fmt::Display for Tile {
    /// As an inline table of TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        toml::Value::try_from(self).map_err(|_| fmt::Error)?.fmt(f)
    }
}

impl Persistent {
    /// Rows that have columns of one B in common.
    pub fn rows(&self) -> u32 {
        self.tile_m * self.cluster
    }

    /// Whether a tile can be columns and their gates: in halves of whole panels, and stored at once.
    pub fn takes_gates(&self) -> bool {
        self.cluster == 1 && self.defer == 0 && self.tile_n >= 128 && self.tile_n.is_multiple_of(16)
    }

    fn is_legal(&self, operands: &Operands) -> bool {
        // More sums than 256 a row leave no registers for the scales of rows and columns.
        let most_sums = if operands.sizes.scale == Scale::RowColumn { 256 } else { 384 };
        let Persistent { tile_m, tile_n, blocks, stages, cluster, c_panels, .. } = *self;
        let part = tile_n / cluster.max(1);
        WIDTHS.contains(&tile_n)
            && (tile_n.is_multiple_of(64) || operands.dtype == Dtype::E4m3)
            && [1, 2].contains(&blocks)
            && blocks * tile_n <= most_sums
            && tile_m.is_multiple_of(64 * blocks)
            && (1..=3).contains(&self.consumers())
            && (self.pingpong == 0 || tile_m == 64 * blocks)
            && (self.defer == 0 || self.may_defer(operands))
            && [1, 2, 4].contains(&cluster)
            && part.is_multiple_of(if operands.loads_k_major() { 8 } else { 64 })
            && stages >= 2
            && c_panels >= 1
            && self.shared_bytes() <= SM90_SHARED_BYTES
    }

    /// Whether a tile's rounded sums have registers beside the next tile's, and its panels a slice of
    /// K each.
    fn may_defer(&self, operands: &Operands) -> bool {
        let panels = self.tile_n.div_ceil(64);
        let slices = (operands.sizes.k as u64 * operands.dtype.size()).div_ceil(SWIZZLE_BYTES);
        self.blocks == 1
            && self.pingpong == 0
            && operands.c().is_aligned()
            && operands.sizes.scale != Scale::RowColumn
            && self.c_panels >= 2
            && panels.is_multiple_of(self.c_panels)
            && panels <= self.stages
            && slices >= u64::from(panels)
    }

    fn consumers(&self) -> u32 {
        if self.pingpong == 1 { 2 } else { self.tile_m / (64 * self.blocks) }
    }

    fn shared_bytes(&self) -> u32 {
        let stage = (self.tile_m + self.tile_n) * 128;
        self.stages * stage + self.consumers() * self.c_panels * 8192 + 256
    }

    /// What to put on the stream, for operands that the copy engine takes.
    pub fn launch(
        &self,
        operands: &Operands,
        info: &Info,
        a: Matrix,
        b: Matrix,
        groups: Groups,
    ) -> Launch {
        let c = operands.c();
        let c_map = c.is_aligned();
        let width = box_width(a);
        let map_a = map(a, [width, self.tile_m]);
        let rows = self.columns(groups) / self.cluster;
        let map_b = map(b, if operands.loads_k_major() { [width, rows] } else { [64, 64] });
        let map_c = if c_map { map(c, [64, 64]) } else { map_a.clone() };
        let mut arguments = vec![map_a, map_b, map_c, tensor(c.tensor), distance(c.pitch())];
        arguments.extend(operands.extents());
        arguments.extend(operands.scale_arguments());
        Launch {
            source: &WGMMA,
            entry: "gemm_sm90_wgmma",
            constants: self.constants(operands, c_map, groups),
            grid: [self.clusters(operands, info, groups) * self.cluster, 1, 1],
            block: [128 * (1 + self.consumers()), 1, 1],
            cluster: [self.cluster, 1, 1],
            dynamic_shared_bytes: self.shared_bytes(),
            arguments,
        }
    }

    /// Columns of C that a tile becomes.
    fn columns(&self, groups: Groups) -> u32 {
        if groups.gated { self.tile_n / 2 } else { self.tile_n }
    }

    /// One for each row of tiles of a cluster and column of tiles, or as many as the device holds.
    fn clusters(&self, operands: &Operands, info: &Info, groups: Groups) -> u32 {
        let rows = (operands.sizes.m as u64).div_ceil(u64::from(self.tile_m * self.cluster));
        let columns = (operands.sizes.n as u64).div_ceil(u64::from(self.columns(groups)));
        let held = u64::from((info.units / self.cluster).max(1));
        (rows * columns).min(held) as u32
    }

    fn constants(
        &self,
        operands: &Operands,
        c_map: bool,
        groups: Groups,
    ) -> Vec<(&'static str, Constant)> {
        let mut constants = operands.constants(operands.loads_k_major());
        if groups != Groups::ONE {
            constants.push(("GROUPS", (groups.count as i64).into()));
            constants.push(("GLU", i64::from(groups.gated).into()));
        }
        constants.extend([
            ("TILE_M", number(self.tile_m)),
            ("TILE_N", number(self.tile_n)),
            ("BLOCKS", number(self.blocks)),
            ("PINGPONG", number(self.pingpong)),
            ("DEFER", number(self.defer)),
            ("STAGES", number(self.stages)),
            ("CLUSTER", number(self.cluster)),
            ("C_PANELS", number(self.c_panels)),
            ("C_TMA", number(c_map.into())),
            ("A_POLICY", self.a_policy.constant()),
            ("B_POLICY", self.b_policy.constant()),
        ]);
        constants
    }
}

impl SmallM {
    fn is_legal(&self, operands: &Operands) -> bool {
        operands.sizes.m as u64 <= SMALL_M_ROWS
            && [64, 128].contains(&self.tile_n)
            && [1, 2, 4, 8].contains(&self.split)
            && self.boxes >= 1
            && self.stages.min(self.stages_held(operands)) >= 2
    }

    /// The least tile that takes all rows, so that B is read once.
    fn tile_m(operands: &Operands) -> u32 {
        let fits = |tile: &u32| operands.sizes.m <= *tile as usize;
        [8, 16, 32, 64].into_iter().find(fits).unwrap_or(SMALL_M_ROWS as u32)
    }

    fn stage_bytes(&self, operands: &Operands) -> u32 {
        self.boxes * (Self::tile_m(operands) + self.tile_n) * 128
    }

    fn stages_held(&self, operands: &Operands) -> u32 {
        SM90_SHARED_BYTES / (self.stage_bytes(operands) + 16)
    }

    fn launch(&self, operands: &Operands, a: Matrix, b: Matrix) -> Launch {
        let tile_m = Self::tile_m(operands);
        let stages = self.stages.min(self.stages_held(operands));
        let sums = tile_m * (self.tile_n + 4) * 4;
        let width = box_width(a);
        let c = operands.c();
        let mut arguments = vec![
            map(a, [width, tile_m]),
            map(b, if operands.loads_k_major() { [width, self.tile_n] } else { [64, 64] }),
            tensor(c.tensor),
            distance(c.pitch()),
        ];
        arguments.extend(operands.extents());
        arguments.extend(operands.scale_arguments());
        let mut constants = operands.constants(operands.loads_k_major());
        constants.extend([
            ("TILE_M", number(tile_m)),
            ("TILE_N", number(self.tile_n)),
            ("SPLIT", number(self.split)),
            ("STAGES", number(stages)),
            ("BOXES", number(self.boxes)),
        ]);
        let columns = operands.sizes.n.div_ceil(self.tile_n as usize) as u32;
        Launch {
            source: &SMALL_M,
            entry: "gemm_sm90_small_m",
            constants,
            grid: [columns * self.split, operands.sizes.m.div_ceil(tile_m as usize) as u32, 1],
            block: [2 * self.tile_n + 32, 1, 1],
            cluster: [self.split, 1, 1],
            dynamic_shared_bytes: sums.max(stages * self.stage_bytes(operands)) + 16 * stages,
            arguments,
        }
    }
}

impl Policy {
    fn constant(self) -> Constant {
        Constant::Text(match self {
            Policy::Normal => "EVICT_NORMAL",
            Policy::First => "EVICT_FIRST",
            Policy::Last => "EVICT_LAST",
        })
    }
}

/// The copies that come before a kernel, and the memory they fill.
pub struct Copies {
    /// The copies so far.
    pub plan: Plan,
    first_scratch: usize,
    units: u32,
}

impl Copies {
    /// None so far.
    pub fn new(operands: &Operands, info: &Info) -> Self {
        let first_scratch = operands.c().tensor + 1;
        Copies { plan: Plan::default(), first_scratch, units: info.units }
    }

    /// The matrix itself, or a copy of it, if its rows do not begin at multiples of 16 bytes.
    pub fn aligned(&mut self, matrix: Matrix) -> Matrix {
        if matrix.is_aligned() {
            return matrix;
        }
        let copy =
            self.scratch(Matrix { pitch_bytes: matrix.pitch_bytes.next_multiple_of(16), ..matrix });
        self.plan.steps.push(Step::Launch(Launch {
            source: &REPACK,
            entry: "gemm_repack",
            constants: Vec::new(),
            grid: [matrix.rows.min(u64::from(16 * self.units)) as u32, 1, 1],
            block: [256, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments: vec![
                tensor(matrix.tensor),
                tensor(copy.tensor),
                count(matrix.rows),
                distance(matrix.pitch_bytes),
                distance(copy.pitch_bytes),
            ],
        }));
        copy
    }

    /// The transpose of a matrix of bytes.
    fn transposed(&mut self, matrix: Matrix) -> Matrix {
        let (rows, columns) = (matrix.columns, matrix.rows);
        let pitch_bytes = columns.next_multiple_of(16);
        let copy = self.scratch(Matrix { rows, columns, pitch_bytes, ..matrix });
        self.plan.steps.push(Step::Launch(Launch {
            source: &TRANSPOSE,
            entry: "gemm_transpose",
            constants: Vec::new(),
            grid: [matrix.columns.div_ceil(64) as u32, matrix.rows.div_ceil(64) as u32, 1],
            block: [256, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments: vec![
                tensor(matrix.tensor),
                tensor(copy.tensor),
                count(matrix.rows),
                count(matrix.columns),
                distance(copy.pitch_bytes),
            ],
        }));
        copy
    }

    fn scratch(&mut self, matrix: Matrix) -> Matrix {
        let tensor = self.first_scratch + self.plan.scratch.len();
        self.plan.scratch.push(Bytes(matrix.rows * matrix.pitch_bytes));
        Matrix { tensor, ..matrix }
    }
}

/// Elements of a row of a box: 128 bytes.
fn box_width(matrix: Matrix) -> u32 {
    (SWIZZLE_BYTES / matrix.dtype.size()) as u32
}

fn map(matrix: Matrix, box_dims: [u32; 2]) -> Argument {
    Argument::TensorMap(TensorMap {
        tensor: matrix.tensor,
        dtype: matrix.dtype,
        dims: vec![matrix.columns, matrix.rows],
        strides_bytes: vec![matrix.pitch_bytes],
        box_dims: box_dims.to_vec(),
        swizzle: Swizzle::B128,
        // Not 256 bytes: a fetch would take a neighbour's half of a row of B along, which costs decoding 3 to 8 %.
        l2_promotion: L2Promotion::B128,
    })
}

fn number(value: u32) -> Constant {
    Constant::Integer(value.into())
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

fn sixty_four() -> u32 {
    64
}
