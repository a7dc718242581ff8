//! The temporary memory that a comparison takes.

use super::*;

/// Bodies of v1 and v2 of so many bytes, each with the worst structure.
fn bodies(bytes: usize) -> Vec<(&'static str, String, String)> {
    let repeated = |one: &str| one.repeat(bytes / one.len() - 2);
    let list = |element: &str| {
        let elements = repeated(&format!("{element},"));
        format!("[{}]", elements.trim_end_matches(','))
    };
    let listed = |element: &dyn Fn(usize) -> String| {
        let mut text = String::from("[");
        for number in 0.. {
            let next = element(number);
            if text.len() + next.len() + 2 > bytes {
                break;
            }
            if number > 0 {
                text.push(',');
            }
            text.push_str(&next);
        }
        text + "]"
    };
    let object = |from: usize, value: &str| {
        let members = listed(&|number| format!("\"k{}\":{value}", number + from));
        format!("{{{}}}", members.trim_matches(['[', ']']))
    };
    let long = "k".repeat(bytes * 3 / 4);
    let below = |value: &str| {
        let members: Vec<String> = (0..300).map(|n| format!("\"m{n}\":{value}")).collect();
        format!("{{\"{long}\":{{{}}}}}", members.join(","))
    };
    let deep = |leaf: &str| {
        let (open, close) = (
            "{\"longer_name_of_a_developer\":".repeat(60),
            "}".repeat(60),
        );
        let wide: Vec<String> = (0..bytes / 40)
            .map(|n| format!("\"member_{n}\":{leaf}"))
            .collect();
        format!("{open}{{{}}}{close}", wide.join(","))
    };
    vec![
        ("numbers", list("1"), list("2")),
        ("lists", list("[]"), list("{}")),
        ("lists of lists", list("[[1]]"), list("[[2]]")),
        ("objects", list("{\"a\":1}"), list("{\"a\":2}")),
        ("keys", object(0, "1"), object(0, "2")),
        ("other keys", object(0, "1"), object(1_000_000, "1")),
        (
            "shifted numbers",
            listed(&|n| n.to_string()),
            listed(&|n| (n + 1).to_string()),
        ),
        (
            "turned around",
            listed(&|n| n.to_string()),
            listed(&|n| (60_000 - n % 60_000).to_string()),
        ),
        (
            "paired",
            listed(&|n| format!("{{\"id\":{n},\"v\":1}}")),
            listed(&|n| format!("{{\"v\":2,\"id\":{n}}}")),
        ),
        ("long keys", below("1"), below("2")),
        ("deep", deep("1"), deep("2")),
        (
            "texts",
            format!("\"{}\"", "\\u00e9".repeat(bytes / 6 - 1)),
            format!("\"{}\"", "\\u00e8".repeat(bytes / 6 - 1)),
        ),
        ("no JSON", "x".repeat(bytes), "y".repeat(bytes)),
        ("equal but for the order", object(0, "1"), object(0, "1.0")),
    ]
}

fn options(max_body_bytes: usize) -> [Value; 4] {
    let with = |compare: Value| json!({ "requests": 1, "max_body_bytes": max_body_bytes, "compare": compare });
    [
        with(json!({})),
        with(json!({ "unordered": [{ "path": "" }, { "path": "/*" }, { "path": "/*/*" }] })),
        with(json!({ "unordered": [{ "path": "", "key": "/id" }] })),
        with(json!({ "unordered": [{ "path": "" }],
                     "tolerance": [{ "path": "/*", "absolute": 0.5 }, { "path": "/*/*", "relative": 0.1 }] })),
    ]
}

/// Runs a trial in which v1 repeats one of its two responses, and measures each step.
fn measure(plan: &Plan, v1: &str, v2: &str, is_noisy: bool, judge_step: &mut dyn FnMut(u64)) {
    let text = |body: &str| StoredResponse {
        status: 200,
        headers: vec![(b"content-type".to_vec(), b"application/json".to_vec())],
        body: body.as_bytes().to_vec(),
    };
    let mut model = NoiseModel::new(shadow(plan));
    let (mut trial, mut next) = Trial::start(text(v1), true, false, &mut model);
    let mut asked = 0;
    loop {
        asked += 1;
        assert!(asked < 40, "it does not end");
        let body = match next {
            Treatment::V2 => v2,
            Treatment::V1 if is_noisy && asked % 2 == 0 => v2,
            Treatment::V1 => v1,
        };
        let response = CallResult::Response(text(body));
        let mut after = None;
        let measured = allocation_counter::measure(|| {
            let mut judge = TrialContext {
                shadow: shadow(plan),
                model: &mut model,
                route: None,
                now_ms: asked,
            };
            after = Some(trial.handle_result(response, &mut judge));
        });
        judge_step(measured.bytes_max);
        match after.expect("a step") {
            NextStep::Call(_) if v1.len() > 100_000 => return,
            NextStep::Call(version) => next = version,
            NextStep::Done(_) => return,
        }
    }
}

#[test]
fn no_comparison_takes_more_than_its_reserved_bytes() {
    let mut beyond = Vec::new();
    for bytes in [4_096, 65_536] {
        for options in options(bytes) {
            let plan = plan("shadow", &options);
            let kept_free = plan.working_bytes();
            for (name, v1, v2) in bodies(bytes) {
                for is_noisy in [false, true] {
                    let mut most = 0;
                    measure(&plan, &v1, &v2, is_noisy, &mut |max| most = most.max(max));
                    if most > u64::try_from(kept_free).expect("a size") {
                        beyond.push(format!("{name}, {bytes}: {most} of {kept_free} bytes"));
                    }
                }
            }
        }
    }
    // Slow cases run once.
    let bytes = 1_048_576;
    let plan = plan("shadow", &options(bytes)[3]);
    let kept_free = u64::try_from(plan.working_bytes()).expect("a size");
    for (name, v1, v2) in bodies(bytes) {
        let mut first = 0;
        let once = &mut |max| first = if first == 0 { max } else { first };
        measure(&plan, &v1, &v2, false, once);
        if first > kept_free {
            beyond.push(format!("{name}, {bytes}: {first} of {kept_free} bytes"));
        }
    }
    assert!(beyond.is_empty(), "{beyond:#?}");
}
