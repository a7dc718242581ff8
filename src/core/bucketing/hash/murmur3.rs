//! MurmurHash3 (x86, 32 bits), as an incremental hash.
//!
//! It is written by hand so that a state can be kept: a rollout's prefix is hashed once, when the policy is
//! compiled, and each account continues from there. The crate `murmur3` hashes a reader from its beginning.

/// The state of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Murmur3 {
    hash: u32,
    /// The last four bytes, with the newest as the highest.
    recent: u32,
    length: u32,
}

impl Murmur3 {
    pub(super) const fn new(seed: u32) -> Self {
        Self {
            hash: seed,
            recent: 0,
            length: 0,
        }
    }

    /// Returns the state after further bytes.
    #[must_use]
    pub(super) fn with(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.recent = (self.recent >> 8) | (u32::from(*byte) << 24);
            self.length = self.length.wrapping_add(1);
            if self.length.is_multiple_of(4) {
                self.hash = (self.hash ^ mix(self.recent))
                    .rotate_left(13)
                    .wrapping_mul(5)
                    .wrapping_add(0xe654_6b64);
            }
        }
        self
    }

    pub(super) fn finish(self) -> u32 {
        let rest = match self.length % 4 {
            1 => self.recent >> 24,
            2 => self.recent >> 16,
            3 => self.recent >> 8,
            _ => 0,
        };
        // `mix(0)` is 0, so a length that is a multiple of four needs no case of its own.
        let mut hash = self.hash ^ mix(rest) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

fn mix(block: u32) -> u32 {
    block
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published values of the reference implementation, SMHasher.
    #[test]
    fn it_computes_the_published_values() {
        for (seed, bytes, expected) in [
            (0, &b""[..], 0),
            (1, b"", 0x514e_28b7),
            (0xffff_ffff, b"", 0x81f1_6f39),
            (0, b"\xff\xff\xff\xff", 0x7629_3b50),
            (0x5082_edee, b"\x21\x43\x65\x87", 0x2362_f9de),
            (0, b"\x21\x43\x65", 0x7e4a_8634),
            (0, b"\x21\x43", 0xa0f7_b07a),
            (0, b"\x21", 0x7266_1cf4),
            (0, b"\0\0\0\0", 0x2362_f9de),
            (0x9747_b28c, b"aaaa", 0x5a97_808a),
            (0x9747_b28c, b"Hello, world!", 0x2488_4cba),
        ] {
            assert_eq!(
                Murmur3::new(seed).with(bytes).finish(),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn chunks_give_the_same_hash_as_the_whole() {
        let bytes = b"shared-seed:AC7342e9713fa896e4af00c654c444aada";
        let whole = Murmur3::new(7).with(bytes);
        for cut in 0..bytes.len() {
            let (first, rest) = bytes.split_at(cut);
            let chunks = Murmur3::new(7).with(first).with(rest);
            assert_eq!(chunks.finish(), whole.finish(), "{cut}");
        }
    }
}
