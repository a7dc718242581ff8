//! One sampled request: what is kept of it, and how it is asked again.

use turnout_core::shadow::{
    AccountCharge, AccountKey, Answered, Outcome, Reply, Sample, ShadowPlan, Trial, carry,
};
use turnout_core::{
    CLUSTER_HEADER, Configuration, DECISION_HEADER, Headers, Request, Rollout, SHADOW_HEADER,
    TREATMENT_HEADER, Time, Treatment,
};

use super::waiting::Phase;
use super::{MICRO, MILLI};
use crate::host::{self, HeaderBuffer};

/// What a job takes in addition to what is kept of the request: itself, and its entries in the tables.
const JOB_BYTES: usize = size_of::<Job>() + 256;

pub(super) struct Job {
    pub(super) sample: Sample,
    /// For all that it holds.
    pub(super) charge: AccountCharge,
    pub(super) account: AccountKey,
    /// What it waits for, and since which tick.
    pub(super) phase: Phase,
    since: u32,
    /// Whether it counts among those that wait, and among those that have a place.
    pub(super) is_waiting: bool,
    pub(super) has_place: bool,
    headers: HeaderBuffer,
    body: Vec<u8>,
    /// Whether all of the request has been seen.
    pub(super) is_complete: bool,
    /// When v1 had all of it, in nanoseconds.
    pub(super) asked_v1_at: u64,
    /// When all of v1's answer had come, in nanoseconds.
    pub(super) answered_v1_at: u64,
    pub(super) v1: V1,
    v1_us: Option<u64>,
    pub(super) v2: V2,
    v2_us: Option<u64>,
    pub(super) trial: Option<Trial>,
    statuses: [u16; 2],
    /// The call that is under way.
    pub(super) call: Option<Call>,
    /// It has its outcome, and only waits for its call.
    pub(super) is_settled: bool,
}

/// How far v1 is with the user's answer.
pub(super) enum V1 {
    Asked,
    Answering(Reply),
    Answered(Reply),
    /// The trial has it.
    Handed,
}

/// How far v2 is, as long as there is no trial.
pub(super) enum V2 {
    NotAsked,
    Asked,
    Answered(Answered),
    InTrial,
}

#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) version: Treatment,
    /// In nanoseconds.
    pub(super) sent_at: u64,
}

impl Job {
    /// `None` where the job and the headers do not fit.
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
            has_place: false,
            headers,
            body: Vec::new(),
            is_complete: false,
            asked_v1_at: 0,
            answered_v1_at: 0,
            v1: V1::Asked,
            v1_us: None,
            v2: V2::NotAsked,
            v2_us: None,
            trial: None,
            statuses: [0; 2],
            call: None,
            is_settled: false,
        };
        let held = job.held_bytes();
        job.charge.grow(held, limit).then_some(job)
    }

    /// What a new job holds with these headers.
    pub(super) fn bytes_with(headers: &HeaderBuffer) -> usize {
        headers.held_bytes().saturating_add(JOB_BYTES)
    }

    /// It waits for something else from this tick on.
    pub(super) fn enter(&mut self, phase: Phase, tick: u32) {
        self.phase = phase;
        self.since = tick;
    }

    /// Whether it has waited for the same thing for so many ticks.
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

    /// Charges what is held now.
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

    /// By how much the room for a body grows with a piece.
    pub(super) fn growth(&mut self, is_request: bool, size: usize, most: usize) -> usize {
        let body = self.body(is_request);
        let grown = body.map(|body| room(body, size, most).saturating_sub(body.capacity()));
        grown.unwrap_or_default()
    }

    /// Keeps a piece of the request's body, or of v1's answer. Fails when it would be more than what is kept, or
    /// does not fit.
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
        // The piece is charged before the proxy is asked for it; as long as both are there, it is in what is
        // kept free.
        if !self.charge.grow(growth, limit) {
            return Err(Outcome::DroppedBusy);
        }
        let piece = match is_request {
            true => host::REQUEST_BODY,
            false => host::RESPONSE_BODY,
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

    pub(super) fn answer_done(&mut self, now: u64) {
        self.v1 = match std::mem::replace(&mut self.v1, V1::Asked) {
            V1::Answering(reply) => {
                self.answered_v1_at = now;
                self.v1_us = Some(micros(self.asked_v1_at, now));
                let [v1, _] = &mut self.statuses;
                *v1 = reply.status;
                V1::Answered(reply)
            }
            other => other,
        };
    }

    /// Whether the call that is under way has had its time, as far as can be told: the proxy's timer
    /// starts a little earlier than our clock.
    pub(super) fn is_late(&self, now: u64, shadow: &ShadowPlan) -> bool {
        let waited = self.call.map_or(0, |call| now.saturating_sub(call.sent_at));
        let allowed = u64::from(shadow.timeout_ms).saturating_mul(MILLI);
        waited >= allowed.saturating_sub(allowed >> 3)
    }

    /// The answer to the call that was under way; returns who was asked. The first answer of v2 says
    /// how long v2 takes.
    pub(super) fn call_answered(&mut self, now: u64, answer: &Answered) -> Option<Treatment> {
        let call = self.call.take()?;
        let status = match answer {
            Answered::Reply(reply) => Some(reply.status),
            Answered::Unread(status, _) => Some(*status),
            Answered::Not(_) => None,
        };
        if let (Treatment::V2, Some(status), None) = (call.version, status, self.v2_us) {
            let [_, v2] = &mut self.statuses;
            *v2 = status;
            self.v2_us = Some(micros(call.sent_at, now));
        }
        Some(call.version)
    }

    /// Of v1 and of v2, in microseconds, where both have answered.
    pub(super) fn latencies(&self) -> Option<(u64, u64)> {
        self.v1_us.zip(self.v2_us)
    }

    /// Status and microseconds of v1's answer and of v2's.
    pub(super) fn answers(&self) -> [(u16, u64); 2] {
        let [v1, v2] = self.statuses;
        [
            (v1, self.v1_us.unwrap_or_default()),
            (v2, self.v2_us.unwrap_or_default()),
        ]
    }

    pub(super) fn forget_bodies(&mut self) {
        self.body = Vec::new();
        self.trial = None;
        self.v1 = V1::Handed;
        self.v2 = V2::InTrial;
        self.weigh();
    }

    /// Reads the request again, as it was when it came.
    pub(super) fn with_request<T>(
        &self,
        configuration: &Configuration,
        read: impl FnOnce(&Request<'_>, Headers<'_>) -> T,
    ) -> T {
        let pairs = self.headers.pairs();
        let headers = Headers::new(&pairs);
        // It is not decided again, so it does not matter when this is.
        let (inbound, at) = (configuration.inbound, Time::default());
        let request = configuration.plan.request(headers, inbound, at);
        read(&request, headers)
    }

    /// The call's token; `None` when it cannot be sent.
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
            let mut copy: Vec<(&[u8], &[u8])> = carry(headers, shadow).collect();
            let target = headers.values(":path").next();
            let path = target.and_then(|path| shadow.rewrite.path(path));
            shadow.rewrite.apply(&mut copy, path.as_deref());
            copy.extend(token.map(|(name, token)| (name.as_bytes(), token)));
            // A compressed answer could not be compared.
            copy.push((b"accept-encoding", b"identity"));
            copy.push((CLUSTER_HEADER.as_bytes(), cluster.as_bytes()));
            copy.push((TREATMENT_HEADER.as_bytes(), version.as_str().as_bytes()));
            copy.push((DECISION_HEADER.as_bytes(), &decision));
            copy.push((SHADOW_HEADER.as_bytes(), b"1"));
            host::call(cluster, &copy, &self.body, shadow.timeout_ms)
        })
    }
}

