//! Bucketing of other tools, tested with vectors from other implementations and from the tools' own public
//! tests.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::Deserialize;
use support::corpus;
use turnout_core::{Fraction, Hash, Position, Salt, ToolPosition};

const HUNDRED_PERCENT: u32 = 100_000_000;

#[derive(Deserialize)]
struct Row {
    hash: String,
    key: String,
    native: String,
    percentage: String,
    included: bool,
    source: String,
}

/// By the name of the hash.
fn rows() -> BTreeMap<String, Vec<Row>> {
    let files = corpus::files("hashes", "csv").into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let rows = csv::Reader::from_path(&path).expect("the vectors");
        let rows = rows.into_deserialize().map(|row| row.expect("a row"));
        (name.into_owned(), rows.collect())
    });
    files.collect()
}

fn hash(text: &str) -> Hash {
    Hash::from_json(text, Salt::new("chat")).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn millionths(percentage: &str) -> u32 {
    let fraction = Fraction::from_percentage(percentage).expect("a percentage");
    fraction.millionths()
}

#[test]
fn every_row_agrees() {
    for (name, rows) in rows() {
        let mut last: Option<(String, Hash)> = None;
        for row in rows {
            let (_, hash) = match last.take() {
                Some((text, hash)) if text == row.hash => last.insert((text, hash)),
                _ => last.insert((row.hash.clone(), hash(&row.hash))),
            };
            let what = format!("{} {} {}", row.hash, row.key, row.percentage);
            assert_eq!(hash.name(), name);
            let position = hash.position(row.key.as_bytes());
            assert_eq!(
                hash.tool_position(position).to_string(),
                row.native,
                "{what}"
            );
            let fraction = hash.fraction(millionths(&row.percentage)).expect(&what);
            assert_eq!(fraction.includes(position), row.included, "{what}");
            assert_eq!(fraction.to_string(), row.percentage, "{what}");
            let is_entered =
                hash.smallest_including(position).millionths() <= fraction.millionths();
            assert_eq!(is_entered, row.included, "{what}");
        }
    }
}

#[test]
fn the_vectors_cover_what_can_differ() {
    let rows = rows();
    let names: Vec<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["flagd", "growthbook", "launchdarkly", "split", "unleash"]
    );
    for (name, rows) in &rows {
        let count = |is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
        assert!(rows.len() >= 500, "{name}");
        assert!(
            count(&|row| row.source.contains('/')) >= 8,
            "public: {name}"
        );
        assert!(
            count(&|row| row.hash.contains(r#""v2": "last""#)) >= 50,
            "{name}"
        );
        assert!(count(&|row| !row.key.is_ascii()) >= 20, "UTF-8: {name}");
        let hashes: BTreeSet<&str> = rows.iter().map(|row| row.hash.as_str()).collect();
        assert!(hashes.len() >= 5, "{name}");
        // Each key has a boundary: it is inside at some percentage and outside at another.
        for is_in in [false, true] {
            assert!(
                count(&|row| row.included == is_in) * 4 > rows.len(),
                "{name}"
            );
        }
    }
    let apart = |row: &&Row| row.source.ends_with("32 bits and exact numbers differ");
    assert!(rows["launchdarkly"].iter().filter(apart).count() >= 60);
    for (name, outside) in [("split", 100), ("growthbook", 50), ("flagd", 8)] {
        let never = rows[name].iter().filter(|row| row.native == "never");
        assert!(never.count() >= outside, "{name}");
    }
}

/// Each kind of range, both ends, and keys that are never inside.
const HASHES: [&str; 14] = [
    r#""turnout""#,
    r#"{"split": {"seed": 123}}"#,
    r#"{"split": {"seed": -5, "traffic_allocation": 40, "traffic_allocation_seed": 9, "v2": "last"}}"#,
    r#"{"unleash": {"group_id": "chat"}}"#,
    r#"{"unleash": {"group_id": "chat", "v2": "last"}}"#,
    r#"{"launchdarkly": {"flag_key": "chat", "salt": "abc"}}"#,
    r#"{"launchdarkly": {"seed": 61, "v2": "last"}}"#,
    r#"{"growthbook": {"seed": "chat", "version": 1, "rule": "rollout"}}"#,
    r#"{"growthbook": {"seed": "chat", "version": 2, "rule": "rollout", "v2": "last"}}"#,
    r#"{"growthbook": {"seed": "chat", "version": 2, "rule": "experiment", "start": 33.34,
        "namespace": {"id": "checkout", "from": 10, "to": 60}}}"#,
    r#"{"flagd": {"flag_key": "chat", "version": 1, "total_weight": 100}}"#,
    r#"{"flagd": {"flag_key": "chat", "version": 1, "total_weight": 3, "v2": "last"}}"#,
    r#"{"flagd": {"flag_key": "chat", "version": 2, "total_weight": 100000000}}"#,
    r#"{"flagd": {"flag_key": "", "version": 2, "total_weight": 7, "v2": "last"}}"#,
];

