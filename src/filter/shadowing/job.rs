//! A job: one sampled request, what is stored of it, and how it is sent again.

use proxy_wasm::types::{BufferType, MapType};
use turnout_core::shadow::{
    AccountCharge, AccountKey, CallResult, Outcome, Sample, ShadowPlan, StoredResponse, Trial,
    copied_headers,
};
use turnout_core::{
    CLUSTER_HEADER, Configuration, DECISION_HEADER, Headers, Request, Rollout, SHADOW_HEADER,
    TREATMENT_HEADER, Time, Treatment,
};

use super::waiting::Phase;
use super::{MICRO, MILLI};
use crate::host::{self, HeaderBuffer};

/// The bytes of a job without what is stored of the request: itself, and its table entries.
const JOB_BYTES: usize = size_of::<Job>() + 256;

pub(super) struct Job {
    pub(super) sample: Sample,
    /// The charge for everything it holds.
    pub(super) charge: AccountCharge,
    pub(super) account: AccountKey,
    /// What it waits for, and the tick at which that began.
    pub(super) phase: Phase,
    since: u32,
    /// Whether it counts as waiting, and whether it has a slot.
    pub(super) is_waiting: bool,
    pub(super) has_slot: bool,
    headers: HeaderBuffer,
    body: Vec<u8>,
    /// Whether the whole request has been seen.
    pub(super) is_complete: bool,
    /// When v1 had the whole request, in nanoseconds.
    pub(super) sent_to_v1_at: u64,
    /// When v1's response was complete, in nanoseconds.
    pub(super) v1_responded_at: u64,
    pub(super) v1: V1,
    v1_us: Option<u64>,
    pub(super) v2: V2,
    v2_us: Option<u64>,
    pub(super) trial: Option<Trial>,
    statuses: [u16; 2],
    /// The call in flight.
    pub(super) call: Option<Call>,
    /// It has its outcome and only waits for its call.
    pub(super) has_outcome: bool,
}

/// The progress of v1's response to the user.
pub(super) enum V1 {
    Asked,
    Answering(StoredResponse),
    Answered(StoredResponse),
    /// The trial owns the response.
    Handed,
}

/// The progress of v2 before there is a trial.
pub(super) enum V2 {
    NotAsked,
    Asked,
    Answered(CallResult),
    InTrial,
}

#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) version: Treatment,
    /// In nanoseconds.
    pub(super) sent_at: u64,
}

impl Job {
    /// Creates a job, or returns `None` if it does not fit the budget.
    pub(super) fn new(
        sample: Sample,
        account: AccountKey,
        headers: HeaderBuffer,
        charge: AccountCharge,
        limit: usize,
    ) -> Option<Self> {
        let mut job = Self {
            sample,
            charge,
            account,
            phase: Phase::Request,
            since: 0,
            is_waiting: true,
            has_slot: false,
            headers,
            body: Vec::new(),
            is_complete: false,
            sent_to_v1_at: 0,
            v1_responded_at: 0,
            v1: V1::Asked,
            v1_us: None,
            v2: V2::NotAsked,
            v2_us: None,
            trial: None,
            statuses: [0; 2],
            call: None,
            has_outcome: false,
        };
        let held = job.held_bytes();
        job.charge.grow(held, limit).then_some(job)
    }

    /// The bytes of a new job with these headers.
    pub(super) fn bytes_with(headers: &HeaderBuffer) -> usize {
        headers.held_bytes().saturating_add(JOB_BYTES)
    }

    /// Starts waiting for something else at this tick.
    pub(super) fn enter(&mut self, phase: Phase, tick: u32) {
        self.phase = phase;
        self.since = tick;
    }

    /// Whether it has waited for the same thing for this many ticks.
    pub(super) fn has_waited(&self, tick: u32, ticks: u32) -> bool {
        self.is_waiting && tick.wrapping_sub(self.since) >= ticks
    }

    #[inline(never)]
    fn held_bytes(&self) -> usize {
        let v1 = match &self.v1 {
            V1::Answering(reply) | V1::Answered(reply) => reply.held_bytes(),
            V1::Asked | V1::Handed => 0,
        };
        let v2 = match &self.v2 {
            V2::Answered(answer) => answer.held_bytes(),
            V2::NotAsked | V2::Asked | V2::InTrial => 0,
        };
        [
            self.headers.held_bytes(),
            self.body.capacity(),
            v1,
            v2,
            self.trial.as_ref().map_or(0, Trial::held_bytes),
        ]
        .into_iter()
        .fold(JOB_BYTES, usize::saturating_add)
    }

    /// Sets the charge to what is held now.
    #[inline(never)]
    pub(super) fn weigh(&mut self) {
        let held = self.held_bytes();
        self.charge.set(held);
    }

    fn body(&mut self, is_request: bool) -> Option<&mut Vec<u8>> {
        match (is_request, &mut self.v1) {
            (true, _) => Some(&mut self.body),
            (false, V1::Answering(reply)) => Some(&mut reply.body),
            (false, _) => None,
        }
    }

