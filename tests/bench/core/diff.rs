//! The cost of comparing two responses, by their differences, in bytes of both bodies per second.
//!
//! `cargo bench -p turnout-tests --bench diff`. `peer` is the simplest alternative: serde_json parses both bodies
//! into trees, and `==` compares them. It finds no differences, only whether there are any.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use turnout_diff::{Comparison, OptionUsage, Options, Pattern, Response, Unordered, compare};

/// A list as an API returns it, about 560 bytes for each item.
fn list(items: u64) -> Value {
    let hex = |n: u64| {
        let high = xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes());
        format!("{high:016x}{:016x}", high.rotate_left(17))
    };
    let items: Vec<Value> = (0..items)
        .map(|n| {
            json!({
                "sid": format!("CH{}", hex(n)),
                "account_sid": format!("AC{}", hex(1 << 40)),
                "unique_name": format!("support-{n}"),
                "friendly_name": "Support for “Ångström & Söhne”",
                "attributes": format!("{{\"queue\":\"q{}\",\"skills\":[\"de\",\"en\"]}}", n % 7),
                "type": if n % 3 == 0 { "private" } else { "public" },
                "members_count": n % 17,
                "messages_count": n * 31,
                "score": f64::from(u32::try_from(n).expect("few")) / 7.0,
                "muted": n % 5 == 0,
                "last_read": null,
                "tags": ["a", "b", format!("tag-{}", n % 11)],
                "links": { "members": format!("/v1/Channels/CH{}/Members", hex(n)) },
                "date_created": "2026-11-21T03:51:19Z",
                "url": format!("https://chat.example.com/v1/Channels/CH{}", hex(n)),
            })
        })
        .collect();
    json!({ "meta": { "page": 0, "page_size": items.len(), "key": "channels" }, "channels": items })
}

/// The same list with the keys of every object in reverse order.
fn turned(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(key, value)| format!("{}:{}", json!(key), turned(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(turned).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

struct Case {
    name: &'static str,
    v2: String,
    options: Options,
    is_equal: bool,
}

fn cases(value: &Value) -> Vec<Case> {
    let case = |name, v2: String, is_equal| Case {
        name,
        v2,
        options: Options::default(),
        is_equal,
    };
    let items = value["channels"].as_array().expect("a list");
    let mut one = value.clone();
    one["channels"][items.len() / 2]["unique_name"] = "renamed".into();
    let mut reordered = value.clone();
    reordered["channels"]
        .as_array_mut()
        .expect("a list")
        .reverse();
    let path = Pattern::parse("/channels").expect("a path");
    let mut unordered = case(
        "list reordered, no order asked",
        reordered.to_string(),
        true,
    );
    unordered.options.unordered = vec![Unordered { path, key: None }];
    vec![
        case("same bytes", value.to_string(), true),
        case(
            "white space",
            serde_json::to_string_pretty(value).expect("JSON"),
            true,
        ),
        case("keys in another order", turned(value), true),
        case("one value", one.to_string(), false),
        case("list reordered", reordered.to_string(), false),
        unordered,
    ]
}

fn diffs(criterion: &mut Criterion) {
    for (size, items) in [("20 KB", 35), ("500 KB", 880)] {
        let value = list(items);
        let v1 = value.to_string();
        let mut group = criterion.benchmark_group(format!("diff {size}"));
        for case in cases(&value) {
            let bytes = v1.len() + case.v2.len();
            group.throughput(Throughput::Bytes(bytes.try_into().expect("few")));
            let [a, b] = [&v1, &case.v2].map(|body| Response {
                status: 200,
                headers: &[(b"content-type", b"application/json")],
                body: body.as_bytes(),
            });
            let mut usage = OptionUsage::new(&case.options);
            group.bench_function(BenchmarkId::new("turnout", case.name), |bencher| {
                bencher.iter(|| {
                    let comparison = compare(&a, &b, &case.options, &|_, _| false, &mut usage);
                    assert_eq!(matches!(comparison, Comparison::Equal), case.is_equal);
                    black_box(comparison);
                });
            });
            group.bench_function(BenchmarkId::new("peer", case.name), |bencher| {
                bencher.iter(|| {
                    let [a, b] =
                        [a, b].map(|response| serde_json::from_slice::<Map<_, _>>(response.body));
                    black_box(a.expect("JSON") == b.expect("JSON"))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, diffs);
criterion_main!(benches);
