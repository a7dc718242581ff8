//! A sorted list of 128-bit numbers with an index, so that a look-up takes the same time for ten numbers as
//! for a million.
//!
//! The index divides the numbers into buckets by their leading bits, after the bits that all numbers share,
//! and stores where each bucket begins. If the numbers are random or consecutive, a bucket has only a few.
//! The bits after the bucket's give the expected position in the bucket, and the numbers around it are
//! scanned. Otherwise, the look-up falls back to binary search.
//!
//! It is written by hand because a look-up waits for memory. The index is small enough to stay in the cache
//! and the scanned numbers are adjacent, so a look-up waits once, where a binary search waits at every step.

/// The average length of a bucket, for lists of up to `DENSE_UP_TO` numbers and for longer ones. For a long
/// list, a larger index would make loading a policy slow.
const TARGET_BUCKET_LEN: [usize; 2] = [1, 16];
/// The length of the longest list that gets the smaller buckets.
const DENSE_UP_TO: usize = 1 << 15;

/// How far the scan goes from the expected position, to both sides. In a bucket of 16 random numbers, nearly
/// all are closer.
const LINEAR_SCAN_LEN: usize = 4;

/// Distinct numbers in ascending order, with an index.
#[derive(Debug, Default)]
pub(crate) struct SortedIndex {
    numbers: Vec<u128>,
    /// The index at which each bucket begins, and the length of `numbers`.
    starts: Vec<u32>,
    buckets: PrefixBuckets,
}

impl SortedIndex {
    /// Indexes distinct numbers in ascending order.
    pub(crate) fn new(numbers: Vec<u128>) -> Self {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            return Self::default();
        };
        let buckets = PrefixBuckets::new(*first, *last, numbers.len());
        Self {
            starts: buckets.starts(&numbers),
            numbers,
            buckets,
        }
    }

    /// The size on the heap in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let numbers = self.numbers.capacity().saturating_mul(size_of::<u128>());
        let starts = self.starts.capacity().saturating_mul(size_of::<u32>());
        numbers.saturating_add(starts)
    }

    pub(crate) fn as_slice(&self) -> &[u128] {
        &self.numbers
    }

    /// Returns the index of the first number that is not below `number`, or the length if all are below.
    pub(crate) fn lower_bound(&self, number: u128) -> usize {
        match (self.numbers.first(), self.numbers.last()) {
            (Some(first), Some(last)) if number > *first => {
                if number > *last {
                    return self.numbers.len();
                }
            }
            _ => return 0,
        }
        let (bucket, fraction) = self.buckets.locate(number);
        let start = |bucket: usize| {
            let start = self.starts.get(bucket).copied();
            start.and_then(|start| usize::try_from(start).ok())
        };
        let (Some(start), Some(end)) = (start(bucket), start(bucket.saturating_add(1))) else {
            return self.numbers.len();
        };
        let same = self.numbers.get(start..end).unwrap_or_default();
        start.saturating_add(lower_bound_near(same, number, fraction))
    }

    /// Returns the index of a number.
    pub(crate) fn find(&self, number: u128) -> Option<usize> {
        let index = self.lower_bound(number);
        (self.numbers.get(index) == Some(&number)).then_some(index)
    }
}

/// Returns the index of the first number that is not below `number`. `fraction` is its expected position in
/// the list, in units of 2⁻³².
#[inline]
fn lower_bound_near(numbers: &[u128], number: u128, fraction: u32) -> usize {
    let length = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
    let expected = length.saturating_mul(fraction.into()) >> 32;
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    let first = expected.saturating_sub(LINEAR_SCAN_LEN);
    let end = expected.saturating_add(LINEAR_SCAN_LEN).min(numbers.len());
    let near = numbers.get(first..end).unwrap_or_default();
    let is_after_start = first == 0 || near.first().is_some_and(|other| *other < number);
    let is_before_end = end == numbers.len() || near.last().is_some_and(|other| *other >= number);
    if is_after_start && is_before_end {
        let below = near.iter().filter(|other| **other < number).count();
        first.saturating_add(below)
    } else {
        numbers.partition_point(|other| *other < number)
    }
}

/// Divides a range of numbers into buckets by their leading bits.
#[derive(Clone, Copy, Debug, Default)]
struct PrefixBuckets {
    /// The number of leading bits that all numbers share.
    common: u32,
    /// The number of bits after them that select the bucket, at most 32.
    bits: u32,
}

impl PrefixBuckets {
    fn new(first: u128, last: u128, count: usize) -> Self {
        let common = (first ^ last).leading_zeros();
        let [dense, sparse] = TARGET_BUCKET_LEN;
        let bucket_len = if count <= DENSE_UP_TO { dense } else { sparse };
        let buckets = count.div_ceil(bucket_len).next_power_of_two();
        let different = 128_u32.saturating_sub(common);
        Self {
            common,
            bits: buckets.trailing_zeros().min(different).min(32),
        }
    }

    /// Returns the bucket of a number, and its expected position in the bucket in units of 2⁻³².
    #[inline]
    fn locate(self, number: u128) -> (usize, u32) {
        let [high, low] = [number >> 64, number].map(|half| {
            #[expect(clippy::cast_possible_truncation, reason = "a half of a number")]
            let half = half as u64;
            half
        });
        // Shifts the two halves separately: in WebAssembly a 128-bit shift is a function call, and loading a
        // policy runs this for each account.
        let own = match self.common {
            0 => high,
            common @ 1..64 => (high << common) | (low >> 64_u32.saturating_sub(common)),
            common => low
                .checked_shl(common.saturating_sub(64))
                .unwrap_or_default(),
        };
        let bucket = own.checked_shr(64_u32.saturating_sub(self.bits));
        let bucket = usize::try_from(bucket.unwrap_or_default()).unwrap_or(usize::MAX);
        let fraction = u32::try_from((own << self.bits) >> 32).unwrap_or_default();
        (bucket, fraction)
    }

    /// Returns the index at which each bucket begins, and the number of numbers.
    fn starts(self, numbers: &[u128]) -> Vec<u32> {
        let buckets = 1_usize.checked_shl(self.bits).unwrap_or(1);
        let mut starts = Vec::with_capacity(buckets.saturating_add(1));
        let mut begun = 0_usize;
        for (number, index) in numbers.iter().zip(0_u32..) {
            let (bucket, _) = self.locate(*number);
            while begun <= bucket {
                starts.push(index);
                begun = begun.saturating_add(1);
            }
        }
        let end = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        starts.resize(buckets.saturating_add(1), end);
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
            let expected = numbers.partition_point(|n| *n < number);
            assert_eq!(
                sorted.lower_bound(number),
                expected,
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
        // Many close together, and a few far away.
        let far = [1 << 60, 1 << 90, u128::MAX - 5];
        check(&(0..1_000).chain(far).collect::<Vec<_>>());
        let mut state = 1_u128;
        let mut numbers: Vec<u128> = Vec::new();
        for _ in 0..1_000 {
            state = state
                .wrapping_mul(0xda94_2042_e4dd_58b5_0000_0000_0000_0001)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            numbers.push(state ^ (state >> 64));
        }
        numbers.sort_unstable();
        numbers.dedup();
        check(&numbers);
    }
}
