//! Packed accounts: the base64 of the sorted SIDs, 16 bytes each.
//!
//! A million packed accounts are 21 MB of text, and every worker reads them whenever the policy changes. So they
//! are decoded in one pass, without a copy of the text, straight into the list that decisions search.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::request::account_id::Sid;

/// The number of base64 characters that encode three SIDs.
const BLOCK: usize = 64;
const BITS_OF_A_CHARACTER: usize = 6;
const BITS_OF_A_SID: usize = 128;
/// The value of a byte that is not a base64 character.
const NONE: u8 = 0xff;

/// The base64 value of each byte, or [`NONE`].
static BASE64_VALUES: [u8; 256] = base64_values();

/// Why packed accounts cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text is base64 only up to this many characters.
    NotBase64 { after: usize },
    /// The last character has bits that belong to no byte.
    Overhang,
    /// The decoded length is not a multiple of 16 bytes.
    NotWhole { bytes: usize },
    /// This SID, whose number counts from 1, is below the SID before it.
    NotSorted { number: usize, sid: Sid },
    /// This SID equals the SID before it.
    Repeated { sid: Sid },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 { after } => {
                write!(f, "the string is not base64 after character {after}")
            }
            Self::Overhang => f.write_str("the base64 ends in the middle of a byte"),
            Self::NotWhole { bytes } => {
                write!(f, "expected a multiple of 16 bytes, found {bytes} bytes")
            }
            Self::NotSorted { number, sid } => write!(
                f,
                "the accounts are not sorted: `{sid}`, number {number}, is below the one before it"
            ),
            Self::Repeated { sid } => write!(f, "the account `{sid}` is repeated"),
        }
    }
}

/// Encodes sorted SIDs without duplicates for `accounts_packed`.
pub(crate) fn pack(sids: &[u128]) -> String {
    let bytes: Vec<u8> = sids.iter().flat_map(|sid| sid.to_be_bytes()).collect();
    STANDARD.encode(bytes)
}

/// Decodes packed SIDs from a text that arrives in pieces.
#[derive(Clone)]
pub(crate) struct Unpacker {
    sids: Vec<u128>,
    /// Characters that do not fill a block of three SIDs yet.
    block: [u8; BLOCK],
    filled: usize,
    /// The number of characters so far.
    characters: usize,
    /// The first SID that is out of order.
    fault: Option<Fault>,
}

