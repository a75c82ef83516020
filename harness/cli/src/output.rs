//! What the terminal shows: tables and messages, and progress only where a person looks.

use crate::exit::{self, Exit};
use crate::stream::{StdoutError, Stream, print, talk};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use tilemark_core::Case;
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Outcome};
use tilemark_core::summary::{
    Comparison, Evidence, Overhead, Row, RunComparison, RunSummary, Speed, Verdict,
};
use tilemark_core::units::significant;
use tilemark_engine::plan::{Plan, Status};
use tilemark_engine::run::Observer;
use tilemark_engine::tune::{Search, Trial};

/// Starts the log on stderr: warnings, or more with `-v`.
pub fn start_log(verbose: u8) {
    let level = match verbose {
        0 => tracing_subscriber::filter::LevelFilter::WARN,
        1 => tracing_subscriber::filter::LevelFilter::INFO,
        _ => tracing_subscriber::filter::LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}

/// Shows an error and its remedy, unless it is only that nobody reads any more; gives the exit code.
pub fn error(error: &anyhow::Error) -> Exit {
    let exit = exit::of(error);
    if exit != Exit::ClosedPipe {
        talk(format_args!("error: {error:#}"));
        if let Some(hint) = exit::hint(error) {
            talk(format_args!("hint: {hint}"));
        }
    }
    exit
}

/// Shows that the program itself failed; the panic's message stands above.
pub fn panicked() -> Exit {
    talk("error: this is a bug of Tilemark's");
    talk("hint: report it with the message above and the command line");
    Exit::Bug
}

/// The last line for a program that reads it; a person at a terminal is spared.
pub fn status(to: Stream, exit: Exit, run: &Path) -> Result<(), StdoutError> {
    if to.is_terminal() {
        return Ok(());
    }
    to.line(serde_json::json!({ "exit": exit as u8, "status": exit.name(), "run": run }))
}

/// A table without lines around it, as wide as the terminal.
pub fn table(headers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if Stream::Stdout.is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(headers.iter().map(Cell::new));
    table
}

fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// The plan of a dry run: one line a case.
pub fn plan(plan: &Plan) -> Result<(), StdoutError> {
    let mut table = table(&["case", "status"]);
    for planned in plan.cases() {
        let status = match &planned.status {
            Status::Ready => "ready".to_owned(),
            Status::Unsupported(reason) => format!("unsupported: {reason}"),
            Status::TooLarge { requested, available } => {
                format!("too large: needs {requested}; {available} available")
            }
        };
        table.add_row([planned.case.id(), status]);
    }
    print(table)
}

/// Which implementations a plan does not mention, since they are for other devices.
pub fn left_out(plan: &Plan) {
    for (device, implementations) in &plan.left_out {
        let names: Vec<&str> = implementations.iter().map(String::as_str).collect();
        let names = names.join(", ");
        talk(format_args!("{device} leaves out what is for other devices: {names}"));
    }
}

/// Globs that match nothing are typing mistakes, though others beside them may match.
pub fn unmatched(filters: &[String]) {
    for filter in filters {
        talk(format_args!("warning: {filter} matches nothing"));
    }
}

/// What a search found, in the form of the file of choices: the entry as data, all else as comments.
pub fn trial(search: &Search, trial: &Trial, entry: Option<&str>) -> Result<(), StdoutError> {
    let (problem, device) = (search.group.problem.id(), &search.group.device);
    let variants = search.group.cases.len();
    print(format_args!("# {problem} on {device}: {variants} variants"))?;
    for result in trial.left_out() {
        let choice = result.case.variant.as_deref().unwrap_or_default();
        let reason = result.outcome.reason().unwrap_or_default();
        let first = reason.lines().next().unwrap_or_default();
        print(format_args!("# left out, {}: {choice}: {first}", result.outcome.name()))?;
    }
    print(format_args!("{}\n", entry.unwrap_or("# no variant is right")))
}

/// The table of a run: every case that had a chance, then one line for those that had none.
pub fn results(to: Stream, summary: &RunSummary) -> Result<(), StdoutError> {
    let mut rows =
        table(&["problem", "implementation", "time", "±", "rate", "error / bound", "vs rival", ""]);
    for row in &summary.rows {
        if !matches!(row.result.outcome, Outcome::Unsupported { .. }) {
            rows.add_row(cells(row));
        }
    }
    to.line(rows)?;
    for (reason, count) in unsupported(summary) {
        to.line(format_args!("{count} cases unsupported: {reason}"))?;
    }
    Ok(())
}

/// What the harness took beside the devices.
pub fn overhead(summary: &RunSummary) {
    if let Some(Overhead { median, most, case }) = summary.overhead() {
        talk(format_args!(
            "the harness took {median} a case beside its device, at most {most}: {case}"
        ));
    }
}

fn unsupported(summary: &RunSummary) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for row in &summary.rows {
        if let Outcome::Unsupported { reason } = &row.result.outcome {
            *reasons.entry(reason.as_str()).or_default() += 1;
        }
    }
    reasons
}

fn cells(row: &Row) -> Vec<Cell> {
    let CaseResult { case, outcome, .. } = &row.result;
    let mut cells = vec![Cell::new(problem(case)), Cell::new(&case.implementation)];
    match (row.speed, outcome.is_ok()) {
        (Some(speed), _) => cells.extend(speed_cells(&speed)),
        (None, true) => cells.extend([right("–"), right("–"), right("–")]),
        (None, false) => {
            cells.extend([Cell::new(""), Cell::new(""), Cell::new("")]);
            cells.extend([right(error_cell(outcome)), Cell::new(""), failure(outcome)]);
            return cells;
        }
    }
    cells.push(right(error_cell(outcome)));
    let (ratio, verdict) = rival(row);
    cells.extend([right(ratio), Cell::new(verdict)]);
    cells
}

