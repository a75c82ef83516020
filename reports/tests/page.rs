//! The page: what must be in it whatever the run holds. How it looks is judged by eye.

mod fixture;

use tilemark_core::record::{CodeReport, Outcome};
use tilemark_core::summary::RunSummary;
use tilemark_reports::{REPORTS, find, page};

fn page(summary: &RunSummary) -> String {
    page::render(summary).expect("a page")
}

/// Splits markup into tags and the text between them; fails where a tag does not end.
fn tags(html: &str) -> Vec<&str> {
    let (_, body) = html.split_once("<body>").expect("the body starts");
    let (body, _) = body.split_once("<script>").expect("our script starts");
    let parts = body.split('<').skip(1);
    parts.map(|part| part.split_once('>').expect("every tag ends").0).collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

fn check(summary: &RunSummary) -> String {
    let html = page(summary);
    let mut open = Vec::new();
    for tag in tags(&html) {
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "elements are nested");
        } else if !tag.ends_with('/') && !["meta", "wbr", "br", "input"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "elements are closed: {open:?}");
    for scheme in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(scheme), "the page asks a network for {scheme}");
    }
    for row in &summary.rows {
        let attribute = format!("data-case=\"{}\"", escaped(&row.result.case.id()));
        assert!(html.contains(&attribute), "no {attribute}");
    }
    assert!(!html.contains("NaN"), "a figure or cell shows NaN");
    for color in ["fill=\"#", "stroke=\"#"] {
        assert!(!html.contains(color), "a drawing has a colour of its own");
    }
    html
}

#[test]
fn a_page_holds_every_case_and_needs_no_network() {
    let summary = fixture::compared();
    let html = check(&summary);
    assert!(html.contains("55 of 67 cases right (9 failed, 3 left out)"), "a verdict");
    assert!(html.contains("Against run"), "a comparison");
    for figure in ["Roofline of cpu", "throughput over size", "throughput by implementation"] {
        assert!(html.contains(figure), "no figure {figure}");
    }
}

#[test]
fn text_from_a_record_stays_text() {
    let html = check(&fixture::compared());
    let ours = html.matches("<script>").count();
    assert_eq!(ours, 1, "the only script is ours");
    assert!(html.contains(&escaped("<script>alert('x')</script> \"quoted\" &")), "a reason");
    assert!(html.contains("--tag &lt;b&gt;"), "the command line");
    assert!(!html.contains('\u{1b}'), "a control character");
}

#[test]
fn a_run_without_numbers_still_makes_a_page() {
    for summary in [fixture::only_failures(), fixture::empty()] {
        let html = check(&summary);
        assert!(!html.contains("<section id=\"figures\">"), "there is nothing to draw");
    }
}

#[test]
fn a_run_of_one_case_has_a_page_without_rivals() {
    let html = check(&fixture::one_case());
    assert!(html.contains("1 of 1 cases right."), "no word of rivals");
}

#[test]
fn a_killed_run_says_so() {
    let html = check(&fixture::killed());
    assert!(html.contains("The run was killed before it ended."));
    assert!(html.contains("1 of 40 cases right (39 without a record)."));
    assert!(html.contains("1 of 40 expected cases have an outcome."));
}

#[test]
fn a_page_of_a_hundred_cases_stays_small() {
    let html = check(&fixture::large(100));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
}

#[test]
fn every_report_is_found_by_its_name() {
    for report in REPORTS {
        let found = find(report.name).expect("it is in the list");
        assert_eq!(found.file, report.file);
    }
    assert!(find("pdf").is_none());
}

#[test]
fn the_page_says_what_the_harness_cost() {
    let mut summary = fixture::run();
    let first = &mut summary.rows[0].result;
    first.wall_s = first.device_s + 2.0;
    let most = format!("at most 2.00 s ({})", first.case.id());
    let html = page(&summary);
    assert!(html.contains("750 ms a case beside its device") && html.contains(&most));
    assert!(!page(&fixture::only_failures()).contains("beside its device"));
}

#[test]
fn the_page_says_what_errors_the_user_allowed() {
    let mut summary = fixture::run();
    assert!(!page(&summary).contains("allowed by the user"));
    summary.run.rtol = Some(0.25);
    let html = page(&summary);
    assert!(html.contains("relative error allowed by the user") && html.contains("0.25"));
    assert!(!html.contains("absolute error allowed"));
}

#[test]
fn the_page_says_which_code_ran() {
    let mut summary = fixture::run();
    assert!(!page(&summary).contains("class=\"name made\""));
    summary.rows[0].result.code = vec![CodeReport {
        kernel: "gemm<1>".to_owned(),
        hash: String::new(),
        constants: "TILE_M=128 STAGES=4".to_owned(),
        registers: 168,
        spilled_bytes: 0,
        shared_bytes: 2048,
        blocks_per_unit: Some(2),
    }];
    summary.rows[1].result.choice = Some("algorithm 7".to_owned());
    let html = page(&summary);
    for said in [
        "gemm&lt;1&gt;: 168 registers, 0 bytes spilled, 2.00 KiB shared, blocks at once: 2\n  TILE_M=128 STAGES=4",
        "quickest candidate: algorithm 7",
    ] {
        assert!(html.contains(said), "the page lacks: {said}");
    }
}

#[test]
fn a_line_may_end_in_a_name_after_each_word() {
    let html = page(&fixture::run());
    assert!(html.contains("<td class=\"name\">cpu_<wbr>simple</td>"));
    assert!(html.contains("<td class=\"name\">gemm</td>"));
}

#[test]
fn the_page_says_how_earlier_tries_ended() {
    let mut summary = fixture::run();
    assert!(!page(&summary).contains("another try"));
    let crash = Outcome::Crash { message: "signal 11 <core>".to_owned() };
    summary.rows[0].result.earlier = vec![crash, Outcome::Timeout { limit_s: 30.0 }];
    summary.rows[1].result.earlier = vec![Outcome::Timeout { limit_s: 30.0 }];
    let html = page(&summary);
    for said in [
        "2 cases had another try; earlier ones ended as: 1 crash, 2 timeout.",
        "earlier try: crash: signal 11 &lt;core&gt;\nearlier try: timeout: killed after 30 s",
    ] {
        assert!(html.contains(said), "the page lacks: {said}");
    }
}

#[test]
fn a_column_of_devices_is_shown_where_there_are_several() {
    let (one, two) = (page(&fixture::one_case()), page(&fixture::run()));
    assert!(one.contains("<table id=\"cases\" class=\"one-device\">") && one.contains("on cpu."));
    assert!(two.contains("<table id=\"cases\">"));
}
