//! Other exports of a tool than the one that is read: each is refused with the page or the call that
//! gives the right one.
//!
//! They look much alike, and most of them leave out what keeps accounts on v1.

use serde_json::{Map, Value};

use crate::node::{Node, Read, Unreadable};
use crate::options::Tool;

/// An export that is not read.
struct Other {
    /// Whether a file is one.
    is: fn(&Value) -> bool,
    what: &'static str,
    help: &'static str,
}

const OF_SPLIT: &[Other] = &[
    Other {
        is: |file| {
            let is_definition = |flag: &Value| {
                has(flag, "defaultRule") || has(flag, "treatments") || has(flag, "trafficType")
            };
            !has(file, "conditions")
                && (is_definition(file) || items(file, "objects").any(is_definition))
        },
        what: "this is an answer of Split's Admin API, which does not say by which seed accounts are drawn",
        help: "give that of the SDK API: GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
    Other {
        is: |file| list(file).any(|flag| values(flag).any(|flag| has(flag, "treatment"))),
        what: "this is a file of Split's localhost mode, which draws no accounts",
        help: "give the answer of GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
    Other {
        is: |file| has(file, "treatment") || has(file, "evaluations"),
        what: "this is what Split serves to one key",
        help: "give the answer of GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
];

const CLIENT_FEATURES: &str = "give the answer of GET /api/client/features, with a backend token of the environment and the header Unleash-Client-Spec: 5.2.0";

const OF_UNLEASH: &[Other] = &[
    Other {
        is: |file| has(file, "featureStrategies") || has(file, "featureEnvironments"),
        what: "this is the file of Unleash's Export, which does not say whom its segments are for",
        help: CLIENT_FEATURES,
    },
    Other {
        is: |file| has(file, "toggles"),
        what: "this is an answer of Unleash's frontend API, which says what one user is served",
        help: CLIENT_FEATURES,
    },
    Other {
        is: |file| has(file, "events") || has(file, "updated") || has(file, "removed"),
        what: "this is an answer of Unleash's delta API, which may have a part of the flags",
        help: CLIENT_FEATURES,
    },
    Other {
        is: |file| {
            let is_admin = |flag: &Value| has(flag, "environments");
            is_admin(file) || items(file, "features").any(is_admin)
        },
        what: "this is an answer of Unleash's admin API, which has the flags of all environments",
        help: CLIENT_FEATURES,
    },
    Other {
        is: |file| list(file).any(|strategy| has(strategy, "parameters")),
        what: "this is a list of strategies of Unleash's admin API, without their flag",
        help: CLIENT_FEATURES,
    },
    Other {
        is: |file| {
            let features = items(file, "features");
            let mut bare = features.filter(|flag| has(flag, "name") && !has(flag, "strategies"));
            bare.any(|flag| !has(flag, "enabled") || has(flag, "createdAt"))
        },
        what: "this is a list of flags without their strategies",
        help: CLIENT_FEATURES,
    },
];

const LATEST_ALL: &str = "give the answer of GET https://sdk.launchdarkly.com/sdk/latest-all, with the SDK key of the environment as Authorization, or of GET /api/v2/flags/PROJECT/FLAG?env=ENVIRONMENT";

const OF_LAUNCHDARKLY: &[Other] = &[
    Other {
        is: |file| has(file, "flagValues"),
        what: "this is a file of test data: its `flagValues` give everyone the same value",
        help: LATEST_ALL,
    },
    Other {
        is: |file| has(file, "path") && has(file, "data"),
        what: "this is an event of LaunchDarkly's stream",
        help: "give the object in its `data`, if its path is `/`",
    },
    Other {
        is: |file| has(file, "events"),
        what: "this is an answer of LaunchDarkly's payload protocol, which may have a part of the flags",
        help: LATEST_ALL,
    },
    Other {
        is: |file| {
            let is_served = |flag: &Value| {
                has(flag, "value") && !has(flag, "variations") && has(flag, "version")
            };
            has(file, "$flagsState")
                || (!has(file, "flags") && values(file).any(is_served))
                || file
                    .get("flags")
                    .is_some_and(|flags| values(flags).any(is_served))
        },
        what: "this is what LaunchDarkly serves to one context (sdk/evalx)",
        help: LATEST_ALL,
    },
    Other {
        is: |file| {
            let is_bare = |flag: &Value| {
                let is_rest = has(flag, "_version") || has(flag, "creationDate");
                let mut parts = flag.get("environments").into_iter().flat_map(values);
                is_rest && (!has(flag, "environments") || parts.any(|part| !has(part, "rules")))
            };
            is_bare(file) || items(file, "items").any(is_bare)
        },
        what: "this is LaunchDarkly's list of flags without their rules, targets and prerequisites",
        help: "give the answer of GET /api/v2/flags/PROJECT/FLAG?env=ENVIRONMENT, or of the list with summary=0&env=ENVIRONMENT",
    },
];

const API_FEATURES: &str = "give the answer of GET https://cdn.growthbook.io/api/features/CLIENT_KEY, which is on the page of the SDK connection";

const OF_GROWTHBOOK: &[Other] = &[
    Other {
        is: |file| {
            let is_rest = |flag: &Value| has(flag, "environments") || has(flag, "valueType");
            is_rest(file)
                || file.get("feature").is_some_and(is_rest)
                || items(file, "features").any(is_rest)
                || file.get("features").is_some_and(Value::is_array)
        },
        what: "this is an answer of GrowthBook's REST API, which has the rules of all environments and does not say by which seeds accounts are drawn",
        help: API_FEATURES,
    },
    Other {
        is: |file| !has(file, "features") && (has(file, "defaultValue") || has(file, "rules")),
        what: "this is one feature without its key, which accounts are drawn by",
        help: "write it as { \"features\": { \"KEY\": … } }",
    },
    Other {
        is: |file| {
            let is_feature = |flag: &Value| has(flag, "defaultValue") || has(flag, "rules");
            !has(file, "features")
                && !has(file, "encryptedFeatures")
                && values(file).any(is_feature)
        },
        what: "these are features without the object around them",
        help: "write them as { \"features\": { … } }, with the `savedGroups` if there are any",
    },
];

const FLAGD_FILE: &str = "give the file of flags that flagd reads: { \"flags\": { … } }";

const OF_FLAGD: &[Other] = &[
    Other {
        is: |file| has(file, "kind") && items(file, "items").next().is_some(),
        what: "this is a list of objects of Kubernetes",
        help: "give one of them: kubectl get featureflag NAME --output json",
    },
    Other {
        is: |file| {
            file.pointer("/spec/featureFlagSpec")
                .is_some_and(Value::is_string)
        },
        what: "this FeatureFlagConfiguration has its flags as a text",
        help: "give the text of spec.featureFlagSpec",
    },
    Other {
        is: |file| file.get("flagConfiguration").is_some_and(Value::is_string),
        what: "this is an answer of flagd's sync service, which has its flags as a text",
        help: "give the text of `flagConfiguration`",
    },
    Other {
        is: |file| {
            let is_served = |flag: &Value| has(flag, "reason") && !has(flag, "variants");
            is_served(file)
                || items(file, "flags").any(is_served)
                || file
                    .get("flags")
                    .is_some_and(|flags| values(flags).any(is_served))
        },
        what: "this is what flagd serves to one context",
        help: FLAGD_FILE,
    },
    Other {
        is: |file| {
            let is_flag = |flag: &Value| has(flag, "variants") && has(flag, "state");
            !has(file, "flags")
                && !has(file, "spec")
                && (is_flag(file) || values(file).any(is_flag))
        },
        what: "these are flags without the object around them",
        help: "write them as { \"flags\": { \"KEY\": … } }, with the `$evaluators` if there are any",
    },
];

/// Refuses what a tool exports elsewhere, and what an API answers when it fails.
pub(crate) fn refuse(tool: Tool, file: &Node<'_>) -> Read<()> {
    let others = match tool {
        Tool::Split => OF_SPLIT,
        Tool::Unleash => OF_UNLEASH,
        Tool::LaunchDarkly => OF_LAUNCHDARKLY,
        Tool::GrowthBook => OF_GROWTHBOOK,
        Tool::Flagd => OF_FLAGD,
    };
    match others.iter().find(|other| (other.is)(file.value())) {
        Some(other) => Err(Unreadable::new("", other.what, other.help)),
        None if is_failure(file.value()) => Err(Unreadable::new(
            "",
            "this is what an API answers when it fails",
            "see what it says, and export the flags again",
        )),
        None => Ok(()),
    }
}

/// An object of a few words, of which one is a message.
fn is_failure(file: &Value) -> bool {
    let is_message = |name: &str| file.get(name).is_some_and(Value::is_string);
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    (is_message("message") || is_message("error")) && values(file).all(is_plain)
}

fn has(value: &Value, name: &str) -> bool {
    value.get(name).is_some()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(name).into_iter().flat_map(list)
}

fn values(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_object().into_iter().flat_map(Map::values)
}
