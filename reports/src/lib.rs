//! What a run means: one report a file, each a function from a summary to text.
//!
//! Knows the nouns of the core and nothing of engines, devices or files: the caller reads the
//! record, judges it, and writes what comes back.

mod facts;
mod overview;
mod setting;

pub mod csv;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod page;

mod figure;

use tilemark_core::summary::RunSummary;

/// Every report, the page for people first.
pub static REPORTS: &[Report] = &[
    Report { name: "html", file: "report.html", render: page::render },
    Report { name: "md", file: "report.md", render: markdown::render },
    Report { name: "csv", file: "report.csv", render: csv::render },
    Report { name: "json", file: "report.json", render: json::render },
    Report { name: "junit", file: "report.junit.xml", render: junit::render },
];

/// One way to tell what a run means.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its name, which is its flag on the command line.
    pub name: &'static str,
    /// The file that it usually goes to.
    pub file: &'static str,
    /// Makes its text.
    pub render: fn(&RunSummary) -> Result<String, Error>,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A figure could not be drawn.
    #[error("drawing a figure: {0}")]
    Figure(String),
    /// A row could not be written as CSV.
    #[error("writing CSV: {0}")]
    Csv(String),
    /// A value could not be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A test case could not be written as XML.
    #[error("writing JUnit XML: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// The report of that name.
pub fn find(name: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.name == name)
}
