//! The `--headers` argument: the headers that proxies write.

use turnout_core::EmittedHeaders;
use turnout_text::escape_for_terminal;

/// The list with all headers.
pub(crate) const ALL: &str = "cluster,treatment,decision";

/// The error for a list that conflicts with `--inbound trust`.
pub(crate) const NOT_PASSED_ON: &str = "a proxy with --inbound trust must pass decisions on; add `decision` to \
     --headers";

/// Parses a comma-separated list. The error says what is expected.
pub(crate) fn parse(list: &str) -> Result<EmittedHeaders, String> {
    let words = || list.split(',').map(str::trim);
    let unknown = words().find(|word| !EmittedHeaders::WORDS.contains(word));
    if let Some(word) = unknown {
        return Err(format!(
            "unknown header `{}`; expected a comma-separated list of {ALL}",
            escape_for_terminal(word)
        ));
    }
    EmittedHeaders::from_words(words()).ok_or_else(|| {
        "routes could not follow the decision; add `cluster` or `treatment`, whichever the routes read"
            .to_owned()
    })
}
