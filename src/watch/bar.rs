//! Bars of block characters.

use ratatui::style::{Color, Style};
use ratatui::text::Span;

/// The columns of a line that its bar does not use.
const BESIDE_BAR: usize = 24;
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// How the filled part of a bar looks.
#[derive(Clone, Copy)]
pub(crate) enum Fill {
    /// Full blocks.
    Solid(Color),
    /// Shaded blocks, for decisions that are only recorded.
    Shaded,
}

/// Returns a bar for a line of this width, filled in proportion to a share in thousandths.
pub(crate) fn bar(width: usize, share: Option<u64>, fill: Fill) -> Span<'static> {
    let cells = width.saturating_sub(BESIDE_BAR).clamp(4, 30);
    let eighths = u64::try_from(cells).unwrap_or_default().saturating_mul(8);
    let share = share.unwrap_or_default();
    let filled = share.saturating_mul(eighths) / 1_000;
    // Even a small share is visible.
    let filled = filled.max(u64::from(share > 0));
    let full = usize::try_from(filled / 8).unwrap_or_default();
    let (block, eighths, colour) = match fill {
        Fill::Solid(colour) => ('█', EIGHTHS, colour),
        Fill::Shaded => ('▒', ['▒'; 7], Color::DarkGray),
    };
    let mut bar: String = std::iter::repeat_n(block, full).collect();
    let part = usize::try_from(filled % 8).unwrap_or_default();
    bar.extend(part.checked_sub(1).and_then(|place| eighths.get(place)));
    let left = cells.saturating_sub(bar.chars().count());
    bar.extend(std::iter::repeat_n('░', left));
    Span::styled(bar, Style::new().fg(colour))
}
