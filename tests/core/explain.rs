//! Explanations: the last step of an explanation is always the decision of `decide`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use support::corpus::{self, Scenario, borrowed};
use support::hostile_input::header;
use support::random::{self, Random};
use support::sized_policy::{By, Size};
use turnout_core::explain::{
    AccountPlacementError, Explanation, GuardUse, Question, RequestBuilder, RolloutTried,
    SourceName,
};
use turnout_core::guard::RolloutGuard;
use turnout_core::{Account, Fraction, Headers, Inbound, Plan, Position, Time};

const EVERYTHING: &str = include_str!("../corpus/policies/valid/everything.json");
const RAMPS: &str = include_str!("../corpus/policies/valid/ramps-and-regions.json");

/// Checks an explanation. Returns what is wrong with it.
fn disagreement(explanation: &Explanation<'_>) -> Option<String> {
    let decision = explanation.decision;
    let asked = |tried: &&RolloutTried<'_>| tried.conditions.is_some();
    let last = explanation.rollouts.iter().rfind(asked);
    let holds = last.filter(|tried| {
        let all = tried.conditions.as_deref().unwrap_or_default();
        all.iter().all(|condition| condition.holds == Some(true))
    });
    // The matching rollout decides the request, unless the match is in doubt.
    let found = holds.filter(|_| explanation.ambiguity.is_none());
    let found = found.map(|tried| tried.rollout.name.as_str());
    let decided = decision.rollout.map(|rollout| rollout.name.as_str());
    if found != decided {
        return Some(format!("{found:?} has the request, not {decided:?}"));
    }
    if decided.is_none() {
        let silent = explanation.steps.is_empty() && decision.reason.as_str() == "no_rollout";
        return (!silent).then(|| String::from("steps without a rollout"));
    }
    let answered = explanation
        .steps
        .iter()
        .filter(|step| step.result.is_some());
    let outcomes: Vec<_> = answered
        .map(|step| (step.question, step.outcome()))
        .collect();
    let Some(((question, outcome), before)) = outcomes.split_last() else {
        return Some(String::from("no steps"));
    };
    if before.iter().any(|(_, outcome)| outcome.is_some()) {
        return Some(format!("a step after one that decided: {outcomes:?}"));
    }
    let rule = match question {
        Question::Rule(rule) => Some(*rule),
        _ => None,
    };
    let expected = (Some((decision.treatment, decision.reason)), decision.rule);
    ((*outcome, rule) != expected)
        .then(|| format!("{question:?} decides {outcome:?}, not {expected:?}"))
}

#[test]
fn the_last_step_is_the_decision_for_every_case_of_the_corpus() {
    let mut count = 0;
    for (file, scenario) in Scenario::all() {
        let plan = scenario.plan();
        for case in &scenario.cases {
            let pairs = case.request.pairs();
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), scenario.inbound(), corpus::now());
            let explanation = plan.explain(&request);
            let decided = (
                explanation.decision.treatment.as_str(),
                explanation.decision.reason.as_str(),
            );
            let expected = (&*case.expect.treatment, &*case.expect.reason);
            assert_eq!(decided, expected, "{file}: {}", case.name);
            assert_eq!(disagreement(&explanation), None, "{file}: {}", case.name);
            count += 1;
        }
    }
    assert!(count > 100, "only {count} cases");
}

static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(plans);
/// The requests of the corpus.
static REQUESTS: LazyLock<Vec<Vec<(String, String)>>> = LazyLock::new(|| {
    let scenarios = Scenario::all().into_iter();
    let cases = scenarios.flat_map(|(_, scenario)| scenario.cases);
    cases.map(|case| case.request.pairs()).collect()
});

#[test]
fn the_last_step_is_the_decision_for_random_policies() {
    let mut random = Random::new(3);
    for turn in 0..300 {
        let policy = random::policy(&mut random).to_string();
        let mut plan = Plan::from_json(&policy).unwrap_or_else(|e| panic!("{e}\n{policy}"));
        plan.set_region(["", "us-east-1", "eu-west-1"][turn % 3]);
        let inbound = [Inbound::Strip, Inbound::Trust][turn % 2];
        for _ in 0..100 {
            let pairs = random::request(&mut random).pairs();
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), inbound, corpus::now());
            let explanation = plan.explain(&request);
            assert_eq!(disagreement(&explanation), None, "{policy}");
        }
    }
}

