//! "Did you mean": the known word that a misspelt one most likely means.

/// Returns the known word with the fewest edits, if they change at most a third of it.
///
/// An edit inserts, removes or replaces one character, or swaps two neighbours. Of several words with
/// equally few edits the first one is returned.
#[must_use]
pub fn nearest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(AsRef::as_ref)
        .map(|word| (strsim::osa_distance(found, word), word))
        .filter(|(edits, word)| edits.saturating_mul(3) <= word.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_if_two_thirds_of_it_are_right() {
        assert_eq!(nearest("hcv", ["big", "hvc"]), Some("hvc"));
        assert_eq!(nearest("other", ["big", "hvc"]), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(
            nearest("big-custmers", ["big-customers"]),
            Some("big-customers")
        );
    }
}
