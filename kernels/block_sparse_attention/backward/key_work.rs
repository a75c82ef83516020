//! The work list of the backward pass: keys in segments, queries in bands, once on the host.
//!
//! A segment is a range of keys, those of a block or of several small ones; it is cut into tiles of
//! keys, each of which meets all tiles of queries that see any key of the segment. Bands are ranges of
//! queries that are cut into tiles from their own first query on, so that the queries of a segment lie
//! in one of them and are counted alike by all segments that meet them.
//! It must not know devices or tensors.

use super::super::schedule::Block;
use super::super::work_list::{Grain, pair, work_list};
use super::lists::{Lists, MOST_BANDS, bands_argument};
use std::ops::Range;
use tilemark_core::launch::Argument;

/// Segments, or ranges of keys, that one argument has room for.
const MOST: usize = 15;

/// Keys that share tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The keys.
    pub keys: Range<usize>,
    /// The first query of the first tile that they meet.
    pub row: usize,
    /// How many tiles of queries they meet: at least one, so that gradients of keys that nobody sees
    /// are written, too.
    pub tiles: usize,
    /// That first tile's number among those of a head.
    pub first_tile: usize,
    /// How many of these tiles, from the first on, have a query that does not see all of the keys.
    pub masked: usize,
}

/// All that a launch has to know.
#[derive(Debug)]
pub struct KeyWork {
    /// Most queries first.
    pub segments: Vec<Segment>,
    /// In order; they hold every query.
    pub bands: Vec<Range<usize>>,
    /// In order; they hold every key.
    seen: Vec<Block>,
    /// Of a tile.
    queries: usize,
}

impl KeyWork {
    /// For tiles of so many keys and queries, over blocks of `tokens` tokens.
    pub fn new(blocks: &[Block], tokens: usize, keys: usize, queries: usize) -> Self {
        let seen = seen_ranges(blocks, tokens);
        let list: Vec<Block> = work_list(&seen, Grain { rows: keys, groups: 1, keys: queries })
            .into_iter()
            .map(|segment| segment.whole)
            .collect();
        let bands = bands(&list, tokens);
        let segment = |Block { rows: keys, keys: rows }: &Block| {
            let idx = bands.partition_point(|band| band.end <= rows.start);
            let (band, before) = (&bands[idx], tiles(&bands[..idx], queries));
            let skipped = (rows.start - band.start) / queries;
            let row = band.start + skipped * queries;
            let tiles = rows.end.saturating_sub(row).div_ceil(queries).max(1);
            let own = || seen.iter().filter(|range| overlap(&range.rows, keys));
            let is_masked = |tile: &usize| {
                let start = row + tile * queries;
                let end = (start + queries).min(band.end);
                own().any(|range| start < range.keys.start || range.keys.end < end)
            };
            let masked = (0..tiles).rev().find(is_masked).map_or(0, |last| last + 1);
            Segment { keys: keys.clone(), row, tiles, first_tile: before + skipped, masked }
        };
        KeyWork { segments: list.iter().map(segment).collect(), bands, seen, queries }
    }

    /// `Ok` if it can be written into arguments.
    pub fn fits(&self) -> Result<(), String> {
        let counts = [
            ("segments of keys", self.segments.len(), MOST),
            ("ranges of keys", self.seen.len(), MOST),
            ("bands of queries", self.bands.len(), MOST_BANDS),
        ];
        match counts.into_iter().find(|(_, count, most)| count > most) {
            Some((what, count, most)) => Err(format!("takes at most {most} {what}, not {count}")),
            None => Ok(()),
        }
    }

    /// As the launches take it, with tiles of so many keys.
    pub fn lists(&self, keys: usize) -> Lists {
        Lists {
            spans: false,
            query_tiles: tiles(&self.bands, self.queries),
            key_tiles: self.segments.iter().map(|s| s.keys.len().div_ceil(keys)).sum(),
            segments: self.segments_argument(),
            tiles: self.query_tiles_argument(),
            seen: self.seen_argument(),
            bands: bands_argument(&self.bands),
        }
    }

    /// `Segments` of `sm90_key_list.h`.
    fn segments_argument(&self) -> Argument {
        let words = |s: &Segment| [pair(s.keys.start, s.keys.len()), pair(s.row, s.tiles)];
        list(self.segments.iter().map(words))
    }

    /// Its `QueryTiles`.
    fn query_tiles_argument(&self) -> Argument {
        let mut words: Vec<u32> =
            self.segments.iter().map(|s| pair(s.first_tile, s.masked)).collect();
        words.resize(MOST, 0);
        words.push(tiles(&self.bands, self.queries) as u32);
        Argument::Words(words)
    }

