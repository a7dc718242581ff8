//! Finds fields that a policy needs and a log omits.

use serde::Serialize;
use turnout_core::Plan;
use turnout_text::{counted, thousands};

use crate::log_entry::LogEntry;
use crate::log_fields::{LogFields, RequestPart};
use crate::log_summary::LogSummary;
use crate::saturating::add;

/// A field that the policy needs and the log omits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingField {
    /// `host`, `path`, `method`, `request_id`, `account`, `inbound`, or `header:NAME`.
    pub field: String,
    /// The number of requests without the field.
    pub requests: u64,
    /// The effect, and what to do.
    pub warning: String,
}

/// Counts requests by the fields that their lines omit.
#[derive(Default)]
pub(crate) struct MissingFieldCounts {
    host: u64,
    path: u64,
    method: u64,
    pub(crate) request_id: u64,
    pub(crate) account: u64,
    inbound: u64,
}

impl MissingFieldCounts {
    pub(crate) fn add(&mut self, entry: &LogEntry<'_>) {
        let absent = |part| u64::from(entry.get(part).is_none());
        add(&mut self.host, absent(RequestPart::Host));
        add(&mut self.path, absent(RequestPart::Path));
        add(&mut self.method, absent(RequestPart::Method));
        let is_inbound = entry.get(RequestPart::Reason) == Some(b"inbound");
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

    /// The missing fields that the policy needs.
    pub(crate) fn report(
        &self,
        plan: &Plan,
        fields: &LogFields,
        log: &LogSummary,
    ) -> Vec<MissingField> {
        let required = plan.required_inputs();
        let mut missing = Vec::new();
        let mut check = |field: &str, requests: u64, is_required: bool, effect: &str| {
            if is_required && requests > 0 {
                missing.push(MissingField {
                    field: field.to_owned(),
                    requests,
                    warning: format!(
                        "{} of {} {effect}",
                        thousands(requests),
                        counted(log.requests, "request", "requests")
                    ),
                });
            }
        };
        check(
            "host",
            self.host,
            required.host,
            "have no host, so no rollout with `hosts` matches them: log %REQ(:AUTHORITY)% as `authority`, or map its field with --field host=FIELD",
        );
        check(
            "path",
            self.path,
            required.path || required.account_path,
            "have no path, so no rollout with a `path` matches them: log %REQ(:PATH)% as `path`, or map its field with --field path=FIELD",
        );
        check(
            "method",
            self.method,
            required.method,
            "have no method, so no rollout with `methods` matches them: log %REQ(:METHOD)% as `method`, or map its field with --field method=FIELD",
        );
        check(
            "request_id",
            self.request_id,
            required.request_id,
            "have no request id, so they cannot be bucketed and take v1: log %REQ(X-REQUEST-ID)% as `request_id`, or map its field with --field request_id=FIELD",
        );
        let header = required.account_header.map_or_else(String::new, |name| {
            format!(", or map the field of its header with --field header:{name}=FIELD")
        });
        check(
            "account",
            self.account,
            true,
            &format!(
                "have no account, and take v1: log %FILTER_STATE(wasm.turnout:PLAIN)% as `turnout`{header}"
            ),
        );
        check(
            "inbound",
            self.inbound,
            true,
            "were decided by an earlier hop; here they are decided again",
        );
        for name in &required.headers {
            if !fields.has_header(name) {
                check(
                    &format!("header:{name}"),
                    log.requests,
                    true,
                    &format!(
                        "are decided as if they had no header `{name}`, which the policy needs: log it, and map its field with --field header:{name}=FIELD"
                    ),
                );
            }
        }
        missing
    }
}
