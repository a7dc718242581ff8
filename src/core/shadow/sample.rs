//! Decides which requests are sampled, and which of those get a shadow request.

use crate::bucketing::{Position, Salt};
use crate::decision::Decision;
use crate::decision::{Reason, Treatment};
use crate::plan::request_match::RegionMatch;
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Mode, Plan, Rollout};
use crate::proxy::wire_names::SHADOW_HEADER;
use crate::request::Request;
use crate::request::account_id::Account;

use super::{Outcome, ShadowPlan};

/// A request that the policy samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The index of its rollout.
    pub rollout: usize,
    /// The index of the first segment that contains the account.
    pub segment: Option<usize>,
    /// The index of the first route that matches the path.
    pub route: Option<usize>,
    /// Whether repeating the request is harmless, because its method is safe.
    pub is_safe: bool,
    /// Whether v1 gets the request twice, to find out where it differs from itself.
    pub noise: bool,
    /// Why it gets no shadow request.
    pub skip: Option<Outcome>,
}

impl Plan {
    /// Returns the sample of a decided request, if the policy samples it. It samples only requests that
    /// v1 serves by a rule of this proxy.
    #[must_use]
    pub fn sample(&self, request: &Request<'_>, decision: &Decision<'_>) -> Option<Sample> {
        let rollout = decision.rollout?;
        let shadow = rollout.shadow.as_ref()?;
        if !rollout.mode.shadows()
            || decision.served() != Treatment::V1
            || !is_by_the_rules(decision.reason)
        {
            return None;
        }
        let (segments, account) = match &request.account {
            Account::Known(account) => (
                self.segments.find(account),
                rollout.account_position(account),
            ),
            // Such a request is in no segment, and has the last position.
            Account::Absent | Account::Malformed => (SegmentSet::NONE, Position::LAST),
        };
        let draw = |position: fn(&Salt, &[u8]) -> Position| {
            request
                .id
                .map_or(Position::LAST, |id| position(&rollout.salt, id))
        };
        let is_sampled = shadow.requests.includes(draw(Salt::shadow))
            && shadow.accounts.includes(account)
            && shadow.when.region == RegionMatch::Here
            && shadow.when.holds(segments, request.headers);
        if !is_sampled {
            return None;
        }
        let is_safe = is_safe(request.method);
        Some(Sample {
            rollout: rollout.index,
            segment: segments.first(),
            route: shadow.route_of(request.path),
            is_safe,
            noise: is_safe && shadow.noise.includes(draw(Salt::noise)),
            skip: shadow.skip(request),
        })
    }
}

impl Rollout {
    /// Returns the header and the value of an idempotency token, if the policy asks for one and the
    /// client sent none. The token is the same for v1, v2 and every retry.
    #[must_use]
    pub fn idempotency_token<'r>(&self, request: &Request<'r>) -> Option<(&str, &'r [u8])> {
        let shadow = self.shadow.as_ref()?;
        let name = shadow.idempotency_header.as_deref()?;
        let is_offered = self.mode.shadows()
            && !is_safe(request.method)
            && shadow.shadows_method(request.method)
            && request.headers.values(name).next().is_none();
        is_offered.then_some((name, request.id?))
    }
}

impl ShadowPlan {
    fn route_of(&self, path: &[u8]) -> Option<usize> {
        self.routes
            .iter()
            .position(|route| route.template.holds(path))
    }

    fn shadows_method(&self, method: &[u8]) -> bool {
        self.methods.iter().any(|known| known.as_bytes() == method)
    }

    fn skip(&self, request: &Request<'_>) -> Option<Outcome> {
        if request
            .trusted_headers()
            .values(SHADOW_HEADER)
            .next()
            .is_some()
        {
            return Some(Outcome::SkippedShadowRequest);
        }
        if !self.shadows_method(request.method) {
            return Some(Outcome::SkippedMethod);
        }
        let mut names = request.headers.iter().map(|(name, _)| name);
        names.find_map(|name| match name {
            b"upgrade" => Some(Outcome::SkippedUpgrade),
            b"range" | b"if-range" => Some(Outcome::SkippedRange),
            b"if-match" | b"if-none-match" | b"if-modified-since" | b"if-unmodified-since" => {
                Some(Outcome::SkippedConditional)
            }
            _ => None,
        })
    }
}

/// Whether a rule, or the default, sent the request to v1. Requests that are halted, off, or decided by
/// an earlier hop are not sampled; that hop samples them.
fn is_by_the_rules(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoAccount
            | Reason::MalformedAccount
            | Reason::NoRegion
            | Reason::Rule
            | Reason::OutsideAccounts
            | Reason::OutsideRequests
            | Reason::Default
    )
}

/// Whether a method is safe (RFC 9110): repeating the request has no effect.
fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
}

impl Mode {
    /// Whether requests are shadowed in this mode.
    pub(crate) fn shadows(self) -> bool {
        matches!(self, Self::Shadow | Self::Split)
    }
}
