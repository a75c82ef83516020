//! Who can run the CUDA kernels of the backward pass, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::super::cuda::takes_operands;
use super::super::schedule::{blocks, sights};
use super::super::{heads, scale};
use super::key_work::{KeyWork, queries_are_ranges};
use super::list_work::ListWork;
use super::lists::Lists;
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::tile::{self, count, element, needs_31_bits, swizzled_map, tensor};
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static PREPARE: Source = Source {
    path: "block_sparse_attention/backward_prepare.cu",
    text: include_str!("../backward_prepare.cu"),
    headers: PREPARE_HEADERS,
};
static MAIN: Source = Source {
    path: "block_sparse_attention/sm90_blocks_backward.cu",
    text: include_str!("../sm90_blocks_backward.cu"),
    headers: MAIN_HEADERS,
};
static FINISH: Source = Source {
    path: "block_sparse_attention/backward_finish.cu",
    text: include_str!("../backward_finish.cu"),
    headers: FINISH_HEADERS,
};

const BANDS: Header =
    Header { name: "block_sparse_attention/bands.h", text: include_str!("../bands.h") };

static PREPARE_HEADERS: &[Header] = &[
    Header {
        name: "attention/backward_prepare.h",
        text: include_str!("../../attention/backward_prepare.h"),
    },
    BANDS,
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];
static FINISH_HEADERS: &[Header] = &[BANDS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA];
static MAIN_HEADERS: &[Header] = &[
    Header {
        name: "attention/sm90_backward.h",
        text: include_str!("../../attention/sm90_backward.h"),
    },
    Header {
        name: "block_sparse_attention/sm90_key_list.h",
        text: include_str!("../sm90_key_list.h"),
    },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];

// Places in the scratch memory of the plan, after the family's tensors.
const STATISTICS: usize = DV + 1;
const QUERY_SUMS: usize = DV + 2;
const TAKEN: usize = DV + 3;

/// Keys of a tile.
const KEYS: usize = 128;

/// Elements of a tile of queries, whatever a head has.
const TILE_ELEMENTS: usize = 8192;

/// Stages of Q and dO in shared memory.
const STAGES: u32 = 2;

/// Blocks that a grid may have along y, which counts heads.
const MOST_HEADS: usize = 65_535;

/// `supports` of Hopper's kernel.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    takes_operands(problem, info)?;
    let rows = Rows::of(problem);
    if rows.heads > MOST_HEADS {
        return Err(format!("its grid covers {MOST_HEADS} heads, not {}", rows.heads));
    }
    if u16::try_from(rows.tokens).is_err() {
        return Err(format!("counts queries in 16 bits, which {} is beyond", rows.tokens));
    }
    let lists = rows.lists(problem)?;
    needs_31_bits(&[(rows.heads * lists.query_tiles * 2 * rows.tile_queries()) as u64])
}

/// The statistics of queries, all products over a work list of keys, and dQ from its sums.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let lists = rows.lists(problem).expect("the device was asked whether it takes the problem");
    let tiles = (rows.heads * lists.query_tiles) as u64;
    Plan {
        scratch: vec![
            Bytes(tiles * 2 * rows.tile_queries() as u64 * 4),
            Bytes(tiles * TILE_ELEMENTS as u64 * 4),
            Bytes(4),
        ],
        steps: vec![
            Step::Launch(rows.prepare(&lists)),
            Step::Early(rows.main(&lists, info)),
            Step::Launch(rows.finish(&lists)),
        ],
    }
}

/// A problem as the kernels see it.
#[derive(Clone, Copy)]
struct Rows {
    heads: usize,
    tokens: usize,
    d: usize,
    dtype: Dtype,
}

impl Rows {
    fn of(problem: &Problem) -> Self {
        let tokens = sights(problem).last().map_or(0, |sight| sight.rows.end);
        let d = problem.shape.index("d");
        Rows { heads: heads(problem), tokens, d, dtype: problem.dtype }
    }

