//! One request: read it, decide, write what the route and the next hop need.

use turnout_core::{
    CLUSTER_HEADER, Configuration, DECISION_HEADER, Decision, EmittedHeaders, Headers, Inbound,
    LOG_PROPERTY, Request, Rollout, TREATMENT_HEADER, decide, is_turnout_header,
};

use crate::host::{self, HeaderBuffer};
use crate::root::Active;

impl Active {
    /// Decides, and has the request copied where it is sampled: then it is followed under this number.
    pub(crate) fn route(&mut self, end: bool) -> Option<u32> {
        let buffer = HeaderBuffer::of(host::REQUEST_HEADERS);
        let pairs = buffer.pairs();
        let Configuration {
            plan,
            inbound,
            headers,
            record_level: _,
            max_held_bytes: _,
        } = &*self.configuration;
        let request = plan.request(Headers::new(&pairs), *inbound, self.at);
        let decision = decide(plan, &request);

        remove_stale(&pairs, *inbound, &decision);
        if let Some(rollout) = decision.rollout {
            write_decision(*headers, &request, rollout, &decision);
            if let Some((name, token)) = rollout.idempotency_token(&request) {
                host::add_request_header(name, token);
            }
        }
        self.counters.count(&decision);
        self.entry.clear();
        decision.log(plan.revision(), &request.account, &mut self.entry);
        host::set_property(LOG_PROPERTY, &self.entry);
        let sample = plan.sample(&request, &decision)?;
        let account = self.copies.account_key(&request.account);
        self.copies.admit(sample, account, buffer, end)
    }
}

/// Removes everything of ours from a request's trailers, whoever sent it: Turnout reads and writes headers
/// alone, so neither a client nor a trusted hop has a reason to send it there.
pub(crate) fn strip_trailers() {
    let buffer = HeaderBuffer::of(host::REQUEST_TRAILERS);
    for (name, _) in buffer.pairs() {
        if is_turnout_header(name) {
            host::remove(host::REQUEST_TRAILERS, name);
        }
    }
}

/// Removes every header of ours that does not hold from here on.
fn remove_stale(pairs: &[(&[u8], &[u8])], inbound: Inbound, decision: &Decision<'_>) {
    for (name, _) in pairs.iter().filter(|(name, _)| is_turnout_header(name)) {
        let stale = match inbound {
            // It comes from anyone.
            Inbound::Strip => true,
            // The cluster and the treatment were those of the hop before; its decisions stay, and
            // where one is made here they are written again with it.
            Inbound::Trust => {
                *name == CLUSTER_HEADER.as_bytes()
                    || *name == TREATMENT_HEADER.as_bytes()
                    || *name == DECISION_HEADER.as_bytes() && decision.rollout.is_some()
            }
        };
        if stale {
            host::remove(host::REQUEST_HEADERS, name);
        }
    }
}

fn write_decision(
    headers: EmittedHeaders,
    request: &Request<'_>,
    rollout: &Rollout,
    decision: &Decision<'_>,
) {
    let served = decision.served();
    if headers.cluster {
        host::add_request_header(CLUSTER_HEADER, rollout.cluster(served).as_bytes());
    }
    if headers.treatment {
        host::add_request_header(TREATMENT_HEADER, served.as_str().as_bytes());
    }
    if headers.decision {
        let entries = rollout.decision_header(request, served);
        host::add_request_header(DECISION_HEADER, &entries);
    }
}
