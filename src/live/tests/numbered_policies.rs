//! The policies of the model, by number: two rollouts, and what each policy halts itself.

use turnout_core::{EmittedHeaders, RecordLevel};

use crate::{Halts, PluginOverrides};

pub(super) const POLICIES: usize = 4;

/// The names of the rollouts.
pub(super) const ROLLOUTS: [&str; 2] = ["a", "b"];

/// The names of a policy's rollouts. Policy 1 has only the first one.
pub(super) fn rollouts(number: usize) -> &'static [&'static str] {
    match number {
        1 => &["a"],
        _ => &ROLLOUTS,
    }
}

/// What a policy halts itself: policy 2 halts a rollout, and policy 3 everyone.
pub(super) fn own_halts(number: usize) -> Halts {
    let mut halts = Halts {
        everyone: number == 3,
        ..Halts::default()
    };
    if number == 2 {
        halts.rollouts.insert("b".into());
    }
    halts
}

/// The guards of a policy's rollouts, as JSON. Policy 1 has none, and policy 2 has a `rearmed`.
pub(super) fn guard(number: usize, rollout: &str) -> Option<&'static str> {
    match (number, rollout) {
        (0, "a") => Some("{}"),
        (2, "a") => Some(r#"{ "alpha": 0.02, "rearmed": 2 }"#),
        (3, "a") => Some(r#"{ "rearmed": 0 }"#),
        (2 | 3, "b") => Some(r#"{ "action": "report" }"#),
        _ => None,
    }
}

/// What `rearmed` is in a policy's guard, if it has one.
pub(super) fn own_rearmed(number: usize, rollout: &str) -> Option<u64> {
    guard(number, rollout)?;
    Some(if (number, rollout) == (2, "a") { 2 } else { 0 })
}

pub(super) fn policy(number: usize) -> String {
    let own = own_halts(number);
    let halted = |is_halted| if is_halted { r#" "halted": true,"# } else { "" };
    let rollouts = rollouts(number).iter().map(|name| {
        let halted = halted(own.rollouts.contains(*name));
        let guard = guard(number, name).map_or(String::new(), |guard| format!(r#" "guard": {guard},"#));
        format!(r#"{{ "name": "{name}",{halted}{guard} "v1": "c-v1", "v2": "c-v2", "mode": "on", "match": {{ "path": {{ "prefix": "/{name}/" }} }} }}"#)
    });
    let (rollouts, halted) = (rollouts.collect::<Vec<_>>().join(","), halted(own.everyone));
    format!(
        r#"{{"revision":"p{number}",{halted} "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": [{rollouts}]}}"#
    )
}

/// The plugin options of a policy.
pub(super) fn overrides(number: usize) -> PluginOverrides<'static> {
    PluginOverrides {
        wasm: Some("/filter.wasm"),
        inbound: None,
        headers: Some(headers(number)),
        record_level: Some(record_level(number)),
        max_held_bytes: None,
    }
}

pub(super) fn headers(number: usize) -> EmittedHeaders {
    let words: &[&str] = match number {
        0 => &EmittedHeaders::WORDS,
        1 => &["cluster"],
        _ => &["treatment", "decision"],
    };
    EmittedHeaders::from_words(words.iter().copied()).expect("headers")
}

pub(super) fn record_level(number: usize) -> RecordLevel {
    match number {
        0 => RecordLevel::Info,
        _ => RecordLevel::Warn,
    }
}
