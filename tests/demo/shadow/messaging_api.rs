//! The messaging API of the demo, in two versions. The second has five mistakes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::scripted_upstream::{Received, Response};
use xxhash_rust::xxh3::xxh3_128;

/// The two fields that differ in each response of v1 and v2.
pub(crate) const NOISE: [&str; 2] = ["/meta/at", "/meta/token"];

/// The routes, as in the policy.
pub(crate) const ROUTES: [&str; 6] = [
    "/v1/Channels",
    "/v1/Channels/*",
    "/v1/Channels/*/Messages",
    "/v1/Users/*",
    "/v1/Users/*/Channels",
    "/v1/Services/*",
];

/// A mistake of v2, and the finding that it must cause.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// A description for the screen.
    pub(crate) what: &'static str,
    pub(crate) route: &'static str,
    /// Part, pointer and kind of the finding.
    pub(crate) finding: [&'static str; 3],
    /// Other findings that it causes.
    pub(crate) follows: &'static [[&'static str; 3]],
}

/// All mistakes, each on a route of its own.
pub(crate) const MISTAKES: [Mistake; 5] = [
    Mistake {
        what: "the list has another order",
        route: "/v1/Channels",
        finding: ["body", "/channels", "order"],
        follows: &[],
    },
    Mistake {
        what: "the field created_by is missing",
        route: "/v1/Channels/*",
        finding: ["body", "/channel/created_by", "missing"],
        follows: &[],
    },
    Mistake {
        what: "the number of a message is a string",
        route: "/v1/Channels/*/Messages",
        finding: ["body", "/messages/*/index", "type"],
        follows: &[],
    },
    Mistake {
        what: "the state of a user is enabled, not active",
        route: "/v1/Users/*",
        finding: ["body", "/user/state", "value"],
        follows: &[],
    },
    Mistake {
        what: "500 with an error instead of the service",
        route: "/v1/Services/*",
        finding: ["status", "", "value"],
        follows: &[
            ["body", "/service", "missing"],
            ["body", "/code", "extra"],
            ["body", "/message", "extra"],
        ],
    },
];

/// v1 or v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The response of v1 or v2.
pub(crate) fn respond(version: Version, request: &Received) -> Response {
    let account = request.header("x-account-sid").unwrap_or("-");
    let path: Vec<&str> = request.route().split('/').skip(1).collect();
    let (status, mut document) = match (request.method.as_str(), &path[..]) {
        ("GET", ["v1", "Channels"]) => (200, channels(version, account)),
        ("GET", ["v1", "Channels", name]) => (200, one_channel(version, account, name)),
        ("GET", ["v1", "Channels", name, "Messages"]) => (200, messages(version, account, name)),
        ("POST", ["v1", "Channels", name, "Messages"]) => {
            (201, json!({ "message": message(name, 7) }))
        }
        ("GET", ["v1", "Users", sid]) => (200, user(version, account, sid)),
        ("GET", ["v1", "Users", sid, "Channels"]) => (
            200,
            json!({ "user_sid": sid, "memberships": ["general", "support"] }),
        ),
        ("GET", ["v1", "Services", sid]) => service(version, account, sid),
        _ => (404, json!({ "code": 20404, "message": "not found" })),
    };
    document["meta"] = noise();
    match version {
        Version::V1 => Response::json(&document).status(status),
        // Other white space, which is not a difference.
        Version::V2 => Response::json(&document)
            .status(status)
            .body(format!("{document:#}")),
    }
}

fn channels(version: Version, account: &str) -> Value {
    let mut channels = ["general", "support", "returns"].map(|name| channel(account, name));
    if version == Version::V2 {
        channels.reverse();
    }
    json!({ "channels": channels })
}

fn one_channel(version: Version, account: &str, name: &str) -> Value {
    let mut channel = channel(account, name);
    if version == Version::V2
        && let Some(fields) = channel.as_object_mut()
    {
        fields.remove("created_by");
    }
    json!({ "channel": channel })
}

fn channel(account: &str, name: &str) -> Value {
    json!({
        "account_sid": account,
        "unique_name": name,
        "type": "public",
        "members_count": name.len(),
        "created_by": "system",
    })
}

fn messages(version: Version, account: &str, name: &str) -> Value {
    let mut messages = [0, 1, 2].map(|index| message(name, index));
    if version == Version::V2 {
        for message in &mut messages {
            message["index"] = json!(message["index"].to_string());
        }
    }
    json!({ "account_sid": account, "messages": messages })
}

fn message(channel: &str, index: u32) -> Value {
    json!({ "index": index, "channel": channel, "from": "ann", "body": "hello" })
}

fn user(version: Version, account: &str, sid: &str) -> Value {
    let state = match version {
        Version::V1 => "active",
        Version::V2 => "enabled",
    };
    json!({ "user": { "sid": sid, "account_sid": account, "name": "ann", "state": state } })
}

fn service(version: Version, account: &str, sid: &str) -> (u16, Value) {
    match version {
        Version::V1 => (
            200,
            json!({ "service": { "sid": sid, "account_sid": account, "reachability": true } }),
        ),
        Version::V2 => (
            500,
            json!({ "code": 20500, "message": "internal server error" }),
        ),
    }
}

/// A timestamp and a token that is new each time.
fn noise() -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let token = xxh3_128(format!("{time:?} {count}").as_bytes());
    json!({ "at": format!("{}.{:06}", time.as_secs(), time.subsec_micros()), "token": format!("{token:032x}") })
}
