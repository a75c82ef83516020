//! The table of measured choices for the backward kernel that moves rows by the copy engine.
//!
//! It holds what `choices.toml` says, which tuning writes, and finds the entry for a problem. It
//! must not know how a kernel is launched.

use super::cuda::{MOST_BLOCKS, Rows};
use crate::tile::SM90_SHARED_BYTES;
use serde::Deserialize;
use std::sync::LazyLock;
use tilemark_core::Info;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("choices.toml")).expect("choices.toml is a table of choices")
});

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    choices: Vec<Choice>,
}

/// What won on one model.
#[derive(Deserialize)]
struct Choice {
    model: String,
    residual: bool,
    hidden: u64,
    #[serde(flatten)]
    tile: Tile,
}

/// Constants of the kernel, by the names of their macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Tile {
    /// Vectors of 16 bytes a thread holds of a row.
    pub vectors: u64,
    /// Rows of a tile.
    pub groups: u64,
    /// Tiles under way.
    pub stages: u64,
    /// Blocks that a multiprocessor holds at once.
    pub blocks: u64,
}

impl Tile {
    /// Warps that share a row.
    pub fn warps(&self, hidden: u64) -> u64 {
        hidden.div_ceil(32 * 8 * self.vectors)
    }

    /// Threads of a block.
    pub fn threads(&self, hidden: u64) -> u64 {
        32 * self.warps(hidden) * self.groups
    }

    /// Dynamic shared memory of a block: the ring of tiles, each of so many tensors.
    pub fn shared_bytes(&self, hidden: u64, tensors: u64) -> u64 {
        self.stages * tensors * self.groups * hidden * 2
    }
}

/// Threads of the largest block: a thread of the backward pass takes up to 96 registers at four
/// vectors, and spilled with 768 threads.
const MOST_THREADS: u64 = 640;

/// The tile of the nearest entry that is legal for these rows, if they are whole vectors and there
/// is one, with as many blocks as a multiprocessor holds at this hidden size.
pub fn nearest(rows: Rows, info: &Info) -> Option<Tile> {
    if !rows.hidden.is_multiple_of(8) {
        return None;
    }
    let tensors = tile_tensors(rows.residual);
    let legal = |choice: &&Choice| {
        choice.residual == rows.residual
            && choice.tile.threads(rows.hidden) <= MOST_THREADS
            && choice.tile.shared_bytes(rows.hidden, tensors) <= u64::from(SM90_SHARED_BYTES)
    };
    let legal: Vec<&Choice> = TABLE.choices.iter().filter(legal).collect();
    let known = legal.iter().any(|choice| choice.model == info.model);
    let near = legal.into_iter().filter(|choice| !known || choice.model == info.model);
    near.min_by(|a, b| a.distance(rows.hidden).total_cmp(&b.distance(rows.hidden)))
        .map(|choice| choice.tile_at(rows.hidden))
}

/// How many tensors have tiles in shared memory: r, dy and, with a residual, dr.
pub fn tile_tensors(residual: bool) -> u64 {
    2 + u64::from(residual)
}

impl Choice {
    fn distance(&self, hidden: u64) -> f64 {
        (self.hidden as f64 / hidden as f64).log2().abs()
    }

    /// As many threads a multiprocessor as were measured: their registers and, since a thread's part
    /// of a row never grows, their shared memory fit then too.
    fn tile_at(&self, hidden: u64) -> Tile {
        let threads = self.tile.blocks * self.tile.threads(self.hidden);
        let blocks = (threads / self.tile.threads(hidden)).clamp(1, MOST_BLOCKS);
        Tile { blocks, ..self.tile }
    }
}
