//! Counted things in a sentence.

use crate::numbers::thousands;

/// Formats a count of things: `1 proxy`, `1,200 proxies`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), plural(number, one, many))
}

/// Returns the word that agrees with a number: `one` for 1, else `many`.
#[must_use]
pub const fn plural<'a>(number: u64, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0, "proxy", "proxies"), "0 proxies");
        assert_eq!(counted(1, "proxy", "proxies"), "1 proxy");
        assert_eq!(counted(1_200, "proxy", "proxies"), "1,200 proxies");
    }
}
