//! A machine made up for tests: runs of a suite with known noise and known true times.

use super::synthetic::{Script, measured, recording};
use crate::measure::synthetic::Noise;
use tilemark_core::family::Standing;
use tilemark_core::record::Recording;

/// Relative noise of a machine, as deviations of ln(time).
#[derive(Clone, Copy, Default)]
pub(crate) struct Machine {
    /// Between rounds of a case.
    pub(crate) rounds: f64,
    /// Between processes: one draw a case and run.
    pub(crate) processes: f64,
    /// Between runs: one draw a run, for all cases.
    pub(crate) runs: f64,
    /// A slow wave over the run.
    pub(crate) drift: f64,
    /// How often a round is hit by a burst of 30 %.
    pub(crate) bursts: f64,
    /// How often a whole problem is, with all that take turns in it.
    pub(crate) long_bursts: f64,
    /// What a second speed takes longer. How often a case runs at it is one draw a case and run, as
    /// where another system shares a core now and then.
    pub(crate) second_speed: f64,
}

/// `n` problems with a candidate each, a rung in every second and a rival in every third.
pub(crate) fn suite(n: usize) -> Vec<(Script, f64)> {
    let mut cases = Vec::new();
    for idx in 0..n {
        let problem = format!("p{idx}");
        let mut add = |name: &str, standing, factor: f64| {
            let seconds = 1e-4 * factor * (1 + idx % 7) as f64;
            cases.push((Script { standing, ..Script::new(&problem, name) }, seconds));
        };
        add("ours", Standing::Candidate, 1.0);
        if idx % 2 == 0 {
            add("simple", Standing::Rung, 3.0);
        }
        if idx % 3 == 0 {
            add("theirs", Standing::Rival, 0.9);
        }
    }
    cases
}

/// Runs cases on a machine: the rounds of one problem take turns, problems follow each other.
pub(crate) fn run(cases: &[(Script, f64)], machine: &Machine, seed: u64) -> Recording {
    let mut noise = Noise::new(seed);
    let shared = machine.runs * noise.normal();
    let phase = std::f64::consts::TAU * noise.uniform();
    let mut results = Vec::new();
    for (place, problem) in cases.chunk_by(|a, b| a.0.problem == b.0.problem).enumerate() {
        let burst = if noise.chance(machine.long_bursts) { 0.26 } else { 0.0 };
        let wave = machine.drift * (phase + 0.2 * place as f64).sin();
        for (case, seconds) in problem {
            let process = machine.processes * noise.normal();
            let often = noise.uniform();
            let rounds: Vec<f64> = (0..7)
                .map(|_| {
                    let short = if noise.chance(machine.bursts) { 0.26 } else { 0.0 };
                    let jitter = machine.rounds * noise.normal();
                    let second = if noise.chance(often) { machine.second_speed } else { 0.0 };
                    seconds * (shared + wave + burst + process + short + jitter + second).exp()
                })
                .collect();
            results.push(measured(case, &rounds));
        }
    }
    recording(results)
}
