//! Recognizes unsupported exports of a tool and says which API call returns the supported one.
//!
//! They look similar to the supported export, but most of them do not contain everything that keeps accounts on v1.

use serde_json::{Map, Value};

use crate::error::{ImportError, ImportResult};
use crate::located_value::LocatedValue;
use crate::options::Tool;

/// An unsupported export.
struct UnsupportedExport {
    /// Whether a file is such an export.
    matches: fn(&Value) -> bool,
    message: &'static str,
    help: &'static str,
}

const SPLIT_EXPORTS: &[UnsupportedExport] = &[
    UnsupportedExport {
        matches: |file| {
            let is_definition = |flag: &Value| {
                has(flag, "defaultRule") || has(flag, "treatments") || has(flag, "trafficType")
            };
            !has(file, "conditions")
                && (is_definition(file) || items(file, "objects").any(is_definition))
        },
        message: "this is a response of Split's Admin API, which does not contain the seed of the flag",
        help: "use the SDK API: pass the response of GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
    UnsupportedExport {
        matches: |file| list(file).any(|flag| values(flag).any(|flag| has(flag, "treatment"))),
        message: "this is a file of Split's localhost mode, which has no percentages",
        help: "pass the response of GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
    UnsupportedExport {
        matches: |file| has(file, "treatment") || has(file, "evaluations"),
        message: "this is Split's decision for one key",
        help: "pass the response of GET https://sdk.split.io/api/splitChanges?since=-1, with a server-side SDK key",
    },
];

const CLIENT_FEATURES: &str = "pass the response of GET /api/client/features, with a backend token of the environment and the header Unleash-Client-Spec: 5.2.0";

const UNLEASH_EXPORTS: &[UnsupportedExport] = &[
    UnsupportedExport {
        matches: |file| has(file, "featureStrategies") || has(file, "featureEnvironments"),
        message: "this is a file of Unleash's export page, which does not contain the constraints of segments",
        help: CLIENT_FEATURES,
    },
    UnsupportedExport {
        matches: |file| has(file, "toggles"),
        message: "this is a response of Unleash's frontend API, which contains the decisions for one user",
        help: CLIENT_FEATURES,
    },
    UnsupportedExport {
        matches: |file| has(file, "events") || has(file, "updated") || has(file, "removed"),
        message: "this is a response of Unleash's delta API, which may contain only a part of the flags",
        help: CLIENT_FEATURES,
    },
    UnsupportedExport {
        matches: |file| {
            let is_admin = |flag: &Value| has(flag, "environments");
            is_admin(file) || items(file, "features").any(is_admin)
        },
        message: "this is a response of Unleash's admin API, which contains the flags of all environments",
        help: CLIENT_FEATURES,
    },
    UnsupportedExport {
        matches: |file| list(file).any(|strategy| has(strategy, "parameters")),
        message: "this is a list of strategies from Unleash's admin API, without their flag",
        help: CLIENT_FEATURES,
    },
    UnsupportedExport {
        matches: |file| {
            let features = items(file, "features");
            let mut bare = features.filter(|flag| has(flag, "name") && !has(flag, "strategies"));
            bare.any(|flag| !has(flag, "enabled") || has(flag, "createdAt"))
        },
        message: "this is a list of flags without their strategies",
        help: CLIENT_FEATURES,
    },
];

const LATEST_ALL: &str = "pass the response of GET https://sdk.launchdarkly.com/sdk/latest-all, with the SDK key of the environment as Authorization, or of GET /api/v2/flags/PROJECT/FLAG?env=ENVIRONMENT";

const LAUNCHDARKLY_EXPORTS: &[UnsupportedExport] = &[
    UnsupportedExport {
        matches: |file| has(file, "flagValues"),
        message: "this is a file of test data, whose `flagValues` serve everyone the same value",
        help: LATEST_ALL,
    },
    UnsupportedExport {
        matches: |file| has(file, "path") && has(file, "data"),
        message: "this is an event of LaunchDarkly's stream",
        help: "pass the object in its `data`, if its `path` is `/`",
    },
    UnsupportedExport {
        matches: |file| has(file, "events"),
        message: "this is a response of LaunchDarkly's payload protocol, which may contain only a part of the flags",
        help: LATEST_ALL,
    },
    UnsupportedExport {
        matches: |file| {
            let is_served = |flag: &Value| {
                has(flag, "value") && !has(flag, "variations") && has(flag, "version")
            };
            has(file, "$flagsState")
                || (!has(file, "flags") && values(file).any(is_served))
                || file
                    .get("flags")
                    .is_some_and(|flags| values(flags).any(is_served))
        },
        message: "this is LaunchDarkly's decision for one context (sdk/evalx)",
        help: LATEST_ALL,
    },
    UnsupportedExport {
        matches: |file| {
            let is_bare = |flag: &Value| {
                let is_rest = has(flag, "_version") || has(flag, "creationDate");
                let mut parts = flag.get("environments").into_iter().flat_map(values);
                is_rest && (!has(flag, "environments") || parts.any(|part| !has(part, "rules")))
            };
            is_bare(file) || items(file, "items").any(is_bare)
        },
        message: "this is LaunchDarkly's list of flags without their rules, targets and prerequisites",
        help: "pass the response of GET /api/v2/flags/PROJECT/FLAG?env=ENVIRONMENT, or of the list with summary=0&env=ENVIRONMENT",
    },
];

const API_FEATURES: &str = "pass the response of GET https://cdn.growthbook.io/api/features/CLIENT_KEY, which is on the page of the SDK connection";

const GROWTHBOOK_EXPORTS: &[UnsupportedExport] = &[
    UnsupportedExport {
        matches: |file| {
            let is_rest = |flag: &Value| has(flag, "environments") || has(flag, "valueType");
            is_rest(file)
                || file.get("feature").is_some_and(is_rest)
                || items(file, "features").any(is_rest)
                || file.get("features").is_some_and(Value::is_array)
        },
        message: "this is a response of GrowthBook's REST API, which contains the rules of all environments but not the seeds",
        help: API_FEATURES,
    },
    UnsupportedExport {
        matches: |file| !has(file, "features") && (has(file, "defaultValue") || has(file, "rules")),
        message: "this is one feature without its key, which is the default seed",
        help: "wrap it as { \"features\": { \"KEY\": … } }",
    },
    UnsupportedExport {
        matches: |file| {
            let is_feature = |flag: &Value| has(flag, "defaultValue") || has(flag, "rules");
            !has(file, "features")
                && !has(file, "encryptedFeatures")
                && values(file).any(is_feature)
        },
        message: "these are features without the enclosing object",
        help: "wrap them as { \"features\": { … } }, with the `savedGroups` if there are any",
    },
];

const FLAGD_FILE: &str = "pass the file of flags that flagd reads: { \"flags\": { … } }";

const FLAGD_EXPORTS: &[UnsupportedExport] = &[
    UnsupportedExport {
        matches: |file| has(file, "kind") && items(file, "items").next().is_some(),
        message: "this is a list of Kubernetes objects",
        help: "pass one object: kubectl get featureflag NAME --output json",
    },
    UnsupportedExport {
        matches: |file| {
            file.pointer("/spec/featureFlagSpec")
                .is_some_and(Value::is_string)
        },
        message: "the flags of this FeatureFlagConfiguration are in a string",
        help: "pass the content of spec.featureFlagSpec",
    },
    UnsupportedExport {
        matches: |file| file.get("flagConfiguration").is_some_and(Value::is_string),
        message: "this is a response of flagd's sync service, whose flags are in a string",
        help: "pass the content of `flagConfiguration`",
    },
    UnsupportedExport {
        matches: |file| {
            let is_served = |flag: &Value| has(flag, "reason") && !has(flag, "variants");
            is_served(file)
                || items(file, "flags").any(is_served)
                || file
                    .get("flags")
                    .is_some_and(|flags| values(flags).any(is_served))
        },
        message: "this is flagd's decision for one context",
        help: FLAGD_FILE,
    },
    UnsupportedExport {
        matches: |file| {
            let is_flag = |flag: &Value| has(flag, "variants") && has(flag, "state");
            !has(file, "flags")
                && !has(file, "spec")
                && (is_flag(file) || values(file).any(is_flag))
        },
        message: "these are flags without the enclosing object",
        help: "wrap them as { \"flags\": { \"KEY\": … } }, with the `$evaluators` if there are any",
    },
];

/// Refuses unsupported exports and error responses of APIs.
pub(crate) fn reject(tool: Tool, file: &LocatedValue<'_>) -> ImportResult<()> {
    let exports = match tool {
        Tool::Split => SPLIT_EXPORTS,
        Tool::Unleash => UNLEASH_EXPORTS,
        Tool::LaunchDarkly => LAUNCHDARKLY_EXPORTS,
        Tool::GrowthBook => GROWTHBOOK_EXPORTS,
        Tool::Flagd => FLAGD_EXPORTS,
    };
    match exports.iter().find(|export| (export.matches)(file.value())) {
        Some(export) => Err(ImportError::new("", export.message, export.help)),
        None if is_error_response(file.value()) => Err(ImportError::new(
            "",
            "this is an error response of an API",
            "fix the error that it contains, and export the flags again",
        )),
        None => Ok(()),
    }
}

/// Whether the file is a flat object with a `message` or an `error`.
fn is_error_response(file: &Value) -> bool {
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
