//! Prints an explanation as JSON. The names of fields and values are a contract.

use serde_json::{Map, Number, Value, json};
use turnout_core::explain::{
    AccountFound, Bucketing, Condition, GuardFound, GuardUse, HaltScope, Part, Pattern, Question,
    RolloutTried, RuleFound, ServeFound, SourceContent, SourceName, Step, StepFinding, StepResult,
};
use turnout_core::guard::GuardAction;
use turnout_core::{Account, Ambiguity, Fraction, Inbound, ToolPosition, Treatment};

use super::{ExplainReport, suggestions, wording};

pub(super) fn of(report: &ExplainReport<'_>) -> Value {
    let explanation = &report.explanation;
    let decision = &explanation.decision;
    let served = decision.served();
    json!({
        "decision": {
            "rollout": decision.rollout.map(|rollout| &rollout.name),
            "treatment": decision.treatment.as_str(),
            "reason": decision.reason.as_str(),
            "rule": decision.rule.map(wording::rule),
            "served": served.as_str(),
            "cluster": decision.rollout.map(|rollout| rollout.cluster(served)),
            "sentence": wording::decision(explanation),
        },
        "request": request(report),
        "rollouts": explanation.rollouts.iter().map(tried).collect::<Vec<_>>(),
        "ambiguous_part": explanation.ambiguity.map(Ambiguity::as_str),
        "steps": explanation.steps.iter().map(|step| of_step(report, step)).collect::<Vec<_>>(),
        "guard": explanation.guard.as_ref().map(guard),
        "help": suggestions::of(report),
    })
}

fn guard(found: &GuardFound) -> Value {
    let (requests, arm, compares) = match found.usage {
        GuardUse::Counts {
            requests,
            arm,
            is_compared,
        } => (percent(requests), Some(arm.as_str()), is_compared),
        GuardUse::NoId | GuardUse::NotRandom => (None, None, false),
    };
    json!({
        "action": wording::action(found.action),
        "compares": compares,
        "requests": requests,
        "arm": arm,
        "sentence": wording::guard(found),
    })
}

fn request(report: &ExplainReport<'_>) -> Value {
    let request = report.request;
    let account = match &request.account {
        Account::Known(account) => Some(text(account.as_slice())),
        Account::Absent | Account::Malformed => None,
    };
    let filled = report.built.filled.iter();
    let filled = filled.map(|(name, value)| json!({ "name": name, "value": value }));
    json!({
        "method": text(request.method()),
        "host": text(request.host()),
        "path": text(request.path()),
        "id": request.id().map(text),
        "account": account,
        "account_in": report.built.account.as_ref().map(source),
        "at": report.at.to_string(),
        "region": report.region,
        "inbound": report.inbound.as_str(),
        "assumed_rollout": report.assumed.map(|rollout| &rollout.name),
        "filled": filled.collect::<Vec<_>>(),
    })
}

fn tried(tried: &RolloutTried<'_>) -> Value {
    let state = match &tried.conditions {
        None => "not_reached",
        Some(all) if all.iter().all(|one| one.holds == Some(true)) => "matches",
        Some(_) => "does_not_match",
    };
    json!({
        "rollout": tried.rollout.name,
        "state": state,
        "match": tried.conditions.as_deref().map(|all| conditions(all, None)),
    })
}

