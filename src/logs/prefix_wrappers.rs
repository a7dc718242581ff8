//! Wrappers that are a text prefix of the line.

use crate::Layer;
use crate::timestamp::{digits, journal, rfc3339, word};
use crate::wrapper::Wrapper;

/// Removes one wrapper from a line.
pub(crate) fn peel(line: &[u8]) -> Option<Layer<'_>> {
    if let Some((_, rest)) = rfc3339(line) {
        let rest = rest.strip_prefix(b" ")?;
        return cri(rest)
            .or_else(|| process(rest))
            .or(Some(Layer::new(Wrapper::Timestamps, rest)));
    }
    match line.first()? {
        b'[' => kubectl(line).or_else(|| entry(journal(line)?.strip_prefix(b" ")?)),
        b'<' => syslog(line),
        _ => journal(line)
            .and_then(|rest| entry(rest.strip_prefix(b" ")?))
            .or_else(|| compose(line)),
    }
}

/// Strips `stdout F …`, after the timestamp. Tags are separated by colons, and the first one is `F`
/// or `P`.
fn cri(rest: &[u8]) -> Option<Layer<'_>> {
    let (stream, rest) = word(rest)?;
    if !matches!(stream, b"stdout" | b"stderr") {
        return None;
    }
    let (tags, text) = match word(rest) {
        Some((tags, text)) => (tags, text),
        // An empty line, whose trailing blank an editor has removed.
        None => (rest, &b""[..]),
    };
    let continues = match tags.split(|byte| *byte == b':').next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    Some(Layer {
        continues,
        is_stdout: stream == b"stdout",
        stream: stream.to_vec(),
        ..Layer::new(Wrapper::Cri, text)
    })
}

/// Strips the prefix of `[pod/NAME/CONTAINER] …`.
fn kubectl(line: &[u8]) -> Option<Layer<'_>> {
    let rest = line.strip_prefix(b"[pod/")?;
    let (name, text) = word(rest)?;
    let name = name.strip_suffix(b"]")?;
    Some(Layer {
        stream: name.to_vec(),
        ..Layer::new(Wrapper::Kubectl, text)
    })
}

/// Strips the prefix of `HOST IDENTIFIER[PID]: …`, after a timestamp that other programs also write.
fn process(rest: &[u8]) -> Option<Layer<'_>> {
    let (_, behind) = word(rest)?;
    let (identifier, _) = word(behind)?;
    identifier.ends_with(b"]:").then(|| entry(rest)).flatten()
}

/// Strips the prefix of `HOST IDENTIFIER[PID]: …` or `HOST IDENTIFIER: …`, after journald's
/// timestamp.
fn entry(rest: &[u8]) -> Option<Layer<'_>> {
    let (_, rest) = word(rest)?;
    let (identifier, text) = word(rest)?;
    let identifier = identifier.strip_suffix(b":")?;
    Some(Layer {
        stream: identifier.to_vec(),
        ..Layer::new(Wrapper::Journal, text)
    })
}

/// Strips the prefix of `<14>Nov 21 03:00:00 HOST TAG: …` and `<14>1 2026-…Z HOST APP PID ID - …`.
fn syslog(line: &[u8]) -> Option<Layer<'_>> {
    let rest = digits(line.strip_prefix(b"<")?).strip_prefix(b">")?;
    let Some(rest) = rest.strip_prefix(b"1 ") else {
        return entry(journal(rest)?.strip_prefix(b" ")?);
    };
    let (_, mut rest) = rfc3339(rest)?;
    rest = rest.strip_prefix(b" ")?;
    for _ in ["host", "app", "pid", "id"] {
        (_, rest) = word(rest)?;
    }
    // Proxies write no structured data.
    let text = rest.strip_prefix(b"- ")?;
    Some(Layer::new(
        Wrapper::Journal,
        text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text),
    ))
}

/// Strips the prefix of `SERVICE-1  | …`.
fn compose(line: &[u8]) -> Option<Layer<'_>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let end = line.iter().position(|byte| !is_name(byte))?;
    let (name, rest) = line
        .split_at_checked(end)
        .filter(|(name, _)| !name.is_empty())?;
    let text = rest
        .strip_prefix(b" ")?
        .trim_ascii_start()
        .strip_prefix(b"|")?;
    Some(Layer {
        stream: name.to_vec(),
        ..Layer::new(Wrapper::Compose, text.strip_prefix(b" ").unwrap_or(text))
    })
}