proptest! {
    #[test]
    fn raising_a_percentage_only_adds(
        index in 0..HASHES.len(),
        account in prop::collection::vec(any::<u8>(), 0..130),
        low in 0..=HUNDRED_PERCENT,
        high in 0..=HUNDRED_PERCENT,
    ) {
        let hash = hash(HASHES[index]);
        let position = hash.position(&account);
        // The nearest percentages that the range can express.
        let at = |millionths| hash.fraction(millionths).unwrap_or_else(|between| {
            hash.fraction(between.below).expect("a whole number of parts")
        });
        let (low, high) = (at(low.min(high)), at(low.max(high)));
        prop_assert!(!low.includes(position) || high.includes(position));
    }

    #[test]
    fn an_account_enters_at_its_entry(
        index in 0..HASHES.len(),
        account in prop::collection::vec(any::<u8>(), 0..130),
    ) {
        let hash = hash(HASHES[index]);
        let position = hash.position(&account);
        let entry = hash.smallest_including(position);
        prop_assert!(entry.includes(position));
        prop_assert!(entry.millionths() > 0);
        let same = hash.fraction(entry.millionths());
        prop_assert_eq!(same, Ok(entry));
        let before = match hash.fraction(entry.millionths() - 1) {
            Ok(fraction) => fraction,
            Err(between) => hash.fraction(between.below).expect("a whole number of parts"),
        };
        prop_assert!(before.millionths() < entry.millionths());
        prop_assert!(!before.includes(position));
    }

    #[test]
    fn nothing_takes_nobody_and_everything_everyone(
        index in 0..HASHES.len(),
        position in any::<u64>().prop_map(Position),
    ) {
        let hash = hash(HASHES[index]);
        prop_assert_eq!(hash.fraction(0), Ok(Fraction::NONE));
        prop_assert_eq!(hash.fraction(HUNDRED_PERCENT), Ok(Fraction::ALL));
        prop_assert!(!Fraction::NONE.includes(position));
        prop_assert!(Fraction::ALL.includes(position));
    }
}

#[test]
fn a_percentage_selects_its_share() {
    for text in HASHES
        .into_iter()
        .filter(|text| !text.contains("allocation") && !text.contains("namespace"))
    {
        let hash = hash(text);
        let between = hash
            .fraction(30_000_000)
            .map_or_else(|between| between.below, |f| f.millionths());
        let fraction = hash.fraction(between).expect("a percentage of the line");
        let accounts = 20_000;
        let taken = (0..accounts)
            .filter(|n| fraction.includes(hash.position(format!("AC{n:032x}").as_bytes())))
            .count();
        let expected = f64::from(between) / 1e8 * f64::from(accounts);
        assert!(
            (taken as f64 - expected).abs() < 400.0,
            "{text}: {taken}, not {expected}"
        );
    }
}

#[test]
fn keys_that_a_tool_never_selects_have_the_last_position() {
    let text = r#"{"split": {"seed": 1, "traffic_allocation": 0, "traffic_allocation_seed": 2}}"#;
    let hash = hash(text);
    let position = hash.position(b"AC7342e9713fa896e4af00c654c444aada");
    assert_eq!(position, Position::LAST);
    assert_eq!(hash.tool_position(position), ToolPosition::Never);
    assert_eq!(hash.smallest_including(position), Fraction::ALL);
    assert!(!hash.fraction(99_000_000).expect("99 %").includes(position));
}
