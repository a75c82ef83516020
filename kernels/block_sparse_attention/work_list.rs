//! The work list of a launch: blocks of queries made into segments, longest first, once on the host.
//!
//! A segment is a block, or several small ones side by side that a tile holds together; its queries
//! are cut into tiles from its own first one on, and each tile meets all keys of the segment.
//! It must not know devices or tensors.

use super::schedule::Block;
use std::cmp::Reverse;
use tilemark_core::launch::Argument;

/// Blocks that one argument has room for.
const MOST: usize = 15;

/// What a tile is, as far as work goes.
#[derive(Clone, Copy)]
pub struct Grain {
    /// Queries that are worked on or left out together.
    pub rows: usize,
    /// How many of these a tile holds.
    pub groups: usize,
    /// Keys that are fetched together.
    pub keys: usize,
}

/// Blocks that share tiles: their queries, and a range of keys with all that any of them sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Both ranges.
    pub whole: Block,
    /// Whether there are several blocks, so that queries of a tile see different keys.
    pub packed: bool,
}

/// The cheapest way to cut a sequence of blocks into segments; most keys first, so that what is left
/// for the end is short.
pub fn work_list(blocks: &[Block], grain: Grain) -> Vec<Segment> {
    // For each number of leading blocks: the least cost, and where the last segment of that begins; as
    // early as it can, for fewer tiles.
    let mut best = vec![(0, 0)];
    for end in 1..=blocks.len() {
        let costs = (0..end).map(|start| {
            (best[start].0 + grain.cost(&Segment::new(&blocks[start..end]).whole), start)
        });
        best.push(costs.min().expect("at least one block"));
    }
    let (mut segments, mut end) = (Vec::new(), blocks.len());
    while end > 0 {
        let start = best[end].1;
        segments.push(Segment::new(&blocks[start..end]));
        end = start;
    }
    segments.sort_by_key(|segment| Reverse(segment.whole.keys.len()));
    segments
}

impl Segment {
    fn new(blocks: &[Block]) -> Self {
        let rows = blocks[0].rows.start..blocks[blocks.len() - 1].rows.end;
        let seeing = || blocks.iter().map(|block| &block.keys).filter(|keys| !keys.is_empty());
        let first = seeing().map(|keys| keys.start).min().unwrap_or(0);
        let end = seeing().map(|keys| keys.end).max().unwrap_or(0);
        Segment { whole: Block { rows, keys: first..end }, packed: blocks.len() > 1 }
    }
}

impl Grain {
    /// Tiles that hold so many queries.
    pub fn tiles(self, rows: usize) -> usize {
        rows.div_ceil(self.rows * self.groups)
    }

    /// In stages of keys for one group of queries. A tile costs each of its groups about one more,
    /// whether it has queries for them or not, for its first scores and its output.
    fn cost(self, segment: &Block) -> usize {
        let stages = segment.keys.len().div_ceil(self.keys).max(1);
        segment.rows.len().div_ceil(self.rows) * stages
            + self.tiles(segment.rows.len()) * self.groups
    }
}

/// `Ok` if these blocks can be written into an argument.
pub fn fits(blocks: &[Block]) -> Result<(), String> {
    if blocks.len() > MOST {
        return Err(format!("takes at most {MOST} blocks of queries, not {}", blocks.len()));
    }
    let last = blocks.iter().map(|block| block.rows.end.max(block.keys.end)).max().unwrap_or(0);
    if u16::try_from(last).is_err() {
        return Err(format!("counts queries in 16 bits, which {last} is beyond"));
    }
    Ok(())
}

/// Blocks as device code reads them: `Blocks` of `block_list.h`.
pub fn argument<'a>(blocks: impl Iterator<Item = (&'a Block, bool)>) -> Argument {
    let mut words = Vec::new();
    let (mut count, mut packed_ones) = (0, 0);
    for (Block { rows, keys }, packed) in blocks {
        words.extend([pair(rows.start, rows.len()), pair(keys.start, keys.len())]);
        packed_ones |= u32::from(packed) << count;
        count += 1;
    }
    words.resize(2 * MOST, 0);
    words.extend([count, packed_ones]);
    Argument::Words(words)
}

