//! The four Parquet tables of a run: runs, environments, results, samples.
//!
//! They hold what the record holds, by column, and the summary that is read out of it. Units are
//! SI base units.

use super::StoreError;
use super::columns::{Column, Values, write};
use std::path::Path;
use tilemark_core::record::{CaseResult, Environment, OutputCheck, Round, Run};
use tilemark_core::summary::{Row, RunSummary};

/// Writes `runs.parquet`, `environments.parquet`, `results.parquet` and `samples.parquet`.
pub fn write_tables(folder: &Path, summary: &RunSummary) -> Result<(), StoreError> {
    let id = summary.run.id.as_str();
    write(&folder.join("runs.parquet"), "runs", &runs(summary))?;
    write(
        &folder.join("environments.parquet"),
        "environments",
        &environments(id, &summary.environments),
    )?;
    write(&folder.join("results.parquet"), "results", &results(&summary.run, &summary.rows))?;
    write(&folder.join("samples.parquet"), "samples", &samples(id, &summary.rows))
}

fn text<T>(name: &'static str, rows: &[T], get: impl Fn(&T) -> Option<String>) -> Column {
    Column { name, unit: "", better: "", values: Values::Text(rows.iter().map(get).collect()) }
}

fn float<T>(
    name: &'static str,
    unit: &'static str,
    better: &'static str,
    rows: &[T],
    get: impl Fn(&T) -> Option<f64>,
) -> Column {
    Column { name, unit, better, values: Values::Float(rows.iter().map(get).collect()) }
}

fn integer<T>(
    name: &'static str,
    unit: &'static str,
    rows: &[T],
    get: impl Fn(&T) -> Option<u64>,
) -> Column {
    Column { name, unit, better: "", values: Values::Integer(rows.iter().map(get).collect()) }
}

fn flag<T>(name: &'static str, rows: &[T], get: impl Fn(&T) -> Option<bool>) -> Column {
    Column { name, unit: "", better: "", values: Values::Flag(rows.iter().map(get).collect()) }
}

fn runs(summary: &RunSummary) -> Vec<Column> {
    let rows = std::slice::from_ref(summary);
    let end = |s: &RunSummary| s.end.clone();
    vec![
        text("run_id", rows, |s| Some(s.run.id.clone())),
        integer("format", "", rows, |s| Some(s.run.format.into())),
        text("started", rows, |s| Some(s.run.started.clone())),
        text("ended", rows, |s| end(s).map(|e| e.ended)),
        text("version", rows, |s| Some(s.run.version.clone())),
        text("commit", rows, |s| s.run.commit.clone()),
        text("argv", rows, |s| Some(s.run.argv.join(" "))),
        text("suite", rows, |s| Some(s.run.suite.clone())),
        text("method_id", rows, |s| Some(s.run.method_id.clone())),
        text("method", rows, |s| serde_json::to_string(&s.run.method).ok()),
        flag("verify_only", rows, |s| Some(s.run.verify_only)),
        text("plan_id", rows, |s| Some(s.run.plan_id.clone())),
        integer("expected_cases", "", rows, |s| Some(s.run.expected_cases)),
        integer("finished_cases", "", rows, |s| Some(s.rows.len() as u64)),
        flag("interrupted", rows, |s| end(s).map(|e| e.interrupted)),
        text("tags", rows, |s| Some(s.run.tags.join(" "))),
    ]
}

