//! The table of every case. Cells carry the number that they are sorted by.

use super::escape;
use crate::facts::{self, CeilingShare, Facts, Rate};
use crate::overview::{self, Class, counted, spoken};
use tilemark_core::Bytes;
use tilemark_core::record::{CodeReport, Outcome};
use tilemark_core::summary::{Comparison, Row, Verdict};
use tilemark_core::units;

/// A reason of up to this length stands in the table; a longer one unfolds.
const REASON_LIMIT: usize = 90;

/// Headers; those marked hold numbers.
const COLUMNS: [(&str, bool); 12] = [
    ("Family", false),
    ("Type", false),
    ("Shape", false),
    ("Implementation", false),
    ("Standing", false),
    ("Device", false),
    ("Outcome", false),
    ("Median time", true),
    ("Throughput", true),
    ("Best rival", true),
    ("Of ceiling", true),
    ("Relative error", true),
];

/// The section with the table.
pub(super) fn section(facts: &Facts<'_>) -> String {
    let n_cases = counted(facts.summary.rows.len(), "case");
    let headers: String = COLUMNS
        .iter()
        .map(|(name, is_number)| {
            let class = if *is_number { " class=\"number\"" } else { "" };
            format!("<th scope=\"col\"{class}>{name}</th>")
        })
        .collect();
    let rows: String =
        facts.summary.rows.iter().enumerate().map(|(idx, row)| line(facts, idx, row)).collect();
    let (class, place) = match one_device(facts) {
        Some(device) => (" class=\"one-device\"", format!(" on {}", escape(device))),
        None => ("", String::new()),
    };
    format!(
        "<section id=\"results\">\n<h2>Results</h2>\n<div id=\"filters\" hidden></div>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of all cases\">\n\
         <table id=\"cases\"{class}>\n<caption>{n_cases}{place}. Medians with their 95 % interval; {CONVENTION} \
         Under \"best rival\" stands its \
         time over that of the case: above 1 the case is faster.</caption>\n\
         <thead><tr>{headers}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n</section>\n"
    )
}

/// The device of all cases, where they have one: a column of it would say nothing.
fn one_device<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let mut devices = facts.summary.rows.iter().map(|row| row.result.case.device.as_str());
    let first = devices.next()?;
    devices.all(|device| device == first).then_some(first)
}

const CONVENTION: &str = "throughput is FLOP/s by the family's convention, or bytes per second of \
                          the least traffic where no case of a family needs more than 4 \
                          operations a byte.";

fn line(facts: &Facts<'_>, idx: usize, row: &Row) -> String {
    let case = &row.result.case;
    let class = match overview::classify(&row.result.outcome) {
        Class::Right => "right",
        Class::LeftOut => "left-out",
        Class::Failed => "failed",
    };
    let standing = format!("{:?}", row.result.standing).to_lowercase();
    let words = [
        format!("<td class=\"name\">{}</td>", in_words(&case.problem.family)),
        word(case.problem.dtype.name()),
        shape(row),
        implementation(row),
        word(&standing),
        word(&case.device),
        outcome(&row.result.outcome),
    ];
    let numbers = [
        speed(facts, idx, row),
        row.rival.as_ref().map_or_else(|| number(None, None), |rival| ratio(facts, rival)),
        ceiling(facts.ceiling_share(row)),
        error(row),
    ];
    format!(
        "<tr class=\"{class}\" data-case=\"{}\">{}{}</tr>\n",
        escape(&case.id()),
        words.concat(),
        numbers.concat()
    )
}

/// A name, which a line may end in after each word.
fn in_words(name: &str) -> String {
    escape(name).replace('_', "_<wbr>")
}

