//! The exact problems of the plans in `tests/corpus/plans`. `UPDATE_EXPECT=1 cargo test -p turnout-roll` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use turnout_core::{AccountFiles, Diagnostic, ParsedPolicy, Severity};

use crate::{Checked, ParsedPlan, PlanCode, RollPlan};

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/plans")
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}

pub(super) fn policy(name: &str) -> String {
    read(&folder().join(format!("policies/{name}.json")))
}

pub(super) fn plans() -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).expect("the folder").flatten();
    let mut plans: Vec<PathBuf> = files.map(|file| file.path()).collect();
    plans.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    plans.sort();
    assert!(plans.len() > 20, "{plans:?}");
    plans
}

pub(super) fn check(plan: &str, policy: &str) -> Checked {
    ParsedPlan::parse(plan).check(&ParsedPolicy::parse(policy), &AccountFiles::default())
}

/// Checks a plan with the policy that it names.
fn checked(path: &Path) -> Checked {
    let text = read(path);
    let plan = ParsedPlan::parse(&text);
    let named = plan.policy_path().map(|name| folder().join(name));
    let policy = named.filter(|path| path.exists());
    let policy = policy.map_or_else(|| self::policy("one-rule"), |path| read(&path));
    check(&text, &policy)
}

fn line(diagnostic: &Diagnostic) -> String {
    let (severity, code) = (diagnostic.severity().as_str(), diagnostic.code());
    format!("{severity}[{code}] {diagnostic}\n")
}

#[test]
fn plans_have_exactly_these_problems() {
    for path in plans() {
        let checked = checked(&path);
        let own = checked.diagnostics.as_slice().iter();
        let all = own.chain(checked.policy_diagnostics.as_slice());
        let lines: String = all.map(line).collect();
        let file = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if file.starts_with("valid-") {
            assert_eq!(lines, "", "{file}");
            continue;
        }
        expect_file![path.with_extension("txt")].assert_eq(&lines);
        let has_steps = checked.count(Severity::Error) == 0;
        assert_eq!(checked.steps.is_empty(), !has_steps, "{file}");
    }
}

#[test]
fn every_kind_of_problem_is_in_the_corpus() {
    let found: Vec<Checked> = plans().iter().map(|path| checked(path)).collect();
    let found = found
        .iter()
        .flat_map(|checked| checked.diagnostics.as_slice());
    let found: BTreeSet<&str> = found.map(Diagnostic::code).collect();
    for code in PlanCode::ALL {
        assert!(found.contains(code.as_str()), "{code:?}");
    }
}

#[test]
fn a_plan_has_the_same_errors_without_its_policy_or_none() {
    for path in plans() {
        let text = read(&path);
        let checked = checked(&path);
        match RollPlan::parse(&text) {
            Ok(plan) => assert_eq!(checked.plan, Some(plan), "{}", path.display()),
            Err(diagnostics) => {
                assert_eq!(diagnostics, checked.diagnostics, "{}", path.display());
                assert_eq!(checked.plan, None);
            }
        }
    }
}

#[test]
fn the_schema_refuses_malformed_plans_and_no_others() {
    let schema = crate::schema();
    jsonschema::meta::validate(&schema).expect("a schema");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema of 2020-12");
    // These need a comparison of two values, the policy, or a database.
    let beyond = ["steps", "quiet-times", "notify", "always-quiet"];
    for path in plans() {
        let text = read(&path);
        let Ok(value) = serde_json::from_str(&text) else {
            continue;
        };
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if beyond.contains(&name.as_str()) {
            continue;
        }
        let is_valid = RollPlan::parse(&text).is_ok();
        // The rules of a step are checked with the policy.
        let has_bad_rules = name == "problems-in-rules";
        assert_eq!(
            validator.is_valid(&value),
            is_valid && !has_bad_rules,
            "{name}"
        );
    }
}
