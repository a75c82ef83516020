//! A run as JUnit XML, for continuous integration: one test case a case, one suite a family.
//!
//! The time of a test case is the kernel's median; JUnit keeps milliseconds of it, so the full
//! figure is the property `median_s`.

use crate::Error;
use crate::facts::{self, Facts};
use crate::overview::{self, Overview};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;
use tilemark_core::record::{CaseResult, Outcome};
use tilemark_core::summary::{Row, RunSummary};

/// The run as JUnit XML.
pub fn render(summary: &RunSummary) -> Result<String, Error> {
    let facts = Facts::new(summary);
    let mut report = Report::new(format!("tilemark {}", summary.run.suite));
    for family in families(summary) {
        let mut suite = TestSuite::new(format!("{}.{family}", summary.run.suite));
        suite.add_property(("run", summary.run.id.as_str()));
        suite.add_property(("method_id", summary.run.method_id.as_str()));
        suite.add_property(Property::new("overview", Overview::new(&facts).sentence()));
        for warning in overview::warnings(summary) {
            suite.add_property(Property::new("warning", warning));
        }
        let rows = summary.rows.iter().filter(|row| facts::family(row) == family);
        suite.add_test_cases(rows.map(test_case));
        report.add_test_suite(suite);
    }
    if let Some(suite) = incomplete(&facts) {
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

/// A failed test for cases that never came to be, so that a killed run is not green.
fn incomplete(facts: &Facts<'_>) -> Option<TestSuite> {
    let missing = Overview::new(facts).missing;
    if missing == 0 {
        return None;
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("incomplete");
    status.set_message(overview::warnings(facts.summary).join(" "));
    let mut suite = TestSuite::new(format!("{}.run", facts.summary.run.suite));
    suite.add_test_case(TestCase::new("every planned case has a record", status));
    Some(suite)
}

fn families(summary: &RunSummary) -> Vec<&str> {
    let mut families = Vec::new();
    for row in &summary.rows {
        if !families.contains(&facts::family(row)) {
            families.push(facts::family(row));
        }
    }
    families
}

fn test_case(row: &Row) -> TestCase {
    let CaseResult { case, outcome, .. } = &row.result;
    let mut test = TestCase::new(case.id(), status(outcome));
    test.set_classname(format!("{}.{}", case.problem.family, case.implementation));
    if let Some(speed) = row.speed {
        test.set_time(Duration::try_from_secs_f64(speed.median.0).unwrap_or_default());
        test.add_property(Property::new("median_s", speed.median.0.to_string()));
    }
    test
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let mut status = match outcome {
        Outcome::Measured { .. } | Outcome::Verified { .. } => return TestCaseStatus::success(),
        Outcome::Unsupported { .. } | Outcome::Skipped { .. } => TestCaseStatus::skipped(),
        // Not the implementation's fault, so not a failure of it, but not green either.
        Outcome::Infra { .. } | Outcome::Unusable { .. } | Outcome::NotRun { .. } => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let reason = outcome.reason().unwrap_or_default();
    status.set_type(outcome.name());
    status.set_message(facts::shortened(reason.lines().next().unwrap_or_default(), 200));
    status.set_description(reason);
    status
}
