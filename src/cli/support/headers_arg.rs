//! Which headers the proxies write, as an option.

use turnout_core::EmittedHeaders;
use turnout_text::escape_for_terminal;

/// All of them.
pub(crate) const ALL: &str = "cluster,treatment,decision";

/// Why a list does not go with `--inbound trust`.
pub(crate) const NOT_PASSED_ON: &str = "a proxy that trusts earlier hops passes their decisions on, and its \
     own; write `decision` under --headers too";

/// Reads a list with commas between. The error says what to write.
pub(crate) fn parse(list: &str) -> Result<EmittedHeaders, String> {
    let words = || list.split(',').map(str::trim);
    let unknown = words().find(|word| !EmittedHeaders::WORDS.contains(word));
    if let Some(word) = unknown {
        return Err(format!(
            "`{}` is no header; write some of {ALL}, with commas between",
            escape_for_terminal(word)
        ));
    }
    EmittedHeaders::from_words(words()).ok_or_else(|| {
        "no route would follow a decision; write `cluster` or `treatment` too, whichever the routes \
         read"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all() {
        assert_eq!(parse(ALL), Ok(EmittedHeaders::ALL));
        assert_eq!(ALL, EmittedHeaders::WORDS.join(","));
    }
}
