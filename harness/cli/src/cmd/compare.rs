//! `compare`: one run judged against another.

use super::run::{folder, judge};
use crate::args::CompareArgs;
use crate::exit::Exit;
use crate::output;
use crate::stream::{self, Stream};
use tilemark_core::record::{Outcome, Recording};
use tilemark_core::summary::RunComparison;
use tilemark_engine::{compare, store};

/// Compares two runs.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let candidate = store::read(&folder::find(&args.output, &args.candidate)?)?;
    let baseline = store::read(&folder::find(&args.output, &args.baseline)?)?;
    let comparison = judged(&candidate, &baseline);
    if args.json {
        stream::print(serde_json::to_string_pretty(&comparison)?)?;
    } else {
        output::comparison(Stream::Stdout, &comparison)?;
    }
    Ok(judge::compared(&args.judge, &comparison.cases))
}

/// Judges a run against another: by answers alone if one of them kept no times.
pub fn judged(candidate: &Recording, baseline: &Recording) -> RunComparison {
    if candidate.run.verify_only || baseline.run.verify_only {
        compare::compare(&answers(candidate), &answers(baseline))
    } else {
        compare::compare(candidate, baseline)
    }
}

/// The recording as `verify` would have left it.
fn answers(recording: &Recording) -> Recording {
    let mut recording = recording.clone();
    for result in &mut recording.results {
        if let Outcome::Measured { verification, .. } = &result.outcome {
            result.outcome = Outcome::Verified { verification: verification.clone() };
        }
    }
    recording
}
