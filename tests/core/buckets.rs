//! The bucket contract, tested with vectors from another implementation of XXH3.

use std::collections::HashSet;

use serde::Deserialize;
use support::corpus;
use turnout_core::{Fraction, Position, Salt};

#[derive(Deserialize)]
struct Row {
    salt: String,
    kind: String,
    key: String,
    position: u64,
    percentage: String,
    included: bool,
}

fn rows() -> Vec<Row> {
    csv::Reader::from_path(corpus::folder().join("buckets.csv"))
        .expect("the vectors")
        .deserialize()
        .map(|row| row.expect("a row of the vectors"))
        .collect()
}

#[test]
fn every_row_agrees() {
    for row in rows() {
        let salt = Salt::new(&row.salt);
        let position = match row.kind.as_str() {
            "account" => salt.account(row.key.as_bytes()),
            "request" => salt.request(row.key.as_bytes()),
            "shadow" => salt.shadow(row.key.as_bytes()),
            "noise" => salt.noise(row.key.as_bytes()),
            other => panic!("kind {other}"),
        };
        assert_eq!(position, Position(row.position), "{} {}", row.salt, row.key);
        let fraction = Fraction::from_percentage(&row.percentage).expect("a percentage");
        let included = fraction.includes(position);
        assert_eq!(
            included, row.included,
            "{} {} {}",
            row.salt, row.key, row.percentage
        );
    }
}

#[test]
fn the_vectors_cover_what_can_differ() {
    let rows = rows();
    assert!(rows.len() >= 200);
    let lengths: HashSet<usize> = rows.iter().map(|row| row.salt.len()).collect();
    assert!(
        lengths.contains(&1) && lengths.contains(&128),
        "{lengths:?}"
    );
    for percentage in ["0", "0.000001", "12.5", "99.999999", "100"] {
        assert!(
            rows.iter().any(|row| row.percentage == percentage),
            "{percentage}"
        );
    }
    assert!(rows.iter().any(|row| !row.key.is_ascii()), "UTF-8");
    assert!(
        rows.iter().any(|row| row.key.len() > 240),
        "the long form of XXH3"
    );
}
