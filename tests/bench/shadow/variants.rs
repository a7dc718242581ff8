//! The measured variants: a file of the folder `envoy/`, with or without the filter.

use std::time::Duration;

use serde_json::{Value, json};
use support::envoy::file;
use support::render::rendered;
use support::scripted_upstream::Fault;
use turnout_core::{Configuration, Inbound, Plan};

use crate::response_body;

pub(crate) const ROLLOUT: &str = "chat";
const TEMPLATE: &str = "cluster-header.yaml";
const FILTER: [&str; 2] = ["          - name: turnout\n", "          - name: router\n"];
const ACCESS_LOG: [&str; 2] = ["          access_log:\n", "\n  clusters:\n"];
const FALLBACK: &str = "route: { cluster: channels-v1 }";
const MIRRORED: &str = "\
route:
                  cluster: channels-v1
                  request_mirror_policies:
                  - cluster: channels-v2
                    disable_shadow_host_suffix_append: true
                    runtime_fraction: { default_value: { numerator: 100, denominator: HUNDRED } }";

/// What sends shadow requests.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Copies {
    /// Nothing; there is no filter.
    Nothing,
    /// Envoy's own mirror, for all requests.
    Mirror,
    /// The filter in mode `dark`, which sends no shadow requests.
    Filter,
    /// The filter in mode `shadow`.
    Ours { percent: u32, send: &'static str },
}

/// The destination of shadow requests.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum V2 {
    /// The v2 that responds at once.
    Shared,
    /// A v2 for this variant alone, which may fail.
    Own(Option<Fault>),
}

/// A measured variant.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) copies: Copies,
    pub(crate) query: &'static str,
    pub(crate) v2: V2,
}

const AFTER: &str = "after_answer";
const WITH: &str = "with_request";

pub(crate) const NOTHING: &str = "nothing";
pub(crate) const MIRROR: &str = "mirror";
/// The filter in mode `shadow` at 0 %: the cost of its presence.
pub(crate) const NO_COPIES: &str = "ours-0";

/// The base of the variants with a failing v2.
pub(crate) const WELL: &str = "v2-well";
/// The timeout of shadow requests: the default of policies.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1_000);
/// The delay of a response that is much too late.
const LATE: Duration = Duration::from_secs(30);
/// The length of a response that is much too long, in bytes.
const LONG: u64 = 100_000_000;

const ALL: [Variant; 16] = [
    variant(NOTHING, Copies::Nothing),
    variant("nothing-again", Copies::Nothing),
    variant(MIRROR, Copies::Mirror),
    variant("filter", Copies::Filter),
    variant(NO_COPIES, ours(0, AFTER)),
    variant("ours-5", ours(5, AFTER)),
    variant("ours-100-after", ours(100, AFTER)),
    variant("ours-100-with", ours(100, WITH)),
    Variant {
        query: response_body::OTHER_ORDER,
        ..variant("ours-100-parsed", ours(100, AFTER))
    },
    failing(WELL, None),
    failing("v2-refuses", Some(Fault::Refuse)),
    failing("v2-silent", Some(Fault::Silence)),
    failing("v2-late", Some(Fault::Late(LATE))),
    failing("v2-cuts", Some(Fault::Cut)),
    failing("v2-long", Some(Fault::Long(LONG))),
    failing("v2-garbage", Some(Fault::Garbage)),
];

const fn variant(name: &'static str, copies: Copies) -> Variant {
    Variant {
        name,
        copies,
        query: "",
        v2: V2::Shared,
    }
}

const fn failing(name: &'static str, fault: Option<Fault>) -> Variant {
    Variant {
        v2: V2::Own(fault),
        ..variant(name, ours(100, AFTER))
    }
}

const fn ours(percent: u32, send: &'static str) -> Copies {
    Copies::Ours { percent, send }
}

/// The variants that are measured by default.
pub(crate) fn usual() -> Vec<Variant> {
    let usual = |one: &Variant| one.copies != Copies::Filter && one.v2 == V2::Shared;
    ALL.into_iter().filter(usual).collect()
}

