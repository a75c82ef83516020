//! The page's head: which run, what it amounts to; and its foot: how the numbers were made.

use super::{definitions, escape};
use crate::facts::Facts;
use crate::overview::{self, Overview, counts_text};
use crate::setting;
use tilemark_core::record::Run;
use tilemark_core::summary::{Overhead, RunSummary};
use tilemark_core::units;

/// Which run this is and what it amounts to.
pub(super) fn header(facts: &Facts<'_>) -> String {
    let summary = facts.summary;
    let run = &summary.run;
    let overview = Overview::new(facts);
    let warnings = overview::warnings(summary);
    let warnings: String = warnings
        .iter()
        .map(|warning| {
            format!("<p class=\"warning\"><strong>Note:</strong> {}</p>\n", escape(warning))
        })
        .collect();
    format!(
        "<header>\n<p class=\"brand\">Tilemark</p>\n<h1>{}</h1>\n<p class=\"facts\">{}</p>\n\
         <p class=\"verdict\">{}</p>\n{warnings}<ul class=\"tiles\">\n{}</ul>\n</header>\n",
        escape(&run.suite),
        identity(run),
        escape(&overview.sentence()),
        tiles(summary, &overview),
    )
}

/// What the run ran on, and how a number of it is made.
pub(super) fn setting(summary: &RunSummary) -> String {
    let run = &summary.run;
    let devices: String = summary
        .environments
        .iter()
        .map(|environment| {
            format!(
                "<div class=\"card\">\n<h3>Device {}</h3>\n{}</div>\n",
                escape(&environment.device.name),
                definitions(&setting::environment(environment))
            )
        })
        .collect();
    let steps: String = setting::method(&run.method)
        .iter()
        .map(|sentence| format!("<li>{}</li>\n", escape(sentence)))
        .collect();
    format!(
        "<section id=\"setting\">\n<h2>How the numbers were made</h2>\n<div class=\"cards\">\n\
         <div class=\"card\">\n<h3>Method <code>{}</code></h3>\n<ol>\n{steps}</ol>\n</div>\n\
         <div class=\"card\">\n<h3>Run</h3>\n{}</div>\n{devices}</div>\n</section>\n",
        escape(&run.method_id),
        definitions(&run_facts(summary)),
    )
}

fn identity(run: &Run) -> String {
    let commit = run.commit.as_deref().unwrap_or("unknown");
    format!(
        "Run <code>{}</code> · started <time datetime=\"{1}\">{1}</time> · commit <code>{2}</code> \
         · <a href=\"#setting\">how the numbers were made</a>",
        escape(&run.id),
        escape(&run.started),
        escape(commit),
    )
}

fn tiles(summary: &RunSummary, overview: &Overview) -> String {
    let cases = overview.cases;
    let right = if overview.failed + overview.missing == 0 { "good" } else { "bad" };
    let mut tiles = tile(
        right,
        &format!("{} of {cases}", overview.right),
        "cases right",
        &counts_text(&overview.outcomes),
    );
    for rivalry in &overview.rivalries {
        let class = if rivalry.ratio >= 1.0 { "good" } else { "bad" };
        let what = format!("the speed of the best rival on {}", rivalry.device);
        tiles += &tile(class, &units::times(rivalry.ratio), &what, &counts_text(&rivalry.verdicts));
    }
    if let (Some(verdicts), Some(against)) = (&overview.against, &summary.against) {
        let count = |name| verdicts.iter().find(|(n, _)| *n == name).map_or(0, |(_, count)| *count);
        let worse: usize = ["slower", "broken", "less_exact", "missing"].map(count).iter().sum();
        let class = if worse == 0 { "good" } else { "bad" };
        let what = format!("worse than run {}", against.baseline_run);
        tiles += &tile(class, &worse.to_string(), &what, &counts_text(verdicts));
    }
    tiles
}

fn tile(class: &str, figure: &str, what: &str, detail: &str) -> String {
    format!(
        "<li class=\"tile {class}\"><strong>{}</strong> <span>{}</span> <small>{}</small></li>\n",
        escape(figure),
        escape(what),
        escape(detail)
    )
}

fn run_facts(summary: &RunSummary) -> Vec<(String, String)> {
    let run = &summary.run;
    let mut facts = vec![
        ("id".to_owned(), run.id.clone()),
        ("command".to_owned(), run.argv.join(" ")),
        ("program".to_owned(), format!("tilemark {}", run.version)),
        ("plan".to_owned(), format!("{} ({} cases)", run.plan_id, run.expected_cases)),
    ];
    if let Some(Overhead { median, most, case }) = summary.overhead() {
        let text = format!("{median} a case beside its device, at most {most} ({case})");
        facts.push(("the harness took".to_owned(), text));
    }
    let tolerances = [("relative", run.rtol), ("absolute", run.atol)];
    for (what, allowed) in tolerances.into_iter().filter_map(|(what, a)| Some((what, a?))) {
        facts.push((format!("{what} error allowed by the user"), allowed.to_string()));
    }
    if !run.tags.is_empty() {
        facts.push(("tags".to_owned(), run.tags.join(", ")));
    }
    facts
}
