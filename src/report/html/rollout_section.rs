//! The section of one rollout on the HTML page.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, thousands};

use crate::findings::{Example, ExampleSide};
use crate::html::charts::{gauge, latency_histogram};
use crate::html::{Escaped, Page};
use crate::labels::{NO_ROUTE, NO_SEGMENT, format_time, label};
use crate::latency::Latency;
use crate::outcomes::{describe_outcome, is_left_out};
use crate::report::{
    FindingCount, FindingReport, LatencyComparison, Report, RolloutReport, Row, VerdictNumbers,
};
use crate::share::Share;
use crate::text::{describe_finding, value};

/// Findings that are visible at once.
const VISIBLE_FINDINGS: usize = 50;
/// The most findings on the page; those beyond the visible ones can be unfolded.
const MOST_FINDINGS: usize = 500;
/// The most rows of a table.
const MOST_ROWS: usize = 200;

impl RolloutReport {
    pub(super) fn section(&self, report: &Report, index: usize, page: &mut Page) {
        let name = Escaped(&self.name);
        page.put(format_args!(
            "<section id=\"rollout-{index}\">\n<h2>{name} "
        ));
        page.badge(self.numbers.verdict);
        page.put(format_args!(
            "</h2>\n<p class=\"explanation\">{}</p>\n",
            Escaped(&self.explanation)
        ));
        page.raw(&gauge(&self.numbers.judgement, report.allow_percent));
        page.put(format_args!("<p>{}</p>\n", Escaped(&self.coverage)));
        page.notes(&self.notes);
        self.tiles(page);
        rows(page, "Segments", "segment", NO_SEGMENT, &self.segments);
        rows(page, "Routes", "route", NO_ROUTE, &self.routes);
        self.segments_by_route(page);
        self.findings(page);
        self.latencies(page);
        self.left_out(page);
        self.options(page);
        page.raw("</section>\n");
    }

    fn tiles(&self, page: &mut Page) {
        let numbers = &self.numbers;
        page.raw("<dl class=\"tiles\">\n");
        for (name, count, bad) in [
            ("compared", numbers.compared, false),
            ("equal", numbers.equal, false),
            ("noise", numbers.noise, false),
            ("unrepeatable", numbers.unrepeatable, false),
            ("unconfirmed", numbers.unconfirmed, false),
            ("different", numbers.different, true),
            ("timeout", numbers.timeout, true),
            ("v2 error", numbers.v2_error, true),
            ("left out", numbers.left_out, false),
        ] {
            let class = if bad && count > 0 {
                " class=\"bad\""
            } else {
                ""
            };
            let count = thousands(count);
            page.put(format_args!(
                "<div{class}><dt>{name}</dt><dd>{count}</dd></div>\n"
            ));
        }
        let by = self.counted_by;
        page.put(format_args!(
            "</dl>\n<p class=\"quiet\">Numbers from the {by}.</p>\n"
        ));
    }

