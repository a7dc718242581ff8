//! Checks that each request took the treatment that the step active at that time decided, and that all counts agree.

use std::collections::BTreeMap;
use std::time::Duration;

use turnout_core::{Decision, Headers, Inbound, Plan, Time, Treatment, decide};

use crate::counts::{Arm, Counts};
use crate::plan::{Active, COMPARED, Release, SETTLE_SECONDS, STEPS};
use crate::roll_command::Record;
use crate::traffic::{Exchange, HOST, PATH, Response};

/// A request, and what the proxy ran that decided it. `None` if that is unknown.
pub(crate) struct Decided<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) active: Option<Active>,
}

impl<'a> Decided<'a> {
    pub(crate) fn all(exchanges: &'a [Exchange], release: &Release) -> Vec<Self> {
        let decided = exchanges.iter().map(|exchange| Self {
            exchange,
            active: match &exchange.response {
                Ok(response) => release.active(&response.revision),
                Err(_) => None,
            },
        });
        decided.collect()
    }

    pub(crate) fn is_in(&self, step: usize) -> bool {
        self.active == Some(Active::Step(step))
    }

    /// Whether a guard compares it: its treatment was random.
    pub(crate) fn is_compared(&self) -> bool {
        let Some(Active::Step(step)) = self.active else {
            return false;
        };
        let by_rule = self.exchange.has_reason("rule") && self.exchange.is_by(Treatment::V2);
        STEPS[step].requests == COMPARED
            && (by_rule || self.exchange.has_reason("outside_requests"))
    }
}

/// Requests that were lost, that failed although they must not, or that did not take the treatment of the plan.
/// `may_fail` is whether v2 fails for it.
pub(crate) fn requests(
    decided: &[Decided<'_>],
    release: &Release,
    may_fail: impl Fn(&Exchange) -> bool,
) -> Vec<String> {
    let wrong = decided.iter().filter_map(|one| {
        let exchange = one.exchange;
        let problem = match &exchange.response {
            Err(error) => Some(format!("lost: {error}")),
            Ok(response) => problem(one, response, release, &may_fail),
        };
        Some(format!("account {}: {}", exchange.sid, problem?))
    });
    wrong.collect()
}

fn problem(
    one: &Decided<'_>,
    response: &Response,
    release: &Release,
    may_fail: impl Fn(&Exchange) -> bool,
) -> Option<String> {
    let revision = &response.revision;
    let Some(active) = one.active else {
        return Some(format!("the revision {revision:?} is not one of the plan"));
    };
    let Some(by) = response.by else {
        return Some(format!("no upstream responded: {}", response.status));
    };
    let exchange = one.exchange;
    let fails = by == Treatment::V2 && may_fail(exchange);
    let status = match fails {
        true => 500,
        false => 200,
    };
    if response.status != status {
        let found = response.status;
        return Some(format!(
            "{by} responded with {found} in {revision}, not {status}"
        ));
    }
    let decision = decision(release.plan(active), exchange);
    // A guard replaces the decision of the policy, and then v1 serves the request.
    let expected = match response.reason.as_str() {
        "guard" => (Treatment::V1, "guard"),
        _ => (decision.served(), decision.reason.as_str()),
    };
    let found = (by, response.reason.as_str());
    (found != expected).then(|| format!("{found:?} in {revision}, not {expected:?}"))
}

/// The decision of a policy, without its guard.
fn decision<'p>(plan: &'p Plan, exchange: &Exchange) -> Decision<'p> {
    let pairs: [(&[u8], &[u8]); 5] = [
        (b":method", b"GET"),
        (b":authority", HOST.as_bytes()),
        (b":path", PATH.as_bytes()),
        (b"x-account-sid", exchange.sid.as_bytes()),
        (b"x-request-id", exchange.id.as_bytes()),
    ];
    let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
    decide(plan, &request)
}