fn environments(run_id: &str, rows: &[Environment]) -> Vec<Column> {
    let pairs = |pairs: &[(String, String)]| {
        let joined: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(joined.join("; "))
    };
    vec![
        text("run_id", rows, |_| Some(run_id.to_owned())),
        text("device", rows, |e| Some(e.device.name.clone())),
        text("vendor", rows, |e| Some(format!("{:?}", e.device.vendor).to_lowercase())),
        text("model", rows, |e| Some(e.device.model.clone())),
        text("arch", rows, |e| Some(e.device.arch.clone())),
        text("uuid", rows, |e| e.device.uuid.clone()),
        integer("memory", "B", rows, |e| Some(e.device.memory.0)),
        integer("last_level_cache", "B", rows, |e| Some(e.device.last_level_cache.0)),
        integer("units", "", rows, |e| Some(e.device.units.into())),
        text("driver", rows, |e| e.device.driver.clone()),
        text("runtime", rows, |e| e.device.runtime.clone()),
        text("traits", rows, |e| pairs(&e.device.traits)),
        text("libraries", rows, |e| pairs(&e.libraries)),
        float("copy_ceiling", "B/s", "higher", rows, |e| {
            e.ceilings.as_ref().map(|c| c.copy_bytes_per_second)
        }),
        text("host", rows, |e| Some(e.host.name.clone())),
        text("os", rows, |e| Some(e.host.os.clone())),
        text("kernel", rows, |e| Some(e.host.kernel.clone())),
        text("host_cpu", rows, |e| Some(e.host.cpu.clone())),
        integer("host_cores", "", rows, |e| Some(e.host.cores.into())),
        integer("host_memory", "B", rows, |e| Some(e.host.memory.0)),
    ]
}

fn results(run: &Run, rows: &[Row]) -> Vec<Column> {
    let mut columns = case_columns(run, rows);
    columns.extend(work_columns(rows));
    columns.extend(speed_columns(rows));
    columns.extend(error_columns(rows));
    columns.extend(rival_columns(rows));
    columns.extend(machine_columns(rows));
    columns
}

fn case_columns(run: &Run, rows: &[Row]) -> Vec<Column> {
    vec![
        text("run_id", rows, |_| Some(run.id.clone())),
        text("method_id", rows, |_| Some(run.method_id.clone())),
        text("case_id", rows, |r| Some(r.result.case.id())),
        text("problem_id", rows, |r| Some(r.result.case.problem.id())),
        text("family", rows, |r| Some(r.result.case.problem.family.clone())),
        text("implementation", rows, |r| Some(r.result.case.implementation.clone())),
        text("standing", rows, |r| Some(format!("{:?}", r.result.standing).to_lowercase())),
        text("device", rows, |r| Some(r.result.case.device.clone())),
        text("dtype", rows, |r| Some(r.result.case.problem.dtype.to_string())),
        text("shape", rows, |r| Some(r.result.case.problem.shape.to_string())),
        text("distribution", rows, |r| Some(r.result.case.problem.distribution.to_string())),
        integer("seed", "", rows, |r| Some(r.result.case.problem.seed)),
        text("outcome", rows, |r| Some(r.result.outcome.name().to_owned())),
        text("reason", rows, |r| r.result.outcome.reason()),
    ]
}

fn work_columns(rows: &[Row]) -> Vec<Column> {
    vec![
        integer("work_convention", "FLOP", rows, |r| Some(r.result.work.convention.0)),
        text("work_convention_name", rows, |r| Some(r.result.work.convention_name.clone())),
        integer("work_executed", "FLOP", rows, |r| Some(r.result.work.executed.0)),
        integer("work_least_bytes", "B", rows, |r| Some(r.result.work.least_bytes.0)),
    ]
}

fn speed_columns(rows: &[Row]) -> Vec<Column> {
    vec![
        float("median", "s", "lower", rows, |r| r.speed.map(|s| s.median.0)),
        float("median_low", "s", "lower", rows, |r| r.speed.map(|s| s.low.0)),
        float("median_high", "s", "lower", rows, |r| r.speed.map(|s| s.high.0)),
        float("noise", "1", "lower", rows, |r| r.speed.map(|s| s.noise)),
        integer("samples", "", rows, |r| r.speed.map(|s| s.samples)),
        float("rate_convention", "FLOP/s", "higher", rows, |r| r.speed.map(|s| s.convention.0)),
        float("rate_executed", "FLOP/s", "higher", rows, |r| r.speed.map(|s| s.executed.0)),
        float("bandwidth", "B/s", "higher", rows, |r| r.speed.map(|s| s.bandwidth.0)),
    ]
}