/// Nothing, and the variants with their own v2.
pub(crate) fn faults() -> Vec<Variant> {
    let [nothing, others @ ..] = ALL;
    let own = others.into_iter().filter(|one| one.v2 != V2::Shared);
    std::iter::once(nothing).chain(own).collect()
}

pub(crate) fn find(name: &str) -> Option<Variant> {
    ALL.into_iter().find(|variant| variant.name == name)
}

/// The variants of a comma-separated list of names. `nothing` is the base of the others.
pub(crate) fn named(names: &str) -> Result<Vec<Variant>, String> {
    let known = |name| find(name).ok_or_else(|| format!("there is no variant {name:?}"));
    let variants: Vec<Variant> = names.split(',').map(known).collect::<Result<_, _>>()?;
    match variants[0].name {
        NOTHING => Ok(variants),
        _ => Err("--variants has to begin with nothing".to_owned()),
    }
}

impl Variant {
    /// The percentage of requests that get a shadow request.
    pub(crate) fn percent(&self) -> u32 {
        match self.copies {
            Copies::Nothing | Copies::Filter => 0,
            Copies::Mirror => 100,
            Copies::Ours { percent, .. } => percent,
        }
    }

    /// How v2 fails.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.v2 {
            V2::Shared => None,
            V2::Own(fault) => fault,
        }
    }

    /// The configuration of its Envoy.
    pub(crate) fn configuration(&self) -> Result<String, String> {
        let text = match self.copies {
            Copies::Nothing => without(&file(TEMPLATE), FILTER)?,
            Copies::Mirror => {
                let text = without(&file(TEMPLATE), FILTER)?;
                replace(&text, FALLBACK, MIRRORED)?
            }
            Copies::Filter | Copies::Ours { .. } => {
                let policy = self.policy().to_string();
                Plan::from_json(&policy)
                    .map_err(|problems| format!("the policy of {}:\n{problems}", self.name))?;
                rendered(TEMPLATE, &Configuration::to_json(&policy, Inbound::Strip))
            }
        };
        // An access log would cost the same in each variant; none has one.
        without(&text, ACCESS_LOG)
    }

    fn policy(&self) -> Value {
        let mut rollout = json!({
            "name": ROLLOUT,
            "match": { "path": { "prefix": "/v1/Channels" } },
            "v1": "channels-v1", "v2": "channels-v2",
            "mode": "dark",
            "rules": [{ "when": { "not_in": ["hvc"] }, "accounts": 50, "requests": 10 }],
        });
        if let Copies::Ours { percent, send } = self.copies {
            rollout["mode"] = json!("shadow");
            rollout["shadow"] = json!({
                "requests": percent,
                "send": send,
                "timeout_ms": TIMEOUT.as_millis() as u64,
                "routes": ["/v1/Channels", "/v1/Channels/*", "/v1/Channels/*/Messages"],
                "compare": { "headers": ["content-type"] },
                // Otherwise the filter repeats requests to v1, and the counts are not exact.
                "noise": { "requests": 0 },
            });
        }
        json!({
            "version": 1,
            "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
            "segments": { "hvc": { "accounts": ["AC7342e9713fa896e4af00c654c444aada"] } },
            "rollouts": [rollout],
        })
    }
}

/// Removes the part of a text from one marker up to another.
fn without(text: &str, [begin, end]: [&str; 2]) -> Result<String, String> {
    let (before, rest) = split(text, begin)?;
    let (_, after) = split(rest, end)?;
    Ok(format!("{before}{end}{after}"))
}

fn replace(text: &str, old: &str, new: &str) -> Result<String, String> {
    let (before, after) = split(text, old)?;
    Ok(format!("{before}{new}{after}"))
}

/// The parts before and after a text that must occur exactly once.
fn split<'text>(text: &'text str, at: &str) -> Result<(&'text str, &'text str), String> {
    match (text.split_once(at), text.matches(at).count()) {
        (Some(parts), 1) => Ok(parts),
        _ => Err(format!("{at:?} is not in {TEMPLATE} exactly once")),
    }
}
