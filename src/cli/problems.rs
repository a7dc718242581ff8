//! Prints what is wrong with a policy, each problem with the line that it stands in.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use turnout_core::{Diagnostic, Diagnostics};

/// To standard error, with colour where that is a terminal.
pub(crate) fn print(path: &str, text: &str, diagnostics: &Diagnostics) {
    for diagnostic in diagnostics.as_slice() {
        anstream::eprintln!("{}\n", picture(path, text, diagnostic));
    }
    let found = diagnostics.as_slice().len();
    let found = found.saturating_add(diagnostics.omitted());
    anstream::eprintln!("{path}: {found} problem(s), nothing was written");
}

fn picture(path: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let what = diagnostic.problem.to_string();
    let help = diagnostic.problem.help();
    let place = match diagnostic.pointer.as_str() {
        "" => String::from("here"),
        pointer => format!("at {pointer}"),
    };
    let mark = AnnotationKind::Primary
        .span(within_line(text, diagnostic.span.clone()))
        .label(place);
    let report = [Level::ERROR
        .primary_title(what)
        .element(Snippet::source(text).path(path).annotation(mark))
        .element(Level::HELP.message(help))];
    Renderer::styled().render(&report)
}

/// The part of a span that is in its first line: an object of many lines is marked at its head.
fn within_line(text: &str, span: Range<usize>) -> Range<usize> {
    let marked = text.get(span.clone()).unwrap_or_default();
    let length = marked.find('\n').unwrap_or(marked.len());
    span.start..span.start.saturating_add(length)
}
