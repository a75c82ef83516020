//! Rounds that shared a host with other work. Such a time says what the other work was, and no
//! statistics over rounds that all met it say more: they are no evidence of anything else.
//!
//! It looks at what the worker saw of others and at no time.

use crate::measure::rounds;
use tilemark_core::record::{CaseResult, Round, Timing};

/// Cores that others may keep busy. Ticks of the kernel make up to half of this.
const MOST_CORES: f64 = 0.3;

/// With fewer rounds left nothing is judged.
const LEAST_ROUNDS: usize = 5;

/// The medians of the rounds that a host gave to the case alone; on a GPU, of all.
pub fn medians(result: &CaseResult, on_host: bool) -> Vec<(u32, f64)> {
    let Some(timing) = result.outcome.timing() else { return Vec::new() };
    let alone: Vec<u32> =
        timing.rounds.iter().filter(|r| !(on_host && shared(r))).map(|r| r.index).collect();
    rounds::medians(timing).into_iter().filter(|(index, _)| alone.contains(index)).collect()
}

/// The rounds that a host gave to the case alone.
pub fn rounds_alone(result: &CaseResult) -> impl Iterator<Item = &Round> {
    let rounds = result.outcome.timing().into_iter().flat_map(|timing| &timing.rounds);
    rounds.filter(|round| !shared(round))
}

/// Why the times of a case on a host cannot be compared: one side had too little of it.
pub fn obstacle(now: &CaseResult, then: &CaseResult) -> Option<String> {
    let crowded = |side: &str, result: &CaseResult| {
        let timing = result.outcome.timing()?;
        leaves_too_few(timing).then(|| {
            format!(
                "other processes kept the host busy in {} of the {side}'s {} rounds",
                disturbed(timing),
                timing.rounds.len()
            )
        })
    };
    crowded("candidate", now).or_else(|| crowded("baseline", then))
}

/// Whether others disturbed so many rounds on a host that the rest are no evidence.
pub fn leaves_too_few(timing: &Timing) -> bool {
    let disturbed = disturbed(timing);
    disturbed > 0 && timing.rounds.len() - disturbed < LEAST_ROUNDS
}

/// Whether so many rounds, none of them disturbed, would be judged.
pub fn are_enough(rounds: u32) -> bool {
    rounds as usize >= LEAST_ROUNDS
}

/// Whether others that keep so many cores of a host busy disturb who works there.
pub fn is_busy(cores: f64) -> bool {
    cores > MOST_CORES
}

fn disturbed(timing: &Timing) -> usize {
    timing.rounds.iter().filter(|round| shared(round)).count()
}

fn shared(round: &Round) -> bool {
    round.telemetry.other_load.is_some_and(is_busy)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{Script, measured};
    use super::*;
    use tilemark_core::record::Outcome;

    fn beside(loads: &[f64]) -> CaseResult {
        let mut result = measured(&Script::new("p", "i"), &vec![1.0; loads.len()]);
        let Outcome::Measured { timing, .. } = &mut result.outcome else { unreachable!() };
        for (round, load) in timing.rounds.iter_mut().zip(loads) {
            round.telemetry.other_load = Some(*load);
        }
        result
    }

    #[test]
    fn rounds_beside_others_are_left_out_on_a_host() {
        let result = beside(&[0.0, 1.5, 0.1, 0.0, 0.4, 0.0, 0.0]);
        let kept: Vec<u32> = medians(&result, true).iter().map(|(index, _)| *index).collect();
        assert_eq!(kept, [0, 2, 3, 5, 6]);
        assert_eq!(medians(&result, false).len(), 7, "on a GPU the load is a count of processes");
    }

    #[test]
    fn too_few_rounds_alone_are_an_obstacle_on_either_side() {
        let quiet = beside(&[0.0; 7]);
        let busy = beside(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(obstacle(&quiet, &beside(&[0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])), None);
        assert_eq!(obstacle(&quiet, &beside(&[0.0; 3])), None, "few rounds, and none disturbed");
        let text = "other processes kept the host busy in 3 of the candidate's 7 rounds";
        assert_eq!(obstacle(&busy, &quiet).as_deref(), Some(text));
        assert!(obstacle(&quiet, &busy).is_some_and(|text| text.contains("baseline")));
    }
}