/// The room for a body and a piece of it: twice as much each time, so that pieces of a byte do not move the rest
/// each time.
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

/// The head of an answer.
pub(super) struct Head {
    reply: Reply,
    /// Its body has no end, or what matters comes after it.
    is_stream: bool,
    /// It came from an upstream, and was not made by the proxy itself.
    is_upstream: bool,
    /// The proxy did not ask, because a circuit breaker forbids.
    is_overloaded: bool,
}

impl Head {
    pub(super) fn read(pairs: &[(&[u8], &[u8])], shadow: &ShadowPlan) -> Self {
        let mut head = Self {
            reply: Reply {
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

    /// Why v1's answer is not compared.
    pub(super) fn skip(&self) -> Option<Outcome> {
        match self.reply.status {
            429 | 503 => Some(Outcome::SkippedV1Busy),
            // v1 has not answered; it may not even have been asked, nor anybody be allowed to ask.
            // The header is there unless the router is told to leave it out.
            _ if !self.is_upstream && host::is_own_answer() => Some(Outcome::SkippedAborted),
            _ if self.is_stream => Some(Outcome::NotComparable),
            _ => None,
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        self.reply
    }
}

impl Job {
    /// Reads the answer to a call, inside the callback that reports it. It is charged before the proxy is asked for it.
    pub(super) fn read_answer(
        &mut self,
        is_answered: bool,
        size: usize,
        now: u64,
        shadow: &ShadowPlan,
        limit: usize,
    ) -> Answered {
        if !is_answered {
            // Broken off, by v2 or, where the answer had begun and did not end in time, by the proxy.
            return Answered::Not(match self.is_late(now, shadow) {
                true => Outcome::Timeout,
                false => Outcome::V2Error,
            });
        }
        let buffer = HeaderBuffer::of(host::CALL_HEADERS);
        let head = Head::read(&buffer.pairs(), shadow);
        if !head.is_upstream {
            // The proxy's own words: nobody answered in time, or nobody could be reached.
            return Answered::Not(match head.reply.status {
                504 => Outcome::Timeout,
                _ if head.is_overloaded => Outcome::DroppedBusy,
                _ => Outcome::V2Error,
            });
        }
        let most = shadow.max_body_bytes;
        if size > most {
            return Answered::Unread(head.reply.status, Outcome::TooLarge);
        }
        let mut reply = head.reply;
        if !self
            .charge
            .grow(reply.held_bytes().saturating_add(size), limit)
        {
            return Answered::Unread(reply.status, Outcome::DroppedBusy);
        }
        if size > 0 {
            reply.body = host::body(host::CALL_BODY, size);
        }
        let decoded = if reply.is_encoded() { most } else { 0 };
        if !self.charge.grow(decoded, limit) {
            return Answered::Unread(reply.status, Outcome::DroppedBusy);
        }
        match reply.decode(most) {
            Ok(()) => Answered::Reply(reply),
            Err(outcome) => Answered::Unread(reply.status, outcome),
        }
    }
}

fn number(text: &[u8]) -> u16 {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
