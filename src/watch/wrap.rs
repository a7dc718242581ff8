//! Wraps pieces of text into lines.

use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use turnout_text::escape_for_terminal;

const GAP: &str = "   ";
/// The width of the label column on the left.
const LABEL: usize = 12;
/// The mark where text is cut off.
const CUT: &str = "…";

/// Text from any source, escaped for a terminal.
pub(crate) fn text(text: impl AsRef<str>) -> Span<'static> {
    Span::raw(escape_for_terminal(text.as_ref()))
}

pub(crate) fn bold(words: impl AsRef<str>) -> Span<'static> {
    text(words).bold()
}

pub(crate) fn dim(words: impl AsRef<str>) -> Span<'static> {
    text(words).dim()
}

/// A warning: red and bold, so that it is visible without colours too.
pub(crate) fn loud(words: impl AsRef<str>) -> Span<'static> {
    text(words).style(Style::new().red().add_modifier(Modifier::BOLD))
}

/// Wraps pieces of text into lines of a width.
pub(crate) struct LineWrapper {
    width: usize,
    pub(crate) lines: Vec<Line<'static>>,
}

impl LineWrapper {
    pub(crate) fn new(width: u16) -> Self {
        Self {
            width: usize::from(width).max(1),
            lines: Vec::new(),
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// Adds a line of pieces.
    pub(crate) fn pieces(&mut self, pieces: Vec<Span<'static>>) {
        self.wrap(Vec::new(), 2, pieces);
    }

    /// Adds a line of pieces with a label on the left.
    pub(crate) fn labelled(&mut self, label: &str, pieces: Vec<Span<'static>>) {
        let width = LABEL.saturating_sub(2);
        let label = text(format!("  {label:<width$}"));
        self.wrap(vec![label], LABEL, pieces);
    }

    fn wrap(&mut self, begin: Vec<Span<'static>>, indent: usize, pieces: Vec<Span<'static>>) {
        let mut line = Line::from(begin);
        let mut is_begun = false;
        for piece in pieces {
            let gap = if is_begun { GAP } else { "" };
            let wanted = line
                .width()
                .saturating_add(gap.len())
                .saturating_add(piece.width());
            if is_begun && wanted > self.width {
                self.lines.push(std::mem::take(&mut line));
                line.push_span(Span::raw(" ".repeat(indent)));
            } else {
                line.push_span(Span::raw(gap));
            }
            let left = self.width.saturating_sub(line.width());
            self.fill(&mut line, piece, left, indent);
            is_begun = true;
        }
        self.lines.push(line);
    }

    /// Adds a piece. If it is longer than the line, it continues on the next one, if possible after a space.
    fn fill(&mut self, line: &mut Line<'static>, piece: Span<'static>, left: usize, indent: usize) {
        let style = piece.style;
        let mut rest = piece.content.into_owned();
        let mut left = left;
        loop {
            if Span::raw(rest.as_str()).width() <= left {
                line.push_span(Span::styled(rest, style));
                return;
            }
            let next = self.width.saturating_sub(indent);
            let (now, later) = split(&rest, left);
            if later.is_empty() || (now.is_empty() && left >= next) {
                // Not even one character fits.
                line.push_span(Span::styled(CUT, style));
                return;
            }
            line.push_span(Span::styled(now.trim_end().to_owned(), style));
            self.lines.push(std::mem::take(line));
            line.push_span(Span::raw(" ".repeat(indent)));
            rest = later;
            left = next;
        }
    }
}

/// Splits a text into the part that fits and the rest, if possible between words.
fn split(text: &str, width: usize) -> (String, String) {
    let mut used = 0_usize;
    let mut end = 0;
    let mut word = None;
    for (place, c) in text.char_indices() {
        used = used.saturating_add(Span::raw(c.to_string()).width());
        if used > width {
            break;
        }
        end = place.saturating_add(c.len_utf8());
        if c == ' ' {
            word = Some(end);
        }
    }
    let (now, later) = text
        .split_at_checked(word.unwrap_or(end))
        .unwrap_or((text, ""));
    (now.to_owned(), later.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(width: u16, pieces: &[&str]) -> Vec<String> {
        let mut wrapper = LineWrapper::new(width);
        wrapper.labelled("errors", pieces.iter().map(text).collect());
        wrapper.lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pieces_continue_on_the_next_line() {
        assert_eq!(wrapped(40, &["one", "two"]), ["  errors    one   two"]);
        assert_eq!(
            wrapped(24, &["one", "two", "three", "four"]),
            ["  errors    one   two", "            three   four"]
        );
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        let long = "a sentence that is a good deal longer than the line is, andonewordthatislong日本語日本語";
        for width in 0..60 {
            for line in wrapped(width, &[long, "\u{1b}[2J", long]) {
                assert!(!line.contains('\u{1b}'), "{line}");
                let is_label = usize::from(width) < LABEL + 2;
                assert!(
                    is_label || Line::from(line.clone()).width() <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
    }
}
