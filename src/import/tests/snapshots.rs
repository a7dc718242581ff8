//! Snapshots of the policy and the notes of every flag in the corpus.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-import` updates them.

use std::collections::BTreeSet;

use expect_test::expect_file;
use turnout_core::Plan;
use turnout_import::{Options, Severity, import};

use crate::cases::{Case, TOOLS, all};

#[test]
fn policies_and_notes_equal_their_snapshots() {
    for case in all() {
        let imported = case
            .import()
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let notes: String = imported
            .notes
            .iter()
            .map(|note| format!("{note}\n"))
            .collect();
        expect_file![case.path("policy.json")].assert_eq(&imported.policy);
        expect_file![case.path("notes.txt")].assert_eq(&notes);
        assert!(Plan::from_json(&imported.policy).is_ok(), "{}", case.name);
        let losses = imported
            .notes
            .iter()
            .filter(|note| note.severity == Severity::Lost);
        assert_eq!(imported.is_lossy, losses.count() > 0, "{}", case.name);
    }
}

#[test]
fn every_flag_of_the_exports_has_a_case() {
    for tool in TOOLS {
        let cases: Vec<Case> = all()
            .into_iter()
            .filter(|case| case.tool == tool && case.file == "export.json")
            .collect();
        let text = cases.first().expect("a case").text();
        let error = import(tool, &text, &Options::default()).expect_err("several flags");
        let known: BTreeSet<_> = cases
            .iter()
            .filter_map(|case| case.options.flag.clone())
            .collect();
        let count = format!("the file has {} flags: ", known.len());
        assert!(error.message.starts_with(&count), "{error}");
        assert_eq!(error.help, "select one with --flag NAME");
    }
}
