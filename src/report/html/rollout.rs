//! The section of one rollout.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, thousands};

use crate::findings::{Example, Side};
use crate::html::drawing::{gauge, latency_plot};
use crate::html::{Escaped, Page};
use crate::latency::Latency;
use crate::model::{Count, Finding, Latencies, Report, Rollout, Row, Tally};
use crate::outcomes::{is_left_out, phrase};
use crate::percent::Share;
use crate::text::{described, value};
use crate::words::{NO_ROUTE, NO_SEGMENT, moment, shown};

/// Findings that are shown at once, and those that can be opened.
const SHOWN: usize = 50;
const MOST: usize = 500;
/// Rows of a table.
const MOST_ROWS: usize = 200;

impl Rollout {
    pub(super) fn section(&self, report: &Report, index: usize, page: &mut Page) {
        let name = Escaped(&self.name);
        page.put(format_args!(
            "<section id=\"rollout-{index}\">\n<h2>{name} "
        ));
        page.badge(self.tally.verdict);
        page.put(format_args!(
            "</h2>\n<p class=\"because\">{}</p>\n",
            Escaped(&self.because)
        ));
        page.raw(&gauge(&self.tally.judgement, report.allow_percent));
        page.put(format_args!("<p>{}</p>\n", Escaped(&self.coverage)));
        page.notes(&self.notes);
        self.tiles(page);
        rows(page, "Segments", "segment", NO_SEGMENT, &self.segments);
        rows(page, "Routes", "route", NO_ROUTE, &self.routes);
        self.cells(page);
        self.findings(page);
        self.latencies(page);
        self.left_out(page);
        self.options(page);
        page.raw("</section>\n");
    }