/// Two numbers of 16 bits, the first one in the low half.
pub fn pair(first: usize, second: usize) -> u32 {
    (first | second << 16) as u32
}

#[cfg(test)]
mod tests {
    use super::super::BlockSparseAttention;
    use super::super::schedule::{MASKS, NAMES, blocks};
    use super::*;
    use crate::testing::problem;
    use tilemark_core::Dtype;

    const GRAIN: Grain = Grain { rows: 64, groups: 3, keys: 128 };

    fn blocks_of(schedule: &str, mask: &str) -> Vec<Block> {
        let shape = format!("b=1,h=1,schedule={schedule},mask={mask}");
        blocks(&problem(&BlockSparseAttention, &shape, Dtype::Bf16)).unwrap()
    }

    fn rows_and_keys(schedule: &str, mask: &str) -> Vec<(usize, usize)> {
        let list = work_list(&blocks_of(schedule, mask), GRAIN);
        list.iter().map(|s| (s.whole.rows.len(), s.whole.keys.len())).collect()
    }

    #[test]
    fn small_scales_share_a_tile_and_large_ones_come_first() {
        assert_eq!(
            rows_and_keys("image256", "block_diagonal"),
            [(256, 256), (255, 255), (169, 169)]
        );
        assert_eq!(
            rows_and_keys("image512", "block_causal"),
            [(1024, 2240), (576, 1216), (324, 640), (316, 316)]
        );
        assert_eq!(
            rows_and_keys("image1024", "block_diagonal")[..4],
            [(4096, 4096), (2304, 2304), (1296, 1296), (729, 729)]
        );
        assert_eq!(rows_and_keys("to6", "block_diagonal"), [(91, 91)]);
    }

    #[test]
    fn every_query_has_one_segment_with_all_that_it_sees() {
        for (schedule, mask) in NAMES.iter().flat_map(|n| MASKS.iter().map(move |m| (n, m))) {
            let blocks = blocks_of(schedule, mask);
            let list = work_list(&blocks, GRAIN);
            for block in &blocks {
                let holding = |segment: &&Segment| {
                    let Block { rows, keys } = &segment.whole;
                    let inside = rows.start <= block.rows.start && block.rows.end <= rows.end;
                    let seen = keys.start <= block.keys.start && block.keys.end <= keys.end;
                    inside && (seen || block.keys.is_empty())
                };
                assert_eq!(list.iter().filter(holding).count(), 1, "{schedule} {mask} {block:?}");
            }
            let rows: usize = list.iter().map(|segment| segment.whole.rows.len()).sum();
            assert_eq!(rows, blocks.last().unwrap().rows.end, "{schedule} {mask}");
            assert!(list.iter().any(|s| s.packed) && list.is_sorted_by_key(|s| -keys(s)));
        }
    }

    fn keys(segment: &Segment) -> i64 {
        segment.whole.keys.len() as i64
    }

    #[test]
    fn an_argument_holds_two_words_a_block_and_two_for_all() {
        let blocks = blocks_of("to4", "block_previous");
        let flags = [false, true, true, false];
        let Argument::Words(words) = argument(blocks.iter().zip(flags)) else { panic!("words") };
        assert_eq!(words.len(), 32);
        // Queries 14 to 29 see keys 5 to 13.
        assert_eq!(words[6..8], [14 | 16 << 16, 5 | 9 << 16]);
        assert_eq!(words[8..30], [0; 22]);
        assert_eq!(words[30..], [4, 0b0110]);
    }

    #[test]
    fn what_an_argument_has_no_room_for_is_refused() {
        let block = |end: usize| Block { rows: end - 1..end, keys: 0..end };
        assert_eq!(fits(&[block(65_535)]), Ok(()));
        assert!(fits(&[block(65_536)]).is_err_and(|why| why.contains("65536")));
        assert!(fits(&vec![block(1); 16]).is_err_and(|why| why.contains("not 16")));
    }
}
