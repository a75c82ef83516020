//! A run as one JSON document, for programs that want verdicts and not samples.
//!
//! ```text
//! schema        1; grows when a field changes its meaning or goes, not when one is added
//! run           as in the record: what was asked for
//! environments  as in the record: what it ran on
//! end           as in the record; null if the run was killed
//! overview      cases, right, failed, left_out, missing; outcomes: {name: count};
//!               rivals: [{device, ratio, problems, verdicts: {name: count}}]; sentence; warnings
//! cases         one entry a case, in the record's order:
//!   id, family, dtype, shape: {axis: value}, distribution, seed, implementation, standing, device
//!   outcome     its name; reason: null where there is none to give
//!   speed       null, or median_s, low_s, high_s, noise, samples, convention_flop_per_s,
//!               executed_flop_per_s, bandwidth_bytes_per_s
//!   work        as in the record
//!   ceiling     null, or share (1 is the ceiling) and limit ("compute" or "memory")
//!   check       null, or the output nearest to its bound, as in the record
//!   rival       null, or candidate, baseline, verdict, evidence (null, or ratio, low, high, ...)
//! against       null, or baseline_run, cases: [like rival] and common_shifts: what each device moved
//!               as a whole: [{device, ratio, low, high, series, by_rivals, cause: null or its name}]
//! ```
//!
//! SI base units. What has no number is null, never 0; NaN and infinity are null too.

use crate::Error;
use crate::facts::{self, Facts};
use crate::overview::{self, Overview};
use serde_json::{Map, Value, json};
use tilemark_core::summary::{Row, RunSummary, Speed};

/// The schema that this file describes.
pub const SCHEMA: u32 = 1;

/// The run as JSON, indented, with a newline at the end.
pub fn render(summary: &RunSummary) -> Result<String, Error> {
    let facts = Facts::new(summary);
    let cases: Vec<_> = summary.rows.iter().map(|row| case(&facts, row)).collect();
    let document = json!({
        "schema": SCHEMA,
        "run": summary.run,
        "environments": summary.environments,
        "end": summary.end,
        "overview": overview(&facts),
        "cases": cases,
        "against": summary.against,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn overview(facts: &Facts<'_>) -> Value {
    let overview = Overview::new(facts);
    let rivals: Vec<_> = overview
        .rivalries
        .iter()
        .map(|rivalry| {
            json!({
                "device": rivalry.device,
                "ratio": rivalry.ratio,
                "problems": rivalry.problems,
                "verdicts": counts(&rivalry.verdicts),
            })
        })
        .collect();
    json!({
        "cases": overview.cases,
        "right": overview.right,
        "failed": overview.failed,
        "left_out": overview.left_out,
        "missing": overview.missing,
        "outcomes": counts(&overview.outcomes),
        "rivals": rivals,
        "sentence": overview.sentence(),
        "warnings": overview::warnings(facts.summary),
    })
}

fn case(facts: &Facts<'_>, row: &Row) -> Value {
    let result = &row.result;
    let problem = &result.case.problem;
    let shape: Map<_, _> =
        problem.shape.iter().map(|(axis, value)| (axis.to_owned(), json!(value))).collect();
    json!({
        "id": result.case.id(),
        "family": problem.family,
        "dtype": problem.dtype,
        "shape": shape,
        "distribution": problem.distribution,
        "seed": problem.seed,
        "implementation": result.case.implementation,
        "standing": result.standing,
        "device": result.case.device,
        "outcome": result.outcome.name(),
        "reason": result.outcome.reason(),
        "speed": row.speed.as_ref().map(speed),
        "work": result.work,
        "ceiling": facts
            .ceiling_share(row)
            .map(|ceiling| json!({ "share": ceiling.share, "limit": ceiling.limit.name() })),
        "check": facts::worst_output(result),
        "rival": row.rival,
    })
}

fn speed(speed: &Speed) -> Value {
    json!({
        "median_s": speed.median,
        "low_s": speed.low,
        "high_s": speed.high,
        "noise": speed.noise,
        "samples": speed.samples,
        "convention_flop_per_s": speed.convention,
        "executed_flop_per_s": speed.executed,
        "bandwidth_bytes_per_s": speed.bandwidth,
    })
}

fn counts(counts: &[(&'static str, usize)]) -> Value {
    counts.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect::<Map<_, _>>().into()
}