/// Connections whose requests were decided in another order of steps than this one. A connection belongs to one worker.
pub(crate) fn order(decided: &[Decided<'_>], expected: &[Active]) -> Vec<String> {
    let mut seen: BTreeMap<u64, Vec<Active>> = BTreeMap::new();
    for one in decided {
        let seen = seen.entry(one.exchange.connection).or_default();
        if let Some(active) = one.active
            && seen.last() != Some(&active)
        {
            seen.push(active);
        }
    }
    let wrong = seen.into_iter().filter(|(_, seen)| {
        let mut rest = expected.iter();
        let is_part = seen.iter().all(|one| rest.any(|other| other == one));
        !is_part || seen.last() != expected.last()
    });
    let wrong = wrong.map(|(connection, seen)| {
        format!("on connection {connection}, the steps were {seen:?}, not {expected:?}")
    });
    wrong.collect()
}

/// A difference between the requests that v1 and v2 received and their responses.
pub(crate) fn upstreams(exchanges: &[Exchange], received: [u64; 2]) -> Option<String> {
    let responses = Treatment::ALL.map(|treatment| {
        let of_treatment = exchanges.iter().filter(|one| one.is_by(treatment));
        of_treatment.count() as u64
    });
    (responses != received).then(|| {
        format!(
            "v1 and v2 received {received:?} requests, the clients have {responses:?} responses"
        )
    })
}

/// The compared requests, as clients saw them, that satisfy a condition.
pub(crate) fn seen(decided: &[Decided<'_>], is_error: impl Fn(&Exchange) -> bool) -> Counts {
    let mut counts = Counts::default();
    for one in decided.iter().filter(|one| one.is_compared()) {
        let arm = match one.exchange.is_by(Treatment::V2) {
            true => &mut counts.v2,
            false => &mut counts.v1,
        };
        arm.all += 1;
        arm.errors += u64::from(is_error(one.exchange));
    }
    counts
}

/// A difference between the counters of the guards and what the clients saw.
pub(crate) fn counters(decided: &[Decided<'_>], counted: Counts) -> Option<String> {
    // An error that comes when its second has settled is not counted. That takes a very slow machine.
    let settle = Duration::from_secs(SETTLE_SECONDS);
    let least = seen(decided, |one| {
        one.is_error() && one.received - one.sent < settle
    });
    let most = seen(decided, Exchange::is_error);
    let is_right = |counted: Arm, least: Arm, most: Arm| {
        counted.all == most.all && (least.errors..=most.errors).contains(&counted.errors)
    };
    let are_right =
        is_right(counted.v1, least.v1, most.v1) && is_right(counted.v2, least.v2, most.v2);
    (!are_right).then(|| format!("the clients saw {most:?}, the guards counted {counted:?}"))
}

/// What the roll says of a step that v2 has passed, compared with the plan and with what the clients saw.
pub(crate) fn passed(decided: &[Decided<'_>], index: usize, record: &Record) -> Vec<String> {
    let step = &STEPS[index];
    let mut wrong = record_of_step(decided, index, record);
    let Some(bake) = step.bake else {
        return wrong;
    };
    if record.verdict != "healthy" {
        wrong.push(format!(
            "step {}: the verdict is {}",
            step.name, record.verdict
        ));
    }
    if record.v2_requests < bake {
        wrong.push(format!(
            "step {} was over after {} requests, before its bake of {bake}",
            step.name, record.v2_requests
        ));
    }
    wrong
}

/// A difference between the requests of v2 that a step was judged by and those that the clients saw.
pub(crate) fn record_of_step(
    decided: &[Decided<'_>],
    index: usize,
    record: &Record,
) -> Vec<String> {
    let step = &STEPS[index];
    let mut wrong = Vec::new();
    if record.name != step.name {
        wrong.push(format!(
            "step {} is {} in the state",
            step.name, record.name
        ));
    }
    let served = served_by_v2(decided, index);
    if record.v2_requests > served {
        wrong.push(format!(
            "step {}: judged by {} requests of v2, but it served {served}",
            step.name, record.v2_requests
        ));
    }
    let in_step = decided.iter().filter(|one| one.is_in(index));
    let revisions = in_step.filter_map(|one| one.exchange.response.as_ref().ok());
    let mut others = revisions.filter(|response| response.revision != record.revision);
    if let Some(other) = others.next() {
        wrong.push(format!(
            "step {}: {} decided a request, the state has {}",
            step.name, other.revision, record.revision
        ));
    }
    wrong
}

/// The compared requests that v2 served in a step.
pub(crate) fn served_by_v2(decided: &[Decided<'_>], index: usize) -> u64 {
    let compared = decided
        .iter()
        .filter(|one| one.is_in(index) && one.is_compared());
    let served = compared.filter(|one| one.exchange.is_by(Treatment::V2));
    served.count() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    const QUARTER: usize = 1;

    /// A request in the second step that took the treatment of the plan.
    fn exchange(release: &Release, account: &str, id: u64) -> Exchange {
        let sent = Instant::now();
        let revision = format!("r1+roll.{}.01234567", STEPS[QUARTER].name);
        let mut exchange = Exchange {
            connection: 1,
            sid: Arc::from(account),
            id: format!("{id:016x}"),
            sent,
            received: sent + Duration::from_millis(2),
            response: Err(String::new()),
        };
        let plan = release.plan(Active::Step(QUARTER));
        let decision = decision(plan, &exchange);
        exchange.response = Ok(Response {
            status: 200,
            by: Some(decision.served()),
            reason: decision.reason.to_string(),
            revision,
        });
        exchange
    }

    fn exchanges(release: &Release) -> Vec<Exchange> {
        let account = |number: u64| format!("AC{:032x}", number * 7_919);
        let exchanges = (0..200).map(|number| exchange(release, &account(number), number));
        exchanges.collect()
    }

    fn wrong(exchanges: &[Exchange], release: &Release) -> usize {
        let decided = Decided::all(exchanges, release);
        requests(&decided, release, |_| false).len()
    }

    fn response(exchange: &mut Exchange) -> &mut Response {
        exchange.response.as_mut().expect("a response")
    }

    #[test]
    fn requests_that_the_plan_decided_are_right() {
        let release = Release::new("r1").expect("a release");
        let exchanges = exchanges(&release);
        assert_eq!(wrong(&exchanges, &release), 0);
        let decided = Decided::all(&exchanges, &release);
        let seen = seen(&decided, Exchange::is_error);
        assert!(seen.v1.all > 0 && seen.v2.all > 0, "{seen:?}");
        assert_eq!(counters(&decided, seen), None);
        assert_eq!(served_by_v2(&decided, QUARTER), seen.v2.all);
        assert_eq!(
            order(&decided, &[Active::Before, Active::Step(QUARTER)]),
            [""; 0]
        );
    }

    #[test]
    fn each_difference_is_found() {
        let release = Release::new("r1").expect("a release");
        let change = |change: &dyn Fn(&mut Exchange)| {
            let mut exchanges = exchanges(&release);
            change(&mut exchanges[0]);
            wrong(&exchanges, &release)
        };
        let other = |by: Option<Treatment>| match by {
            Some(Treatment::V1) => Some(Treatment::V2),
            _ => Some(Treatment::V1),
        };
        assert_eq!(change(&|one| one.response = Err("closed".to_owned())), 1);
        assert_eq!(change(&|one| response(one).status = 500), 1);
        assert_eq!(change(&|one| response(one).by = None), 1);
        assert_eq!(change(&|one| response(one).by = other(response(one).by)), 1);
        assert_eq!(
            change(&|one| response(one).reason = "default".to_owned()),
            1
        );
        assert_eq!(change(&|one| response(one).revision = "r2".to_owned()), 1);
    }

    #[test]
    fn a_request_that_is_not_counted_is_a_difference() {
        let release = Release::new("r1").expect("a release");
        let exchanges = exchanges(&release);
        let decided = Decided::all(&exchanges, &release);
        let mut counted = seen(&decided, Exchange::is_error);
        counted.v2.all -= 1;
        assert!(counters(&decided, counted).is_some());
        assert!(upstreams(&exchanges, [0, 0]).is_some());
    }

    #[test]
    fn steps_in_another_order_are_a_difference() {
        let release = Release::new("r1").expect("a release");
        let exchanges = exchanges(&release);
        let decided = Decided::all(&exchanges, &release);
        for expected in [
            &[Active::Before][..],
            &[Active::Step(QUARTER), Active::Step(2)],
        ] {
            assert_eq!(order(&decided, expected).len(), 1);
        }
    }

    #[test]
    fn a_step_that_was_over_too_early_is_a_difference() {
        let release = Release::new("r1").expect("a release");
        let exchanges = exchanges(&release);
        let decided = Decided::all(&exchanges, &release);
        let record = Record {
            name: STEPS[QUARTER].name.to_owned(),
            revision: format!("r1+roll.{}.01234567", STEPS[QUARTER].name),
            verdict: "healthy".to_owned(),
            v2_requests: 1,
            log_evidence: 0.0,
        };
        assert_eq!(record_of_step(&decided, QUARTER, &record), [""; 0]);
        assert_eq!(passed(&decided, QUARTER, &record).len(), 1);
        let judged_by_more = Record {
            v2_requests: 1_000,
            ..record
        };
        assert_eq!(record_of_step(&decided, QUARTER, &judged_by_more).len(), 1);
    }
}