    fn tiles(&self, page: &mut Page) {
        let tally = &self.tally;
        page.raw("<dl class=\"tiles\">\n");
        for (name, count, bad) in [
            ("compared", tally.compared, false),
            ("equal", tally.equal, false),
            ("noise", tally.noise, false),
            ("unrepeatable", tally.unrepeatable, false),
            ("unconfirmed", tally.unconfirmed, false),
            ("different", tally.different, true),
            ("timeout", tally.timeout, true),
            ("v2 error", tally.v2_error, true),
            ("left out", tally.left_out, false),
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
            "</dl>\n<p class=\"quiet\">Counted by {by}.</p>\n"
        ));
    }

    fn cells(&self, page: &mut Page) {
        if self.segments.len() < 2 || self.routes.len() < 2 {
            return;
        }
        page.raw("<details><summary>Each segment of each route</summary>\n");
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>segment</th><th>route</th>");
        page.heads(&TALLY);
        page.raw("<th>verdict</th></tr></thead>\n<tbody>\n");
        for cell in self.segments_of_routes.iter().take(MOST_ROWS) {
            let segment = Escaped(shown(&cell.segment, NO_SEGMENT));
            let route = Escaped(shown(&cell.route, NO_ROUTE));
            page.put(format_args!("<tr><td>{segment}</td><td>{route}</td>"));
            tally(page, &cell.tally);
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
        page.beyond(
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
            "<p class=\"quiet\">{count}, by the number of requests that had it.</p>\n"
        ));
        let (shown, others) = self
            .findings
            .split_at_checked(SHOWN)
            .unwrap_or((&self.findings, &[]));
        page.raw("<ol class=\"findings\">\n");
        for finding in shown {
            finding.item(most, page);
        }
        page.raw("</ol>\n");
        if others.is_empty() {
            return;
        }
        let opened = others.len().min(MOST.saturating_sub(SHOWN));
        page.put(format_args!("<details><summary>{opened} more</summary>\n"));
        let start = SHOWN.saturating_add(1);
        page.put(format_args!("<ol class=\"findings\" start=\"{start}\">\n"));
        for finding in others.iter().take(opened) {
            finding.item(most, page);
        }
        page.raw("</ol></details>\n");
        page.beyond(
            others.len().saturating_sub(opened),
            "further finding",
            "further findings",
        );
    }

    fn latencies(&self, page: &mut Page) {
        page.raw("<h3>Latency</h3>\n");
        let Some(all) = &self.latency else {
            page.raw("<p class=\"quiet\">No times were read.</p>\n");
            return;
        };
        page.raw(&latency_plot(all));
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th rowspan=\"2\"></th>");
        for head in ["answers", "half within", "90 % within", "99 % within"] {
            page.put(format_args!("<th colspan=\"2\" class=\"pair\">{head}</th>"));
        }
        page.raw("</tr>\n<tr>");
        for _ in 0..4 {
            page.raw("<th class=\"number pair v1\">v1</th><th class=\"number v2\">v2</th>");
        }
        page.raw("</tr></thead>\n<tbody>\n");
        latency_row(page, "all", all);
        for (what, none, rows) in [
            ("segment", NO_SEGMENT, &self.segments),
            ("route", NO_ROUTE, &self.routes),
        ] {
            for row in rows.iter().take(MOST_ROWS) {
                if let Some(latency) = &row.latency {
                    latency_row(page, &format!("{what} {}", shown(&row.name, none)), latency);
                }
            }
        }
        page.raw("</tbody></table></div>\n");
    }

    fn left_out(&self, page: &mut Page) {
        if self.tally.left_out == 0 && self.routes_never_seen.is_empty() {
            return;
        }
        page.raw("<h3>Not covered</h3>\n");
        if self.tally.left_out > 0 {
            page.raw("<div class=\"wide\"><table>\n<thead><tr><th>outcome</th>");
            page.heads(&["requests", "of all sampled"]);
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
                        phrase(outcome)
                    ));
                    page.counts(&[count]);
                    let share = Share::of(count, all).near();
                    page.put(format_args!("<td class=\"number\">{share} %</td></tr>\n"));
                }
            }
            page.raw("</tbody></table></div>\n");
        }
        if !self.routes_never_seen.is_empty() {
            page.raw("<p>Declared routes that were never seen:</p>\n<ul>\n");
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
        page.raw("<h3>Options of the comparison</h3>\n");
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>option</th><th>path</th>");
        page.raw("<th class=\"number\">matched</th></tr></thead>\n<tbody>\n");
        for choice in self.options.iter().take(MOST_ROWS) {
            let (option, path) = (Escaped(&choice.option), Escaped(&choice.path));
            page.put(format_args!(
                "<tr><td>{option}</td><td><code>{path}</code></td>"
            ));
            if choice.matched == 0 {
                page.raw("<td class=\"number\"><span class=\"badge not-enough\">never</span></td>");
            } else {
                page.counts(&[choice.matched]);
            }
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
}

impl Finding {
    fn item(&self, most: u64, page: &mut Page) {
        let severity = match self.what.severity.as_str() {
            "breaking" => "breaking",
            "changed" => "changed",
            _ => "additive",
        };
        let width = Share::of(self.requests, most).percent();
        let word = Escaped(&self.what.severity);
        let what = described(&self.what);
        page.put(format_args!(
            "<li class=\"{severity}\">\n<div class=\"what\"><code>{}</code>",
            Escaped(&what)
        ));
        page.put(format_args!(
            " <span class=\"severity\">{word}</span></div>\n"
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
        let route = Escaped(shown(&self.route, NO_ROUTE));
        let at = moment(self.time_ms);
        page.put(format_args!(
            "<div class=\"example\">{method} {route}, {at}"
        ));
        for (name, id) in [("account", &self.account), ("request", &self.request_id)] {
            if let Some(id) = id {
                page.put(format_args!(", {name} <code>{}</code>", Escaped(id)));
            }
        }
        if self.rechecked {
            page.raw(", asked again and the same");
        }
        page.raw("<br>");
        side(page, "v1", &self.v1);
        page.raw(" ");
        side(page, "v2", &self.v2);
        page.raw("</div>\n");
    }
}

fn side(page: &mut Page, name: &str, side: &Side) {
    let shown = value(side);
    page.put(format_args!(
        "<span class=\"side\"><b class=\"{name}\">{name}</b> <code>{}</code>",
        Escaped(&shown)
    ));
    if let Some(answer) = &side.answer {
        let time = Latency::About(answer.us);
        page.put(format_args!(" {} in {time}", answer.status));
    }
    page.raw("</span>");
}

const TALLY: [&str; 6] = [
    "compared",
    "different",
    "uncertain",
    "no answer",
    "left out",
    "at most",
];

fn rows(page: &mut Page, title: &str, what: &str, none: &'static str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    page.put(format_args!(
        "<h3>{title}</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>{what}</th>"
    ));
    page.heads(&TALLY);
    page.raw("<th>verdict</th>");
    let any_finding = rows.iter().any(|row| !row.findings.is_empty());
    if any_finding {
        page.raw("<th>most frequent finding</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for row in rows.iter().take(MOST_ROWS) {
        let name = Escaped(shown(&row.name, none));
        page.put(format_args!("<tr><td>{name}</td>"));
        tally(page, &row.tally);
        if any_finding {
            page.raw("<td class=\"finding\">");
            if let Some(Count { what, requests }) = row.findings.first() {
                let (what, requests) = (described(what), thousands(*requests));
                page.put(format_args!("<code>{}</code> ({requests})", Escaped(&what)));
            }
            page.raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    page.beyond(
        rows.len().saturating_sub(MOST_ROWS),
        "more row",
        "more rows",
    );
}

fn tally(page: &mut Page, tally: &Tally) {
    page.counts(&[
        tally.compared,
        tally.different,
        tally.uncertain,
        tally.unanswered(),
        tally.left_out,
    ]);
    let upper = tally.judgement.upper.up();
    page.put(format_args!("<td class=\"number\">{upper} %</td><td>"));
    page.badge(tally.verdict);
    page.raw("</td>");
}

fn latency_row(page: &mut Page, name: &str, latency: &Latencies) {
    page.put(format_args!("<tr><td>{}</td>", Escaped(name)));
    let mut pair = |v1: &str, v2: &str| {
        page.put(format_args!(
            "<td class=\"number pair\">{v1}</td><td class=\"number\">{v2}</td>"
        ));
    };
    pair(
        &thousands(latency.v1.answers),
        &thousands(latency.v2.answers),
    );
    for percent in [50, 90, 99] {
        // `> 16.3 s` has a character that markup has too.
        let within =
            [&latency.v1, &latency.v2].map(|times| times.within(percent).replace('>', "&gt;"));
        let [v1, v2] = within;
        pair(&v1, &v2);
    }
    page.raw("</tr>\n");
}
