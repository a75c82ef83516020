//! Which queries see which keys: the schedules of image scales, and the masks over them.
//!
//! An image is a sequence of scales, from coarse to fine; scale k is a square of p_k × p_k tokens,
//! and all of them stand one after the other. It must not know how anyone works through the blocks.

use std::ops::Range;
use tilemark_core::Problem;

/// Words of the axis `schedule`.
pub static NAMES: &[&str] = &["to4", "to6", "image256", "image512", "image1024"];

/// The sides p_k of each, in the order of [`NAMES`]: two small ones, and those of HMAR (H. Kumbong et
/// al., HMAR: Efficient hierarchical masked auto-regressive image generation, 2025) and VAR.
static SIDES: [&[usize]; 5] = [
    &[1, 2, 3, 4],
    &[1, 2, 3, 4, 5, 6],
    &[1, 2, 3, 4, 5, 6, 8, 10, 13, 16],
    &[1, 2, 3, 4, 6, 9, 13, 18, 24, 32],
    &[1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 27, 36, 48, 64],
];

/// Words of the axis `mask`: what a query of scale k sees is scale k (HMAR), the scales up to k
/// (VAR), or scale k − 1, so that the first sees nothing.
pub static MASKS: &[&str] = &["block_diagonal", "block_causal", "block_previous"];

/// Queries that see the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The queries.
    pub rows: Range<usize>,
    /// The keys that each of them sees.
    pub keys: Range<usize>,
}

/// The blocks of a problem, in the order of their queries, of which they hold all.
pub fn blocks(problem: &Problem) -> Vec<Block> {
    let mask = problem.shape.word("mask");
    let mut previous = 0..0;
    let block = |rows: Range<usize>| {
        let keys = match mask {
            "block_diagonal" => rows.clone(),
            "block_causal" => 0..rows.end,
            _ => previous.clone(),
        };
        previous = rows.clone();
        Block { rows, keys }
    };
    scales(problem.shape.word("schedule")).map(block).collect()
}

/// How many tokens a schedule has.
pub fn tokens(schedule: &str) -> usize {
    scales(schedule).map(|scale| scale.len()).sum()
}

fn scales(schedule: &str) -> impl Iterator<Item = Range<usize>> {
    let idx = NAMES.iter().position(|name| *name == schedule).expect("the axis takes these words");
    let mut end = 0;
    SIDES[idx].iter().map(move |side| {
        let start = end;
        end += side * side;
        start..end
    })
}
