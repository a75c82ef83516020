//! The work list of the backward pass where keys are seen by any blocks of queries: keys in segments
//! that the same blocks see, each with runs of tiles of queries; a block of queries is a band.
//!
//! It must not know devices or tensors.

use super::super::schedule::Sight;
use super::super::work_list::pair;
use super::lists::{Lists, MOST_BANDS, bands_argument};
use std::cmp::Reverse;
use std::ops::Range;
use tilemark_core::launch::Argument;

/// Segments and runs that arguments have room for; a run more ends the last segment's.
const MOST_SEGMENTS: usize = 127;
const MOST_RUNS: usize = 1022;

/// Neighbouring tiles of queries whose queries stand one after the other.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// The first tile's first query.
    row: usize,
    /// That tile's number among those of a head.
    tile: usize,
    /// How many of the segment's tiles come before.
    before: usize,
}

/// Keys that the same queries see.
#[derive(Debug)]
struct Segment {
    keys: Range<usize>,
    /// How many tiles of queries: at least one, so that gradients of keys that nobody sees are written.
    tiles: usize,
    runs: Vec<Run>,
    is_seen: bool,
}

/// All that a launch has to know.
#[derive(Debug)]
pub struct ListWork {
    /// Most queries first.
    segments: Vec<Segment>,
    /// In order; they hold every query.
    bands: Vec<Range<usize>>,
    tile_keys: usize,
    tile_queries: usize,
}

impl ListWork {
    /// For tiles of so many keys and queries, over so many tokens.
    pub fn new(sights: &[Sight], tokens: usize, tile_keys: usize, tile_queries: usize) -> Self {
        let bands: Vec<Range<usize>> = sights.iter().map(|sight| sight.rows.clone()).collect();
        let first_tiles: Vec<usize> = bands
            .iter()
            .scan(0, |next, band| {
                let first = *next;
                *next += band.len().div_ceil(tile_queries);
                Some(first)
            })
            .collect();
        let segment = |(keys, seers): (Range<usize>, Vec<usize>)| {
            let (mut tiles, mut runs) = (0, Vec::<Run>::new());
            for idx in &seers {
                let (row, tile) = (bands[*idx].start, first_tiles[*idx]);
                let goes_on = runs.last().is_some_and(|run| {
                    let ahead = tiles - run.before;
                    run.tile + ahead == tile && run.row + ahead * tile_queries == row
                });
                if !goes_on {
                    runs.push(Run { row, tile, before: tiles });
                }
                tiles += bands[*idx].len().div_ceil(tile_queries);
            }
            let is_seen = !runs.is_empty();
            if !is_seen {
                runs.push(Run { row: 0, tile: 0, before: 0 });
            }
            Segment { keys, tiles: tiles.max(1), runs, is_seen }
        };
        let mut segments: Vec<Segment> = seers(sights, tokens).into_iter().map(segment).collect();
        segments.sort_by_key(|segment| Reverse(segment.tiles));
        ListWork { segments, bands, tile_keys, tile_queries }
    }

    /// `Ok` if it can be written into arguments.
    pub fn fits(&self) -> Result<(), String> {
        let runs = self.segments.iter().map(|segment| segment.runs.len()).sum();
        let counts = [
            ("ranges of keys that the same queries see", self.segments.len(), MOST_SEGMENTS),
            ("runs of queries that see such ranges", runs, MOST_RUNS),
            ("blocks of queries", self.bands.len(), MOST_BANDS),
        ];
        match counts.into_iter().find(|(_, count, most)| count > most) {
            Some((what, count, most)) => Err(format!("takes at most {most} {what}, not {count}")),
            None => Ok(()),
        }
    }

    /// As the launches take it.
    pub fn lists(&self) -> Lists {
        let query_tiles =
            self.bands.iter().map(|band| band.len().div_ceil(self.tile_queries)).sum();
        Lists {
            spans: true,
            query_tiles,
            key_tiles: self.segments.iter().map(|s| s.keys.len().div_ceil(self.tile_keys)).sum(),
            segments: self.segments_argument(),
            tiles: self.query_tiles_argument(query_tiles),
            seen: Argument::Words(vec![0]),
            bands: bands_argument(&self.bands),
        }
    }

    /// `Segments` of `sm90_key_list.h`, with SPANS.
    fn segments_argument(&self) -> Argument {
        let (mut words, mut first) = (Vec::new(), 0);
        for Segment { keys, tiles, runs, .. } in &self.segments {
            words.extend([pair(keys.start, keys.len()), pair(first, *tiles)]);
            first += runs.len();
        }
        words.resize(2 * MOST_SEGMENTS, 0);
        words.extend([self.segments.len() as u32, 0]);
        Argument::Words(words)
    }