#[test]
fn a_guard_counts_exactly_the_requests_of_which_the_explanation_says_so() {
    let guards = [
        json!({}),
        json!({ "limit": { "error_percent": 2 } }),
        json!({ "errors": {}, "limit": { "error_percent": 2 }, "action": "report" }),
    ];
    let mut random = Random::new(5);
    let mut seen = BTreeMap::new();
    for turn in 0..300 {
        let mut policy = random::policy(&mut random);
        for rollout in policy["rollouts"].as_array_mut().expect("rollouts") {
            rollout["guard"] = guards[turn % guards.len()].clone();
        }
        let plan = Plan::from_json(&policy.to_string()).expect("a policy");
        for _ in 0..100 {
            let pairs = random::request(&mut random).pairs();
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, corpus::now());
            let Explanation {
                decision, guard, ..
            } = plan.explain(&request);
            let rollout = decision.rollout;
            let counted = rollout
                .and_then(RolloutGuard::new)
                .is_some_and(|mut guard| {
                    let noted = guard.note_decision(&decision, &request);
                    noted.is_some()
                });
            let usage = guard.map(|guard| guard.usage);
            let is_explained = matches!(usage, Some(GuardUse::Counts { .. }));
            assert_eq!(counted, is_explained, "{policy}: {decision:?}");
            let kind = match usage {
                None => "none",
                Some(GuardUse::NoId) => "no id",
                Some(GuardUse::NotRandom) => "not random",
                Some(GuardUse::Counts {
                    is_compared: false, ..
                }) => "limited",
                Some(GuardUse::Counts { arm, .. }) => arm.as_str(),
            };
            *seen.entry(kind).or_insert(0) += 1;
        }
    }
    assert!(
        seen.len() == 6 && seen.values().all(|count| *count > 20),
        "{seen:?}"
    );
}

/// Every policy of the corpus that decides something, in its region, in another one and without a region.
fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (_, scenario) in Scenario::all() {
        plans.push(scenario.plan());
    }
    for text in [EVERYTHING, RAMPS] {
        for region in ["", "us-east-1", "eu-west-1"] {
            let mut plan = Plan::from_json(text).expect("a policy");
            plan.set_region(region);
            plans.push(plan);
        }
    }
    plans
}

proptest! {
    #[test]
    fn the_last_step_is_the_decision_for_any_request(
        headers in prop::collection::vec(header(), 0..12),
        case in any::<prop::sample::Index>(),
        trust: bool,
        at in 1_700_000_000..1_900_000_000_i64,
    ) {
        // Requests of the corpus, and other ones.
        let pairs: &Vec<_> = case.get(&REQUESTS);
        let pairs: Vec<_> = borrowed(pairs)
            .into_iter()
            .chain(headers.iter().map(|(name, value)| (&name[..], &value[..])))
            .collect();
        let inbound = if trust { Inbound::Trust } else { Inbound::Strip };
        for plan in &*PLANS {
            let request = plan.request(Headers::new(&pairs), inbound, Time::from_seconds(at));
            prop_assert_eq!(disagreement(&plan.explain(&request)), None);
        }
    }

    #[test]
    fn the_entry_is_the_smallest_percentage_that_includes_the_account(position: u64) {
        let entry = Fraction::smallest_including(Position(position));
        prop_assert!(entry.includes(Position(position)));
        let below = entry.millionths().checked_sub(1).and_then(Fraction::from_millionths);
        prop_assert!(below.is_some_and(|below| !below.includes(Position(position))));
        prop_assert_eq!(Fraction::from_percentage(&entry.to_string()), Some(entry));
    }
}

#[test]
fn the_ends_of_the_range_enter_first_and_last() {
    assert_eq!(
        Fraction::smallest_including(Position(0)).to_string(),
        "0.000001"
    );
    assert_eq!(
        Fraction::smallest_including(Position::LAST).to_string(),
        "100"
    );
}

const PLACES: &str = r#"{"version": 1, "account": {"format": "opaque", "from": [
        {"path": "/v1/{account}/**"}, {"header": "x-account"}, {"basic_auth": "username"},
        {"path": "/{account}"}]},
    "rollouts": [{"name": "r", "v1": "a", "v2": "b", "mode": "on"}]}"#;

