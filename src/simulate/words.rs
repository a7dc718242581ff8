//! Small things about text.

use turnout_core::{FileQuoting, Format, visible};

/// Characters of a name that are shown.
const MOST: usize = 60;

/// What came from a file, of bounded length, on one line, and harmless in a terminal.
pub(crate) fn excerpt(found: &[u8]) -> String {
    let beginning = found.get(..MOST.saturating_mul(4)).unwrap_or(found);
    let text = String::from_utf8_lossy(beginning);
    let mut short = visible(&text.chars().take(MOST).collect::<String>());
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// `12,345`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 account`, `2 accounts`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(count))
}

/// `49.8 %`: to the nearest tenth, but never 0 or 100 for what is not.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let tenths = part
        .saturating_mul(2_000)
        .saturating_add(whole)
        .checked_div(whole.saturating_mul(2))
        .unwrap_or_default();
    match tenths {
        0 if part > 0 => String::from("<0.1 %"),
        1_000 if part < whole => String::from(">99.9 %"),
        0 => String::from("0 %"),
        1_000 => String::from("100 %"),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// `12.5 %`, from millionths of a percent.
pub(crate) fn share(millionths: u32) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The known name that may have been meant.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |word: &&str| strsim::osa_distance(found, word) <= (found.len() / 3).max(1);
    let known = known.into_iter().filter(near);
    known.min_by_key(|word| strsim::osa_distance(found, word))
}

/// That a text is no account, and why.
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

/// What an account has to be.
pub(crate) const fn wanted(format: Format) -> &'static str {
    match format {
        Format::Sid => "`AC` and 32 lower-case hex digits",
        Format::Opaque => "1 to 128 bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        for (part, whole, expected) in [
            (0, 0, "0 %"),
            (0, 9, "0 %"),
            (9, 9, "100 %"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (1, 100_000, "<0.1 %"),
            (99_999, 100_000, ">99.9 %"),
        ] {
            assert_eq!(percent(part, whole), expected);
        }
        assert_eq!(share(100_000_000), "100 %");
        assert_eq!(share(12_500_000), "12.5 %");
        assert_eq!(share(1), "0.000001 %");
    }

    #[test]
    fn text_of_a_file_is_made_harmless() {
        assert_eq!(excerpt(b"a\x1b[2J"), "a\\u{1b}[2J");
        assert_eq!(excerpt("é".repeat(99).as_bytes()).chars().count(), MOST + 1);
        assert_eq!(excerpt(&[0xff]), "\u{fffd}");
    }

    #[test]
    fn a_name_that_is_near_is_found() {
        assert_eq!(nearest("hcv", ["big", "hvc"]), Some("hvc"));
        assert_eq!(nearest("other", ["big", "hvc"]), None);
    }
}
