//! Parts of the softmax, on either vendor: how many, where they lie, and the launch that merges them.
//!
//! The contract of the merge stands at its source's head; this file states it once more as data.

use super::Sizes;
use crate::tile::{self, count, element};
use std::f64::consts::LOG2_E;
use tilemark_core::Problem;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Source};

static MERGE: Source = Source {
    path: "shared_prefix_attention/merge.cu",
    text: include_str!("merge.cu"),
    headers: &[PARTS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA, tile::HIP],
};

/// What makes parts includes.
pub const PARTS: Header =
    Header { name: "shared_prefix_attention/parts.h", text: include_str!("parts.h") };

/// Into how many parts shared keys are cut at most.
pub const MOST_PARTS: usize = 32;

/// How many parts' loads are under way at once at most, which six registers each have room for.
const MOST_TOGETHER: usize = MOST_PARTS + 1;

/// O and LSE of so many parts.
pub fn merge(problem: &Problem, parts: usize) -> Launch {
    let sizes = Sizes::of(problem);
    let [part_o, part_sums] = parts_of(sizes);
    let tensors = [part_o, part_sums, sizes.output(), sizes.output() + 1];
    let mut arguments = tensors.map(tile::tensor).to_vec();
    arguments.push(count((sizes.b * sizes.h) as u64));
    let number = |value: usize| Constant::Integer(value as i64);
    Launch {
        source: &MERGE,
        entry: "attention_merge",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("D", number(sizes.d)),
            ("PARTS", number(parts)),
            ("TOGETHER", number(parts.min(MOST_TOGETHER))),
        ],
        grid: [(sizes.b * sizes.h * sizes.d).div_ceil(512) as u32, 1, 1],
        block: [128, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    }
}

/// Into how many parts so many stages of shared keys are cut: as many as make the busiest
/// multiprocessor's tiles the shortest, each of which costs about two stages more for its first
/// scores, its output and the merge of that.
pub fn best_parts(tiles: usize, stages: usize, units: usize) -> usize {
    let cost = |parts: &usize| (tiles * parts).div_ceil(units) * (stages.div_ceil(*parts) + 2);
    (1..=MOST_PARTS.min(stages)).min_by_key(cost).unwrap_or(1)
}

/// The plan's own memory: parts of O, and what their rows sum to.
pub fn parts_of(sizes: Sizes) -> [usize; 2] {
    [sizes.output() + 2, sizes.output() + 3]
}

/// The factor on q·kᵀ for exponentials to the base 2.
pub fn scale_of_powers(sizes: Sizes) -> Argument {
    Argument::F32((sizes.scale() * LOG2_E) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_device_and_no_more() {
        // Tiles of rows and heads, stages of the prefix.
        assert_eq!(best_parts(64, 128, 132), 2);
        assert_eq!(best_parts(64, 16, 132), 2);
        assert_eq!(best_parts(32, 8, 132), 4);
        assert_eq!(best_parts(1, 1, 132), 1);
        assert_eq!(best_parts(1024, 16, 132), 1);
        assert_eq!(best_parts(4, 128, 132), 32);
    }
}