    /// Returns by how much the buffer of a body grows with a piece.
    pub(super) fn growth(&mut self, is_request: bool, size: usize, most: usize) -> usize {
        let body = self.body(is_request);
        let grown = body.map(|body| room(body, size, most).saturating_sub(body.capacity()));
        grown.unwrap_or_default()
    }

    /// Stores a piece of the request's body or of v1's response. Fails if the body exceeds its limit,
    /// or the budget is spent.
    pub(super) fn keep(
        &mut self,
        is_request: bool,
        size: usize,
        most: usize,
        limit: usize,
    ) -> Result<(), Outcome> {
        let growth = self.growth(is_request, size, most);
        let Some(body) = self.body(is_request).filter(|_| size > 0) else {
            return Ok(());
        };
        if body.len().saturating_add(size) > most {
            return Err(Outcome::TooLarge);
        }
        // The growth is charged before the piece is fetched. While the piece and its copy both exist,
        // they use the memory reserved for callbacks.
        if !self.charge.grow(growth, limit) {
            return Err(Outcome::DroppedBusy);
        }
        let piece = match is_request {
            true => BufferType::HttpRequestBody,
            false => BufferType::HttpResponseBody,
        };
        let piece = host::body(piece, size);
        if let Some(body) = self.body(is_request) {
            if body.is_empty() {
                *body = piece;
            } else {
                let room = room(body, size, most);
                body.reserve_exact(room.saturating_sub(body.len()));
                body.extend_from_slice(&piece);
            }
        }
        self.weigh();
        Ok(())
    }

    pub(super) fn response_done(&mut self, now: u64) {
        self.v1 = match std::mem::replace(&mut self.v1, V1::Asked) {
            V1::Answering(reply) => {
                self.v1_responded_at = now;
                self.v1_us = Some(micros(self.sent_to_v1_at, now));
                let [v1, _] = &mut self.statuses;
                *v1 = reply.status;
                V1::Answered(reply)
            }
            other => other,
        };
    }

    /// Whether the call in flight has timed out, as far as this clock can tell: the proxy's timer
    /// starts slightly earlier.
    pub(super) fn is_late(&self, now: u64, shadow: &ShadowPlan) -> bool {
        let waited = self.call.map_or(0, |call| now.saturating_sub(call.sent_at));
        let allowed = u64::from(shadow.timeout_ms).saturating_mul(MILLI);
        waited >= allowed.saturating_sub(allowed >> 3)
    }

    /// Notes the end of the call in flight, and returns which version was called. The first response of
    /// v2 sets its duration.
    pub(super) fn call_finished(&mut self, now: u64, answer: &CallResult) -> Option<Treatment> {
        let call = self.call.take()?;
        let status = match answer {
            CallResult::Response(reply) => Some(reply.status),
            CallResult::StatusOnly(status, _) => Some(*status),
            CallResult::Failed(_) => None,
        };
        if let (Treatment::V2, Some(status), None) = (call.version, status, self.v2_us) {
            let [_, v2] = &mut self.statuses;
            *v2 = status;
            self.v2_us = Some(micros(call.sent_at, now));
        }
        Some(call.version)
    }

    /// The durations of v1 and v2 in microseconds, if both have responded.
    pub(super) fn latencies(&self) -> Option<(u64, u64)> {
        self.v1_us.zip(self.v2_us)
    }

    /// The status and the duration in microseconds of v1's and v2's responses.
    pub(super) fn answers(&self) -> [(u16, u64); 2] {
        let [v1, v2] = self.statuses;
        [
            (v1, self.v1_us.unwrap_or_default()),
            (v2, self.v2_us.unwrap_or_default()),
        ]
    }

    pub(super) fn drop_bodies(&mut self) {
        self.body = Vec::new();
        self.trial = None;
        self.v1 = V1::Handed;
        self.v2 = V2::InTrial;
        self.weigh();
    }

    /// Reads the stored request as it arrived.
    pub(super) fn with_request<T>(
        &self,
        configuration: &Configuration,
        read: impl FnOnce(&Request<'_>, Headers<'_>) -> T,
    ) -> T {
        let pairs = self.headers.pairs();
        let headers = Headers::new(&pairs);
        // It is not decided again, so the time does not matter.
        let (inbound, at) = (configuration.inbound, Time::default());
        let request = configuration.plan.request(headers, inbound, at);
        read(&request, headers)
    }

