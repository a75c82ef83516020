//! The page's figures, and the samples of each case, folded away until asked for.

use super::escape;
use crate::Error;
use crate::facts::{self, Facts};
use crate::figure::{self, Figure};

/// Most cases whose samples are drawn: more would make a page that no mail takes.
const N_SAMPLE_FIGURES: usize = 150;

/// The section with figures over cases.
pub(super) fn section(facts: &Facts<'_>) -> Result<String, Error> {
    let mut figures = String::new();
    for environment in &facts.summary.environments {
        if let Some(figure) = figure::roofline::figure(facts, environment)? {
            figures += &html(&figure);
        }
    }
    for group in figure::groups(facts) {
        let series = figure::series(facts, group.family);
        for figure in [figure::lines::figure, figure::bars::figure] {
            if let Some(figure) = figure(facts, &group, &series)? {
                figures += &html(&figure);
            }
        }
    }
    if figures.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "<section id=\"figures\">\n<h2>Figures</h2>\n<div class=\"figures\">\n{figures}</div>\n\
         </section>\n"
    ))
}

/// The section with the samples of each measured case.
pub(super) fn samples(facts: &Facts<'_>) -> Result<String, Error> {
    let rows = || facts.summary.rows.iter().enumerate().filter(|(_, row)| row.speed.is_some());
    let mut cases = String::new();
    for (idx, row) in rows().take(N_SAMPLE_FIGURES) {
        let Some(figure) = figure::samples::figure(row)? else { continue };
        cases += &format!(
            "<details id=\"samples-{idx}\"><summary>{}</summary>\n{}</details>\n",
            super::breakable(&escape(&row.result.case.id())),
            html(&figure)
        );
    }
    if cases.is_empty() {
        return Ok(String::new());
    }
    let left_out = rows().count().saturating_sub(N_SAMPLE_FIGURES);
    let left_out = match left_out {
        0 => String::new(),
        n => format!(
            "<p>The first {N_SAMPLE_FIGURES} measured cases are drawn; the samples of {n} more \
             are in the record.</p>\n"
        ),
    };
    Ok(format!(
        "<section id=\"samples\">\n<h2>Samples of each case</h2>\n{left_out}{cases}</section>\n"
    ))
}

fn html(figure: &Figure) -> String {
    let title = match figure.title.as_str() {
        "" => String::new(),
        title => format!("<h3>{}</h3>\n", escape(title)),
    };
    let legend: String = figure
        .legend
        .iter()
        .map(|(mark, words)| format!("<li>{mark}{}</li>\n", escape(&facts::shortened(words, 60))))
        .collect();
    let legend = match legend.as_str() {
        "" => legend,
        _ => format!("<ul class=\"legend\">\n{legend}</ul>\n"),
    };
    format!(
        "<figure>\n{title}{}{legend}<figcaption>{}</figcaption>\n</figure>\n",
        figure.svg,
        escape(&figure.note)
    )
}