    /// Its `QueryTiles`.
    fn query_tiles_argument(&self, of_a_head: usize) -> Argument {
        let mut words = Vec::new();
        for Segment { runs, is_seen, .. } in &self.segments {
            let end = if *is_seen { usize::from(u16::MAX) } else { 0 };
            words.extend(runs.iter().flat_map(|r| [pair(r.row, r.tile), pair(r.before, end)]));
        }
        words.resize(2 * (MOST_RUNS + 1), 0);
        words.push(of_a_head as u32);
        Argument::Words(words)
    }
}

/// Ranges of keys, in order and all of them, each with the blocks whose queries see it; neighbours
/// differ in these.
pub fn seers(sights: &[Sight], tokens: usize) -> Vec<(Range<usize>, Vec<usize>)> {
    let ends = sights.iter().flat_map(|sight| &sight.keys).flat_map(|keys| [keys.start, keys.end]);
    let mut cuts: Vec<usize> = ends.chain([0, tokens]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut ranges: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for cut in cuts.windows(2) {
        let sees = |sight: &Sight| {
            let idx = sight.keys.partition_point(|keys| keys.end <= cut[0]);
            sight.keys.get(idx).is_some_and(|keys| keys.start <= cut[0])
        };
        let seers: Vec<usize> = (0..sights.len()).filter(|idx| sees(&sights[*idx])).collect();
        match ranges.last_mut() {
            Some((range, same)) if *same == seers => range.end = cut[1],
            _ => ranges.push((cut[0]..cut[1], seers)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::super::super::lists::parse;
    use super::*;

    fn work(text: &str, tokens: usize) -> ListWork {
        ListWork::new(&parse(text, tokens).unwrap(), tokens, 128, 128)
    }

    #[test]
    fn each_key_has_the_blocks_that_see_it() {
        let sights = parse("list:0-10:0-5_10-20:3-8+20-30_20-30:3-5", 30).unwrap();
        let found = seers(&sights, 30);
        assert_eq!(
            found,
            [
                (0..3, vec![0]),
                (3..5, vec![0, 1, 2]),
                (5..8, vec![1]),
                (8..20, vec![]),
                (20..30, vec![1]),
            ]
        );
    }

    #[test]
    fn runs_go_on_where_queries_and_tiles_do() {
        // Bands of 256, 100, 128 and 28 queries: two tiles, one, one, one.
        let work = work("list:0-256:0-512_256-356:0-1_356-484:0-512_484-512:0-100", 512);
        assert_eq!(work.bands, [0..256, 256..356, 356..484, 484..512]);
        let runs = |keys: Range<usize>| {
            let segment = work.segments.iter().find(|segment| segment.keys == keys).unwrap();
            let runs = segment.runs.iter().map(|run| (run.row, run.tile, run.before)).collect();
            (segment.tiles, Vec::from_iter::<Vec<_>>(runs))
        };
        // After 100 queries of a tile of 128, the next tile's queries do not follow the last one's.
        assert_eq!(runs(0..1), (5, vec![(0, 0, 0), (356, 3, 3)]));
        assert_eq!(runs(1..100), (4, vec![(0, 0, 0), (356, 3, 2)]));
        assert_eq!(runs(100..512), (3, vec![(0, 0, 0), (356, 3, 2)]));
        assert_eq!(work.segments[0].keys, 0..1);
        assert_eq!(work.lists().key_tiles, 1 + 1 + 4);
    }

    #[test]
    fn keys_that_nobody_sees_meet_one_tile() {
        let work = work("list:0-300:0-9", 300);
        let unseen = work.segments.iter().find(|segment| !segment.is_seen).unwrap();
        assert_eq!((unseen.keys.clone(), unseen.tiles), (9..300, 1));
        let lists = work.lists();
        let Argument::Words(words) = lists.tiles else { panic!("words") };
        assert_eq!(words[..4], [0, 0xffff << 16, 0, 0]);
        assert_eq!((words.len(), words[2046]), (2047, 3));
    }

    #[test]
    fn what_arguments_have_no_room_for_is_refused() {
        let refusal = |text: &str, tokens| work(text, tokens).fits().unwrap_err();
        assert!(refusal("random:4:50:1", 512).contains("127 ranges of keys"));
        assert!(refusal("random:4:50:1", 508).contains("1022 runs"));
    }
}