    /// Sends the shadow request and returns the call's token, or `None` if it cannot be sent.
    pub(super) fn send(
        &self,
        configuration: &Configuration,
        rollout: &Rollout,
        shadow: &ShadowPlan,
        version: Treatment,
    ) -> Option<u32> {
        self.with_request(configuration, |request, headers| {
            let token = rollout.idempotency_token(request);
            let decision = rollout.decision_header(request, version);
            let own = shadow.cluster(version);
            let cluster = own.unwrap_or_else(|| rollout.cluster(version));
            let mut pairs: Vec<(&[u8], &[u8])> = copied_headers(headers, shadow).collect();
            let target = headers.values(":path").next();
            let path = target.and_then(|path| shadow.rewrite.path(path));
            shadow.rewrite.apply(&mut pairs, path.as_deref());
            pairs.extend(token.map(|(name, token)| (name.as_bytes(), token)));
            // A compressed response may not be comparable.
            pairs.push((b"accept-encoding", b"identity"));
            pairs.push((CLUSTER_HEADER.as_bytes(), cluster.as_bytes()));
            pairs.push((TREATMENT_HEADER.as_bytes(), version.as_str().as_bytes()));
            pairs.push((DECISION_HEADER.as_bytes(), &decision));
            pairs.push((SHADOW_HEADER.as_bytes(), b"1"));
            host::call(cluster, &pairs, &self.body, shadow.timeout_ms)
        })
    }
}

/// The capacity for a body and its next piece. It doubles each time, so that single-byte pieces do not
/// copy the body each time.
fn room(body: &Vec<u8>, size: usize, most: usize) -> usize {
    let length = body.len().saturating_add(size);
    match body.capacity() {
        0 => size.min(most),
        had if had >= length || length > most => had,
        had => had.saturating_mul(2).clamp(length, most),
    }
}

fn micros(from: u64, to: u64) -> u64 {
    to.saturating_sub(from) / MICRO
}

/// The status and headers of a response.
pub(super) struct ResponseHead {
    reply: StoredResponse,
    /// The body is endless, or the important part comes after it.
    is_stream: bool,
    /// An upstream sent it, not the proxy itself.
    is_upstream: bool,
    /// A circuit breaker kept the proxy from sending the request.
    is_overloaded: bool,
}

impl ResponseHead {
    pub(super) fn read(pairs: &[(&[u8], &[u8])], shadow: &ShadowPlan) -> Self {
        let mut head = Self {
            reply: StoredResponse {
                status: 0,
                headers: Vec::new(),
                body: Vec::new(),
            },
            is_stream: false,
            is_upstream: false,
            is_overloaded: false,
        };
        for (name, value) in pairs {
            match *name {
                b":status" => head.reply.status = number(value),
                b"content-type" => {
                    head.is_stream =
                        [&b"text/event-stream"[..], b"application/grpc"]
                            .iter()
                            .any(|kind| {
                                let start = value.get(..kind.len());
                                start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
                            });
                }
                b"x-envoy-upstream-service-time" => head.is_upstream = true,
                b"x-envoy-overloaded" => head.is_overloaded = true,
                _ => {}
            }
            if shadow.compares_header(name) {
                head.reply.headers.push((name.to_vec(), value.to_vec()));
            }
        }
        head
    }

    /// Why v1's response is not compared.
    pub(super) fn skip(&self) -> Option<Outcome> {
        match self.reply.status {
            429 | 503 => Some(Outcome::SkippedV1Busy),
            // v1 has not responded; it may not even have been called. The router adds the header unless
            // it is configured not to.
            _ if !self.is_upstream && host::is_local_reply() => Some(Outcome::SkippedAborted),
            _ if self.is_stream => Some(Outcome::NotComparable),
            _ => None,
        }
    }

    pub(super) fn into_reply(self) -> StoredResponse {
        self.reply
    }
}

impl Job {
    /// Reads the response to a call in the callback that reports it. Its bytes are charged before they
    /// are fetched.
    pub(super) fn read_answer(
        &mut self,
        is_answered: bool,
        size: usize,
        now: u64,
        shadow: &ShadowPlan,
        limit: usize,
    ) -> CallResult {
        if !is_answered {
            // v2 broke off, or the proxy did, because the response did not end in time.
            return CallResult::Failed(match self.is_late(now, shadow) {
                true => Outcome::Timeout,
                false => Outcome::V2Error,
            });
        }
        let buffer = HeaderBuffer::read(MapType::HttpCallResponseHeaders);
        let head = ResponseHead::read(&buffer.pairs(), shadow);
        if !head.is_upstream {
            // A local reply: upstream did not respond in time or could not be reached.
            return CallResult::Failed(match head.reply.status {
                504 => Outcome::Timeout,
                _ if head.is_overloaded => Outcome::DroppedBusy,
                _ => Outcome::V2Error,
            });
        }
        let most = shadow.max_body_bytes;
        if size > most {
            return CallResult::StatusOnly(head.reply.status, Outcome::TooLarge);
        }
        let mut reply = head.reply;
        if !self
            .charge
            .grow(reply.held_bytes().saturating_add(size), limit)
        {
            return CallResult::StatusOnly(reply.status, Outcome::DroppedBusy);
        }
        if size > 0 {
            reply.body = host::body(BufferType::HttpCallResponseBody, size);
        }
        let decoded = if reply.is_encoded() { most } else { 0 };
        if !self.charge.grow(decoded, limit) {
            return CallResult::StatusOnly(reply.status, Outcome::DroppedBusy);
        }
        match reply.decode(most) {
            Ok(()) => CallResult::Response(reply),
            Err(outcome) => CallResult::StatusOnly(reply.status, outcome),
        }
    }
}

fn number(text: &[u8]) -> u16 {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
