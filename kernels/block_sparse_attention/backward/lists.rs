//! What the launches of the backward pass take of a work list, whoever makes it.
//!
//! It must not know blocks or masks.

use super::super::work_list::pair;
use std::ops::Range;
use tilemark_core::launch::Argument;

/// Bands that an argument has room for.
pub const MOST_BANDS: usize = 127;

/// A work list as the launches take it.
pub struct Lists {
    /// Whether segments meet runs of tiles anywhere: SPANS of `sm90_key_list.h`.
    pub spans: bool,
    /// Tiles of queries of a head.
    pub query_tiles: usize,
    /// Tiles of keys of a head.
    pub key_tiles: usize,
    /// `Segments` of that header.
    pub segments: Argument,
    /// Its `QueryTiles`.
    pub tiles: Argument,
    /// Its `SeenRanges`.
    pub seen: Argument,
    /// `Bands` of `bands.h`.
    pub bands: Argument,
}

/// `Bands` of `bands.h`.
pub fn bands_argument(bands: &[Range<usize>]) -> Argument {
    let mut words: Vec<u32> = bands.iter().map(|band| pair(band.start, band.len())).collect();
    words.resize(MOST_BANDS, 0);
    words.push(bands.len() as u32);
    Argument::Words(words)
}