    /// Its `SeenRanges`. What a tile has beyond a band's last query weighs nothing and needs no mask.
    fn seen_argument(&self) -> Argument {
        let ends_a_band = |row: usize| self.bands.iter().any(|band| band.end == row);
        list(self.seen.iter().map(|Block { rows: keys, keys: rows }| {
            let end = if ends_a_band(rows.end) { usize::from(u16::MAX) } else { rows.end };
            [pair(keys.start, keys.len()), pair(rows.start, end)]
        }))
    }
}

/// The blocks seen from their keys: ranges of keys, in order and all of them, as `rows` of a block
/// whose `keys` are the queries that see them, or an empty range.
pub fn seen_ranges(blocks: &[Block], tokens: usize) -> Vec<Block> {
    let seeing = || blocks.iter().filter(|block| !block.keys.is_empty());
    let mut cuts: Vec<usize> =
        seeing().flat_map(|block| [block.keys.start, block.keys.end]).chain([0, tokens]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let range = |cut: &[usize]| {
        let seers = seeing().filter(|block| block.keys.contains(&cut[0]));
        let queries = seers.map(|block| block.rows.clone());
        let queries = queries.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        Block { rows: cut[0]..cut[1], keys: queries.unwrap_or(0..0) }
    };
    cuts.windows(2).map(range).collect()
}

/// `Ok` if the queries that see a key stand side by side, as [`seen_ranges`] takes them to.
pub fn queries_are_ranges(blocks: &[Block], tokens: usize) -> Result<(), String> {
    for Block { rows: keys, keys: queries } in seen_ranges(blocks, tokens) {
        let seers = blocks.iter().filter(|block| block.keys.contains(&keys.start));
        if seers.map(|block| block.rows.len()).sum::<usize>() != queries.len() {
            return Err(format!("queries that see key {} do not stand side by side", keys.start));
        }
    }
    Ok(())
}

/// The queries of segments, joined where they overlap, and what is left between them.
fn bands(segments: &[Block], tokens: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> =
        segments.iter().map(|s| s.keys.clone()).filter(|queries| !queries.is_empty()).collect();
    ranges.sort_by_key(|range| range.start);
    let mut bands: Vec<Range<usize>> = Vec::new();
    for range in ranges.into_iter().chain(std::iter::once(tokens..tokens)) {
        let end = bands.last().map_or(0, |band| band.end);
        match bands.last_mut() {
            Some(band) if range.start < end => band.end = end.max(range.end),
            _ => bands.extend([end..range.start, range].into_iter().filter(|r| !r.is_empty())),
        }
    }
    bands
}

/// Whether two ranges have anything in common.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}

fn tiles(bands: &[Range<usize>], queries: usize) -> usize {
    bands.iter().map(|band| band.len().div_ceil(queries)).sum()
}

/// Up to [`MOST`] entries of two words, and how many there are.
fn list(entries: impl Iterator<Item = [u32; 2]>) -> Argument {
    let mut words: Vec<u32> = entries.flatten().collect();
    let count = words.len() / 2;
    words.resize(2 * MOST, 0);
    words.extend([count as u32, 0]);
    Argument::Words(words)
}

#[cfg(test)]
mod tests {
    use super::super::super::BlockSparseAttention;
    use super::super::super::schedule::{MASKS, NAMES, blocks};
    use super::*;
    use crate::testing::problem;
    use tilemark_core::Dtype;

    fn work(schedule: &str, mask: &str) -> (Vec<Block>, KeyWork) {
        let shape = format!("b=1,h=1,schedule={schedule},mask={mask}");
        let blocks = blocks(&problem(&BlockSparseAttention, &shape, Dtype::Bf16)).unwrap();
        let tokens = blocks.last().unwrap().rows.end;
        assert_eq!(queries_are_ranges(&blocks, tokens), Ok(()));
        let work = KeyWork::new(&blocks, tokens, 128, 128);
        (blocks, work)
    }

    #[test]
    fn a_diagonal_mask_has_a_band_a_segment_and_a_causal_one_has_one_for_all() {
        let (_, diagonal) = work("image256", "block_diagonal");
        let found: Vec<_> = diagonal.segments.iter().map(|s| (s.keys.len(), s.tiles)).collect();
        assert_eq!(found, [(256, 2), (255, 2), (169, 2)]);
        assert_eq!(diagonal.bands, [0..255, 255..424, 424..680]);
        let (_, causal) = work("image256", "block_causal");
        assert_eq!((causal.bands.len(), &causal.bands[0]), (1, &(0..680)));
        // The last scale begins in the fourth of six tiles.
        let last = causal.segments.iter().find(|s| s.keys.end == 680).unwrap();
        assert_eq!((last.row, last.tiles, last.first_tile, last.masked), (384, 3, 3, 1));
        // One block is seen by all of its own queries, several are not.
        let masked: Vec<_> = diagonal.segments.iter().map(|s| (s.keys.len(), s.masked)).collect();
        assert_eq!(masked, [(256, 0), (255, 2), (169, 0)]);
    }

    #[test]
    fn each_pair_that_is_seen_is_met_once_and_tiles_are_counted_alike() {
        for (schedule, mask) in NAMES.iter().flat_map(|n| MASKS.iter().map(move |m| (n, m))) {
            let (blocks, work) = work(schedule, mask);
            assert_eq!(work.fits(), Ok(()), "{schedule} {mask}");
            let holding = |key| work.segments.iter().filter(move |s| s.keys.contains(&key));
            for block in blocks.iter().filter(|block| !block.keys.is_empty()) {
                for key in [block.keys.start, block.keys.end - 1] {
                    let segments: Vec<&Segment> = holding(key).collect();
                    let [segment] = segments[..] else { panic!("{schedule} {mask} {key}") };
                    let band = work.bands.iter().find(|band| band.contains(&segment.row)).unwrap();
                    let end = (segment.row + segment.tiles * 128).min(band.end);
                    assert!(segment.row <= block.rows.start && block.rows.end <= end, "{mask}");
                    let before: usize = work
                        .bands
                        .iter()
                        .take_while(|other| other.end <= band.start)
                        .map(|other| other.len().div_ceil(128))
                        .sum();
                    let tile = before + (segment.row - band.start) / 128;
                    assert_eq!(segment.first_tile, tile, "{schedule} {mask}");
                }
            }
            let keys: usize = work.segments.iter().map(|segment| segment.keys.len()).sum();
            assert_eq!(keys, blocks.last().unwrap().rows.end);
            assert!(work.bands.windows(2).all(|two| two[0].end == two[1].start));
        }
    }

    #[test]
    fn tiles_that_are_not_masked_are_seen_whole() {
        for (schedule, mask) in NAMES.iter().flat_map(|n| MASKS.iter().map(move |m| (n, m))) {
            let (blocks, work) = work(schedule, mask);
            let mut whole = 0;
            for segment in &work.segments {
                let band = work.bands.iter().find(|band| band.contains(&segment.row)).unwrap();
                let first = segment.row + segment.masked * 128;
                let queries = first..(segment.row + segment.tiles * 128).min(band.end);
                whole += queries.len();
                for block in blocks.iter().filter(|b| overlap(&b.rows, &queries)) {
                    let sees_all = block.keys.start <= segment.keys.start
                        && segment.keys.end <= block.keys.end;
                    assert!(sees_all, "{schedule} {mask}: {block:?} {segment:?}");
                }
            }
            assert!(whole > 0 || schedule.starts_with("to"), "{schedule} {mask}: all is masked");
        }
    }

    #[test]
    fn what_nobody_sees_meets_one_tile_and_what_sees_nothing_has_a_band() {
        let (_, work) = work("to4", "block_previous");
        let seen = Block { rows: 14..30, keys: 0..0 };
        assert_eq!(work.seen.last(), Some(&seen));
        assert_eq!(work.bands[0], 0..1);
        let (_, work) = self::work("image256", "block_previous");
        let unseen = work.segments.iter().find(|segment| segment.keys == (424..680)).unwrap();
        assert_eq!((unseen.tiles, unseen.masked), (1, 1));
    }

    #[test]
    fn arguments_are_written_as_device_code_reads_them() {
        let (_, work) = work("image256", "block_causal");
        let Argument::Words(seen) = work.seen_argument() else { panic!("words") };
        // Keys 1 to 4 are seen by queries from 1 to the band's end.
        assert_eq!(seen[2..4], [1 | 4 << 16, 1 | 0xffff << 16]);
        assert_eq!((seen.len(), seen[30]), (32, 10));
        let Argument::Words(bands) = bands_argument(&work.bands) else { panic!("words") };
        assert_eq!((bands[0], bands[127]), (680 << 16, 1));
        let Argument::Words(tiles) = work.query_tiles_argument() else { panic!("words") };
        assert_eq!((tiles.len(), tiles[15]), (16, 6));
        let Argument::Words(segments) = work.segments_argument() else { panic!("words") };
        assert_eq!(segments[30] as usize, work.segments.len());
        let first = &work.segments[0];
        assert_eq!(segments[0], pair(first.keys.start, first.keys.len()));
        assert_eq!(segments[1], pair(first.row, first.tiles));
    }

    #[test]
    fn queries_apart_are_refused() {
        let block = |rows: Range<usize>, keys: Range<usize>| Block { rows, keys };
        let apart = [block(0..2, 0..2), block(2..4, 2..4), block(4..6, 0..2)];
        assert!(queries_are_ranges(&apart, 6).is_err_and(|why| why.contains("key 0")));
    }
}