fn conditions(conditions: &[Condition<'_>], region: Option<&str>) -> Vec<Value> {
    let conditions = conditions.iter();
    conditions
        .map(|condition| {
            let (part, name, wanted, found) = match &condition.part {
                Part::Host { wanted, found } => ("host", None, json!(wanted), json!(text(found))),
                Part::Path { wanted, found } => ("path", None, pattern(wanted), json!(text(found))),
                Part::Method { wanted, found } => {
                    ("method", None, json!(wanted), json!(text(found)))
                }
                Part::Header {
                    name,
                    wanted,
                    found,
                } => {
                    let found: Vec<String> = found.iter().map(|value| text(value)).collect();
                    ("header", Some(*name), pattern(wanted), json!(found))
                }
                Part::In { wanted, found } => ("in", None, json!(wanted), json!(found)),
                Part::NotIn { wanted, found } => ("not_in", None, json!(wanted), json!(found)),
                Part::Regions { wanted } => ("regions", None, json!(wanted), json!(region)),
            };
            json!({
                "part": part,
                "name": name,
                "wanted": wanted,
                "found": found,
                "holds": condition.holds,
            })
        })
        .collect()
}

fn pattern(wanted: &Pattern<'_>) -> Value {
    match wanted {
        Pattern::Exact(text) => json!({ "exact": text }),
        Pattern::Prefix(text) => json!({ "prefix": text }),
        Pattern::Template(text) => json!({ "template": text }),
        Pattern::Present(present) => json!({ "present": present }),
    }
}

fn of_step(report: &ExplainReport<'_>, step: &Step<'_>) -> Value {
    let (name, rule) = match step.question {
        Question::Halted => ("halted", None),
        Question::Off => ("off", None),
        Question::Guard => ("guard", None),
        Question::Inbound => ("inbound", None),
        Question::On => ("on", None),
        Question::Account => ("account", None),
        Question::Rule(index) => ("rule", Some(wording::rule(index))),
        Question::Default => ("default", None),
    };
    let mut fields = Map::new();
    fields.insert("step".into(), json!(name));
    if let Some(rule) = rule {
        fields.insert("rule".into(), json!(rule));
    }
    let state = match &step.result {
        None => "not_reached",
        Some(StepResult {
            finding: StepFinding::Guard(GuardAction::Halt),
            ..
        }) => "unknown",
        Some(StepResult { outcome: None, .. }) => "passed",
        Some(_) => "decides",
    };
    fields.insert("state".into(), json!(state));
    if let Some(answer) = &step.result {
        if let Some((treatment, reason)) = answer.outcome {
            fields.insert("treatment".into(), json!(treatment.as_str()));
            fields.insert("reason".into(), json!(reason.as_str()));
        }
        finding(report, &answer.finding, &mut fields);
    }
    Value::Object(fields)
}

fn finding(report: &ExplainReport<'_>, finding: &StepFinding<'_>, fields: &mut Map<String, Value>) {
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match finding {
        StepFinding::Halted(by) => {
            add("halted", json!(by.is_some()));
            add("halted_by", json!(by.map(HaltScope::as_str)));
        }
        StepFinding::Mode(mode) => {
            add("mode", json!(wording::mode(*mode)));
        }
        StepFinding::Guard(action) => {
            add("action", json!(wording::action(*action)));
        }
        StepFinding::Inbound(inbound, decided) => {
            add("inbound", json!(Inbound::as_str(*inbound)));
            add("decided", json!(decided.map(Treatment::as_str)));
        }
        StepFinding::Account(AccountFound { sources, segments }) => {
            let sources = sources.iter().map(|tried| {
                let (state, held, why) = match &tried.content {
                    None => ("not_reached", None, None),
                    Some(SourceContent::Nothing) => ("absent", None, None),
                    Some(SourceContent::Credential(name)) => {
                        ("absent", Some(text(name)), Some(wording::API_KEY))
                    }
                    Some(SourceContent::Account(account)) => ("account", Some(text(account)), None),
                    Some(SourceContent::NoAccount { value, why }) => {
                        ("malformed", value.as_deref().map(text), Some(why.as_str()))
                    }
                };
                json!({
                    "source": source(&tried.name),
                    "state": state,
                    "value": held,
                    "why": why,
                })
            });
            add("sources", Value::Array(sources.collect()));
            add("segments", json!(segments));
        }
        StepFinding::Rule(RuleFound {
            conditions: when,
            serve,
        }) => {
            add("when", Value::Array(conditions(when, report.region)));
            match serve {
                None => {}
                Some(ServeFound::NoRegion) => {}
                Some(ServeFound::V1) => {
                    add("serve", json!("v1"));
                }
                Some(ServeFound::V2 {
                    accounts: inside,
                    requests: bucketed,
                }) => {
                    add("serve", json!("v2"));
                    add("accounts", accounts(inside));
                    add("requests", json!(bucketed.as_deref().map(requests)));
                }
            }
        }
        StepFinding::Default => {}
    }
}

fn source(name: &SourceName<'_>) -> Value {
    match name {
        SourceName::Header(name) => json!({ "header": name }),
        SourceName::BasicAuth => json!({ "basic_auth": "username" }),
        SourceName::Path(template) => json!({ "path": template }),
    }
}

fn accounts(bucketing: &Bucketing) -> Value {
    let steps = bucketing.ramp.iter().map(|step| {
        json!({
            "from": step.step.from.map(|from| from.to_string()),
            "percent": percent(step.step.fraction),
            "active": step.is_active,
            "includes": step.includes,
        })
    });
    json!({
        "percent": percent(bucketing.fraction),
        "hash": bucketing.hash,
        "position": position(bucketing),
        "enters_at_percent": percent(bucketing.smallest_including),
        "includes": bucketing.includes,
        "ramp": steps.collect::<Vec<_>>(),
        "enters_at": bucketing.enters_at().map(|at| at.to_string()),
    })
}

fn requests(bucketing: &Bucketing) -> Value {
    json!({
        "percent": percent(bucketing.fraction),
        "position": position(bucketing),
        "enters_at_percent": percent(bucketing.smallest_including),
        "includes": bucketing.includes,
    })
}

/// The position as text: it may have more digits than a JSON number keeps.
fn position(bucketing: &Bucketing) -> Option<String> {
    let native = bucketing
        .tool_position
        .filter(|native| *native != ToolPosition::Never);
    native.map(|native| native.to_string())
}

/// The percentage as a number: six decimals are exact in floating point.
fn percent(fraction: Fraction) -> Option<Number> {
    fraction.to_string().parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
