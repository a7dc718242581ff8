//! Checks paths, hosts and hex digits eight bytes at a time, as one number (SIMD within a register).
//!
//! It is written by hand because `memchr` finds single bytes, while these checks are about classes of
//! bytes and about neighbours. They have no branch for each byte: hex digits are letters or digits at
//! random, so that such a branch would be mispredicted half of the time.

/// The highest bit of each byte.
const HIGH_BITS: u64 = repeat(0x80);

/// Repeats a byte eight times.
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Sets the highest bit of each byte that is zero. Only the lowest bit that is set is reliable: bytes above
/// a zero byte may be marked by mistake.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(repeat(1)) & !word & HIGH_BITS
}

/// Whether a path has no `%`, `\`, `;`, space or control character, and no `//` or `/.`.
#[inline]
pub(crate) fn is_plain_path(path: &[u8]) -> bool {
    // `carried` is whether the previous byte is a slash, in the lowest byte.
    every_word(path, 0, is_plain_word)
}

/// Whether `check` holds for every word. The last one is padded with letters. `carried` is the state that
/// each word passes to the next.
#[inline(always)]
fn every_word(bytes: &[u8], mut carried: u64, check: impl Fn(u64, &mut u64) -> bool) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        if !check(u64::from_le_bytes(*word), &mut carried) {
            return false;
        }
    }
    let mut last = [b'a'; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    check(u64::from_le_bytes(last), &mut carried)
}

#[inline(always)]
fn is_plain_word(word: u64, carried: &mut u64) -> bool {
    let is = |byte: u8| zeros(word ^ repeat(byte));
    let is_control = word.wrapping_sub(repeat(b'!')) & !word & HIGH_BITS;
    let is_special = is(b'%') | is(b'\\') | is(b';') | is(0x7f) | is_control;
    // These are combined with shifted bits, so they need the exact variant.
    let is_slash = exact_zeros(word ^ repeat(b'/'));
    let is_dot = exact_zeros(word ^ repeat(b'.'));
    let is_after_slash = (is_slash << 8) | *carried;
    *carried = is_slash >> 56;
    (is_special | (is_after_slash & (is_slash | is_dot))) == 0
}

/// Whether a name is a sequence of labels separated by dots. A label is one or more letters, digits, `-`
/// and `_`.
#[inline]
pub(crate) fn is_dotted_name(name: &[u8]) -> bool {
    // `carried` is whether the previous byte is a dot, in the lowest byte. It starts as true, so that the
    // first label cannot be empty.
    every_word(name, 0x80, is_dotted_word) && name.last().is_some_and(|byte| *byte != b'.')
}

#[inline(always)]
fn is_dotted_word(word: u64, carried: &mut u64) -> bool {
    // No byte carries into the next one: without its highest bit it is below 128.
    let low = word & !HIGH_BITS;
    let folded = low | repeat(0x20);
    let is_from = |word: u64, least: u8| word.wrapping_add(repeat(0x80_u8.wrapping_sub(least)));
    let is_digit = is_from(low, b'0') & !is_from(low, b':');
    let is_letter = is_from(folded, b'a') & !is_from(folded, b'{');
    let is = |byte: u8| exact_zeros(word ^ repeat(byte));
    let is_dot = is(b'.');
    let is_allowed = is_digit | is_letter | is(b'-') | is(b'_') | is_dot;
    let is_after_dot = (is_dot << 8) | *carried;
    *carried = is_dot >> 56;
    (is_allowed & !word & HIGH_BITS) == HIGH_BITS && (is_dot & is_after_dot) == 0
}

/// Sets the highest bit of each byte that is zero, and no other bit.
fn exact_zeros(word: u64) -> u64 {
    let low_bits_not_zero = (word & !HIGH_BITS).wrapping_add(!HIGH_BITS);
    !(low_bits_not_zero | word) & HIGH_BITS
}

/// Parses eight lower-case hex digits. Returns their number, and a second number that is zero if all eight
/// are valid.
#[inline]
pub(crate) fn hex_digits(digits: [u8; 8]) -> (u32, u64) {
    let word = u64::from_be_bytes(digits);
    // No byte carries into the next one: without its highest bit it is below 128.
    let low = word & !HIGH_BITS;
    let is_from = |least: u8| low.wrapping_add(repeat(0x80_u8.wrapping_sub(least)));
    let is_digit = is_from(b'0') & !is_from(b':');
    let is_letter = is_from(b'a') & !is_from(b'g');
    let wrong = (word | !(is_digit | is_letter)) & HIGH_BITS;

    // The low four bits of a letter are nine less than its value.
    let letters = (word >> 6) & repeat(1);
    let digits = (word & repeat(0x0f)).wrapping_add(letters | (letters << 3));
    let pairs = (digits | (digits >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let number = (fours | (fours >> 16)) as u32;
    (number, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_are_checked_for_every_byte_at_every_index() {
        for byte in 0..=u8::MAX {
            for index in 0..8 {
                let mut digits = *b"0f9a7c31";
                digits[index] = byte;
                let text = String::from_utf8_lossy(&digits);
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let expected = is_digit.then(|| u32::from_str_radix(&text, 16).unwrap());
                let (number, wrong) = hex_digits(digits);
                assert_eq!((wrong == 0).then_some(number), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_dotted_name_is_checked_for_every_byte_at_every_index() {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let bytewise = |name: &[u8]| {
            let mut labels = name.split(|byte| *byte == b'.');
            labels.all(|label| !label.is_empty() && label.iter().copied().all(is_allowed))
        };
        for length in 0..20_usize {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    for next in [b'a', b'.', 0xff, b'Z'] {
                        let mut name: Vec<u8> =
                            b"a0-_Zz9.".iter().copied().cycle().take(length).collect();
                        name[at] = byte;
                        if let Some(behind) = name.get_mut(at + 1) {
                            *behind = next;
                        }
                        assert_eq!(is_dotted_name(&name), bytewise(&name), "{name:?}");
                    }
                }
            }
        }
        assert!(!is_dotted_name(b""));
    }

    #[test]
    fn a_plain_path_is_checked_for_every_byte_at_every_index() {
        let expected = |path: &[u8]| {
            let is_special = |byte: &u8| matches!(byte, b'%' | b'\\' | b';' | 0x7f | 0..=b' ');
            let pairs = path.windows(2).any(|pair| pair == b"//" || pair == b"/.");
            !pairs && !path.iter().any(is_special)
        };
        let fill = b"/a.0b/c-9_~A/d.e/fghi/jklm/nopq/rstu";
        for length in 0..fill.len() {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    for behind in [b'/', b'.', b'b', 0x80] {
                        let mut path = fill[..length].to_vec();
                        path[at] = byte;
                        if let Some(next) = path.get_mut(at + 1) {
                            *next = behind;
                        }
                        assert_eq!(is_plain_path(&path), expected(&path), "{path:?}");
                    }
                }
            }
        }
    }
}
