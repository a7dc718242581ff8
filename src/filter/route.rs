//! Routes one request: reads it, decides, and writes the headers for the route and the next hop.

use proxy_wasm::types::MapType;
use turnout_core::{
    CLUSTER_HEADER, Configuration, DECISION_HEADER, Decision, EmittedHeaders, Headers, Inbound,
    LOG_PROPERTY, Request, Rollout, TREATMENT_HEADER, decide_guarded, is_turnout_header,
};

use crate::host::{self, HeaderBuffer};
use crate::plugin::ActivePlugin;

/// What follows a request after it has been routed.
#[derive(Default)]
pub(crate) struct Followers {
    /// The job of shadowing, if the request is sampled.
    pub(crate) job: Option<u32>,
    /// The number of the request in the guards, if it is compared.
    pub(crate) compared: Option<u32>,
}

impl ActivePlugin {
    /// Routes a request.
    pub(crate) fn route(&mut self, end: bool) -> Followers {
        let buffer = HeaderBuffer::read(MapType::HttpRequestHeaders);
        let pairs = buffer.pairs();
        let Configuration {
            plan,
            inbound,
            headers,
            record_level: _,
            max_held_bytes: _,
        } = &*self.configuration;
        let request = plan.request(Headers::new(&pairs), *inbound, self.at);
        let decision = decide_guarded(plan, &self.guards, &request);

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
        let compared = self.guards.note_decision(&decision, &request);
        let job = match plan.sample(&request, &decision) {
            None => None,
            Some(sample) => {
                let account = self.shadowing.account_key(&request.account);
                self.shadowing.admit(sample, account, buffer, end)
            }
        };
        Followers { job, compared }
    }
}

/// Removes Turnout's names from a request's trailers. Turnout uses only headers, so neither a client
/// nor a trusted hop has a reason to send them.
pub(crate) fn strip_trailers() {
    let buffer = HeaderBuffer::read(MapType::HttpRequestTrailers);
    for (name, _) in buffer.pairs() {
        if is_turnout_header(name) {
            host::remove_header(MapType::HttpRequestTrailers, name);
        }
    }
}

/// Removes Turnout's headers that are not valid from here on.
fn remove_stale(pairs: &[(&[u8], &[u8])], inbound: Inbound, decision: &Decision<'_>) {
    for (name, _) in pairs.iter().filter(|(name, _)| is_turnout_header(name)) {
        let stale = match inbound {
            // Anyone may have sent it.
            Inbound::Strip => true,
            // The cluster and the treatment were for the previous hop. Its decisions remain, and are
            // rewritten together with a new one.
            Inbound::Trust => {
                *name == CLUSTER_HEADER.as_bytes()
                    || *name == TREATMENT_HEADER.as_bytes()
                    || *name == DECISION_HEADER.as_bytes() && decision.rollout.is_some()
            }
        };
        if stale {
            host::remove_header(MapType::HttpRequestHeaders, name);
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
