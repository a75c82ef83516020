//! What a host's fastest samples say. Other work, a second speed of a shared core and a late thread
//! only add time, and rarely to every sample; slower code is slower in its fastest one, too.
//!
//! It looks at the rounds that the host gave to the case alone, and judges nothing else.

use super::company;
use tilemark_core::record::CaseResult;

/// ln of the fastest sample now over the fastest one then; none where either side has no sample.
pub fn difference(now: &CaseResult, then: &CaseResult) -> Option<f64> {
    Some((fastest(now)? / fastest(then)?).ln())
}

fn fastest(result: &CaseResult) -> Option<f64> {
    let samples = company::rounds_alone(result).flat_map(|round| round.samples.counted());
    samples.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{Script, measured};
    use super::*;
    use tilemark_core::device::Discard;
    use tilemark_core::record::Outcome;

    #[test]
    fn disturbed_rounds_and_discarded_samples_are_not_looked_at() {
        let then = measured(&Script::new("p", "i"), &[2.0; 7]);
        let mut now = measured(&Script::new("p", "i"), &[1.0, 4.0, 5.0, 6.0, 4.0, 4.0, 4.0]);
        let Outcome::Measured { timing, .. } = &mut now.outcome else { unreachable!() };
        timing.rounds[0].telemetry.other_load = Some(1.0);
        timing.rounds[1].samples.seconds[0] = 0.5;
        timing.rounds[1].samples.discarded = vec![(0, Discard::LowClock)];
        assert_eq!(difference(&now, &then), Some(2.0f64.ln()));
        assert_eq!(difference(&then, &now), Some(-(2.0f64.ln())));
    }
}