impl Unpacker {
    /// Creates an unpacker for a text of at most `most` characters.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            sids: Vec::with_capacity(most.div_ceil(BLOCK).saturating_mul(3)),
            block: [0; BLOCK],
            filled: 0,
            characters: 0,
            fault: None,
        }
    }

    /// Frees most of the spare capacity when the packed text ends or continues with something else.
    ///
    /// It shrinks the list only if the capacity is more than twice the length. Shrinking moves the list, and a VM
    /// never returns memory, so the freed memory is only useful for the packed accounts of later segments.
    pub(crate) fn release_spare(&mut self) {
        // Leave room for the rest of the block, so that adding it does not move the list.
        let room = self.sids.len().saturating_add(BLOCK);
        if self.sids.capacity() > room.saturating_mul(2) {
            self.sids.shrink_to(room);
        }
    }

    /// Returns the capacity of the list, in SIDs.
    pub(crate) fn capacity(&self) -> usize {
        self.sids.capacity()
    }

    /// Decodes the base64 characters at the beginning of a piece and returns how many there are.
    pub(crate) fn take(&mut self, piece: &[u8]) -> usize {
        let mut rest = piece;
        loop {
            if self.filled == 0 {
                let (blocks, _) = rest.as_chunks();
                let taken = self.decode_blocks(blocks).saturating_mul(BLOCK);
                rest = rest.get(taken..).unwrap_or_default();
            }
            let taken = self.fill_block(rest);
            rest = rest.get(taken..).unwrap_or_default();
            if self.filled < BLOCK {
                break;
            }
            self.filled = 0;
            let block = self.block;
            self.decode_blocks(&[block]);
        }
        let taken = piece.len().saturating_sub(rest.len());
        self.characters = self.characters.saturating_add(taken);
        taken
    }

    /// Decodes whole blocks up to the first one that is not base64, and returns how many it decoded.
    fn decode_blocks(&mut self, blocks: &[[u8; BLOCK]]) -> usize {
        let mut last = self.sids.last().copied();
        let mut taken = 0_usize;
        for block in blocks {
            let Some(three) = three_sids(block) else {
                break;
            };
            let [a, b, c] = three;
            if last >= Some(a) || a >= b || b >= c {
                self.check_order(last, &three);
            }
            last = Some(c);
            self.sids.extend_from_slice(&three);
            taken = taken.saturating_add(1);
        }
        taken
    }

    /// Fills the block with base64 characters and returns how many it took.
    fn fill_block(&mut self, piece: &[u8]) -> usize {
        let room = self.block.get_mut(self.filled..).unwrap_or_default();
        let mut taken = 0_usize;
        for (slot, byte) in room.iter_mut().zip(piece) {
            if value_of(*byte) == u32::from(NONE) {
                break;
            }
            *slot = *byte;
            taken = taken.saturating_add(1);
        }
        self.filled = self.filled.saturating_add(taken);
        taken
    }

    #[cold]
    fn check_order(&mut self, mut last: Option<u128>, found: &[u128]) {
        if self.fault.is_some() {
            return;
        }
        for (sid, index) in found.iter().zip(self.sids.len()..) {
            let at = Sid::from_number(*sid);
            if last == Some(*sid) {
                self.fault = Some(Fault::Repeated { sid: at });
                return;
            }
            if last > Some(*sid) {
                let number = index.saturating_add(1);
                self.fault = Some(Fault::NotSorted { number, sid: at });
                return;
            }
            last = Some(*sid);
        }
    }

    /// Returns the SIDs; `rest` is the remaining text.
    pub(crate) fn finish(mut self, rest: &str) -> Result<Vec<u128>, Fault> {
        let taken = self.take(rest.as_bytes());
        let padding = rest.get(taken..).unwrap_or_default();
        let length = self.characters.saturating_add(padding.len());
        let is_padded = matches!(padding, "=" | "==") && length.is_multiple_of(4);
        if !(padding.is_empty() || is_padded) || self.characters % 4 == 1 {
            let after = self.characters;
            return Err(Fault::NotBase64 { after });
        }
        let rest_bits = self.filled.saturating_mul(BITS_OF_A_CHARACTER);
        let overhang = rest_bits % BITS_OF_A_SID;
        // The block holds up to two SIDs. Fewer bits than one character may remain.
        if overhang >= BITS_OF_A_CHARACTER {
            let bytes = self.sids.len().saturating_mul(16);
            let bytes = bytes.saturating_add(rest_bits / 8);
            return Err(Fault::NotWhole { bytes });
        }
        let mut sid = 0_u128;
        let mut bits = 0_usize;
        let block = self.block;
        let mut left = Vec::new();
        for byte in block.iter().take(self.filled) {
            for bit in (0..BITS_OF_A_CHARACTER).rev() {
                sid = (sid << 1) | u128::from((value_of(*byte) >> bit) & 1);
                bits = bits.saturating_add(1);
                if bits == BITS_OF_A_SID {
                    left.push(sid);
                    (sid, bits) = (0, 0);
                }
            }
        }
        if sid != 0 {
            return Err(Fault::Overhang);
        }
        self.check_order(self.sids.last().copied(), &left);
        self.sids.extend_from_slice(&left);
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.sids),
        }
    }
}

/// Decodes a block, or returns `None` if a byte is not a base64 character.
///
/// Loading a policy spends most of its time here, and the filter is compiled for size. So the code is unrolled and
/// always inlined.
fn three_sids(block: &[u8; BLOCK]) -> Option<[u128; 3]> {
    let (groups, _) = block.as_chunks::<8>();
    let [a, b, c, d, e, f, g, h] = groups else {
        return None;
    };
    let mut all = 0;
    let a = six_bytes(a, &mut all);
    let b = six_bytes(b, &mut all);
    let c = six_bytes(c, &mut all);
    let d = six_bytes(d, &mut all);
    let e = six_bytes(e, &mut all);
    let f = six_bytes(f, &mut all);
    let g = six_bytes(g, &mut all);
    let h = six_bytes(h, &mut all);
    // A value has six bits, so only NONE sets the highest bit.
    if all & 0x80 != 0 {
        return None;
    }
    Some([
        number((a << 16) | (b >> 32), (b << 32) | (c >> 16)),
        number((c << 48) | d, (e << 16) | (f >> 32)),
        number((f << 32) | (g >> 16), (g << 48) | h),
    ])
}

