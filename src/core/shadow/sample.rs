//! Which requests are sampled, and which of these can be copied.

use crate::bucketing::{Position, Salt};
use crate::decision::Decision;
use crate::decision::{Reason, Treatment};
use crate::plan::request_match::RegionMatch;
use crate::plan::segments::SegmentSet;
use crate::plan::{Mode, Plan, Rollout};
use crate::proxy::wire_names::SHADOW_HEADER;
use crate::request::Request;
use crate::request::account::Account;

use super::{Outcome, ShadowPlan};

/// A request that the policy samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The rollout that has it, by its place in the policy.
    pub rollout: usize,
    /// The first segment that has the account, by its place in the policy.
    pub segment: Option<usize>,
    /// The first route that its path matches, by its place in the policy.
    pub route: Option<usize>,
    /// Whether asking once more changes nothing: of a safe method.
    pub is_safe: bool,
    /// Whether v1 is asked twice, to see where it disagrees with itself.
    pub noise: bool,
    /// Why it cannot be copied.
    pub skip: Option<Outcome>,
}

impl Plan {
    /// The sample that a decided request is in, if any: v1 has to answer the user, because this
    /// proxy's rules said so and nothing above them did.
    #[must_use]
    pub fn sample(&self, request: &Request<'_>, decision: &Decision<'_>) -> Option<Sample> {
        let rollout = decision.rollout?;
        let shadow = rollout.shadow.as_ref()?;
        if !rollout.mode.copies()
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
            // In no segment, and the last of all.
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
    /// The header that gives a request a token to be recognised by, and the token, where the
    /// policy asks for one and the client sent none. It is the same for v1, v2 and every retry.
    #[must_use]
    pub fn idempotency_token<'r>(&self, request: &Request<'r>) -> Option<(&str, &'r [u8])> {
        let shadow = self.shadow.as_ref()?;
        let name = shadow.idempotency_header.as_deref()?;
        let is_offered = self.mode.copies()
            && !is_safe(request.method)
            && shadow.copies_method(request.method)
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

    fn copies_method(&self, method: &[u8]) -> bool {
        self.methods.iter().any(|known| known.as_bytes() == method)
    }

    fn skip(&self, request: &Request<'_>) -> Option<Outcome> {
        if request
            .trusted_headers()
            .values(SHADOW_HEADER)
            .next()
            .is_some()
        {
            return Some(Outcome::SkippedCopy);
        }
        if !self.copies_method(request.method) {
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

/// Whether the rules, or their absence, sent the request to v1. Who is halted, off, or bound by what
/// an earlier hop decided is left alone; that hop copies, if anyone does.
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

/// Safe in the sense of RFC 9110: asking again changes nothing.
fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
}

impl Mode {
    /// Whether requests are copied in this mode.
    pub(crate) fn copies(self) -> bool {
        matches!(self, Self::Shadow | Self::Split)
    }
}
