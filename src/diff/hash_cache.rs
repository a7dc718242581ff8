//! HashCache that have been made.

/// The hashes of lists and objects, so that those within each other are not made again and again.
#[derive(Default)]
pub(crate) struct HashCache {
    /// By side, and whether values that vary are left out; by node. Zero: not made.
    made: [[Vec<u64>; 2]; 2],
    /// The sum of the ranks of the numbers with a tolerance. They have no part in a hash, so among
    /// elements with one hash this tells which belong together.
    pub(crate) weight: i64,
    /// A hash of these numbers, with what each of them is called.
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
