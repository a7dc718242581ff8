//! Tables in plain text.

use std::borrow::Cow;

use crate::excerpt::excerpt;

/// Two spaces before each column.
const GAP: &str = "  ";

/// Rows of cells: the first column is aligned left, the others right.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row. The first row is the heading.
    pub fn push_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Formats the table, one line a row.
    #[must_use]
    pub fn format(&self) -> String {
        self.format_within(usize::MAX)
    }

    /// Formats the table in at most `width` columns, as far as shortening the first one allows.
    #[must_use]
    pub fn format_within(&self, width: usize) -> String {
        let mut widths = self.column_widths();
        if let [first, others @ ..] = widths.as_mut_slice() {
            let gaps = GAP.len().saturating_mul(others.len().saturating_add(1));
            let taken = others.iter().copied().fold(gaps, usize::saturating_add);
            *first = (*first).min(width.saturating_sub(taken));
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(GAP);
                match column {
                    0 => line.push_str(&format!("{:<width$}", shortened(cell, *width))),
                    _ => line.push_str(&format!("{cell:>width$}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn column_widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widths = cells.map(|cell| cell.chars().count());
            widths.max().unwrap_or_default()
        };
        (0..columns).map(width).collect()
    }
}

/// Returns a text in at most `max` characters, the last of which is `…` where some are left out.
fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    match text.chars().nth(max) {
        Some(_) => excerpt(text, max.saturating_sub(1)),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        table.push_row(["", "accounts", "é"].map(String::from));
        table.push_row(["big-customers", "1,000", "2"].map(String::from));
        table
    }

    #[test]
    fn numbers_are_aligned_right() {
        assert_eq!(
            table().format(),
            "                 accounts  é\n  big-customers     1,000  2\n"
        );
    }

    #[test]
    fn the_first_column_is_shortened_to_fit() {
        assert_eq!(
            table().format_within(20),
            "         accounts  é\n  big-…     1,000  2\n"
        );
    }
}
