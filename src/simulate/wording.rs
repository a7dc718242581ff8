//! Words and number formats of the reports.

use turnout_core::{FileQuoting, Format};

/// The number of characters of an excerpt.
const MOST: usize = 60;

/// Returns the beginning of a text from a file, escaped for a terminal.
pub(crate) fn excerpt(found: &[u8]) -> String {
    turnout_text::excerpt_bytes_for_terminal(found, MOST)
}

/// Formats a part of a whole as a percentage; a part of nothing is `0 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    turnout_text::percent(part, whole).unwrap_or_else(|| String::from("0 %"))
}

/// Describes why a text is not an account.
pub(crate) fn malformed(format: Format, found: &[u8], text: FileQuoting) -> String {
    match (text, format) {
        (FileQuoting::Shown, _) => {
            let fault = format.fault(found);
            format!("`{}` is not an account: {fault}", excerpt(found))
        }
        (FileQuoting::Hidden, Format::Sid) => {
            format!("not an account SID: {}", format.fault_kind(found))
        }
        (FileQuoting::Hidden, Format::Opaque) => {
            format!("not an account: {}", format.fault_kind(found))
        }
    }
}

/// The expected form of an account.
pub(crate) const fn wanted(format: Format) -> &'static str {
    match format {
        Format::Sid => "`AC` and 32 lower-case hex digits",
        Format::Opaque => "1 to 128 bytes",
    }
}
