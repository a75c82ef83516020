//! What explains best that a case became slower.

use crate::measure::stats::median;
use tilemark_core::record::{CaseResult, Timing};
use tilemark_core::summary::Cause;

/// The cause, in the order of what a person would rule out first.
pub fn cause(
    now: &CaseResult,
    then: &CaseResult,
    driver_differs: bool,
    shift: f64,
    margin: f64,
) -> Cause {
    let cycles = |result: &CaseResult| median(&cycles_per_round(result.outcome.timing()?));
    if let (Some(now), Some(then)) = (cycles(now), cycles(then))
        && ((now / then).ln() - shift).abs() <= margin
    {
        return Cause::Clock;
    }
    if driver_differs {
        return Cause::Driver;
    }
    let same_code = !now.code.is_empty()
        && now.code.iter().map(|kernel| &kernel.hash).eq(then.code.iter().map(|k| &k.hash));
    if same_code { Cause::Machine } else { Cause::Code }
}

/// Median time of each round times the median clock of its samples; empty where no clock is known.
fn cycles_per_round(timing: &Timing) -> Vec<f64> {
    timing
        .rounds
        .iter()
        .filter_map(|round| {
            let counted: Vec<f64> = round.samples.counted().collect();
            Some(median(&counted)? * median(&round.samples.clock_hz)?)
        })
        .collect()
}