/// Decodes eight characters, and combines their values into `all` with a bitwise or.
#[inline(always)]
fn six_bytes(group: &[u8; 8], all: &mut u32) -> u64 {
    let [a, b, c, d, e, f, g, h] = *group;
    let (a, b, c, d) = (value_of(a), value_of(b), value_of(c), value_of(d));
    let (e, f, g, h) = (value_of(e), value_of(f), value_of(g), value_of(h));
    *all |= a | b | c | d | e | f | g | h;
    let high = (a << 18) | (b << 12) | (c << 6) | d;
    let low = (e << 18) | (f << 12) | (g << 6) | h;
    (u64::from(high) << 24) | u64::from(low)
}

#[inline(always)]
fn number(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

#[inline(always)]
fn value_of(byte: u8) -> u32 {
    let value = BASE64_VALUES.get(usize::from(byte));
    value.map_or(NONE, |value| *value).into()
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "run by the compiler, which refuses what overflows"
)]
const fn base64_values() -> [u8; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(text: &str, piece: usize) -> Result<Vec<u128>, Fault> {
        let mut unpacker = Unpacker::new(text.len());
        let bytes = text.as_bytes();
        let mut rest = text;
        for piece in bytes.chunks(piece) {
            let taken = unpacker.take(piece);
            rest = rest.split_at(taken).1;
            if taken < piece.len() {
                break;
            }
        }
        unpacker.finish(rest)
    }

    fn sids(count: u128) -> Vec<u128> {
        (0..count).map(|n| (n.pow(2) << 80) | n).collect()
    }

    #[test]
    fn packed_accounts_are_unpacked_from_pieces_of_any_size() {
        for count in [0, 1, 2, 3, 4, 5, 6, 7, 8, 100] {
            let sids = sids(count);
            let text = pack(&sids);
            for piece in [1, 2, 63, 64, 65, 100, 10_000] {
                assert_eq!(
                    unpacked(&text, piece),
                    Ok(sids.clone()),
                    "{count} by {piece}"
                );
                let bare = text.trim_end_matches('=');
                assert_eq!(
                    unpacked(bare, piece),
                    Ok(sids.clone()),
                    "{count} by {piece}"
                );
            }
        }
    }

    #[test]
    fn each_fault_is_found_at_its_position() {
        let sids = sids(99);
        let text = pack(&sids);
        assert_eq!(text.len(), 2_112);
        for place in [0, 63, 64, 65, 1_000, 2_100] {
            let mut bad = text.clone();
            bad.replace_range(place..=place, "-");
            let fault = Fault::NotBase64 { after: place };
            assert_eq!(unpacked(&bad, 100), Err(fault));
        }
        for (length, bytes) in [(2_110, 1_582), (2_108, 1_581), (2_052, 1_539)] {
            let cut = text.split_at(length).0;
            assert_eq!(unpacked(cut, 100), Err(Fault::NotWhole { bytes }));
        }
        for index in [1, 2, 3, 4, 97, 98] {
            let mut moved = sids.clone();
            moved.swap(index - 1, index);
            let fault = Fault::NotSorted {
                number: index + 1,
                sid: Sid::from_number(sids[index - 1]),
            };
            assert_eq!(unpacked(&pack(&moved), 100), Err(fault));
            let mut doubled = sids.clone();
            doubled[index] = doubled[index - 1];
            let sid = Sid::from_number(doubled[index]);
            assert_eq!(unpacked(&pack(&doubled), 100), Err(Fault::Repeated { sid }));
        }
    }

    #[test]
    fn padding_is_complete_or_absent_and_no_bits_are_left_over() {
        let text = pack(&[7]);
        assert!(text.ends_with("Bw=="));
        for bad in ["Bw=", "Bw===", "Bw==B", "Bw==\n", "Bw!", "Bw= ="] {
            let bad = text.replace("Bw==", bad);
            assert!(unpacked(&bad, 5).is_err(), "{bad}");
        }
        assert_eq!(unpacked(&text.replace("Bw", "Bx"), 5), Err(Fault::Overhang));
        assert_eq!(unpacked("A", 5), Err(Fault::NotBase64 { after: 1 }));
    }
}
