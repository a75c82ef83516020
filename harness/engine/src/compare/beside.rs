//! Ours beside the rivals that took turns with it in one run, and whether more rounds are wanted.
//!
//! Pure functions of timings: nothing here starts a measurement.

use super::difference::{Difference, Direction, LEAST_MARGIN};
use crate::measure::rounds;
use tilemark_core::method::Method;
use tilemark_core::record::Timing;

/// How a candidate stands to a rival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// The difference of the two, round by round.
    pub difference: Difference,
    /// What no one cares about or what the pairs of rounds scatter, whichever is more.
    pub margin: f64,
}

impl Beside {
    /// Judges two timings; none if they have no round in common.
    pub fn of(candidate: &Timing, rival: &Timing) -> Option<Self> {
        let (candidate, rival) = (rounds::medians(candidate), rounds::medians(rival));
        let (difference, spread) = Difference::paired(&candidate, &rival)?;
        Some(Beside { difference, margin: spread.max(LEAST_MARGIN) })
    }

    /// What it amounts to.
    pub fn direction(&self) -> Direction {
        self.difference.direction(self.margin)
    }
}

/// Whether the implementations of a problem take another block of rounds, after `done` of them:
/// only while a candidate can be told neither from the quickest rival nor equal to it, and only up
/// to the method's limit.
///
/// Each of the looks at 7, 14 and 21 rounds has an exact interval (98.4, 98.7 and 97.3 %), so all
/// three together miss the truth at most once in 18 times, and call a difference only where the
/// whole interval lies beyond the margin.
pub fn wants_another_block(
    method: &Method,
    done: u32,
    candidates: &[&Timing],
    rivals: &[&Timing],
) -> bool {
    let times = rivals.iter().filter_map(|rival| Some((rounds::typical(rival)?, rival)));
    let Some((_, quickest)) = times.min_by(|a, b| a.0.total_cmp(&b.0)) else { return false };
    let is_open = |candidate: &&Timing| {
        Beside::of(candidate, quickest).is_some_and(|b| b.direction() == Direction::Unclear)
    };
    done < method.rounds.saturating_mul(method.blocks) && candidates.iter().any(is_open)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{Script, measured};
    use super::*;
    use crate::measure::synthetic::Noise;
    use tilemark_core::record::Outcome;

    fn timing(medians: &[f64]) -> Timing {
        match measured(&Script::new("p", "a"), medians).outcome {
            Outcome::Measured { timing, .. } => timing,
            other => panic!("{other:?}"),
        }
    }

    /// Rounds around a time, with relative noise.
    fn noisy(noise: &mut Noise, rounds: usize, seconds: f64, spread: f64) -> Timing {
        let medians: Vec<f64> =
            (0..rounds).map(|_| seconds * (1.0 + spread * noise.normal())).collect();
        timing(&medians)
    }

    fn wants(done: u32, candidates: &[&Timing], rivals: &[&Timing]) -> bool {
        wants_another_block(&Method::standard(), done, candidates, rivals)
    }

    #[test]
    fn what_is_clear_after_seven_rounds_is_not_measured_longer() {
        let rival = timing(&[1.0, 1.001, 0.999, 1.0, 1.002, 0.998, 1.0]);
        for factor in [0.9, 1.0, 1.1] {
            let candidate = timing(&[factor; 7]);
            assert!(!wants(7, &[&candidate], &[&rival]), "{factor}");
        }
    }

    /// Between 1 % and 4 % slower: the interval crosses the margin.
    const OPEN: [f64; 7] = [1.01, 1.04, 1.02, 1.03, 1.01, 1.04, 1.02];

    #[test]
    fn what_is_open_is_measured_up_to_the_limit() {
        let (candidate, rival) = (timing(&OPEN), timing(&[1.0; 7]));
        for (done, wanted) in [(7, true), (14, true), (20, true), (21, false), (28, false)] {
            assert_eq!(wants(done, &[&candidate], &[&rival]), wanted, "after {done}");
        }
        let once = Method { blocks: 1, ..Method::standard() };
        assert!(!wants_another_block(&once, 7, &[&candidate], &[&rival]));
    }

    #[test]
    fn one_open_candidate_is_enough_and_only_the_quickest_rival_counts() {
        let (open, clear, rival) = (timing(&OPEN), timing(&[0.5; 7]), timing(&[1.0; 7]));
        assert!(wants(7, &[&clear, &open], &[&rival]));
        let slow = timing(&[1.02; 7]);
        assert!(!wants(7, &[&clear], &[&rival, &slow]));
        assert!(!wants(7, &[&slow], &[&rival, &clear]), "its twin is not the quickest rival");
        assert!(wants(7, &[&open], &[&slow, &rival]));
    }

    #[test]
    fn without_anyone_to_be_told_from_there_is_nothing_to_extend() {
        let (open, rival) = (timing(&OPEN), timing(&[1.0; 7]));
        assert!(!wants(7, &[&open], &[]));
        assert!(!wants(7, &[], &[&rival]));
        assert!(!wants(7, &[&open], &[&timing(&[])]));
    }

    #[test]
    fn rounds_too_few_for_an_interval_are_open() {
        let (candidate, rival) = (timing(&[2.0; 4]), timing(&[1.0; 4]));
        let method = Method { rounds: 2, ..Method::standard() };
        assert!(wants_another_block(&method, 4, &[&candidate], &[&rival]));
        assert!(!wants_another_block(&method, 6, &[&candidate], &[&rival]));
    }

    /// How many of 200 pairs end as faster or slower, and how many open, with all blocks taken.
    fn ends(factor: f64, spread: f64, blocks: u32) -> (usize, usize) {
        let method = Method { blocks, ..Method::standard() };
        let mut noise = Noise::new(11);
        let (mut told, mut open) = (0, 0);
        for _ in 0..200 {
            let all = [noisy(&mut noise, 21, factor, spread), noisy(&mut noise, 21, 1.0, spread)];
            let first = |done: u32| {
                all.clone().map(|t| Timing { rounds: t.rounds[..done as usize].to_vec() })
            };
            let mut done = method.rounds;
            let mut both = first(done);
            while wants_another_block(&method, done, &[&both[0]], &[&both[1]]) {
                done += method.rounds;
                both = first(done);
            }
            match Beside::of(&both[0], &both[1]).unwrap().direction() {
                Direction::Faster | Direction::Slower => told += 1,
                Direction::Unclear => open += 1,
                Direction::Same => {}
            }
        }
        (told, open)
    }

    #[test]
    fn more_rounds_settle_what_noise_left_open_and_invent_no_difference() {
        let (told_once, open_once) = ends(1.0, 0.02, 1);
        let (told, open) = ends(1.0, 0.02, 3);
        assert!(open_once > 150 && open < 50, "open: {open_once} of 200, then {open}");
        assert!(told_once <= 1 && told <= 1, "told apart: {told_once}, then {told}");
        let (found_once, _) = ends(1.06, 0.015, 1);
        let (found, _) = ends(1.06, 0.015, 3);
        assert!(found > found_once && found > 180, "found: {found_once} of 200, then {found}");
    }
}
