//! The limit on the bytes that Turnout holds in one worker.

use std::ops::RangeInclusive;

/// The maximum number of bytes that Turnout holds in one worker, for the policy and for shadowing. Samples that
/// do not fit are dropped, and user requests never wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxHeldBytes(u32);

impl MaxHeldBytes {
    /// The allowed values. Policies with many rollouts need more than the minimum. The maximum leaves room for
    /// fragmentation, because the memory of a WebAssembly VM ends at approximately 1 GiB.
    pub const RANGE: RangeInclusive<u32> = 16_777_216..=536_870_912;

    /// Creates a limit; `None` if it is out of range.
    #[must_use]
    pub fn new(bytes: u32) -> Option<Self> {
        Self::RANGE.contains(&bytes).then_some(Self(bytes))
    }

    /// Finds the limit in a chunk of a configuration without parsing the JSON. That is safe, because the field's
    /// name with unescaped quotes cannot be part of a string.
    #[must_use]
    pub fn find(chunk: &[u8]) -> Option<Self> {
        let mut rest = chunk;
        let rest = loop {
            let (before, after) = rest.split_at(rest.iter().position(|byte| *byte == b'_')?);
            match after.strip_prefix(b"_held_bytes\"") {
                Some(value) if before.ends_with(b"\"max") => break value.trim_ascii_start(),
                _ => rest = after.get(1..)?,
            }
        };
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        let length = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
        Self::new(digits.parse().ok()?)
    }

    /// Returns the limit in bytes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the limit in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Default for MaxHeldBytes {
    /// Returns the default limit, 64 MiB.
    fn default() -> Self {
        Self(67_108_864)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_anywhere_in_a_configuration() {
        let find = |text: &str| MaxHeldBytes::find(text.as_bytes()).map(MaxHeldBytes::get);
        assert_eq!(
            find(r#"{"policy":{},"max_held_bytes" : 20000000}"#),
            Some(20_000_000)
        );
        assert_eq!(
            find(r#"{"max_held_bytes":20000000,"policy":{"#),
            Some(20_000_000)
        );
        for none in [
            r#"{"policy":{"x":"\"max_held_bytes\":20000000"}}"#,
            r#"{"max_held_bytes":3,"#,
            r#"{"max_held_bytes":20000000"#,
            r#"{"max_held_bytes":99999999999999999999,"#,
            "",
        ] {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn the_default_is_in_range() {
        let default = MaxHeldBytes::default();
        assert_eq!(MaxHeldBytes::new(default.get()), Some(default));
        for bad in [0, 16_777_215, 536_870_913, u32::MAX] {
            assert_eq!(MaxHeldBytes::new(bad), None);
        }
    }
}
