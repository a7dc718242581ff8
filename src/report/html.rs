//! Formats the report as one self-contained HTML page: no script, no font, no network.

mod charts;
mod rollout_section;

use std::fmt::{self, Write as _};

use turnout_text::{counted, is_visible, thousands};

use crate::labels::format_time;
use crate::report::Report;
use crate::verdict::Verdict;

const STYLE: &str = include_str!("html/page.css");

impl Report {
    /// Formats the report as one self-contained HTML page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = Page::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        // Whatever a log contains, the page runs and loads nothing.
        page.raw(
            "<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        );
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        page.raw("<title>Turnout report</title>\n<style>\n");
        page.raw(STYLE);
        page.raw("</style>\n</head>\n<body>\n<main>\n");
        self.header(&mut page);
        for (index, rollout) in self.rollouts.iter().enumerate() {
            rollout.section(self, index, &mut page);
        }
        self.footer(&mut page);
        page.raw("</main>\n</body>\n</html>\n");
        page.0
    }

    fn header(&self, page: &mut Page) {
        page.raw("<header>\n<h1>Turnout report</h1>\n");
        let allow = self.allow_percent;
        let confidence = self.confidence_percent;
        page.put(format_args!(
            "<p class=\"quiet\">A rollout is READY if, with {confidence} % confidence, at most {allow} % of its requests fail."
        ));
        let firsts = self.rollouts.iter().filter_map(|rollout| rollout.first_ms);
        let lasts = self.rollouts.iter().filter_map(|rollout| rollout.last_ms);
        if let (Some(first), Some(last)) = (firsts.min(), lasts.max()) {
            let (first, last) = (format_time(first), format_time(last));
            page.put(format_args!(" Records from {first} to {last}."));
        }
        page.raw("</p>\n");
        if self.rollouts.len() > 1 {
            page.raw("<ul class=\"rollouts\">\n");
            for (index, rollout) in self.rollouts.iter().enumerate() {
                let name = Escaped(&rollout.name);
                page.put(format_args!("<li><a href=\"#rollout-{index}\">{name}</a> "));
                page.badge(rollout.numbers.verdict);
                page.raw("</li>\n");
            }
            page.raw("</ul>\n");
        }
        page.raw("</header>\n");
    }

    fn footer(&self, page: &mut Page) {
        page.raw("<footer>\n<h2>What was read</h2>\n");
        page.notes(&self.notes);
        page.raw("<div class=\"wide\"><table>\n<thead><tr><th>input</th><th>kind</th>");
        page.number_headings(&["lines", "records", "counters", "unreadable"]);
        page.raw("</tr></thead>\n<tbody>\n");
        for input in &self.inputs {
            let (name, kind) = (Escaped(&input.name), input.kind());
            page.put(format_args!("<tr><td>{name}</td><td>{kind}</td>"));
            page.counts(&[input.lines, input.records, input.counters, input.unreadable]);
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
        if !self.records.is_empty() {
            let counts = self.records.iter();
            let counts: Vec<_> = counts
                .map(|(kind, count)| format!("{} {kind}", thousands(*count)))
                .collect();
            let counts = counts.join(", ");
            page.put(format_args!(
                "<p>Records according to the counters: {}.</p>\n",
                Escaped(&counts)
            ));
        }
        page.raw("</footer>\n");
    }
}

/// An HTML page under construction.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Appends markup. Text from inputs must go through [`Escaped`].
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

    /// Appends column headings for numbers.
    fn number_headings(&mut self, names: &[&str]) {
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

    /// Appends how many items the page omits, if any.
    fn omitted(&mut self, count: usize, one: &str, many: &str) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if count > 0 {
            let more = counted(count, one, many);
            self.put(format_args!(
                "<p class=\"quiet\">{more}; --json has them.</p>\n"
            ));
        }
    }
}

/// The CSS class of a verdict.
const fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not-ready",
        Verdict::NotEnoughData => "not-enough",
    }
}

/// Escapes text from inputs for an element or a quoted attribute, on one line. Invisible characters are escaped
/// as in the text report.
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
    fn markup_in_text_is_escaped() {
        assert_eq!(
            Escaped("<script>alert('&\"')</script>").to_string(),
            "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"
        );
    }
}
