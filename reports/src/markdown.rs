//! A run as Markdown, to be pasted where a colleague reads it: a pull request, a chat, a wiki.
//!
//! Text from the record is escaped: it can end no table cell and start no tag.

use crate::Error;
use crate::facts::{self, Facts};
use crate::overview::{self, Class, Overview};
use crate::setting;
use tilemark_core::summary::{Comparison, Row, RunComparison, RunSummary};

/// Longest reason in a table; the whole text is in the record.
const REASON_LIMIT: usize = 240;

/// The run as Markdown.
pub fn render(summary: &RunSummary) -> Result<String, Error> {
    let facts = Facts::new(summary);
    let sections = [
        head(&facts),
        summary.against.as_ref().map_or_else(String::new, |against| comparison(&facts, against)),
        results(&facts),
        failures(&facts),
        environment(summary),
    ];
    let sections: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    Ok(sections.join("\n"))
}

fn head(facts: &Facts<'_>) -> String {
    let run = &facts.summary.run;
    let overview = Overview::new(facts);
    let mut text = format!("# Tilemark: {}\n\n{}\n", escape(&run.suite), overview.sentence());
    for warning in overview::warnings(facts.summary) {
        text.push_str(&format!("\n> **{warning}**\n"));
    }
    text.push_str(&format!("\nOutcomes: {}.\n", overview::counts_text(&overview.outcomes)));
    for rivalry in &overview.rivalries {
        let verdicts = overview::counts_text(&rivalry.verdicts);
        text.push_str(&format!(
            "Against the best rival on {}: {verdicts}.\n",
            escape(&rivalry.device)
        ));
    }
    text
}

fn comparison(facts: &Facts<'_>, against: &RunComparison) -> String {
    let mut cases: Vec<_> = against.cases.iter().collect();
    cases.sort_by_key(|case| overview::urgency(&case.verdict));
    let mut text = format!("## Against run {}\n\n", escape(&against.baseline_run));
    if let Some(verdicts) = Overview::new(facts).against {
        text.push_str(&format!("{}.\n\n", overview::counts_text(&verdicts)));
    }
    text.push_str("| case | verdict | baseline's time over this run's | cause |\n");
    text.push_str("|---|---|---:|---|\n");
    for case in cases {
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            escape(&case.candidate),
            verdict(case),
            overview::ratio_text(case).unwrap_or_default(),
            escape(&overview::because(case).unwrap_or_default()),
        ));
    }
    text
}

fn results(facts: &Facts<'_>) -> String {
    let mut text = "## Results\n\n".to_owned();
    text.push_str(
        "| family | dtype | shape | implementation | standing | device | outcome | median \
         [95 % interval] | throughput | of ceiling | relative error | best rival's time over its |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---:|---:|---:|---:|---|\n");
    for row in &facts.summary.rows {
        text.push_str(&result(facts, row));
    }
    text
}

fn result(facts: &Facts<'_>, row: &Row) -> String {
    let case = &row.result.case;
    let cells = [
        escape(&case.problem.family),
        case.problem.dtype.to_string(),
        escape(&facts::shape_text(row)),
        escape(&case.implementation),
        format!("{:?}", row.result.standing).to_lowercase(),
        escape(&case.device),
        overview::spoken(row.result.outcome.name()),
        row.speed.map(|s| format!("{} [{}, {}]", s.median, s.low, s.high)).unwrap_or_default(),
        facts.rate(row).map(|rate| rate.to_string()).unwrap_or_default(),
        facts.ceiling_share(row).map(|share| share.to_string()).unwrap_or_default(),
        facts::worst_output(&row.result).map(facts::error_text).unwrap_or_default(),
        row.rival.as_ref().map(|rival| rival_cell(facts, rival)).unwrap_or_default(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn rival_cell(facts: &Facts<'_>, rival: &Comparison) -> String {
    let ratio = overview::ratio_text(rival).unwrap_or_default();
    let name = escape(facts.baseline_name(rival));
    format!("{ratio} {} ({name})", verdict(rival)).trim_start().to_owned()
}

fn failures(facts: &Facts<'_>) -> String {
    let right = |row: &&Row| overview::classify(&row.result.outcome) != Class::Right;
    let rows: Vec<_> = facts.summary.rows.iter().filter(right).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text =
        "## Without an answer, and why\n\n| case | outcome | reason |\n|---|---|---|\n".to_owned();
    for row in rows {
        let outcome = &row.result.outcome;
        let reason = outcome.reason().unwrap_or_default();
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            escape(&row.result.case.id()),
            overview::spoken(outcome.name()),
            escape(&facts::shortened(&reason, REASON_LIMIT)),
        ));
    }
    text
}

fn environment(summary: &RunSummary) -> String {
    let run = &summary.run;
    let mut text = format!(
        "## How the numbers were made\n\n- run {}, started {}\n- commit {}\n- command `{}`\n",
        escape(&run.id),
        escape(&run.started),
        escape(run.commit.as_deref().unwrap_or("unknown")),
        run.argv.join(" ").replace('`', "'").replace(['\n', '\r'], " "),
    );
    for environment in &summary.environments {
        for (name, value) in setting::environment(environment) {
            text.push_str(&format!("- {} {name}: {}\n", environment.device.name, escape(&value)));
        }
    }
    text.push_str(&format!("- method {}:\n", escape(&run.method_id)));
    for sentence in setting::method(&run.method) {
        text.push_str(&format!("  - {sentence}\n"));
    }
    text
}

fn verdict(comparison: &Comparison) -> String {
    let verdict = &comparison.verdict;
    format!("{} {}", overview::mark(verdict), overview::spoken(verdict.name()))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in facts::without_colors(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '`' | '*' | '[' | ']' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