fn error_columns(rows: &[Row]) -> Vec<Column> {
    let worst = |get: fn(&OutputCheck) -> f64| {
        move |r: &Row| {
            let outputs = &r.result.outcome.verification()?.outputs;
            outputs.iter().map(get).reduce(f64::max)
        }
    };
    vec![
        float("relative_error", "1", "lower", rows, worst(|o| o.relative_error)),
        float("relative_bound", "1", "", rows, worst(|o| o.relative_bound)),
        float("max_error", "1", "lower", rows, worst(|o| o.max_error)),
        float("max_bound", "1", "", rows, worst(|o| o.max_bound)),
        float("reference_relative_error", "1", "", rows, worst(|o| o.reference_relative_error)),
        float("reference_max_error", "1", "", rows, worst(|o| o.reference_max_error)),
    ]
}

fn rival_columns(rows: &[Row]) -> Vec<Column> {
    let evidence = |r: &Row| r.rival.as_ref().and_then(|c| c.evidence);
    vec![
        text("rival", rows, |r| r.rival.as_ref().map(|c| c.baseline.clone())),
        float("ratio", "1", "higher", rows, |r| evidence(r).map(|e| e.ratio)),
        float("ratio_low", "1", "higher", rows, |r| evidence(r).map(|e| e.low)),
        float("ratio_high", "1", "higher", rows, |r| evidence(r).map(|e| e.high)),
        text("verdict", rows, |r| r.rival.as_ref().map(|c| c.verdict.name().to_owned())),
    ]
}

fn machine_columns(rows: &[Row]) -> Vec<Column> {
    let last = |r: &Row| -> Option<Round> { r.result.outcome.timing()?.rounds.last().cloned() };
    let code = |r: &Row, get: fn(&CaseResult) -> Option<u64>| get(&r.result);
    vec![
        float("wall", "s", "lower", rows, |r| Some(r.result.wall_s)),
        float("device_time", "s", "", rows, |r| Some(r.result.device_s)),
        float("clock", "Hz", "", rows, |r| last(r)?.telemetry.clock_hz),
        float("power", "W", "", rows, |r| last(r)?.telemetry.power_w),
        float("temperature", "°C", "", rows, |r| last(r)?.telemetry.temperature_c),
        text("choice", rows, |r| r.result.choice.clone()),
        text("code_hash", rows, |r| r.result.code.first().map(|c| c.hash.clone())),
        text("constants", rows, |r| {
            let kernels: Vec<_> = r.result.code.iter().map(|k| k.constants.as_str()).collect();
            (!kernels.is_empty()).then(|| kernels.join("; "))
        }),
        integer("registers", "", rows, |r| {
            code(r, |c| c.code.iter().map(|k| u64::from(k.registers)).max())
        }),
        integer("spilled", "B", rows, |r| {
            code(r, |c| c.code.iter().map(|k| u64::from(k.spilled_bytes)).max())
        }),
        integer("shared", "B", rows, |r| {
            code(r, |c| c.code.iter().map(|k| u64::from(k.shared_bytes)).max())
        }),
    ]
}

/// One sample with where it comes from.
struct SampleRow<'a> {
    case: &'a str,
    round: &'a Round,
    idx: usize,
}

fn samples(run_id: &str, rows: &[Row]) -> Vec<Column> {
    let ids: Vec<String> = rows.iter().map(|row| row.result.case.id()).collect();
    let mut flat = Vec::new();
    for (row, case) in rows.iter().zip(&ids) {
        for round in row.result.outcome.timing().into_iter().flat_map(|t| &t.rounds) {
            let indices = 0..round.samples.seconds.len();
            flat.extend(indices.map(|idx| SampleRow { case, round, idx }));
        }
    }
    let rows = flat.as_slice();
    vec![
        text("run_id", rows, |_| Some(run_id.to_owned())),
        text("case_id", rows, |s| Some(s.case.to_owned())),
        integer("round", "", rows, |s| Some(s.round.index.into())),
        integer("order", "", rows, |s| Some(s.round.order.into())),
        integer("index", "", rows, |s| Some(s.idx as u64)),
        float("seconds", "s", "lower", rows, |s| Some(s.round.samples.seconds[s.idx])),
        float("clock", "Hz", "", rows, |s| s.round.samples.clock_hz.get(s.idx).copied()),
        text("discarded", rows, |s| {
            let discarded = &s.round.samples.discarded;
            let (_, why) = discarded.iter().find(|(idx, _)| *idx as usize == s.idx)?;
            serde_json::to_value(why).ok()?.as_str().map(str::to_owned)
        }),
    ]
}