    fn segments_by_route(&self, page: &mut Page) {
        if self.segments.len() < 2 || self.routes.len() < 2 {
            return;
        }
        page.raw("<details><summary>Segments by route</summary>\n");
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>segment</th><th>route</th>");
        page.number_headings(&NUMBER_HEADINGS);
        page.raw("<th>verdict</th></tr></thead>\n<tbody>\n");
        for row in self.segments_of_routes.iter().take(MOST_ROWS) {
            let segment = Escaped(label(&row.segment, NO_SEGMENT));
            let route = Escaped(label(&row.route, NO_ROUTE));
            page.put(format_args!("<tr><td>{segment}</td><td>{route}</td>"));
            number_cells(page, &row.numbers);
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
        page.omitted(
            self.segments_of_routes.len().saturating_sub(MOST_ROWS),
            "more row",
            "more rows",
        );
        page.raw("</details>\n");
    }

    fn findings(&self, page: &mut Page) {
        let count = u64::try_from(self.findings.len()).unwrap_or(u64::MAX);
        page.raw("<h3>Findings</h3>\n");
        let Some(most) = self.findings.first().map(|finding| finding.requests) else {
            page.raw("<p class=\"quiet\">None.</p>\n");
            return;
        };
        let count = counted(count, "finding", "findings");
        page.put(format_args!(
            "<p class=\"quiet\">{count}, by number of requests.</p>\n"
        ));
        let (visible, others) = self
            .findings
            .split_at_checked(VISIBLE_FINDINGS)
            .unwrap_or((&self.findings, &[]));
        page.raw("<ol class=\"findings\">\n");
        for finding in visible {
            finding.item(most, page);
        }
        page.raw("</ol>\n");
        if others.is_empty() {
            return;
        }
        let unfolded = others
            .len()
            .min(MOST_FINDINGS.saturating_sub(VISIBLE_FINDINGS));
        page.put(format_args!(
            "<details><summary>{unfolded} more</summary>\n"
        ));
        let start = VISIBLE_FINDINGS.saturating_add(1);
        page.put(format_args!("<ol class=\"findings\" start=\"{start}\">\n"));
        for finding in others.iter().take(unfolded) {
            finding.item(most, page);
        }
        page.raw("</ol></details>\n");
        page.omitted(
            others.len().saturating_sub(unfolded),
            "further finding",
            "further findings",
        );
    }

    fn latencies(&self, page: &mut Page) {
        page.raw("<h3>Latency</h3>\n");
        let Some(all) = &self.latency else {
            page.raw("<p class=\"quiet\">No latencies were read.</p>\n");
            return;
        };
        page.raw(&latency_histogram(all));
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th rowspan=\"2\"></th>");
        for heading in ["responses", "p50", "p90", "p99"] {
            page.put(format_args!(
                "<th colspan=\"2\" class=\"pair\">{heading}</th>"
            ));
        }
        page.raw("</tr>\n<tr>");
        for _ in 0..4 {
            page.raw("<th class=\"number pair v1\">v1</th><th class=\"number v2\">v2</th>");
        }
        page.raw("</tr></thead>\n<tbody>\n");
        latency_row(page, "all", all);
        for (kind, none, rows) in [
            ("segment", NO_SEGMENT, &self.segments),
            ("route", NO_ROUTE, &self.routes),
        ] {
            for row in rows.iter().take(MOST_ROWS) {
                if let Some(latency) = &row.latency {
                    latency_row(page, &format!("{kind} {}", label(&row.name, none)), latency);
                }
            }
        }
        page.raw("</tbody></table></div>\n");
    }

    fn left_out(&self, page: &mut Page) {
        if self.numbers.left_out == 0 && self.routes_never_seen.is_empty() {
            return;
        }
        page.raw("<h3>Left out</h3>\n");
        if self.numbers.left_out > 0 {
            page.raw("<div class=\"wide\"><table>\n<thead><tr><th>outcome</th>");
            page.number_headings(&["requests", "share of sampled"]);
            page.raw("</tr></thead>\n<tbody>\n");
            let all = self
                .outcomes
                .values()
                .fold(0_u64, |sum, n| sum.saturating_add(*n));
            for outcome in Outcome::ALL.into_iter().filter(|o| is_left_out(*o)) {
                let name = outcome.as_str();
                let count = self.outcomes.get(name).copied().unwrap_or(0);
                if count > 0 {
                    page.put(format_args!(
                        "<tr><td><code>{name}</code> {}</td>",
                        describe_outcome(outcome)
                    ));
                    page.counts(&[count]);
                    let share = Share::of(count, all).round();
                    page.put(format_args!("<td class=\"number\">{share} %</td></tr>\n"));
                }
            }
            page.raw("</tbody></table></div>\n");
        }
        if !self.routes_never_seen.is_empty() {
            page.raw("<p>Declared routes without a request:</p>\n<ul>\n");
            for route in self.routes_never_seen.iter().take(MOST_ROWS) {
                page.put(format_args!("<li><code>{}</code></li>\n", Escaped(route)));
            }
            page.raw("</ul>\n");
        }
    }

