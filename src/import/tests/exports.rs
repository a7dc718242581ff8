//! Every flag of the corpus: its policy and its notes, word for word.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-import` writes them anew.

use std::collections::BTreeSet;

use expect_test::expect_file;
use turnout_core::Plan;
use turnout_import::{Options, Severity, import};

use crate::cases::{Case, TOOLS, all};

#[test]
fn flags_become_these_policies_with_these_notes() {
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
fn every_flag_of_the_exports_is_looked_at() {
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
        let count = format!("there are {} flags: ", known.len());
        assert!(error.what.starts_with(&count), "{error}");
        assert_eq!(error.help, "say which with --flag NAME");
    }
}
