//! Which queries see which keys: the schedules of image scales, and the masks over them.
//!
//! An image is a sequence of scales, from coarse to fine; scale k is a square of p_k × p_k tokens,
//! and all of them stand one after the other. A mask is a word, which speaks of scales, or a list of
//! blocks (`lists.rs`), which speaks of tokens. It must not know how anyone works through the blocks.

use super::lists;
use std::ops::Range;
use tilemark_core::{Problem, Shape};

/// Words of the axis `schedule`.
pub static NAMES: &[&str] = &["to4", "to6", "image256", "image512", "image1024"];

/// What that axis takes.
pub const SCHEDULE_TAKES: &str = "one of to4, to6, image256, image512, image1024, or other scales by their sides, such as sides:1+2+4, or so many tokens in one scale, such as tokens:4096";

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

/// What that axis takes.
pub const MASK_TAKES: &str = "one of block_diagonal, block_causal, block_previous, or a list of blocks, each its queries and the ranges of keys that they see, first token to end, such as list:0-64:0-64+128-192_64-128:0-32, or random:BLOCK:PERCENT:SEED, such as random:64:25:1";

/// Tokens that a schedule may have.
const MOST_TOKENS: usize = 1 << 24;

/// Queries that see the same keys, which are one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The queries.
    pub rows: Range<usize>,
    /// The keys that each of them sees.
    pub keys: Range<usize>,
}

/// Queries that see the same keys, wherever these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The queries.
    pub rows: Range<usize>,
    /// The keys that each of them sees: ranges in order, none empty, and no two that touch.
    pub keys: Vec<Range<usize>>,
}

impl Sight {
    /// How many keys each query sees.
    pub fn seen(&self) -> usize {
        self.keys.iter().map(|range| range.len()).sum()
    }
}

/// `Ok` if both axes say what they take.
pub fn check(shape: &Shape) -> Result<(), String> {
    let (schedule, mask) = (shape.word("schedule"), shape.word("mask"));
    let scales = scales(schedule).map_err(|why| {
        format!("axis `schedule` takes {SCHEDULE_TAKES}, not `{schedule}`: {why}")
    })?;
    masked(&scales, mask)
        .map(|_| ())
        .map_err(|why| format!("axis `mask` takes {MASK_TAKES}, not `{mask}`: {why}"))
}

/// What the queries of a problem see, in the order of the queries, of which it holds all.
pub fn sights(problem: &Problem) -> Vec<Sight> {
    let scales = scales(problem.shape.word("schedule")).expect("the family checked the schedule");
    masked(&scales, problem.shape.word("mask")).expect("the family checked the mask")
}

/// The same, if no query sees more than one range of keys.
pub fn blocks(problem: &Problem) -> Result<Vec<Block>, String> {
    let block = |Sight { rows, keys }: Sight| match keys.as_slice() {
        [] => Ok(Block { rows, keys: 0..0 }),
        [one] => Ok(Block { rows, keys: one.clone() }),
        _ => Err(format!("takes queries that see one range of keys, and {rows:?} see several")),
    };
    sights(problem).into_iter().map(block).collect()
}

/// How many tokens a schedule has.
pub fn tokens(schedule: &str) -> usize {
    let scales = scales(schedule).expect("the family checked the schedule");
    scales.last().map_or(0, |scale| scale.end)
}

fn masked(scales: &[Range<usize>], mask: &str) -> Result<Vec<Sight>, String> {
    if !MASKS.contains(&mask) {
        return lists::parse(mask, scales.last().map_or(0, |scale| scale.end));
    }
    let mut previous = 0..0;
    let sight = |rows: &Range<usize>| {
        let keys = match mask {
            "block_diagonal" => rows.clone(),
            "block_causal" => 0..rows.end,
            _ => previous.clone(),
        };
        previous = rows.clone();
        let keys = if keys.is_empty() { Vec::new() } else { vec![keys] };
        Sight { rows: rows.clone(), keys }
    };
    Ok(scales.iter().map(sight).collect())
}

/// The tokens of each scale.
fn scales(schedule: &str) -> Result<Vec<Range<usize>>, String> {
    let sizes = match (NAMES.iter().position(|name| *name == schedule), schedule.split_once(':')) {
        (Some(idx), _) => SIDES[idx].iter().map(|side| side * side).collect(),
        (None, Some(("tokens", count))) => vec![lists::number(count)?],
        (None, Some(("sides", sides))) => {
            let square = |side| lists::number(side).map(|side| side.saturating_mul(side));
            sides.split('+').map(square).collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err("there is no such schedule".to_owned()),
    };
    let mut end = 0usize;
    let mut scales = Vec::new();
    for size in sizes {
        let start = end;
        end = end.saturating_add(size);
        if size == 0 || end > MOST_TOKENS {
            return Err(format!(
                "a scale has at least one token, and all have at most {MOST_TOKENS}"
            ));
        }
        scales.push(start..end);
    }
    Ok(scales)
}