    fn options(&self, page: &mut Page) {
        if self.options.is_empty() {
            return;
        }
        page.raw("<h3>Comparison options</h3>\n");
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>option</th><th>path</th>");
        page.raw("<th class=\"number\">matched</th></tr></thead>\n<tbody>\n");
        for option in self.options.iter().take(MOST_ROWS) {
            let (name, path) = (Escaped(&option.option), Escaped(&option.path));
            page.put(format_args!(
                "<tr><td>{name}</td><td><code>{path}</code></td>"
            ));
            if option.matched == 0 {
                page.raw("<td class=\"number\"><span class=\"badge not-enough\">never</span></td>");
            } else {
                page.counts(&[option.matched]);
            }
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
}

impl FindingReport {
    fn item(&self, most: u64, page: &mut Page) {
        let severity = match self.key.severity.as_str() {
            "breaking" => "breaking",
            "changed" => "changed",
            _ => "additive",
        };
        let width = Share::of(self.requests, most).percent();
        let severity_text = Escaped(&self.key.severity);
        let what = describe_finding(&self.key);
        page.put(format_args!(
            "<li class=\"{severity}\">\n<div class=\"what\"><code>{}</code>",
            Escaped(&what)
        ));
        page.put(format_args!(
            " <span class=\"severity\">{severity_text}</span></div>\n"
        ));
        let requests = thousands(self.requests);
        page.put(format_args!(
            "<div class=\"bar\"><span style=\"width:{width:.2}%\"></span>"
        ));
        page.put(format_args!("<b>{requests}</b></div>\n"));
        if !self.places.is_empty() {
            let places: Vec<_> = self.places.iter().map(ToString::to_string).collect();
            page.put(format_args!(
                "<div class=\"quiet\">in {}</div>\n",
                Escaped(&places.join(", "))
            ));
        }
        if let Some(example) = &self.example {
            example.put(page);
        }
        page.raw("</li>\n");
    }
}

impl Example {
    fn put(&self, page: &mut Page) {
        let method = Escaped(&self.method);
        let route = Escaped(label(&self.route, NO_ROUTE));
        let at = format_time(self.time_ms);
        page.put(format_args!(
            "<div class=\"example\">{method} {route}, {at}"
        ));
        for (name, id) in [("account", &self.account), ("request", &self.request_id)] {
            if let Some(id) = id {
                page.put(format_args!(", {name} <code>{}</code>", Escaped(id)));
            }
        }
        if self.rechecked {
            page.raw(", v1 repeated its response");
        }
        page.raw("<br>");
        side(page, "v1", &self.v1);
        page.raw(" ");
        side(page, "v2", &self.v2);
        page.raw("</div>\n");
    }
}

fn side(page: &mut Page, name: &str, side: &ExampleSide) {
    let shown = value(side);
    page.put(format_args!(
        "<span class=\"side\"><b class=\"{name}\">{name}</b> <code>{}</code>",
        Escaped(&shown)
    ));
    if let Some(response) = &side.response {
        let time = Latency::Estimate(response.us);
        page.put(format_args!(" {} in {time}", response.status));
    }
    page.raw("</span>");
}

const NUMBER_HEADINGS: [&str; 6] = [
    "compared",
    "different",
    "uncertain",
    "no response",
    "left out",
    "at most",
];

fn rows(page: &mut Page, title: &str, kind: &str, none: &'static str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    page.put(format_args!(
        "<h3>{title}</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>{kind}</th>"
    ));
    page.number_headings(&NUMBER_HEADINGS);
    page.raw("<th>verdict</th>");
    let any_finding = rows.iter().any(|row| !row.findings.is_empty());
    if any_finding {
        page.raw("<th>most frequent finding</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for row in rows.iter().take(MOST_ROWS) {
        let name = Escaped(label(&row.name, none));
        page.put(format_args!("<tr><td>{name}</td>"));
        number_cells(page, &row.numbers);
        if any_finding {
            page.raw("<td class=\"finding\">");
            if let Some(FindingCount { key, requests }) = row.findings.first() {
                let (what, requests) = (describe_finding(key), thousands(*requests));
                page.put(format_args!("<code>{}</code> ({requests})", Escaped(&what)));
            }
            page.raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    page.omitted(
        rows.len().saturating_sub(MOST_ROWS),
        "more row",
        "more rows",
    );
}

fn number_cells(page: &mut Page, numbers: &VerdictNumbers) {
    page.counts(&[
        numbers.compared,
        numbers.different,
        numbers.uncertain,
        numbers.unanswered(),
        numbers.left_out,
    ]);
    let upper = numbers.judgement.upper.round_up();
    page.put(format_args!("<td class=\"number\">{upper} %</td><td>"));
    page.badge(numbers.verdict);
    page.raw("</td>");
}

fn latency_row(page: &mut Page, name: &str, latency: &LatencyComparison) {
    page.put(format_args!("<tr><td>{}</td>", Escaped(name)));
    let mut pair = |v1: &str, v2: &str| {
        page.put(format_args!(
            "<td class=\"number pair\">{v1}</td><td class=\"number\">{v2}</td>"
        ));
    };
    pair(
        &thousands(latency.v1.responses),
        &thousands(latency.v2.responses),
    );
    for percent in [50, 90, 99] {
        // The `>` in `> 16.3 s` is a character of markup.
        let percentiles =
            [&latency.v1, &latency.v2].map(|times| times.percentile(percent).replace('>', "&gt;"));
        let [v1, v2] = percentiles;
        pair(&v1, &v2);
    }
    page.raw("</tr>\n");
}
