//! Lists of words in a sentence.

/// Joins words as a sentence does: `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn join_list(words: &[impl AsRef<str>], conjunction: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [before @ .., last] => {
            format!("{} {conjunction} {}", join(before), last.as_ref())
        }
    }
}

/// Joins at most `max` words, and counts the others: `a, b and 3 more`.
#[must_use]
pub fn join_first(words: &[impl AsRef<str>], max: usize) -> String {
    match words.split_at_checked(max) {
        Some((first, rest @ [_, ..])) => format!("{} and {} more", join(first), rest.len()),
        _ => join_list(words, "and"),
    }
}

fn join(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_in_a_sentence() {
        assert_eq!(join_list(&[""; 0], "and"), "");
        assert_eq!(join_list(&["a"], "and"), "a");
        assert_eq!(join_list(&["a", "b"], "or"), "a or b");
        assert_eq!(join_list(&["a", "b", "c"], "and"), "a, b and c");
        assert_eq!(join_first(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(join_first(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
