//! The reports that are text, as snapshots: a change of any of them is seen in a diff.

mod fixture;

use tilemark_core::record::Outcome;
use tilemark_core::summary::RunSummary;
use tilemark_reports::{csv, json, junit, markdown};

#[test]
fn a_run_as_markdown() {
    insta::assert_snapshot!(markdown::render(&fixture::compared()).expect("text"));
}

#[test]
fn a_run_as_csv() {
    insta::assert_snapshot!(csv::render(&fixture::compared()).expect("text"));
}

#[test]
fn a_run_of_one_case_as_json() {
    insta::assert_snapshot!(json::render(&fixture::one_case()).expect("text"));
}

#[test]
fn a_run_of_failures_as_junit() {
    insta::assert_snapshot!(junit::render(&fixture::only_failures()).expect("text"));
}

#[test]
fn a_killed_run_as_markdown_says_so() {
    let text = markdown::render(&fixture::killed()).expect("text");
    assert!(text.contains("> **The run was killed before it ended.**"), "{text}");
}

#[test]
fn earlier_tries_are_told_in_markdown_and_csv() {
    let mut summary = fixture::one_case();
    summary.rows[0].result.earlier = vec![Outcome::Timeout { limit_s: 30.0 }];
    let text = markdown::render(&summary).expect("text");
    assert!(
        text.contains("> **1 case had another try; earlier ones ended as: 1 timeout.**"),
        "{text}"
    );
    let text = csv::render(&summary).expect("text");
    assert!(text.contains(",timeout: killed after 30 s,"), "{text}");
}

#[test]
fn a_killed_run_is_not_green_in_junit() {
    let text = junit::render(&fixture::killed()).expect("text");
    assert!(text.contains("tests=\"2\" skipped=\"0\" failures=\"0\" errors=\"1\""), "{text}");
}

#[test]
fn every_case_is_in_every_report() {
    let summary = fixture::compared();
    for render in [csv::render, json::render, junit::render] {
        let text = render(&summary).expect("text");
        for row in &summary.rows {
            assert!(text.contains(&row.result.case.id()));
        }
    }
}

#[test]
fn a_missing_number_is_empty_in_csv_and_null_in_json() {
    let summary = fixture::only_failures();
    let text = csv::render(&summary).expect("text");
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().expect("headers").clone();
    let column = headers.iter().position(|name| name == "median_s").expect("a median");
    for record in reader.records() {
        assert_eq!(&record.expect("a record")[column], "");
    }
    let document: serde_json::Value = json(&summary);
    for case in document["cases"].as_array().expect("cases") {
        assert!(case["speed"].is_null());
    }
}

#[test]
fn reports_of_no_cases_are_well_formed() {
    let summary = fixture::empty();
    assert_eq!(csv::render(&summary).expect("text").lines().count(), 1);
    assert_eq!(json(&summary)["overview"]["cases"], 0);
    assert!(junit::render(&summary).expect("text").contains("tests=\"0\""));
}

fn json(summary: &RunSummary) -> serde_json::Value {
    serde_json::from_str(&json::render(summary).expect("text")).expect("JSON")
}
