//! Prints errors and warnings of a policy, each with its line of the policy.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use turnout_core::{Diagnostic, Diagnostics, Severity};
use turnout_text::escape_for_terminal;

use crate::support::safe_output::{self, SafeText, print_error_line};

/// The number of characters shown on either side of a place: a policy may be one line of megabytes.
const AROUND: usize = 200;

/// Prints to standard error, with colours on a terminal.
pub(crate) fn print(path: &str, text: &str, diagnostics: &Diagnostics) {
    show(path, text, diagnostics);
    sum_up(path, diagnostics);
}

/// Prints the number of problems.
pub(crate) fn sum_up(path: &str, diagnostics: &Diagnostics) {
    let found = diagnostics.as_slice().len();
    let found = found.saturating_add(diagnostics.omitted());
    print_error_line(&format!("{path}: {found} problem(s)"));
}

/// Like [`print`], without the number of problems.
pub(crate) fn show(path: &str, text: &str, diagnostics: &Diagnostics) {
    for diagnostic in diagnostics.as_slice() {
        let mut shown = SafeText::styled_lines(&picture(path, text, diagnostic));
        shown.push("\n\n");
        if !safe_output::print_error(&shown) {
            // The reader has closed standard error.
            return;
        }
    }
}

fn picture(path: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let what = escape_for_terminal(&diagnostic.problem.to_string());
    let help = escape_for_terminal(&diagnostic.problem.help());
    let path = escape_for_terminal(path);
    let path = path.as_str();
    let place = match diagnostic.pointer.as_str() {
        "" => String::from("here"),
        pointer => format!("at {}", escape_for_terminal(pointer)),
    };
    let title = match diagnostic.severity() {
        Severity::Error => Level::ERROR.primary_title(what),
        Severity::Warning => Level::WARNING.primary_title(what).id(diagnostic.code()),
    };
    let shown = Window::new(text, diagnostic.span.clone());
    let mut snippet = Snippet::source(shown.source.clone())
        .line_start(diagnostic.line)
        .annotation(
            AnnotationKind::Primary
                .span(shown.span.clone())
                .label(place),
        );
    let mut elsewhere = None;
    if let Some(related) = &diagnostic.related {
        let label = format!("this is {}", escape_for_terminal(&related.pointer));
        let other = Window::new(text, related.span.clone());
        // Two places on one line share a snippet if the whole line is shown.
        if other.source == shown.source && related.line == diagnostic.line {
            snippet = snippet.annotation(AnnotationKind::Context.span(other.span).label(label));
        } else {
            let mark = AnnotationKind::Context.span(other.span).label(label);
            let snippet = Snippet::source(other.source).line_start(related.line);
            let origin = (!other.is_cut).then_some(path);
            elsewhere = Some(snippet.path(origin).annotation(mark));
        }
    }
    // A snippet counts columns in the text it shows, so a line that is cut needs an explicit column.
    let group = match shown.is_cut {
        true => title.element(
            Origin::path(path)
                .line(diagnostic.line)
                .char_column(diagnostic.column),
        ),
        false => {
            snippet = snippet.path(path);
            title.elements(None::<Origin<'_>>)
        }
    };
    let group = group.element(snippet).elements(elsewhere);
    Renderer::styled().render(&[group.element(Level::HELP.message(help))])
}

/// The part of a line that is shown. Of an object with several lines, the first line is marked.
struct Window {
    source: String,
    /// In `source`.
    span: Range<usize>,
    is_cut: bool,
}

impl Window {
    fn new(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or_default();
        let marked_on = text.get(span.start..).unwrap_or_default();
        let (head, cut_before) = bounded(before.chars().rev());
        let (tail, cut_after) = bounded(marked_on.chars());
        let head = before
            .get(before.len().saturating_sub(head)..)
            .unwrap_or_default();
        let tail = marked_on.get(..tail).unwrap_or_default();
        let dots = |is_cut| if is_cut { "…" } else { "" };
        let (left, right) = (dots(cut_before), dots(cut_after));
        let marked = span.end.saturating_sub(span.start);
        let (marked, rest) = tail.split_at_checked(marked).unwrap_or((tail, ""));
        let [head, marked, rest] = [head, marked, rest].map(harmless);
        let start = left.len().saturating_add(head.len());
        Self {
            source: [left, &head, &marked, &rest, right].concat(),
            span: start..start.saturating_add(marked.len()),
            is_cut: cut_before || cut_after,
        }
    }
}

/// Escapes text for a terminal. Tabs stay, because the snippet expands them.
fn harmless(text: &str) -> String {
    let parts: Vec<String> = text.split('\t').map(escape_for_terminal).collect();
    parts.join("\t")
}

/// The number of bytes up to the end of the line or the limit, and whether the line is cut.
fn bounded(line: impl Iterator<Item = char>) -> (usize, bool) {
    let mut length: usize = 0;
    let mut line = line.take_while(|c| !matches!(c, '\n' | '\r'));
    for c in line.by_ref().take(AROUND) {
        length = length.saturating_add(c.len_utf8());
    }
    (length, line.next().is_some())
}
