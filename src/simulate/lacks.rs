//! What a log does not say though a policy asks for it, and what to do about it.

use serde::Serialize;
use turnout_core::Plan;
use turnout_text::{counted, thousands};

use crate::counts::add;
use crate::fields::{Entry, Fields, Part};
use crate::log::LogRead;

/// Something that a log does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// `host`, `path`, `method`, `request_id`, `account`, `inbound`, or `header:NAME`.
    pub what: String,
    /// Requests that it is about.
    pub requests: u64,
    /// What that means, and what to do.
    pub warning: String,
}

/// Requests of which a line does not say something.
#[derive(Default)]
pub(crate) struct Lacks {
    host: u64,
    path: u64,
    method: u64,
    pub(crate) request_id: u64,
    pub(crate) account: u64,
    inbound: u64,
}

impl Lacks {
    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let absent = |part| u64::from(entry.get(part).is_none());
        add(&mut self.host, absent(Part::Host));
        add(&mut self.path, absent(Part::Path));
        add(&mut self.method, absent(Part::Method));
        let is_inbound = entry.get(Part::Reason) == Some(b"inbound");
        add(&mut self.inbound, u64::from(is_inbound));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        add(&mut self.host, other.host);
        add(&mut self.path, other.path);
        add(&mut self.method, other.method);
        add(&mut self.request_id, other.request_id);
        add(&mut self.account, other.account);
        add(&mut self.inbound, other.inbound);
    }

    /// What is lacking of what the policy asks for.
    pub(crate) fn told(&self, plan: &Plan, fields: &Fields, log: &LogRead) -> Vec<Lack> {
        let wants = plan.required_inputs();
        let mut lacks = Vec::new();
        let mut lack = |what: &str, requests: u64, is_wanted: bool, means: &str| {
            if is_wanted && requests > 0 {
                lacks.push(Lack {
                    what: what.to_owned(),
                    requests,
                    warning: format!(
                        "{} of {} {means}",
                        thousands(requests),
                        counted(log.requests, "request", "requests")
                    ),
                });
            }
        };
        lack(
            "host",
            self.host,
            wants.host,
            "have no host, so no rollout with `hosts` has them: log %REQ(:AUTHORITY)% as `authority`, or name its field by --field host=FIELD",
        );
        lack(
            "path",
            self.path,
            wants.path || wants.account_path,
            "have no path, so no rollout with a `path` has them: log %REQ(:PATH)% as `path`, or name its field by --field path=FIELD",
        );
        lack(
            "method",
            self.method,
            wants.method,
            "have no method, so no rollout with `methods` has them: log %REQ(:METHOD)% as `method`, or name its field by --field method=FIELD",
        );
        lack(
            "request_id",
            self.request_id,
            wants.request_id,
            "have no request id, so a part of the requests cannot be drawn, and they take v1: log %REQ(X-REQUEST-ID)% as `request_id`, or name its field by --field request_id=FIELD",
        );
        let header = wants.account_header.map_or_else(String::new, |name| {
            format!(", or name the field of its header by --field header:{name}=FIELD")
        });
        lack(
            "account",
            self.account,
            true,
            &format!(
                "name no account, and take v1: log %FILTER_STATE(wasm.turnout:PLAIN)% as `turnout`{header}"
            ),
        );
        lack(
            "inbound",
            self.inbound,
            true,
            "were decided by an earlier hop; here they are decided anew",
        );
        for name in &wants.headers {
            if !fields.has_header(name) {
                lack(
                    &format!("header:{name}"),
                    log.requests,
                    true,
                    &format!(
                        "are decided as if they had no header `{name}`, which the policy asks for: log it, and name its field by --field header:{name}=FIELD"
                    ),
                );
            }
        }
        lacks
    }
}
