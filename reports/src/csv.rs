//! A run as CSV: one line a case, SI base units named in the headers.
//!
//! An empty field means that there is no such number; it is never 0. Columns may be added at the
//! end; none is renamed or moved.

use crate::facts::{self, Facts};
use crate::{Error, overview};
use tilemark_core::record::CaseResult;
use tilemark_core::summary::{Comparison, Row, RunSummary};

/// Each column with what it holds.
const COLUMNS: &[(&str, Column)] = &[
    ("case", |c| c.case_id.clone()),
    ("family", |c| c.result().case.problem.family.clone()),
    ("dtype", |c| c.result().case.problem.dtype.to_string()),
    ("shape", |c| c.result().case.problem.shape.to_string()),
    ("distribution", |c| c.result().case.problem.distribution.to_string()),
    ("seed", |c| c.result().case.problem.seed.to_string()),
    ("implementation", |c| c.result().case.implementation.clone()),
    ("standing", |c| format!("{:?}", c.result().standing).to_lowercase()),
    ("device", |c| c.result().case.device.clone()),
    ("outcome", |c| c.result().outcome.name().to_owned()),
    ("reason", |c| c.result().outcome.reason().unwrap_or_default()),
    ("median_s", |c| number(c.row.speed.map(|s| s.median.0))),
    ("median_low_s", |c| number(c.row.speed.map(|s| s.low.0))),
    ("median_high_s", |c| number(c.row.speed.map(|s| s.high.0))),
    ("noise", |c| number(c.row.speed.map(|s| s.noise))),
    ("samples", |c| c.row.speed.map(|s| s.samples.to_string()).unwrap_or_default()),
    ("convention_flop", |c| c.result().work.convention.0.to_string()),
    ("executed_flop", |c| c.result().work.executed.0.to_string()),
    ("least_bytes", |c| c.result().work.least_bytes.0.to_string()),
    ("convention_flop_per_s", |c| number(c.row.speed.map(|s| s.convention.0))),
    ("executed_flop_per_s", |c| number(c.row.speed.map(|s| s.executed.0))),
    ("bandwidth_bytes_per_s", |c| number(c.row.speed.map(|s| s.bandwidth.0))),
    ("ceiling_share", |c| number(c.facts.ceiling_share(c.row).map(|s| s.share))),
    ("ceiling", |c| c.facts.ceiling_share(c.row).map_or("", |s| s.limit.name()).to_owned()),
    ("relative_error", |c| number(c.output().map(|o| o.relative_error))),
    ("relative_bound", |c| number(c.output().map(|o| o.relative_bound))),
    ("reference_relative_error", |c| number(c.output().map(|o| o.reference_relative_error))),
    ("max_error", |c| number(c.output().map(|o| o.max_error))),
    ("max_bound", |c| number(c.output().map(|o| o.max_bound))),
    ("reference_max_error", |c| number(c.output().map(|o| o.reference_max_error))),
    ("rival", |c| c.rival().map_or("", |r| c.facts.baseline_name(r)).to_owned()),
    ("rival_verdict", |c| c.rival().map_or("", |r| r.verdict.name()).to_owned()),
    ("rival_ratio", |c| evidence(c.rival(), |e| e.ratio)),
    ("rival_ratio_low", |c| evidence(c.rival(), |e| e.low)),
    ("rival_ratio_high", |c| evidence(c.rival(), |e| e.high)),
    ("against_verdict", |c| c.against().map_or("", |a| a.verdict.name()).to_owned()),
    ("against_because", |c| c.against().and_then(overview::because).unwrap_or_default()),
    ("against_ratio", |c| evidence(c.against(), |e| e.ratio)),
    ("against_ratio_low", |c| evidence(c.against(), |e| e.low)),
    ("against_ratio_high", |c| evidence(c.against(), |e| e.high)),
    ("choice", |c| c.result().choice.clone().unwrap_or_default()),
    ("earlier_tries", |c| facts::earlier_tries(c.result()).join("; ")),
    ("wall_s", |c| c.result().wall_s.to_string()),
    ("device_s", |c| c.result().device_s.to_string()),
];

type Column = fn(&Context<'_>) -> String;

struct Context<'a> {
    facts: &'a Facts<'a>,
    row: &'a Row,
    case_id: String,
}

/// The run as CSV, with a line of headers.
pub fn render(summary: &RunSummary) -> Result<String, Error> {
    let facts = Facts::new(summary);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().map(|(header, _)| header)).map_err(error)?;
    for row in &summary.rows {
        let context = Context { facts: &facts, row, case_id: row.result.case.id() };
        writer.write_record(COLUMNS.iter().map(|(_, column)| column(&context))).map_err(error)?;
    }
    let bytes = writer.into_inner().map_err(error)?;
    Ok(String::from_utf8(bytes).expect("every field is UTF-8"))
}

impl Context<'_> {
    fn result(&self) -> &CaseResult {
        &self.row.result
    }

    fn output(&self) -> Option<&tilemark_core::record::OutputCheck> {
        facts::worst_output(&self.row.result)
    }

    fn rival(&self) -> Option<&Comparison> {
        self.row.rival.as_ref()
    }

    fn against(&self) -> Option<&Comparison> {
        self.facts.against(&self.case_id)
    }
}

fn number(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map(|v| v.to_string()).unwrap_or_default()
}

fn evidence(
    comparison: Option<&Comparison>,
    figure: fn(&tilemark_core::summary::Evidence) -> f64,
) -> String {
    number(comparison.and_then(|c| c.evidence.as_ref()).map(figure))
}

fn error(cause: impl std::fmt::Display) -> Error {
    Error::Csv(cause.to_string())
}
