//! Checks that the guard counted what happened, and that each request took the treatment of its reason.

use turnout_core::Treatment;

use crate::testbed::SETTLE;
use crate::traffic::Exchange;

/// The requests of one arm, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) all: u64,
    pub(crate) errors: u64,
}

/// The requests that the guard compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) v1: Arm,
    pub(crate) v2: Arm,
}

impl Counts {
    /// Counts the compared requests.
    fn seen(exchanges: &[Exchange], is_error: impl Fn(&Exchange) -> bool) -> Self {
        let mut counts = Self::default();
        for exchange in exchanges.iter().filter(|one| one.is_compared()) {
            let arm = match exchange.by() {
                Some(Treatment::V2) => &mut counts.v2,
                Some(Treatment::V1) | None => &mut counts.v1,
            };
            arm.all += 1;
            arm.errors += u64::from(is_error(exchange));
        }
        counts
    }

    pub(crate) fn since(self, before: Self) -> Self {
        let arm = |now: Arm, before: Arm| Arm {
            all: now.all.saturating_sub(before.all),
            errors: now.errors.saturating_sub(before.errors),
        };
        Self {
            v1: arm(self.v1, before.v1),
            v2: arm(self.v2, before.v2),
        }
    }
}

/// How many requests the guard must have counted.
pub(crate) fn compared(exchanges: &[Exchange]) -> u64 {
    let compared = exchanges.iter().filter(|one| one.is_compared());
    compared.count() as u64
}

/// Differences between the guard's counters and what the clients saw.
pub(crate) fn counters(exchanges: &[Exchange], counted: Counts) -> Vec<String> {
    // An error that comes when its second has settled is not counted. That takes a very slow machine.
    let in_time = |one: &Exchange| one.is_error() && one.received - one.sent < SETTLE;
    let least = Counts::seen(exchanges, in_time);
    let most = Counts::seen(exchanges, Exchange::is_error);
    let is_right = |counted: Arm, least: Arm, most: Arm| {
        counted.all == most.all && (least.errors..=most.errors).contains(&counted.errors)
    };
    match is_right(counted.v1, least.v1, most.v1) && is_right(counted.v2, least.v2, most.v2) {
        true => Vec::new(),
        false => vec![format!(
            "the clients saw {most:?}, the guard counted {counted:?}"
        )],
    }
}

/// A difference between the requests that v1 and v2 received and their responses.
pub(crate) fn upstreams(exchanges: &[Exchange], received: [u64; 2]) -> Vec<String> {
    let by = |version| {
        let of_version = exchanges.iter().filter(|one| one.by() == Some(version));
        of_version.count() as u64
    };
    let responses = Treatment::ALL.map(by);
    match responses == received {
        true => Vec::new(),
        false => vec![format!(
            "v1 and v2 received {received:?} requests, the clients have {responses:?} responses"
        )],
    }
}

/// Requests that were lost, that took another treatment than that of their reason, or that failed or have a reason
/// although they must not.
pub(crate) fn requests(
    exchanges: &[Exchange],
    may_fail: impl Fn(&Exchange) -> bool,
    may_have_reason: impl Fn(&Exchange) -> bool,
) -> Vec<String> {
    let wrong = |one: &&Exchange| {
        let expected = match one.reason() {
            "rule" => Some(Treatment::V2),
            "outside_requests" | "guard" | "guard_account" => Some(Treatment::V1),
            _ => None,
        };
        let is_right = expected.is_some() && one.by() == expected && may_have_reason(one);
        !is_right || (one.is_error() && !may_fail(one))
    };
    let wrong = exchanges.iter().filter(wrong);
    wrong
        .map(|one| {
            format!(
                "{:?} of account {}: {:?}",
                one.kind, one.account, one.response
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::traffic::{Kind, Response};

    fn exchange(by: Treatment, reason: &str, status: u16) -> Exchange {
        let sent = Instant::now();
        Exchange {
            connection: 0,
            account: 1,
            kind: Kind::SendMedia,
            sent,
            received: sent + Duration::from_millis(2),
            response: Ok(Response {
                status,
                by: Some(by),
                reason: reason.to_owned(),
            }),
        }
    }

    fn exchanges() -> Vec<Exchange> {
        vec![
            exchange(Treatment::V1, "outside_requests", 200),
            exchange(Treatment::V2, "rule", 500),
            exchange(Treatment::V1, "guard", 200),
        ]
    }

    const COUNTED: Counts = Counts {
        v1: Arm { all: 1, errors: 0 },
        v2: Arm { all: 1, errors: 1 },
    };

    #[test]
    fn counters_that_are_those_of_the_requests_are_right() {
        assert_eq!(compared(&exchanges()), 2);
        assert_eq!(counters(&exchanges(), COUNTED), [""; 0]);
        assert_eq!(upstreams(&exchanges(), [2, 1]), [""; 0]);
        assert_eq!(requests(&exchanges(), |_| true, |_| true), [""; 0]);
    }

    #[test]
    fn a_request_that_is_not_counted_is_an_error() {
        let mut counted = COUNTED;
        counted.v2.all = 0;
        assert_eq!(counters(&exchanges(), counted).len(), 1);
        assert_eq!(upstreams(&exchanges(), [2, 0]).len(), 1);
    }

    #[test]
    fn only_an_error_that_came_late_may_be_missing() {
        let mut exchanges = exchanges();
        let mut counted = COUNTED;
        counted.v2.errors = 0;
        assert_eq!(counters(&exchanges, counted).len(), 1);
        exchanges[1].received += SETTLE;
        assert_eq!(counters(&exchanges, counted), [""; 0]);
    }

    #[test]
    fn a_request_with_another_treatment_than_that_of_its_reason_is_an_error() {
        for exchange in [
            exchange(Treatment::V2, "guard", 200),
            exchange(Treatment::V1, "rule", 200),
            exchange(Treatment::V1, "no_rollout", 200),
        ] {
            assert_eq!(requests(&[exchange], |_| true, |_| true).len(), 1);
        }
        assert_eq!(requests(&exchanges(), |_| false, |_| true).len(), 1);
        let is_compared = |one: &Exchange| one.is_compared();
        assert_eq!(requests(&exchanges(), |_| true, is_compared).len(), 1);
    }
}
