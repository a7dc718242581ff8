//! The text, JSON and HTML output.

use expect_test::expect_file;

use crate::{logged, report_of, summary};

const LOG: &str = include_str!("fixtures/envoy.log");
const STATS: &str = include_str!("fixtures/stats.prom");

#[test]
fn outputs_equal_their_snapshots() {
    let report = report_of(&[LOG, STATS]);
    expect_file!["expected/report.txt"].assert_eq(&report.to_text());
    expect_file!["expected/report.json"].assert_eq(&report.to_json());
    expect_file!["expected/report.html"].assert_eq(&report.to_html());
}

#[test]
fn text_has_at_most_a_hundred_columns() {
    let long = "x".repeat(400);
    let log = LOG
        .replace("/channels/*/name", &long)
        .replace("chat", &long);
    for text in [
        report_of(&[LOG, STATS]).to_text(),
        report_of(&[&log]).to_text(),
    ] {
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

/// Without these CSS rules, a narrow page scrolls sideways.
#[test]
fn the_page_fits_a_phone() {
    let page = report_of(&[LOG, STATS]).to_html();
    let viewport = r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#;
    for rule in [
        viewport,
        ".wide { overflow-x: auto; }",
        "td { max-width: 340px; overflow-wrap: break-word; }",
        ".rollouts li { min-width: 0; overflow-wrap: anywhere; }",
        ".tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(108px, 1fr));",
        "svg { display: block; width: 100%; max-width: 720px; height: auto; }",
        "@media (max-width: 600px) {",
        "svg text { font-size: 24px; }",
        "svg text.second { display: none; }",
    ] {
        assert!(page.contains(rule), "{rule}");
    }
    // Every table scrolls on its own.
    let tables = page.matches("<table>").count();
    assert!(tables > 0);
    assert_eq!(page.matches("<div class=\"wide\"><table>").count(), tables);
}

#[test]
fn the_page_is_self_contained() {
    let page = report_of(&[LOG, STATS]).to_html();
    for reference in [
        "http://", "https://", "//", "<script", "<link", "<img", "<iframe", "src=", "@import",
        "url(", "onload",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn text_of_a_log_does_not_become_markup() {
    let hostile = r#"</style><script>alert(1)</script><b onclick='x' title=\"y\">&amp;\u001b[31m"#;
    let log = LOG
        .replace("chat", hostile)
        .replace("/v1/Channels", hostile)
        .replace("hvc", hostile)
        .replace("/channels/*/name", hostile)
        .replace("/meta/at", hostile)
        .replace("AC4283fefc63f0cd0e873a0000c6d07ef7", hostile)
        .replace("9f0e51c2b7a86d34", hostile)
        .replace("breaking", hostile)
        .replace("\"GET\"", &format!("\"{hostile}\""));
    let stats = "turnout_records{what=\"<script>\"} 1\n";
    let report = report_of(&[&log, stats]);
    let page = report.to_html();
    for markup in ["<script", "<b onclick", "title=\"y\"", "\u{1b}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&lt;/style&gt;&lt;script&gt;alert(1)"));
    assert!(!report.to_text().contains('\u{1b}'));
}

#[test]
fn many_findings_are_shown_in_part() {
    let findings: Vec<_> = (0..600)
        .map(|index| format!(r#"["body","/f{index}","value","changed",{}]"#, index + 1))
        .collect();
    let record = summary("chat", r#""equal":10,"different":600"#).replace(
        "\"findings\":[]",
        &format!("\"findings\":[{}]", findings.join(",")),
    );
    let report = report_of(&[&logged(&record)]);
    let page = report.to_html();
    assert_eq!(page.matches("<li class=\"changed\">").count(), 500);
    assert!(page.contains("<details><summary>450 more</summary>"));
    assert!(page.contains("100 further findings; --json has them."));
    assert!(
        page.contains("body /f599: different value"),
        "the most frequent is there"
    );
    assert!(report.to_text().contains("and 590 more"));
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!(
        json["rollouts"][0]["findings"].as_array().map(Vec::len),
        Some(600)
    );
}