fn word(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

/// The name; below it, unfolded, the code that ran: what the compiler made of each kernel with which
/// constants, or which of its candidates a library took; and how earlier tries of it ended.
fn implementation(row: &Row) -> String {
    let result = &row.result;
    let name = in_words(&result.case.implementation);
    let chosen = result.choice.iter().map(|choice| format!("quickest candidate: {choice}"));
    let tries = facts::earlier_tries(result).into_iter().map(|end| format!("earlier try: {end}"));
    let told: Vec<String> = result.code.iter().map(compiled).chain(chosen).chain(tries).collect();
    if told.is_empty() {
        return format!("<td class=\"name\">{name}</td>");
    }
    let told = escape(&told.join("\n"));
    format!(
        "<td class=\"name made\" data-value=\"{}\"><details><summary>{name}</summary><pre>{told}</pre></details></td>",
        escape(&result.case.implementation)
    )
}

fn compiled(code: &CodeReport) -> String {
    let CodeReport { kernel, constants, registers, spilled_bytes, shared_bytes, .. } = code;
    let shared = Bytes(u64::from(*shared_bytes));
    let blocks = code.blocks_per_unit.map_or(String::new(), |n| format!(", blocks at once: {n}"));
    let used =
        format!("{registers} registers, {spilled_bytes} bytes spilled, {shared} shared{blocks}");
    format!("{kernel}: {used}\n  {constants}").trim_end().to_owned()
}

/// A line may break after a comma, nowhere else.
fn shape(row: &Row) -> String {
    let text = escape(&facts::shape_text(row)).replace(',', ",<wbr>");
    let work = row.result.work.executed.0.max(row.result.work.least_bytes.0);
    format!("<td class=\"shape\" data-value=\"{work}\">{text}</td>")
}

fn outcome(outcome: &Outcome) -> String {
    let mark = match overview::classify(outcome) {
        Class::Right => "✓",
        Class::LeftOut => "–",
        Class::Failed => "✕",
    };
    let name = spoken(outcome.name());
    format!("<td data-value=\"{name}\"><span class=\"outcome\">{mark} {name}</span></td>")
}

/// Time and throughput; the reason, where there are none.
fn speed(facts: &Facts<'_>, idx: usize, row: &Row) -> String {
    if let Some(reason) = row.result.outcome.reason() {
        let reason = folded(&reason);
        return format!("<td colspan=\"2\" class=\"reason\" data-value=\"\">{reason}</td>");
    }
    let rate = facts.rate(row);
    let throughput = rate.map(|rate| escape(&rate.to_string()));
    time(idx, row) + &number(rate.map(Rate::value), throughput)
}

fn folded(reason: &str) -> String {
    let short = facts::shortened(reason.lines().next().unwrap_or_default(), REASON_LIMIT);
    if short == reason.trim_end() {
        return escape(&short);
    }
    format!("<details><summary>{}</summary><pre>{}</pre></details>", escape(&short), escape(reason))
}

fn time(idx: usize, row: &Row) -> String {
    let Some(speed) = row.speed else { return number(None, None) };
    let text = format!(
        "<a href=\"#samples-{idx}\">{}</a><small>{} to {}</small>",
        speed.median, speed.low, speed.high
    );
    number(Some(speed.median.0), Some(text))
}

fn ceiling(share: Option<CeilingShare>) -> String {
    let text = |ceiling: CeilingShare| {
        format!("{}<small>{}</small>", units::percent(ceiling.share), ceiling.limit.name())
    };
    number(share.map(|ceiling| ceiling.share), share.map(text))
}

fn error(row: &Row) -> String {
    let Some(output) = facts::worst_output(&row.result) else { return number(None, None) };
    let text = format!(
        "{}<small>bound {}</small><small>reference {}</small>",
        facts::error_figure(output),
        units::scientific(output.relative_bound),
        units::scientific(output.reference_relative_error)
    );
    number(Some(output.relative_error), Some(text))
}

fn ratio(facts: &Facts<'_>, rival: &Comparison) -> String {
    let verdict = &rival.verdict;
    let text = format!(
        "{}<small><span class=\"mark-{}\">{} {}</span></small>{}<small>{}</small>",
        overview::ratio_text(rival).unwrap_or_default(),
        verdict.name(),
        overview::mark(verdict),
        spoken(verdict.name()),
        visible(rival),
        escape(facts.baseline_name(rival))
    );
    number(rival.evidence.map(|evidence| evidence.ratio), Some(text))
}

/// What could have been told, where the verdict is open.
fn visible(rival: &Comparison) -> String {
    match (&rival.verdict, rival.evidence) {
        (Verdict::Ambiguous, Some(evidence)) => {
            let (visible, rounds) = (evidence.smallest_visible(), evidence.rounds);
            format!("<small>sees ±{} in {rounds} rounds</small>", units::percent(visible))
        }
        _ => String::new(),
    }
}

/// A cell with a number; without one it is empty and sorts last.
fn number(value: Option<f64>, html: Option<String>) -> String {
    let value = value.filter(|v| v.is_finite());
    let value = value.map(|v| format!(" data-value=\"{v:e}\"")).unwrap_or_default();
    format!("<td class=\"number\"{value}>{}</td>", html.unwrap_or_default())
}
