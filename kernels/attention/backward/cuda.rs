//! Who can run the CUDA kernels of the backward pass, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::super::Sizes;
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::tile::{self, count, element, needs_31_bits, needs_sm, needs_sm_90a, tensor};
use tilemark_core::launch::{
    Argument, Constant, Header, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static NAIVE: Source = Source {
    path: "attention/cuda_naive_backward.cu",
    text: include_str!("../cuda_naive_backward.cu"),
    headers: tile::HEADERS,
};
static PREPARE: Source = Source {
    path: "attention/backward_prepare.cu",
    text: include_str!("../backward_prepare.cu"),
    headers: PREPARE_HEADERS,
};
static FLASH: Source = Source {
    path: "attention/sm90_flash_backward.cu",
    text: include_str!("../sm90_flash_backward.cu"),
    headers: FLASH_HEADERS,
};
static FINISH: Source = Source {
    path: "attention/backward_finish.cu",
    text: include_str!("../backward_finish.cu"),
    headers: tile::HEADERS,
};

static PREPARE_HEADERS: &[Header] = &[
    Header { name: "attention/backward_prepare.h", text: include_str!("../backward_prepare.h") },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];
static FLASH_HEADERS: &[Header] = &[
    Header { name: "attention/sm90_backward.h", text: include_str!("../sm90_backward.h") },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];

/// Elements of a head up to which a warp's registers hold the rows that the naive kernels need.
const LONGEST_NAIVE_HEAD: usize = 512;

/// Blocks that a grid may have along y, which counts heads.
const MOST_HEADS: u64 = 65_535;

// Places in the scratch memory of the plan of `flash`, after the family's tensors.
const STATISTICS: usize = DV + 1;
const QUERY_SUMS: usize = DV + 2;
const TAKEN: usize = DV + 3;

/// Keys of a tile.
const KEYS: u64 = 128;

/// Elements of the widest head that a tile holds.
const WIDEST_HEAD: u64 = 128;

/// Elements of a tile of queries, whatever a head has.
const TILE_ELEMENTS: u64 = 8192;

/// Stages of Q and dO in shared memory.
const STAGES: u64 = 2;

/// `supports` of the naive kernels.
pub fn any_nvidia(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, if problem.dtype == Dtype::Bf16 { 80 } else { 70 })?;
    let d = Sizes::of(problem).d;
    if d > LONGEST_NAIVE_HEAD {
        return Err(format!("a warp holds heads of up to {LONGEST_NAIVE_HEAD} elements, not {d}"));
    }
    let heads = Heads::of(problem);
    needs_31_bits(&[heads.query_heads * heads.queries, heads.key_heads * heads.keys])
}

/// `supports` of the kernel on Hopper's tensor cores.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    if problem.dtype == Dtype::F32 {
        return Err("tensor cores have no f32: they would round the operands to tf32".to_owned());
    }
    let heads = Heads::of(problem);
    if heads.d > WIDEST_HEAD || !heads.d.is_multiple_of(8) {
        let d = heads.d;
        return Err(format!(
            "takes heads of up to {WIDEST_HEAD} elements in vectors of 8, not {d}"
        ));
    }
    if heads.query_heads > MOST_HEADS {
        return Err(format!("its grid covers {MOST_HEADS} heads, not {}", heads.query_heads));
    }
    let statistics = heads.query_heads * heads.query_tiles() * 2 * heads.tile_queries();
    needs_31_bits(&[statistics, heads.key_heads * heads.key_tiles()])
}

/// The formula, a warp for each row of a gradient.
pub fn naive(problem: &Problem, _info: &Info) -> Plan {
    let heads = Heads::of(problem);
    let launch = |entry, outputs: &[usize], rows: u64| {
        let sizes = Sizes::of(problem);
        let mut arguments: Vec<Argument> = [Q, K, V, O, DO, LSE].map(tensor).to_vec();
        arguments.extend(outputs.iter().map(|output| tensor(*output)));
        arguments.push(count(rows));
        arguments.extend([sizes.h, sizes.hk, sizes.n, sizes.nk].map(|size| count(size as u64)));
        arguments.extend([Argument::I32(sizes.causal.into()), heads.scale()]);
        let grid = [rows.div_ceil(4) as u32, 1, 1];
        Step::Launch(heads.launch(&NAIVE, entry, heads.constants(heads.d), grid, 128, arguments))
    };
    let queries = heads.query_heads * heads.queries;
    let keys = heads.key_heads * heads.keys;
    Plan {
        scratch: Vec::new(),
        steps: vec![
            launch("attention_naive_query_gradient", &[DQ], queries),
            launch("attention_naive_key_gradients", &[DK, DV], keys),
        ],
    }
}

/// Tiles of keys that stay, tiles of queries that pass.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    tiled(Heads::of(problem), info)
}

/// The same, with dQ summed in the order of the keys.
pub fn flash_deterministic(problem: &Problem, info: &Info) -> Plan {
    tiled(Heads { deterministic: true, ..Heads::of(problem) }, info)
}

fn tiled(heads: Heads, info: &Info) -> Plan {
    let tiles = heads.query_heads * heads.query_tiles();
    Plan {
        scratch: vec![
            Bytes(tiles * 2 * heads.tile_queries() * 4),
            Bytes(tiles * heads.tile_sums() * 4),
            Bytes(4),
        ],
        steps: vec![
            Step::Launch(heads.prepare()),
            Step::Early(heads.main(info)),
            Step::Launch(heads.finish()),
        ],
    }
}