fn problem(case: &Case) -> String {
    let problem = &case.problem;
    format!("{} {} {}", problem.family, problem.dtype, problem.shape)
}

fn speed_cells(speed: &Speed) -> [Cell; 3] {
    let half_width = (speed.high.0 - speed.low.0) / 2.0 / speed.median.0;
    let rate = if speed.convention.0 > speed.bandwidth.0 {
        speed.convention.to_string()
    } else {
        speed.bandwidth.to_string()
    };
    [right(speed.median), right(format!("{} %", significant(100.0 * half_width))), right(rate)]
}

/// The worst output's relative error beside what it may be.
fn error_cell(outcome: &Outcome) -> String {
    let outputs = outcome.verification().map(|v| v.outputs.as_slice()).unwrap_or_default();
    let share = |o: &&tilemark_core::record::OutputCheck| o.relative_error / o.relative_bound;
    match outputs.iter().max_by(|a, b| share(a).total_cmp(&share(b))) {
        Some(worst) => format!("{:.1e} / {:.1e}", worst.relative_error, worst.relative_bound),
        None => String::new(),
    }
}

fn failure(outcome: &Outcome) -> Cell {
    let reason = outcome.reason().unwrap_or_default();
    let first = reason.lines().next().unwrap_or_default();
    Cell::new(format!("{}: {first}", outcome.name()))
}

fn rival(row: &Row) -> (String, String) {
    match (&row.rival, row.result.standing) {
        (Some(Comparison { evidence: Some(evidence), verdict, .. }), _) => {
            (format!("{}×", significant(evidence.ratio)), said(verdict, evidence))
        }
        (_, Standing::Rival) => ("rival".to_owned(), String::new()),
        _ => ("–".to_owned(), String::new()),
    }
}

/// A verdict's word; where it is open, with what could have been told.
fn said(verdict: &Verdict, evidence: &Evidence) -> String {
    match verdict {
        Verdict::Ambiguous => {
            format!("ambiguous (sees ±{} %)", significant(100.0 * evidence.smallest_visible()))
        }
        other => other.name().to_owned(),
    }
}

/// The table of a comparison, and what it amounts to.
pub fn comparison(to: Stream, comparison: &RunComparison) -> Result<(), StdoutError> {
    let mut rows = table(&["case", "verdict", "ratio", "interval", "±margin", "rounds"]);
    for case in &comparison.cases {
        let mut cells = vec![Cell::new(&case.candidate), Cell::new(verdict(case))];
        match &case.evidence {
            Some(evidence) => cells.extend(evidence_cells(evidence)),
            None => cells.extend((0..4).map(|_| Cell::new(""))),
        }
        rows.add_row(cells);
    }
    to.line(rows)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &comparison.cases {
        *counts.entry(case.verdict.name()).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    to.line(format_args!("{} cases: {}", comparison.cases.len(), counts.join(", ")))?;
    for shift in &comparison.common_shifts {
        let by = if shift.by_rivals { "its rivals" } else { "all of its cases" };
        to.line(format_args!(
            "{} as a whole, by {by}: ratio {:.3}; ratios are relative to that",
            shift.device, shift.ratio
        ))?;
    }
    Ok(())
}

fn verdict(case: &Comparison) -> String {
    match (&case.verdict, &case.evidence) {
        (Verdict::Slower { cause }, _) => {
            format!("slower ({})", format!("{cause:?}").to_lowercase())
        }
        (Verdict::Incomparable { because }, _) => format!("incomparable: {because}"),
        (Verdict::Broken { outcome }, _) => format!("broken: {outcome}"),
        (other, Some(evidence)) => said(other, evidence),
        (other, None) => other.name().to_owned(),
    }
}

fn evidence_cells(evidence: &Evidence) -> [Cell; 4] {
    [
        right(format!("{:.3}", evidence.ratio)),
        right(format!("{:.3} … {:.3}", evidence.low, evidence.high)),
        right(format!("{:.1} %", 100.0 * evidence.margin)),
        right(evidence.rounds),
    ]
}

/// Progress on a terminal; silent anywhere else.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over this many cases.
    pub fn new(cases: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(cases as u64)
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template("{pos:>4}/{len} {wide_bar} {msg}");
        bar.set_style(style.expect("the template is well formed"));
        Progress { bar }
    }
}

impl Observer for Progress {
    fn group_starts(&mut self, title: &str, done: usize, _total: usize) {
        self.bar.set_position(done as u64);
        self.bar.set_message(title.to_owned());
    }

    fn turn(&mut self, case: &Case, round: u32, rounds: u32) {
        let text = format!("{} {} {}/{rounds}", problem(case), case.label(), round + 1);
        self.bar.set_message(text);
    }

    fn case_ends(&mut self, result: &CaseResult) {
        self.bar.inc(1);
        if !result.outcome.is_ok() && !matches!(result.outcome, Outcome::Unsupported { .. }) {
            let name = result.outcome.name();
            self.bar.suspend(|| talk(format_args!("{name}: {}", result.case.id())));
        }
    }

    fn waits(&mut self, at_most_s: f64) {
        let text = "other processes keep the host busy: waiting until they leave";
        self.bar.suspend(|| talk(format_args!("{text}, at most {at_most_s:.0} s (--patience)")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
