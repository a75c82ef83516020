//! The work list of a launch where queries see several ranges of keys: a segment a block, most stages
//! first, and each with its ranges one after the other, in whole stages.
//!
//! It must not know devices or tensors.

use super::schedule::Sight;
use super::work_list::{Grain, pair};
use std::cmp::Reverse;
use std::ops::Range;
use tilemark_core::launch::Argument;

/// Segments and spans that arguments have room for.
const MOST_SEGMENTS: usize = 127;
const MOST_SPANS: usize = 1023;

/// A range of keys, with the number of its first stage among those of its segment.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    keys: Range<usize>,
    stage: usize,
}

/// A block of queries, with the number of its first tile among those of a head.
#[derive(Debug)]
struct Segment {
    rows: Range<usize>,
    spans: Vec<Span>,
    tile: usize,
}

/// All that a launch has to know.
#[derive(Debug)]
pub struct RangeList {
    segments: Vec<Segment>,
    /// Of a head.
    pub tiles: usize,
}

impl RangeList {
    /// The list of these blocks.
    pub fn new(sights: &[Sight], grain: Grain) -> Self {
        let mut sorted: Vec<&Sight> = sights.iter().collect();
        let stages = |keys: &Range<usize>| keys.len().div_ceil(grain.keys);
        sorted.sort_by_key(|sight| Reverse(sight.keys.iter().map(stages).sum::<usize>()));
        let (mut segments, mut tiles) = (Vec::new(), 0);
        for sight in sorted {
            let mut stage = 0;
            let mut span = |keys: Range<usize>| {
                let first = stage;
                stage += stages(&keys);
                Span { keys, stage: first }
            };
            // Queries that see nothing have a span of nothing, whose only stage is masked whole.
            let spans = match sight.keys.as_slice() {
                [] => vec![span(0..0)],
                keys => keys.iter().cloned().map(span).collect(),
            };
            segments.push(Segment { rows: sight.rows.clone(), spans, tile: tiles });
            tiles += grain.tiles(sight.rows.len());
        }
        RangeList { segments, tiles }
    }

    /// `Ok` if it can be written into arguments.
    pub fn fits(&self) -> Result<(), String> {
        let spans = self.segments.iter().map(|segment| segment.spans.len()).sum();
        let counts = [
            ("blocks of queries", self.segments.len(), MOST_SEGMENTS),
            ("ranges of keys of all blocks together", spans, MOST_SPANS),
        ];
        if let Some((what, count, most)) = counts.into_iter().find(|(_, count, most)| count > most)
        {
            return Err(format!("takes at most {most} {what}, not {count}"));
        }
        let ends = self
            .segments
            .iter()
            .flat_map(|s| s.spans.iter().map(|span| span.keys.end).chain([s.rows.end]));
        match ends.max() {
            Some(end) if u16::try_from(end).is_err() => {
                Err(format!("counts queries in 16 bits, which {end} is beyond"))
            }
            _ => Ok(()),
        }
    }

    /// `Spans` of `sm90_ranges.h`.
    pub fn spans_argument(&self) -> Argument {
        let spans = self.segments.iter().flat_map(|segment| &segment.spans);
        let mut words: Vec<u32> = spans
            .flat_map(|Span { keys, stage }| [pair(keys.start, keys.len()), pair(*stage, 0)])
            .collect();
        words.resize(2 * MOST_SPANS, 0);
        Argument::Words(words)
    }

    /// Its `RangeSegments`.
    pub fn segments_argument(&self) -> Argument {
        let (mut words, mut first) = (Vec::new(), 0);
        for Segment { rows, spans, tile } in &self.segments {
            words.extend([pair(rows.start, rows.len()), pair(first, spans.len()), pair(*tile, 0)]);
            first += spans.len();
        }
        words.resize(3 * MOST_SEGMENTS, 0);
        words.push(self.segments.len() as u32);
        Argument::Words(words)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lists::parse;
    use super::*;

    const GRAIN: Grain = Grain { rows: 64, groups: 3, keys: 128 };

    fn list(text: &str, tokens: usize) -> RangeList {
        RangeList::new(&parse(text, tokens).unwrap(), GRAIN)
    }

    #[test]
    fn ranges_follow_one_another_in_whole_stages() {
        let list = list("list:0-200:0-10_200-600:7-136+300-428+500-501", 600);
        assert_eq!(list.fits(), Ok(()));
        // 129 keys are two stages.
        let Argument::Words(spans) = list.spans_argument() else { panic!("words") };
        assert_eq!(
            spans[..8],
            [7 | 129 << 16, 0, 300 | 128 << 16, 2, 500 | 1 << 16, 3, 10 << 16, 0]
        );
        let Argument::Words(segments) = list.segments_argument() else { panic!("words") };
        assert_eq!(segments[..6], [200 | 400 << 16, 3 << 16, 0, 200 << 16, 3 | 1 << 16, 3]);
        assert_eq!((segments.len(), segments[381], spans.len()), (382, 2, 2046));
        assert_eq!(list.tiles, 5);
    }

    #[test]
    fn queries_that_see_nothing_have_an_empty_span() {
        let list = list("list:5-9:0-3", 9);
        assert_eq!(list.segments[1].spans, [Span { keys: 0..0, stage: 0 }]);
        assert_eq!(list.segments[1].rows, 0..5);
    }

    #[test]
    fn what_arguments_have_no_room_for_is_refused() {
        let refusal = |text: &str, tokens| list(text, tokens).fits().unwrap_err();
        assert!(refusal("random:4:50:1", 512).contains("127 blocks of queries, not 128"));
        assert!(refusal("random:4:50:1", 508).contains("1023 ranges of keys"));
        assert!(refusal("list:0-9:0-65536", 65_536).contains("65536"));
    }
}