    /// The list of blocks with one range of keys each, small ones packed, or that of any blocks.
    fn lists(self, problem: &Problem) -> Result<Lists, String> {
        let queries = self.tile_queries();
        let blocks = blocks(problem)
            .ok()
            .filter(|blocks| queries_are_ranges(blocks, self.tokens).is_ok())
            .map(|blocks| KeyWork::new(&blocks, self.tokens, KEYS, queries));
        if let Some(work) = blocks.filter(|work| work.fits().is_ok()) {
            return Ok(work.lists(KEYS));
        }
        let work = ListWork::new(&sights(problem), self.tokens, KEYS, queries);
        work.fits()?;
        Ok(work.lists())
    }

    /// Columns of a tile, of which a narrower head leaves some empty.
    fn tile_columns(self) -> usize {
        if self.d <= 64 { 64 } else { 128 }
    }

    fn tile_queries(self) -> usize {
        TILE_ELEMENTS / self.tile_columns()
    }

    fn prepare(self, lists: &Lists) -> Launch {
        let mut arguments = vec![lists.bands.clone()];
        arguments.extend([O, DO, LSE, STATISTICS, QUERY_SUMS, TAKEN].map(tensor));
        arguments.extend([self.tokens, self.d].map(size));
        let entry = "attention_blocks_backward_prepare";
        let grid = [self.heads as u32, lists.query_tiles as u32, 1];
        self.launch(&PREPARE, entry, grid, 256, arguments)
    }

    fn main(self, lists: &Lists, info: &Info) -> Launch {
        let map = |tensor: usize, box_rows: usize| {
            let dims = [self.d, self.tokens, self.heads].map(|extent| extent as u64);
            swizzled_map(tensor, self.dtype, &dims, &[64, box_rows as u32, 1])
        };
        let mut arguments =
            [(Q, self.tile_queries()), (K, KEYS), (V, KEYS), (DO, self.tile_queries())]
                .map(|(tensor, box_rows)| map(tensor, box_rows))
                .to_vec();
        arguments.extend([&lists.segments, &lists.tiles, &lists.seen].map(Argument::clone));
        arguments.extend([DK, DV, STATISTICS, QUERY_SUMS, TAKEN].map(tensor));
        arguments.extend([self.heads, self.tokens, self.d].map(size));
        arguments.push(self.scale());
        let blocks = (info.units as usize).min(self.heads * lists.key_tiles);
        let entry = "attention_sm90_blocks_backward";
        let mut launch = self.launch(&MAIN, entry, [blocks as u32, 1, 1], 384, arguments);
        let spans = lists.spans.into();
        launch.constants.extend([
            ("STAGES", Constant::Integer(STAGES.into())),
            ("SPANS", Constant::Integer(spans)),
        ]);
        let stage = 32_768 + 264 * self.tile_queries() as u32;
        launch.dynamic_shared_bytes =
            1024 * self.tile_columns() as u32 + STAGES * stage + 256 + 1024 + 4 * STAGES;
        launch
    }

    fn finish(self, lists: &Lists) -> Launch {
        let mut arguments = vec![lists.bands.clone(), tensor(QUERY_SUMS), tensor(DQ)];
        arguments.extend([self.tokens, self.d].map(size));
        arguments.push(self.scale());
        let entry = "attention_blocks_backward_finish";
        let grid = [lists.query_tiles as u32, self.heads as u32, 1];
        self.launch(&FINISH, entry, grid, 256, arguments)
    }

    fn scale(self) -> Argument {
        Argument::F32(scale(self.d) as f32)
    }

    fn launch(
        self,
        source: &'static Source,
        entry: &'static str,
        grid: [u32; 3],
        threads: u32,
        arguments: Vec<Argument>,
    ) -> Launch {
        Launch {
            source,
            entry,
            constants: vec![
                ("ELEMENT", element(self.dtype).into()),
                ("HEAD", (self.tile_columns() as i64).into()),
            ],
            grid,
            block: [threads, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments,
        }
    }
}

fn size(value: usize) -> Argument {
    count(value as u64)
}