/// Where the account is inserted into a request with this path and these headers.
fn put(account: &str, path: Option<&str>, headers: &[(&str, &str)]) -> Result<String, String> {
    let plan = Plan::from_json(PLACES).expect("a policy");
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let given = RequestBuilder {
        path,
        headers: &headers,
        account: Some(account),
        ..RequestBuilder::default()
    };
    let text = |place: &SourceName<'_>| match place {
        SourceName::Header(name) => (*name).to_owned(),
        SourceName::BasicAuth => String::from("basic"),
        SourceName::Path(template) => template.clone(),
    };
    match given.build(&plan) {
        Ok(built) => Ok(text(&built.account.expect("a place"))),
        Err(AccountPlacementError::AlreadySet { source, account }) => {
            let account = account.map(|account| String::from_utf8_lossy(&account).into_owned());
            Err(format!("{} names {account:?}", text(&source)))
        }
        Err(AccountPlacementError::NoSource { sources }) => {
            Err(format!("{} sources", sources.len()))
        }
    }
}

#[test]
fn an_account_is_inserted_into_the_first_source() {
    let ok = |place: &str| Ok(String::from(place));
    let error = |why: &str| Err(String::from(why));
    assert_eq!(put("x", None, &[]), ok("/v1/{account}/**"));
    assert_eq!(put("x", Some("/v2/y"), &[]), ok("x-account"));
    assert_eq!(
        put("x", Some("/v2"), &[("x-account", "x")]),
        ok("x-account")
    );
    // No header contains a line feed, and a path that does not match the template has no place for it.
    assert_eq!(put("x\ny", Some("/a/b"), &[]), ok("basic"));
    assert_eq!(put("x:\ny", Some("/a/b"), &[]), error("4 sources"));
    assert_eq!(
        put("x\ny", Some("/a/b"), &[("authorization", "Bearer a")]),
        error("4 sources")
    );
    // The account that the request itself names is neither overruled nor skipped.
    assert_eq!(put("x", Some("/v1/x/Calls"), &[]), ok("/v1/{account}/**"));
    assert_eq!(
        put("x", Some("/v1/y"), &[]),
        error("/v1/{account}/** names Some(\"y\")")
    );
    assert_eq!(
        put("x", Some("/v2"), &[("x-account", "y")]),
        error("x-account names Some(\"y\")")
    );
    assert_eq!(
        put("x", Some("/v1/%zz"), &[]),
        error("/v1/{account}/** names None")
    );
}

proptest! {
    #[test]
    fn an_inserted_account_is_the_account_of_the_request(
        account in "\\PC{0,140}",
        path in prop::option::of(prop_oneof![Just("/"), Just("/v2/x"), Just("/2010-04-01/Accounts/x/y")]),
    ) {
        let places = Plan::from_json(PLACES).expect("a policy");
        for plan in PLANS.iter().chain([&places]) {
            let given = RequestBuilder { account: Some(&account), path, ..RequestBuilder::default() };
            let Ok(built) = given.build(plan) else { continue };
            let pairs = borrowed(&built.headers);
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
            match &request.account {
                Account::Known(known) => prop_assert_eq!(known.as_slice(), account.as_bytes()),
                Account::Malformed => {}
                Account::Absent => prop_assert!(false, "{:?}", built),
            }
        }
    }
}

#[test]
fn the_required_inputs_of_a_rollout_are_filled_in() {
    let mut filled = 0;
    for plan in &*PLANS {
        for rollout in plan.rollouts() {
            let given = RequestBuilder {
                rollout: Some(rollout),
                account: Some("AC7342e9713fa896e4af00c654c444aada"),
                ..RequestBuilder::default()
            };
            let built = given.build(plan).expect("a request");
            let pairs = borrowed(&built.headers);
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
            let explanation = plan.explain(&request);
            let taken = explanation.decision.rollout.expect("a rollout").index;
            assert!(taken <= rollout.index, "{built:?}");
            filled += usize::from(taken == rollout.index);
        }
    }
    assert!(filled > 20, "only {filled}");
}

/// `explain` tries all rollouts in turn, `decide` uses an index.
#[test]
fn explain_and_decide_choose_the_same_of_many_rollouts() {
    for by in [By::Path, By::Host] {
        let size = Size {
            accounts: 1,
            rollouts: 300,
            by,
        };
        let plan = size.plan();
        for number in 0..40 {
            let pairs = size.request(number * 37);
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
            let explanation = plan.explain(&request);
            let mut rollouts = explanation.rollouts.iter();
            let last = rollouts.rfind(|tried| tried.conditions.is_some());
            let last = last.map(|tried| tried.rollout.index);
            let taken = explanation.decision.rollout.map(|rollout| rollout.index);
            assert_eq!(taken, last);
            assert_eq!(taken, usize::try_from(number * 37 % 300).ok());
        }
    }
}
