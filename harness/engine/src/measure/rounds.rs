//! What a timing says, round by round: the round is the unit of evidence, never the sample.
//!
//! It reads complete timings; it takes no sample and judges nothing.

use super::stats;
use tilemark_core::record::Timing;

/// The median of the samples that count, for each round that has any, with the round's number.
pub fn medians(timing: &Timing) -> Vec<(u32, f64)> {
    let median = |samples: Vec<f64>| stats::median(&samples);
    let rounds = timing.rounds.iter();
    rounds.filter_map(|r| Some((r.index, median(r.samples.counted().collect())?))).collect()
}

/// The median over the rounds of each round's median.
pub fn typical(timing: &Timing) -> Option<f64> {
    let medians: Vec<f64> = medians(timing).into_iter().map(|(_, median)| median).collect();
    stats::median(&medians)
}

/// The median over the rounds of each round's median clock, where the device tells its clock in
/// every round.
pub fn clock(timing: &Timing) -> Option<f64> {
    let clocks: Option<Vec<f64>> =
        timing.rounds.iter().map(|r| stats::median(&r.samples.clock_hz)).collect();
    stats::median(&clocks?)
}
