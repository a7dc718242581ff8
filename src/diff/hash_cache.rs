//! A cache for hashes of lists and objects.

/// Hashes of lists and objects, kept so that nested ones are not computed again for each level around
/// them.
#[derive(Default)]
pub(crate) struct HashCache {
    /// Indexed by side, by whether varying values are left out, and by node. Zero means not computed
    /// yet.
    made: [[Vec<u64>; 2]; 2],
    /// The sum of the ranks of all numbers with a tolerance. Such numbers are not part of a hash, so
    /// this order decides which of the elements with equal hashes are paired.
    pub(crate) weight: i64,
    /// A hash of these numbers and of their names.
    pub(crate) numbers: u64,
}

impl HashCache {
    #[inline(never)]
    pub(crate) fn slot(
        &mut self,
        side: usize,
        without_noise: bool,
        node: usize,
        nodes: usize,
    ) -> Option<&mut u64> {
        let made = self
            .made
            .get_mut(side)?
            .get_mut(usize::from(without_noise))?;
        if made.is_empty() {
            made.resize(nodes, 0);
        }
        made.get_mut(node)
    }
}
