//! What is read out of a record: one row a case, and verdicts between cases or runs.
//!
//! These are computed when a record is read and never stored in it.

use crate::record::{CaseResult, End, Environment, Run};
use crate::{
    Seconds,
    units::{ByteRate, FlopRate},
};
use serde::{Deserialize, Serialize};

/// A whole run as a report sees it.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// What was asked for.
    pub run: Run,
    /// What it ran on, one entry a device.
    pub environments: Vec<Environment>,
    /// One row a case, in the record's order.
    pub rows: Vec<Row>,
    /// How it ended; none if it was killed.
    pub end: Option<End>,
    /// This run against another, where one was asked for.
    pub against: Option<RunComparison>,
}

/// What the harness spent on cases beside the time on the device: inputs, truth, verdicts, talk.
#[derive(Clone, Debug, PartialEq)]
pub struct Overhead {
    /// The median over cases.
    pub median: Seconds,
    /// The most that a case took.
    pub most: Seconds,
    /// Id of that case.
    pub case: String,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Row {
    /// The record.
    pub result: CaseResult,
    /// Its speed, if it was measured.
    pub speed: Option<Speed>,
    /// The fastest rival of the same problem and device, and how this case stands to it; none
    /// for a rival itself, or where there is no rival to compare with.
    pub rival: Option<Comparison>,
}

/// How fast a case is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Median over the rounds of each round's median.
    pub median: Seconds,
    /// 95 % interval of that median from the rounds' order statistics (or their range, if fewer
    /// than six).
    pub low: Seconds,
    /// Its upper end.
    pub high: Seconds,
    /// Robust spread of the rounds' medians, relative to the median.
    pub noise: f64,
    /// Samples that count.
    pub samples: u64,
    /// Operations by convention per second.
    pub convention: FlopRate,
    /// Operations needed per second.
    pub executed: FlopRate,
    /// Least bytes per second.
    pub bandwidth: ByteRate,
}

/// Two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunComparison {
    /// Id of the run that is compared with.
    pub baseline_run: String,
    /// How each device moved as a whole between the runs; none where no case was measured in
    /// both. Cases are judged by what they moved beyond it.
    pub common_shifts: Vec<CommonShift>,
    /// One entry a case that either run has.
    pub cases: Vec<Comparison>,
}

/// How the times of a device moved together between two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommonShift {
    /// The device's name.
    pub device: String,
    /// Baseline's time over candidate's: above 1 the candidate's run is faster.
    pub ratio: f64,
    /// Lower end of the ratio's interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Cases it was read from.
    pub series: u32,
    /// Whether those are rivals, whose code did not change; else all cases, and then a change of
    /// the code of most of them would look the same.
    pub by_rivals: bool,
    /// What explains it best, if it is more than the least margin.
    pub cause: Option<Cause>,
}

/// Two series of rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Id of the case that is judged.
    pub candidate: String,
    /// Id of the case it is judged against.
    pub baseline: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The figures behind it, where both were measured.
    pub evidence: Option<Evidence>,
}

/// The verdict on a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies below −margin.
    Faster,
    /// The whole interval lies within the margin.
    Same,
    /// The whole interval lies above the margin.
    Slower {
        /// What explains it best.
        cause: Cause,
    },
    /// The interval is too wide to tell.
    Ambiguous,
    /// The two cannot be compared.
    Incomparable {
        /// What differs.
        because: String,
    },
    /// The baseline was right, the candidate is not.
    Broken {
        /// The candidate's outcome.
        outcome: String,
    },
    /// The candidate is right, the baseline was not.
    Fixed,
    /// Still right, but the error grew beyond twice what it was.
    LessExact,
    /// Neither side has an answer, though one tried.
    BothFailed,
    /// Neither side tried: unsupported, skipped or not run.
    Untried,
    /// The baseline has this case, the candidate's run does not.
    Missing,
    /// The candidate's run has this case, the baseline does not.
    New,
}

/// What best explains that a case became slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The implementation.
    Code,
    /// The time changed but the cycles did not.
    Clock,
    /// Another driver.
    Driver,
    /// None of these: the device, or another one of its model.
    Machine,
}

/// The figures behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Baseline's time over candidate's: above 1 the candidate is faster. Between two runs, after
    /// the device's [`CommonShift`] is taken out.
    pub ratio: f64,
    /// Lower end of the ratio's interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The margin δ: differences of ln(time) within ±δ are no difference.
    pub margin: f64,
    /// Rounds compared.
    pub rounds: u32,
    /// Share of the interval's coverage, such as 0.984.
    pub coverage: f64,
}

impl RunSummary {
    /// What the harness spent beside the device's time; none where nothing was timed.
    pub fn overhead(&self) -> Option<Overhead> {
        let timed =
            self.rows.iter().map(|row| &row.result).filter(|r| r.outcome.timing().is_some());
        let mut spent: Vec<(f64, &CaseResult)> =
            timed.map(|result| (result.wall_s - result.device_s, result)).collect();
        spent.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (most, result) = spent.last()?;
        Some(Overhead {
            median: Seconds(spent[spent.len() / 2].0),
            most: Seconds(*most),
            case: result.case.id(),
        })
    }
}

impl Evidence {
    /// The smallest difference of ln(time) that could have been seen: one whose interval, as wide
    /// as this one, would have lain beyond the margin.
    pub fn smallest_visible(&self) -> f64 {
        self.margin + (self.high / self.low).ln() / 2.0
    }
}

impl Verdict {
    /// The word for it in tables and filters.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::Same => "same",
            Verdict::Slower { .. } => "slower",
            Verdict::Ambiguous => "ambiguous",
            Verdict::Incomparable { .. } => "incomparable",
            Verdict::Broken { .. } => "broken",
            Verdict::Fixed => "fixed",
            Verdict::LessExact => "less_exact",
            Verdict::BothFailed => "both_failed",
            Verdict::Untried => "untried",
            Verdict::Missing => "missing",
            Verdict::New => "new",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_visible_difference_lies_half_an_interval_beyond_the_margin() {
        let ends = [0.98f64, 1.02];
        let evidence = Evidence {
            ratio: 1.0,
            low: ends[0],
            high: ends[1],
            margin: 0.03,
            rounds: 21,
            coverage: 0.97,
        };
        let half = (ends[1] / ends[0]).ln() / 2.0;
        assert!((evidence.smallest_visible() - 0.03 - half).abs() < 1e-15);
    }
}
