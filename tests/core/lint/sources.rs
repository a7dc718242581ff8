//! Warnings about account sources agree with the account that is read from a request.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use turnout_core::explain::{SourceContent, StepFinding};
use turnout_core::lint::{Options, lint};
use turnout_core::{Headers, Inbound, Plan, Time};

const ACCOUNT: &str = "AC7342e9713fa896e4af00c654c444aada";
const SEGMENTS: [&str; 6] = ["a", "*", "{account}", "{account}.json", "a{account}", ""];

fn path() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(select(&SEGMENTS[..]), 1..4);
    let template = (segments, any::<bool>()).prop_map(|(segments, rest)| {
        let rest = if rest { "/**" } else { "" };
        format!("/{}{rest}", segments.join("/"))
    });
    let is_one = |path: &String| path.matches("{account}").count() == 1;
    template.prop_filter("one account", is_one)
}

/// A source in the text of a policy.
fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => select(vec!["x-a", "X-A", "x-b", "authorization"])
            .prop_map(|name| format!(r#"{{"header":"{name}"}}"#)),
        1 => Just(String::from(r#"{"basic_auth":"username"}"#)),
        4 => path().prop_map(|path| format!(r#"{{"path":"{path}"}}"#)),
    ]
}

/// A path of a few segments, some of which are accounts.
fn requested() -> impl Strategy<Value = String> {
    let names = ["a", "b", "", ACCOUNT].map(String::from);
    let more = [
        format!("{ACCOUNT}.json"),
        format!("a{ACCOUNT}"),
        format!("a{ACCOUNT}.json"),
    ];
    let segment = select([&names[..], &more].concat());
    prop::collection::vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let authorization = select(vec![
        // AC7342…:x, and SK7342…:x
        "Basic QUM3MzQyZTk3MTNmYTg5NmU0YWYwMGM2NTRjNDQ0YWFkYTp4",
        "Basic U0s3MzQyZTk3MTNmYTg5NmU0YWYwMGM2NTRjNDQ0YWFkYTp4",
        "Bearer x",
    ]);
    let pair = prop_oneof![
        select(vec!["x-a", "x-b"]).prop_map(|name| (name, ACCOUNT.to_owned())),
        authorization.prop_map(|value| ("authorization", value.to_owned())),
    ];
    prop::collection::vec(pair, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_account_is_read_from_a_source_reported_as_unreachable(
        sources in prop::collection::vec(source(), 1..6),
        requests in prop::collection::vec((requested(), headers()), 30),
    ) {
        let text = format!(
            r#"{{"version":1,"account":{{"from":[{}],"format":"sid"}},"rollouts":
                [{{"name":"r","v1":"v","v2":"w","mode":"split","rules":[{{}}]}}]}}"#,
            sources.join(",")
        );
        let plan = Plan::from_json(&text).expect("a valid policy");
        let found = lint(text.as_bytes(), &Options::default());
        let found = found.as_slice().iter().filter(|d| d.code() == "unreachable-source");
        let said: BTreeSet<String> = found.map(|d| d.pointer.clone()).collect();
        for (path, headers) in requests {
            let mut pairs = vec![(&b":path"[..], path.as_bytes())];
            pairs.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
            let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
            let explanation = plan.explain(&request);
            let results = explanation.steps.iter().filter_map(|step| step.result.as_ref());
            for result in results {
                let StepFinding::Account(account) = &result.finding else { continue };
                for (index, tried) in account.sources.iter().enumerate() {
                    let pointer = format!("/account/from/{index}");
                    let is_read = matches!(tried.content, Some(SourceContent::Account(_)));
                    prop_assert!(!(is_read && said.contains(&pointer)), "{} {} {}", pointer, path, text);
                }
            }
        }
    }
}
