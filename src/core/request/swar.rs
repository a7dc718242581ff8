//! Checks paths, hosts and hex digits eight bytes at a time, as one number (SIMD within a register).
//!
//! It is written by hand because `memchr` finds single bytes, while these checks are about classes of
//! bytes and about neighbours. They have no branch for each byte: hex digits are letters or digits at
//! random, so that such a branch would be mispredicted half of the time.

/// The highest bit of each byte.
const HIGHEST: u64 = each(0x80);

/// A byte, eight times.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte that is zero; the lowest bit that is set is right, those above it may
/// not be.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & HIGHEST
}

/// Whether a path holds none of `%`, `\`, `;`, blanks and control characters, and no `//` and `/.`.
#[inline]
pub(crate) fn is_plain_path(path: &[u8]) -> bool {
    // Whether the byte before is a slash, in the lowest byte.
    every_word(path, 0, is_plain_word)
}

/// Whether all words hold what is checked. The last one is filled up with letters. What a word passes on to
/// the next begins with `carried`.
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
    let is = |byte: u8| zeros(word ^ each(byte));
    let is_blank = word.wrapping_sub(each(b'!')) & !word & HIGHEST;
    let odd = is(b'%') | is(b'\\') | is(b';') | is(0x7f) | is_blank;
    // `zeros` may be wrong for a byte above a right one, so these two have to be exact.
    let is_slash = exact_zeros(word ^ each(b'/'));
    let is_dot = exact_zeros(word ^ each(b'.'));
    let is_behind_slash = (is_slash << 8) | *carried;
    *carried = is_slash >> 56;
    (odd | (is_behind_slash & (is_slash | is_dot))) == 0
}

/// Whether bytes are labels with a dot between each two: letters, digits, `-` and `_`. No label is empty,
/// and so are no bytes a name.
#[inline]
pub(crate) fn is_dotted_name(name: &[u8]) -> bool {
    // Whether the byte before is a dot, in the lowest byte. At first it is as if one were.
    every_word(name, 0x80, is_dotted_word) && name.last().is_some_and(|byte| *byte != b'.')
}

#[inline(always)]
fn is_dotted_word(word: u64, carried: &mut u64) -> bool {
    // No byte carries into the next one: without its highest bit it is below 128.
    let low = word & !HIGHEST;
    let folded = low | each(0x20);
    let is_from = |word: u64, least: u8| word.wrapping_add(each(0x80_u8.wrapping_sub(least)));
    let is_digit = is_from(low, b'0') & !is_from(low, b':');
    let is_letter = is_from(folded, b'a') & !is_from(folded, b'{');
    let is = |byte: u8| exact_zeros(word ^ each(byte));
    let is_dot = is(b'.');
    let is_part = is_digit | is_letter | is(b'-') | is(b'_') | is_dot;
    let is_behind_dot = (is_dot << 8) | *carried;
    *carried = is_dot >> 56;
    (is_part & !word & HIGHEST) == HIGHEST && (is_dot & is_behind_dot) == 0
}

/// The highest bit of each byte that is zero, and of no other.
fn exact_zeros(word: u64) -> u64 {
    let is_low_not_zero = (word & !HIGHEST).wrapping_add(!HIGHEST);
    !(is_low_not_zero | word) & HIGHEST
}

/// Eight lower-case hex digits as the number that they write, and a number that is not zero where one
/// of them is none.
#[inline]
pub(crate) fn hex_digits(digits: [u8; 8]) -> (u32, u64) {
    let word = u64::from_be_bytes(digits);
    // No byte carries into the next one: without its highest bit it is below 128.
    let low = word & !HIGHEST;
    let is_from = |least: u8| low.wrapping_add(each(0x80_u8.wrapping_sub(least)));
    let is_digit = is_from(b'0') & !is_from(b':');
    let is_letter = is_from(b'a') & !is_from(b'g');
    let wrong = (word | !(is_digit | is_letter)) & HIGHEST;

    // Of a letter the low four bits are nine less than what it means.
    let letters = (word >> 6) & each(1);
    let digits = (word & each(0x0f)).wrapping_add(letters | (letters << 3));
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
    fn every_byte_in_every_place_is_a_digit_or_none() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut digits = *b"0f9a7c31";
                digits[place] = byte;
                let text = String::from_utf8_lossy(&digits);
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let expected = is_digit.then(|| u32::from_str_radix(&text, 16).unwrap());
                let (number, wrong) = hex_digits(digits);
                assert_eq!((wrong == 0).then_some(number), expected, "{text}");
            }
        }
    }

    #[test]
    fn every_byte_in_every_place_is_part_of_a_name_or_not() {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let slowly = |name: &[u8]| {
            let mut labels = name.split(|byte| *byte == b'.');
            labels.all(|label| !label.is_empty() && label.iter().copied().all(is_part))
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
                        assert_eq!(is_dotted_name(&name), slowly(&name), "{name:?}");
                    }
                }
            }
        }
        assert!(!is_dotted_name(b""));
    }

    #[test]
    fn a_plain_path_is_told_wherever_the_odd_bytes_are() {
        let expected = |path: &[u8]| {
            let is_odd = |byte: &u8| matches!(byte, b'%' | b'\\' | b';' | 0x7f | 0..=b' ');
            let pairs = path.windows(2).any(|pair| pair == b"//" || pair == b"/.");
            !pairs && !path.iter().any(is_odd)
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
