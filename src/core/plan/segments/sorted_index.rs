//! Sorted numbers that are found in the same short time whether there are ten or a million of them,
//! and that take no more room than themselves.
//!
//! The numbers stay the sorted list that they came as. An index says where the numbers begin that
//! have the same first bits, behind those that all have in common: of numbers that are drawn, and of
//! those that are counted, a few each. The next bits say how far behind the begin a number should be, and
//! there all are looked at. Others are found by halving.
//!
//! What a look-up costs is waiting for memory. The index is small enough to stay near, and the numbers
//! that are looked at lie together, so it waits once; halving waits for each number before it knows the
//! next. (Of a million accounts, in all: 270 ns by halving among eight, see the bench.)

/// So many numbers have the same first bits, where they are spread evenly. Of a few numbers the index
/// costs nothing; of many it is what loading them waits for.
const TARGET_BUCKET_LEN: [usize; 2] = [1, 16];
/// So many are a few.
const DENSE_UP_TO: usize = 1 << 15;

/// So far from where it should be, to both sides, a number is looked for: of sixteen, all but a few are
/// nearer.
const LINEAR_SCAN_LEN: usize = 4;

/// Numbers in ascending order, each once.
#[derive(Debug, Default)]
pub(crate) struct SortedIndex {
    numbers: Vec<u128>,
    /// Where those of each kind begin, and the end.
    starts: Vec<u32>,
    kinds: PrefixBuckets,
}

impl SortedIndex {
    /// Of numbers in ascending order, each once.
    pub(crate) fn new(numbers: Vec<u128>) -> Self {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            return Self::default();
        };
        let kinds = PrefixBuckets::new(*first, *last, numbers.len());
        Self {
            starts: kinds.starts(&numbers),
            numbers,
            kinds,
        }
    }

    /// The bytes that they hold on the heap.
    pub(crate) fn held_bytes(&self) -> usize {
        let numbers = self.numbers.capacity().saturating_mul(size_of::<u128>());
        let starts = self.starts.capacity().saturating_mul(size_of::<u32>());
        numbers.saturating_add(starts)
    }

    pub(crate) fn as_slice(&self) -> &[u128] {
        &self.numbers
    }

    /// The place of the first number that is not below this one; behind the last one if all are.
    pub(crate) fn place_from(&self, number: u128) -> usize {
        match (self.numbers.first(), self.numbers.last()) {
            (Some(first), Some(last)) if number > *first => {
                if number > *last {
                    return self.numbers.len();
                }
            }
            _ => return 0,
        }
        let (kind, share) = self.kinds.of(number);
        let start = |kind: usize| {
            let start = self.starts.get(kind).copied();
            start.and_then(|start| usize::try_from(start).ok())
        };
        let (Some(start), Some(end)) = (start(kind), start(kind.saturating_add(1))) else {
            return self.numbers.len();
        };
        let same = self.numbers.get(start..end).unwrap_or_default();
        start.saturating_add(place_by_share(same, number, share))
    }

    /// The place of a number.
    pub(crate) fn find(&self, number: u128) -> Option<usize> {
        let place = self.place_from(number);
        (self.numbers.get(place) == Some(&number)).then_some(place)
    }
}

/// The place of the first number that is not below this one, which should be at this share of the way,
/// in parts of 2³².
#[inline]
fn place_by_share(numbers: &[u128], number: u128, share: u32) -> usize {
    let length = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
    let expected = length.saturating_mul(share.into()) >> 32;
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    let first = expected.saturating_sub(LINEAR_SCAN_LEN);
    let end = expected.saturating_add(LINEAR_SCAN_LEN).min(numbers.len());
    let near = numbers.get(first..end).unwrap_or_default();
    let is_behind = first == 0 || near.first().is_some_and(|other| *other < number);
    let is_before = end == numbers.len() || near.last().is_some_and(|other| *other >= number);
    if is_behind && is_before {
        let below = near.iter().filter(|other| **other < number).count();
        first.saturating_add(below)
    } else {
        numbers.partition_point(|other| *other < number)
    }
}

