//! Timestamps at the beginning of lines.

/// Strips `2026-11-21T03:00:00.123456789Z`, also with a zone such as `+0100` or `+01:00`.
pub(crate) fn rfc3339(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = pattern(line, b"dddd-dd-ddTdd:dd:dd")?;
    let rest = fraction(rest);
    let rest = match rest.split_first()? {
        (b'Z', rest) => rest,
        (b'+' | b'-', zone) => pattern(zone, b"dd:dd").or_else(|| pattern(zone, b"dddd"))?,
        _ => return None,
    };
    line.split_at_checked(line.len().saturating_sub(rest.len()))
}

/// Strips the timestamps of `journalctl`'s text formats that are not RFC 3339, and that of syslog.
pub(crate) fn journal(line: &[u8]) -> Option<&[u8]> {
    let short = || {
        let (month, rest) = line.split_at_checked(3)?;
        let is_month = month.iter().all(u8::is_ascii_alphabetic);
        let rest = pattern(rest, b" dd dd:dd:dd").or_else(|| pattern(rest, b"  d dd:dd:dd"));
        rest.filter(|_| is_month).map(fraction)
    };
    let full = || {
        let (day, rest) = line.split_at_checked(3)?;
        let is_day = day.iter().all(u8::is_ascii_alphabetic);
        let rest = fraction(pattern(rest, b" dddd-dd-dd dd:dd:dd").filter(|_| is_day)?);
        let (zone, _) = word(rest.strip_prefix(b" ")?)?;
        rest.get(zone.len().saturating_add(1)..)
    };
    let monotonic = || {
        let rest = line.strip_prefix(b"[")?.trim_ascii_start();
        seconds(rest)?.strip_prefix(b"]")
    };
    let unix = || seconds(line);
    short().or_else(full).or_else(monotonic).or_else(unix)
}

/// Splits off a word that ends before a blank.
pub(crate) fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = text
        .split_at_checked(end)
        .filter(|(word, _)| !word.is_empty())?;
    Some((word, rest.get(1..)?))
}

/// Strips seconds since 1970: `1795232300.123456`.
fn seconds(text: &[u8]) -> Option<&[u8]> {
    let rest = digits(text);
    let behind = digits(rest.strip_prefix(b".")?);
    let is_number = rest.len() < text.len() && behind.len().saturating_add(1) < rest.len();
    is_number.then_some(behind)
}

fn fraction(text: &[u8]) -> &[u8] {
    match text.split_first() {
        Some((b'.' | b',', rest)) => digits(rest),
        _ => text,
    }
}

/// Strips leading digits.
pub(crate) fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.get(end.unwrap_or(text.len())..).unwrap_or_default()
}

/// Strips a pattern, in which `d` is a digit.
pub(crate) fn pattern<'a>(text: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
    let (beginning, rest) = text.split_at_checked(pattern.len())?;
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        wanted => byte == wanted,
    };
    beginning.iter().zip(pattern).all(fits).then_some(rest)
}
