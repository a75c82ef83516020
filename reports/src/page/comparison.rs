//! This run against another: the verdict of each case, what asks for attention first.

use super::escape;
use crate::facts::Facts;
use crate::overview::{self, counted, counts_text, spoken};
use tilemark_core::summary::{CommonShift, Comparison, RunComparison};
use tilemark_core::units;

/// The section, empty where no other run was asked for.
pub(super) fn section(facts: &Facts<'_>) -> String {
    let Some(against) = &facts.summary.against else { return String::new() };
    let verdicts = overview::Overview::new(facts).against.unwrap_or_default();
    let mut cases: Vec<_> = against.cases.iter().collect();
    cases.sort_by_key(|case| overview::urgency(&case.verdict));
    let rows: String = cases.into_iter().map(line).collect();
    format!(
        "<section id=\"against\">\n<h2>Against run <code>{}</code></h2>\n<p>{}.</p>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Verdicts\">\n<table>\n\
         <caption>{}</caption>\n<thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Verdict</th>\
         <th scope=\"col\" class=\"number\">Ratio</th><th scope=\"col\" class=\"number\">Margin</th>\
         <th scope=\"col\">Cause</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n\
         </section>\n",
        escape(&against.baseline_run),
        escape(&counts_text(&verdicts)),
        caption(against),
    )
}

fn caption(against: &RunComparison) -> String {
    let n_cases = counted(against.cases.len(), "case");
    let coverage = against.cases.iter().find_map(|case| case.evidence);
    let coverage = coverage.map_or_else(String::new, |evidence| {
        format!(" with its {} interval", units::percent(evidence.coverage))
    });
    format!(
        "{n_cases}. The ratio is the other run's time over this run's{coverage}: above 1 this run \
         is faster; a difference within the margin is none.{}",
        machine(against)
    )
}

/// What each device did as a whole between the runs.
fn machine(against: &RunComparison) -> String {
    let tell = |shift: &CommonShift| {
        let by = if shift.by_rivals { "its rivals" } else { "all of its cases" };
        let (device, ratio) = (escape(&shift.device), units::times(shift.ratio));
        format!(" By {by}, {device} as a whole stands at {ratio}; every ratio is relative to that.")
    };
    against.common_shifts.iter().map(tell).collect()
}

fn line(case: &Comparison) -> String {
    let verdict = &case.verdict;
    let margin = case.evidence.map(|e| format!("±{}", units::percent(e.margin)));
    format!(
        "<tr><td class=\"case\">{}</td><td><span class=\"mark-{}\">{} {}</span></td>\
         <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"cause\">{}</td></tr>\n",
        super::breakable(&escape(&case.candidate)),
        verdict.name(),
        overview::mark(verdict),
        spoken(verdict.name()),
        overview::ratio_text(case).unwrap_or_default(),
        margin.unwrap_or_default(),
        escape(&overview::because(case).unwrap_or_default()),
    )
}