/// Numbers from the first to the last, told apart by their first bits.
#[derive(Clone, Copy, Debug, Default)]
struct PrefixBuckets {
    /// The bits that all have in common.
    common: u32,
    /// The bits after them that make the kind, at most 32.
    bits: u32,
}

impl PrefixBuckets {
    fn new(first: u128, last: u128, count: usize) -> Self {
        let common = (first ^ last).leading_zeros();
        let [of_few, of_many] = TARGET_BUCKET_LEN;
        let of_a_kind = if count <= DENSE_UP_TO {
            of_few
        } else {
            of_many
        };
        let kinds = count.div_ceil(of_a_kind).next_power_of_two();
        let different = 128_u32.saturating_sub(common);
        Self {
            common,
            bits: kinds.trailing_zeros().min(different).min(32),
        }
    }

    /// The kind of a number, and the bits after those that make it.
    #[inline]
    fn of(self, number: u128) -> (usize, u32) {
        let [high, low] = [number >> 64, number].map(|half| {
            #[expect(clippy::cast_possible_truncation, reason = "a half of a number")]
            let half = half as u64;
            half
        });
        // In halves: shifting all of it at once is a call of a function, and this is asked for each
        // account of a policy that is loaded.
        let own = match self.common {
            0 => high,
            common @ 1..64 => (high << common) | (low >> 64_u32.saturating_sub(common)),
            common => low
                .checked_shl(common.saturating_sub(64))
                .unwrap_or_default(),
        };
        let kind = own.checked_shr(64_u32.saturating_sub(self.bits));
        let kind = usize::try_from(kind.unwrap_or_default()).unwrap_or(usize::MAX);
        let share = u32::try_from((own << self.bits) >> 32).unwrap_or_default();
        (kind, share)
    }

    /// Where the numbers of each kind begin, and the end.
    fn starts(self, numbers: &[u128]) -> Vec<u32> {
        let kinds = 1_usize.checked_shl(self.bits).unwrap_or(1);
        let mut starts = Vec::with_capacity(kinds.saturating_add(1));
        let mut begun = 0_usize;
        for (number, place) in numbers.iter().zip(0_u32..) {
            let (kind, _) = self.of(*number);
            while begun <= kind {
                starts.push(place);
                begun = begun.saturating_add(1);
            }
        }
        let end = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        starts.resize(kinds.saturating_add(1), end);
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u128]) {
        let sorted = SortedIndex::new(numbers.to_vec());
        let near = |n: &u128| [n.saturating_sub(1), *n, n.saturating_add(1)];
        let asked = numbers.iter().flat_map(near);
        for number in asked.chain([0, 1, 1 << 64, u128::MAX - 1, u128::MAX]) {
            let place = numbers.partition_point(|n| *n < number);
            assert_eq!(
                sorted.place_from(number),
                place,
                "{number:x} of {}",
                numbers.len()
            );
            assert_eq!(sorted.find(number), numbers.binary_search(&number).ok());
        }
    }

    #[test]
    fn a_number_is_found_wherever_the_numbers_lie() {
        check(&[]);
        check(&[0]);
        check(&[7]);
        check(&[u128::MAX]);
        check(&[0, u128::MAX]);
        check(&[6, 7]);
        check(&[0, 1 << 127, u128::MAX]);
        check(&(0..1_000).collect::<Vec<_>>());
        check(&(0..1_000).map(|n| (5 << 70) + n).collect::<Vec<_>>());
        check(&(0..1_000).map(|n| n << 100).collect::<Vec<_>>());
        // A heap, and a few far away.
        let far = [1 << 60, 1 << 90, u128::MAX - 5];
        check(&(0..1_000).chain(far).collect::<Vec<_>>());
        let mut drawn = 1_u128;
        let mut numbers: Vec<u128> = Vec::new();
        for _ in 0..1_000 {
            drawn = drawn
                .wrapping_mul(0xda94_2042_e4dd_58b5_0000_0000_0000_0001)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            numbers.push(drawn ^ (drawn >> 64));
        }
        numbers.sort_unstable();
        numbers.dedup();
        check(&numbers);
    }
}
