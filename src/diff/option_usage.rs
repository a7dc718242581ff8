//! Counts how often each option applied, to find options that match nothing.

use crate::options::Options;
use crate::pattern::Pattern;

/// For each option with a pattern, how often the pattern matched a value in either body.
///
/// Bodies that are equal byte for byte are not parsed, so they do not count.
#[derive(Clone, Debug)]
pub struct OptionUsage {
    options: Vec<(&'static str, Pattern)>,
    /// One count for each option.
    pub(crate) counts: Vec<u64>,
}

impl OptionUsage {
    /// Creates counts of 0. Use them only for comparisons with these options.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        // In the order of `OptionRule::table`.
        let named = |what, path: &Pattern| (what, path.clone());
        let ignore = options.ignore.iter().map(|path| named("ignore", path));
        let unordered = options.unordered.iter();
        let unordered = unordered.map(|list| named("unordered", &list.path));
        let tolerance = options.tolerance.iter();
        let tolerance = tolerance.map(|number| named("tolerance", &number.path));
        let maps = options.maps.iter().map(|path| named("maps", path));
        let options: Vec<_> = ignore
            .chain(unordered)
            .chain(tolerance)
            .chain(maps)
            .collect();
        Self {
            counts: vec![0; options.len()],
            options,
        }
    }

    /// Iterates over the options in their order: `ignore`, `unordered`, `tolerance` or `maps`, the
    /// path, and the count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Pattern, u64)> {
        self.options
            .iter()
            .zip(&self.counts)
            .map(|((what, path), count)| (*what, path, *count))
    }

    /// Resets all counts to zero.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    pub(crate) fn count(&mut self, rule: usize) {
        if let Some(count) = self.counts.get_mut(rule) {
            *count = count.saturating_add(1);
        }
    }
}