/// A problem as the kernels see it.
#[derive(Clone, Copy)]
struct Heads {
    query_heads: u64,
    key_heads: u64,
    queries: u64,
    keys: u64,
    d: u64,
    causal: bool,
    dtype: Dtype,
    deterministic: bool,
}

impl Heads {
    fn of(problem: &Problem) -> Self {
        let [b, h, hk, n, nk, d] =
            ["b", "h", "hk", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
        Heads {
            query_heads: b * h,
            key_heads: b * hk,
            queries: n,
            keys: nk,
            d,
            causal: problem.shape.flag("causal"),
            dtype: problem.dtype,
            deterministic: false,
        }
    }

    /// Columns of a tile, of which a narrower head leaves some empty.
    fn tile_columns(self) -> u64 {
        if self.d <= 64 { 64 } else { WIDEST_HEAD }
    }

    fn tile_queries(self) -> u64 {
        TILE_ELEMENTS / self.tile_columns()
    }

    /// Words of a tile's sums of dQ; in order, they end with whose turn it is, on a line of its own.
    fn tile_sums(self) -> u64 {
        TILE_ELEMENTS + if self.deterministic { 32 } else { 0 }
    }

    fn query_tiles(self) -> u64 {
        self.queries.div_ceil(self.tile_queries())
    }

    fn key_tiles(self) -> u64 {
        self.keys.div_ceil(KEYS)
    }

    fn scale(self) -> Argument {
        Argument::F32((1.0 / (self.d as f64).sqrt()) as f32)
    }

    /// The macros of a kernel that holds rows of `head` elements.
    fn constants(self, head: u64) -> Vec<(&'static str, Constant)> {
        vec![("ELEMENT", element(self.dtype).into()), ("HEAD", (head as i64).into())]
    }

    /// The macros of the kernels that work on tiles.
    fn tile_constants(self) -> Vec<(&'static str, Constant)> {
        let mut constants = self.constants(self.tile_columns());
        constants.push(("DETERMINISTIC", i64::from(self.deterministic).into()));
        constants
    }

    fn prepare(self) -> Launch {
        let mut arguments: Vec<Argument> =
            [O, DO, LSE, STATISTICS, QUERY_SUMS, TAKEN].map(tensor).to_vec();
        arguments.extend([self.queries, self.d].map(count));
        let entry = "attention_backward_prepare";
        let constants = self.tile_constants();
        self.launch(&PREPARE, entry, constants, self.query_grid(), 256, arguments)
    }

    fn main(self, info: &Info) -> Launch {
        let mut constants = self.tile_constants();
        constants.push(("CAUSAL", i64::from(self.causal).into()));
        constants.push(("STAGES", (STAGES as i64).into()));
        let (query_box, key_box, row_box) = (self.tile_queries() as u32, KEYS as u32, 64);
        let mut arguments = vec![
            self.map(Q, self.query_heads, self.queries, query_box),
            self.map(K, self.key_heads, self.keys, key_box),
            self.map(V, self.key_heads, self.keys, key_box),
            self.map(DO, self.query_heads, self.queries, query_box),
            self.map(DK, self.key_heads, self.keys, row_box),
            self.map(DV, self.key_heads, self.keys, row_box),
        ];
        arguments.extend([STATISTICS, QUERY_SUMS, TAKEN].map(tensor));
        let group = self.query_heads / self.key_heads;
        arguments
            .extend([self.queries, self.keys, self.key_heads, group, self.band(info)].map(count));
        arguments.push(self.scale());
        let blocks = u64::from(info.units).min(self.key_heads * self.key_tiles());
        let entry = "attention_sm90_flash_backward";
        let grid = [blocks as u32, 1, 1];
        let mut launch = self.launch(&FLASH, entry, constants, grid, 384, arguments);
        let stage = 32_768 + 264 * self.tile_queries();
        launch.dynamic_shared_bytes = (1024 * self.tile_columns() + STAGES * stage + 256) as u32;
        launch
    }

    fn finish(self) -> Launch {
        let arguments =
            vec![tensor(QUERY_SUMS), tensor(DQ), count(self.queries), count(self.d), self.scale()];
        let entry = "attention_backward_finish";
        let constants = self.tile_constants();
        self.launch(&FINISH, entry, constants, self.query_grid(), 256, arguments)
    }

    /// Heads whose tiles are taken together, those with most queries first: about as many tiles as
    /// there are blocks, so that what the blocks read at a time is little and stays in L2.
    fn band(self, info: &Info) -> u64 {
        if self.causal { (u64::from(info.units) / self.key_tiles()).max(1) } else { 1 }
    }

    fn query_grid(self) -> [u32; 3] {
        [self.query_tiles() as u32, self.query_heads as u32, 1]
    }

    /// A map of (heads, rows, D) whose box is 64 columns of `box_rows` rows of one head.
    fn map(self, tensor: usize, heads: u64, rows: u64, box_rows: u32) -> Argument {
        let row_bytes = self.d * self.dtype.size();
        Argument::TensorMap(TensorMap {
            tensor,
            dtype: self.dtype,
            dims: vec![self.d, rows, heads],
            strides_bytes: vec![row_bytes, row_bytes * rows],
            box_dims: vec![64, box_rows, 1],
            swizzle: Swizzle::B128,
            l2_promotion: L2Promotion::B256,
        })
    }

    fn launch(
        self,
        source: &'static Source,
        entry: &'static str,
        constants: Vec<(&'static str, Constant)>,
        grid: [u32; 3],
        threads: u32,
        arguments: Vec<Argument>,
    ) -> Launch {
        Launch {
            source,
            entry,
            constants,
            grid,
            block: [threads, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments,
        }
    }
}
