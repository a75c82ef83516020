//! Who can run the CUDA kernels of the backward pass, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::super::schedule::blocks;
use super::super::{cuda::hopper as forward_hopper, heads, scale};
use super::key_work::{KeyWork, queries_are_ranges};
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::tile::{self, count, element, needs_31_bits, swizzled_map, tensor};
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static PREPARE: Source = Source {
    path: "block_sparse_attention/backward_prepare.cu",
    text: include_str!("../backward_prepare.cu"),
    headers: BAND_HEADERS,
};
static MAIN: Source = Source {
    path: "block_sparse_attention/sm90_blocks_backward.cu",
    text: include_str!("../sm90_blocks_backward.cu"),
    headers: MAIN_HEADERS,
};
static FINISH: Source = Source {
    path: "block_sparse_attention/backward_finish.cu",
    text: include_str!("../backward_finish.cu"),
    headers: BAND_HEADERS,
};

static BAND_HEADERS: &[Header] = &[
    Header { name: "block_sparse_attention/bands.h", text: include_str!("../bands.h") },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];
static MAIN_HEADERS: &[Header] = &[
    Header {
        name: "attention/sm90_backward.h",
        text: include_str!("../../attention/sm90_backward.h"),
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
    forward_hopper(problem, info)?;
    let rows = Rows::of(problem);
    if rows.heads > MOST_HEADS {
        return Err(format!("its grid covers {MOST_HEADS} heads, not {}", rows.heads));
    }
    queries_are_ranges(&blocks(problem), rows.tokens)?;
    let work = rows.work(problem);
    work.fits()?;
    needs_31_bits(&[(rows.heads * work.query_tiles() * 2 * rows.tile_queries()) as u64])
}

/// The statistics of queries, all products over a work list of keys, and dQ from its sums.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    let rows = Rows::of(problem);
    let work = rows.work(problem);
    let tiles = (rows.heads * work.query_tiles()) as u64;
    Plan {
        scratch: vec![
            Bytes(tiles * 2 * rows.tile_queries() as u64 * 4),
            Bytes(tiles * TILE_ELEMENTS as u64 * 4),
            Bytes(4),
        ],
        steps: vec![rows.prepare(&work), rows.main(&work, info), rows.finish(&work)],
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
        let tokens = blocks(problem).last().map_or(0, |block| block.rows.end);
        let d = problem.shape.index("d");
        Rows { heads: heads(problem), tokens, d, dtype: problem.dtype }
    }

    fn work(self, problem: &Problem) -> KeyWork {
        KeyWork::new(&blocks(problem), self.tokens, KEYS, self.tile_queries())
    }

    /// Columns of a tile, of which a narrower head leaves some empty.
    fn tile_columns(self) -> usize {
        if self.d <= 64 { 64 } else { 128 }
    }

    fn tile_queries(self) -> usize {
        TILE_ELEMENTS / self.tile_columns()
    }

    fn prepare(self, work: &KeyWork) -> Step {
        let mut arguments = vec![work.bands_argument()];
        arguments.extend([O, DO, LSE, STATISTICS, QUERY_SUMS, TAKEN].map(tensor));
        arguments.extend([self.tokens, self.d].map(size));
        let entry = "attention_blocks_backward_prepare";
        Step::Launch(self.launch(&PREPARE, entry, self.query_grid(work), 256, arguments))
    }

    fn main(self, work: &KeyWork, info: &Info) -> Step {
        let map = |tensor: usize, box_rows: usize| {
            let dims = [self.d, self.tokens, self.heads].map(|extent| extent as u64);
            swizzled_map(tensor, self.dtype, &dims, &[64, box_rows as u32, 1])
        };
        let mut arguments =
            [(Q, self.tile_queries()), (K, KEYS), (V, KEYS), (DO, self.tile_queries())]
                .map(|(tensor, box_rows)| map(tensor, box_rows))
                .to_vec();
        arguments.extend([
            work.segments_argument(),
            work.query_tiles_argument(),
            work.seen_argument(),
        ]);
        arguments.extend([DK, DV, STATISTICS, QUERY_SUMS, TAKEN].map(tensor));
        arguments.extend([self.heads, self.tokens, self.d].map(size));
        arguments.push(self.scale());
        let tiles: usize = work.segments.iter().map(|s| s.keys.len().div_ceil(KEYS)).sum();
        let blocks = (info.units as usize).min(self.heads * tiles);
        let entry = "attention_sm90_blocks_backward";
        let mut launch = self.launch(&MAIN, entry, [blocks as u32, 1, 1], 384, arguments);
        launch.constants.push(("STAGES", Constant::Integer(STAGES.into())));
        let stage = 32_768 + 264 * self.tile_queries() as u32;
        launch.dynamic_shared_bytes =
            1024 * self.tile_columns() as u32 + STAGES * stage + 256 + 1024 + 4 * STAGES;
        Step::Launch(launch)
    }

    fn finish(self, work: &KeyWork) -> Step {
        let mut arguments = vec![work.bands_argument(), tensor(QUERY_SUMS), tensor(DQ)];
        arguments.extend([self.tokens, self.d].map(size));
        arguments.push(self.scale());
        let entry = "attention_blocks_backward_finish";
        Step::Launch(self.launch(&FINISH, entry, self.query_grid(work), 256, arguments))
    }

    fn scale(self) -> Argument {
        Argument::F32(scale(self.d) as f32)
    }

    fn query_grid(self, work: &KeyWork) -> [u32; 3] {
        [work.query_tiles() as u32, self.heads as u32, 1]
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
