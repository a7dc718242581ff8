//! The report as one HTML page that needs nothing else: no script, no font, no network.

mod drawing;
mod rollout;

use std::fmt::{self, Write as _};

use turnout_text::{counted, is_visible, thousands};

use crate::judge::Verdict;
use crate::model::Report;
use crate::words::moment;

const STYLE: &str = include_str!("html/page.css");

impl Report {
    /// As one HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = Page::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        // Whatever a log holds, the page neither runs nor loads anything.
        page.raw(
            "<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        );
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        page.raw("<title>Turnout report</title>\n<style>\n");
        page.raw(STYLE);
        page.raw("</style>\n</head>\n<body>\n<main>\n");
        self.head(&mut page);
        for (index, rollout) in self.rollouts.iter().enumerate() {
            rollout.section(self, index, &mut page);
        }
        self.foot(&mut page);
        page.raw("</main>\n</body>\n</html>\n");
        page.0
    }

    fn head(&self, page: &mut Page) {
        page.raw("<header>\n<h1>Turnout report</h1>\n");
        let allow = self.allow_percent;
        let sure = self.confidence_percent;
        page.put(format_args!(
            "<p class=\"quiet\">Ready is a rollout of which at most {allow} % of requests fail, {sure} % sure."
        ));
        let firsts = self.rollouts.iter().filter_map(|rollout| rollout.first_ms);
        let lasts = self.rollouts.iter().filter_map(|rollout| rollout.last_ms);
        if let (Some(first), Some(last)) = (firsts.min(), lasts.max()) {
            let (first, last) = (moment(first), moment(last));
            page.put(format_args!(" Records of {first} to {last}."));
        }
        page.raw("</p>\n");
        if self.rollouts.len() > 1 {
            page.raw("<ul class=\"rollouts\">\n");
            for (index, rollout) in self.rollouts.iter().enumerate() {
                let name = Escaped(&rollout.name);
                page.put(format_args!("<li><a href=\"#rollout-{index}\">{name}</a> "));
                page.badge(rollout.tally.verdict);
                page.raw("</li>\n");
            }
            page.raw("</ul>\n");
        }
        page.raw("</header>\n");
    }

    fn foot(&self, page: &mut Page) {
        page.raw("<footer>\n<h2>What was read</h2>\n");
        page.notes(&self.notes);
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>input</th><th>kind</th>");
        page.heads(&["lines", "records", "counters", "unreadable"]);
        page.raw("</tr></thead>\n<tbody>\n");
        for input in &self.inputs {
            let (name, kind) = (Escaped(&input.name), input.kind());
            page.put(format_args!("<tr><td>{name}</td><td>{kind}</td>"));
            page.counts(&[input.lines, input.records, input.counters, input.unreadable]);
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
        if !self.records.is_empty() {
            let ways = self.records.iter();
            let ways: Vec<_> = ways
                .map(|(way, count)| format!("{} {way}", thousands(*count)))
                .collect();
            let ways = ways.join(", ");
            page.put(format_args!(
                "<p>Records by the counters: {}.</p>\n",
                Escaped(&ways)
            ));
        }
        page.raw("</footer>\n");
    }
}

/// The page as far as it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Markup of this program; what comes from elsewhere goes through [`Escaped`].
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    fn put(&mut self, markup: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(markup);
    }

    fn badge(&mut self, verdict: Verdict) {
        let class = class_of(verdict);
        self.put(format_args!(
            "<span class=\"badge {class}\">{verdict}</span>"
        ));
    }

    /// Heads of columns of numbers.
    fn heads(&mut self, names: &[&str]) {
        for name in names {
            self.put(format_args!("<th class=\"number\">{name}</th>"));
        }
    }

    fn counts(&mut self, counts: &[u64]) {
        for count in counts {
            let class = if *count == 0 { "number zero" } else { "number" };
            self.put(format_args!(
                "<td class=\"{class}\">{}</td>",
                thousands(*count)
            ));
        }
    }

    fn notes(&mut self, notes: &[String]) {
        for note in notes {
            self.put(format_args!("<p class=\"note\">{}</p>\n", Escaped(note)));
        }
    }

    /// What was left away, if anything was.
    fn beyond(&mut self, count: usize, one: &str, many: &str) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if count > 0 {
            let more = counted(count, one, many);
            self.put(format_args!(
                "<p class=\"quiet\">{more}; --json has them.</p>\n"
            ));
        }
    }
}

const fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not-ready",
        Verdict::NotEnough => "not-enough",
    }
}

/// Text that came from elsewhere, as it may stand in an element or in a quoted attribute, on one line. What is not
/// visible is escaped as in text.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ if !is_visible(c) => write!(f, "{}", c.escape_default())?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            Escaped("<script>alert('&\"')</script>").to_string(),
            "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"
        );
    }
}
