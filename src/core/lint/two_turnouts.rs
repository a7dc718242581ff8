//! Finds HTTP filter chains of a running proxy that have two Turnout filters.

use std::collections::BTreeMap;

use turnout_text::escape_for_terminal;

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;

use super::ProxyRoutes;
use super::partial_plan::PartialPlan;
use super::warnings::Warnings;

/// Two enabled Turnout filters in one HTTP filter chain of a running proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TwoTurnouts {
    /// The name of the listener, or its address.
    pub listener: String,
    /// The filter that sees requests first.
    pub earlier: ChainFilter,
    /// The filter that undoes what the earlier one does.
    pub later: ChainFilter,
}

/// A filter of an HTTP filter chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainFilter {
    /// Its position in the chain, from 1.
    pub place: usize,
    /// Its name in the chain.
    pub name: String,
    /// The name of its plugin.
    pub plugin: String,
}

impl ChainFilter {
    fn names(&self) -> (&str, &str) {
        (&self.name, &self.plugin)
    }

    fn words(&self) -> String {
        let Self {
            place,
            name,
            plugin,
        } = self;
        let called = [name, plugin].map(|name| excerpt(name));
        match called {
            [name, plugin] if plugin.is_empty() || name == plugin => format!("{place} ({name})"),
            [name, plugin] => format!("{place} ({name}, plugin {plugin})"),
        }
    }
}

pub(super) fn check(view: &PartialPlan<'_>, proxies: &[ProxyRoutes], warnings: &mut Warnings<'_>) {
    let at = JsonPointer::Root.field("rollouts");
    for ProxyRoutes {
        proxy,
        two_turnouts,
        ..
    } in proxies
    {
        // Sidecars have the same two filters in each of hundreds of listeners.
        let mut pairs: BTreeMap<_, (&TwoTurnouts, usize)> = BTreeMap::new();
        for two in two_turnouts {
            let pair = (two.earlier.names(), two.later.names());
            let (_, more) = pairs.entry(pair).or_insert((two, 0));
            *more = more.saturating_add(1);
        }
        for (two, count) in pairs.into_values() {
            let more = match count.saturating_sub(1) {
                0 => String::new(),
                more => format!(" (and in {more} more of its chains)"),
            };
            let what = format!(
                "two HTTP filters of one chain are Turnout, {} and {}, in the listener {} of {}{more}: the \
                 later one removes x-turnout-cluster and x-turnout-treatment of the earlier one, so a request \
                 that the earlier one counts as v2 takes v1, unless the later one decides v2 too",
                two.earlier.words(),
                two.later.words(),
                excerpt(&two.listener),
                escape_for_terminal(proxy),
            );
            let instead = "put the rollouts of both into one policy and keep one filter, or write \
                           `disabled: true` in one of the two";
            warnings.push(
                WarningCode::TwoTurnouts,
                (view.rollouts_span, &at),
                what,
                instead,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{Options, lint};

    const POLICY: &str = r#"{"version": 1, "account": {"from": [{"header": "a"}], "format": "sid"},
        "rollouts": []}"#;

    fn filter(place: usize, name: &str, plugin: &str) -> ChainFilter {
        ChainFilter {
            place,
            name: name.into(),
            plugin: plugin.into(),
        }
    }

    fn two(listener: &str, earlier: ChainFilter, later: ChainFilter) -> TwoTurnouts {
        TwoTurnouts {
            listener: listener.into(),
            earlier,
            later,
        }
    }

    fn found(two_turnouts: Vec<TwoTurnouts>, allow: &[WarningCode]) -> Vec<String> {
        let proxies = [ProxyRoutes {
            proxy: "p".into(),
            two_turnouts,
            ..ProxyRoutes::default()
        }];
        let options = Options {
            routes: &proxies,
            allow,
            ..Options::default()
        };
        let diagnostics = lint(POLICY.as_bytes(), &options);
        let found = diagnostics.as_slice().iter();
        let text = |d: &crate::Diagnostic| {
            let help = d.problem.help();
            format!("{} {}: {}; {help}", d.code(), d.pointer, d.problem)
        };
        found.map(text).collect()
    }

    #[test]
    fn it_says_which_filters_of_which_listener_and_what_to_write() {
        let chain = || {
            two(
                "http",
                filter(1, "edge", "edge"),
                filter(3, "wasm", "other"),
            )
        };
        let expected = "two-turnouts /rollouts: two HTTP filters of one chain are Turnout, 1 (edge) and \
                        3 (wasm, plugin other), in the listener http of p: the later one removes \
                        x-turnout-cluster and x-turnout-treatment of the earlier one, so a request that the \
                        earlier one counts as v2 takes v1, unless the later one decides v2 too; put the rollouts of both into one policy and keep one filter, or write \
                        `disabled: true` in one of the two";
        assert_eq!(found(vec![chain()], &[]), [expected]);
        assert!(found(vec![chain()], &[WarningCode::TwoTurnouts]).is_empty());
        assert!(found(Vec::new(), &[]).is_empty());
    }

    #[test]
    fn the_same_pair_in_many_chains_is_one_warning() {
        let chain =
            |listener: &str, later: &str| two(listener, filter(1, "a", ""), filter(2, later, ""));
        let chains = vec![chain("one", "b"), chain("two", "b"), chain("three", "c")];
        let found = found(chains, &[]);
        let [first, second] = found.as_slice() else {
            panic!("{found:?}");
        };
        let words = "in the listener one of p (and in 1 more of its chains): ";
        assert!(first.contains(words), "{first}");
        assert!(
            second.contains("2 (c), in the listener three of p: "),
            "{second}"
        );
    }

    #[test]
    fn hostile_names_are_escaped_and_cut_short() {
        let hostile = "\u{1b}[2J\u{202e}\n::error::".repeat(100);
        let one = filter(1, &hostile, &hostile);
        let found = found(vec![two(&hostile, one.clone(), one)], &[]);
        let [warning] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(!warning.contains(['\u{1b}', '\u{202e}', '\n']), "{warning}");
        assert!(warning.len() < 2_000, "{warning}");
    }
}
