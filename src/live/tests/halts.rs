//! A halt ends only when someone asks for it, whatever proxies say and whatever the folder loses.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{WASM, active_policy, apply, assert_halts, author, folder, history, policy};
use super::{model, numbered_policies};
use crate::{Change, Directory, Error, Intent, LiftedHalts, Outcome, PluginOverrides, Target};

const RESUME: LiftedHalts<'static> = LiftedHalts {
    everyone: true,
    rollouts: &[],
};

/// Only one proxy was asked, and others may have accepted the halt.
#[test]
fn a_halt_that_proxies_rejected_is_not_resumed_by_itself() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    apply(&directory, "b", Outcome::Accepted);
    let mut change = directory.halt(&author()).expect("halted");
    let recorded = directory.record_outcome(&mut change, Outcome::Rejected, &[]);
    assert_eq!(recorded.restored, None);
    assert_eq!(active_policy(&directory)["halted"], true);
    // Another halt gives it to them again; the halted policy is still b.
    assert_halts(&directory, "b-halted");
    directory.resume(&author()).expect("resumed");
    assert_eq!(active_policy(&directory)["revision"], "b");
}

/// They run the same policy, halted, and the other proxies run it without the halt.
#[test]
fn a_policy_stays_active_if_some_proxies_refuse_its_resume() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    apply(&directory, "b", Outcome::Accepted);
    directory.halt(&author()).expect("halted");
    let mut change = directory.resume(&author()).expect("resumed");
    directory.record_outcome(&mut change, Outcome::PartiallyApplied, &[]);
    assert_halts(&directory, "b-halted");
}

#[test]
fn a_first_policy_that_some_proxies_run_can_be_halted() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::PartiallyApplied);
    assert_halts(&directory, "a-halted");

    // Applying it again writes it again, so that proxies that rejected it read it again.
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::PartiallyApplied);
    let again = directory.apply(&policy("a"), PluginOverrides::default(), &author());
    assert!(!again.expect("written").is_unchanged);
}

/// Carries out a change and returns the active policy.
fn after(directory: &Directory, change: impl FnOnce(&Directory) -> Result<Change, Error>) -> Value {
    change(directory).expect("written");
    active_policy(directory)
}

type Damage = (&'static str, Box<dyn Fn(&Directory)>);

/// All ways in which a folder can lose information about a halt, which is its third entry.
fn damages() -> Vec<Damage> {
    let entry =
        |directory: &Directory, number: u64| history(directory).join(format!("{number:06}.json"));
    let lose = |path: &Path| fs::remove_file(path).expect("gone");
    let garble = |path: &Path| fs::write(path, "{").expect("a file");
    vec![
        ("nothing", Box::new(|_| ())),
        ("the file", Box::new(move |d| lose(&d.filter()))),
        (
            "the file is garbage",
            Box::new(move |d| garble(&d.filter())),
        ),
        (
            "the file is empty",
            Box::new(move |d| fs::write(d.filter(), "").expect("a file")),
        ),
        (
            "the file is cut off, and the entry of the halt is gone",
            Box::new(move |d| {
                let text = fs::read(d.filter()).expect("a file");
                fs::write(d.filter(), text.get(..100).expect("long")).expect("a file");
                lose(&entry(d, 3));
            }),
        ),
        (
            "the file, and the entry of the halt is garbage",
            Box::new(move |d| {
                lose(&d.filter());
                garble(&entry(d, 3));
            }),
        ),
        (
            "the file is garbage and the history is gone",
            Box::new(move |d| {
                garble(&d.filter());
                fs::remove_dir_all(history(d)).expect("gone");
            }),
        ),
        (
            "the history",
            Box::new(move |d| fs::remove_dir_all(history(d)).expect("gone")),
        ),
        (
            "the entry of the halt says that it does not halt",
            Box::new(move |d| {
                let text = fs::read(entry(d, 3)).expect("an entry");
                let mut lie: Value = serde_json::from_slice(&text).expect("JSON");
                lie["halted"] = false.into();
                lie["halted_rollouts"] = Value::Array(Vec::new());
                fs::write(entry(d, 3), lie.to_string()).expect("a file");
                lose(&d.filter());
            }),
        ),
    ]
}

#[test]
fn lost_files_do_not_end_a_halt() {
    for (what, damage) in &damages() {
        let halted = || {
            let (folder, directory) = folder();
            apply(&directory, "a", Outcome::Accepted);
            apply(&directory, "b", Outcome::Accepted);
            assert_halts(&directory, "b-halted");
            damage(&directory);
            (folder, directory)
        };
        let (_folder, directory) = halted();
        let policy = policy("c");
        let now = after(&directory, |d| d.apply(&policy, WASM, &author()));
        assert_eq!(
            (&now["revision"], &now["halted"]),
            (&"c-halted".into(), &true.into()),
            "{what}"
        );
        // --resume ends the halt, even a doubtful one.
        let (_folder, directory) = halted();
        let intent = Intent::Apply {
            policy: &policy,
            given: WASM,
            lifts: RESUME,
        };
        let now = after(&directory, |d| d.change(&intent, &author(), None));
        assert_eq!(
            (&now["revision"], &now["halted"]),
            (&"c".into(), &Value::Null),
            "{what}"
        );
        let (_folder, directory) = halted();
        if let Ok(change) = directory.rollback(&Target::Before, &author()) {
            assert!(change.entry.halted, "{what}");
            assert_eq!(active_policy(&directory)["halted"], true, "{what}");
        }
    }
}

/// It may become a halt of everyone.
#[test]
fn lost_files_do_not_end_a_halt_of_a_rollout() {
    for (what, damage) in &damages() {
        let (_folder, directory) = model::folder();
        for number in [3, 0] {
            let policy = numbered_policies::policy(number);
            let intent = Intent::Apply {
                policy: &policy,
                given: numbered_policies::overrides(number),
                lifts: LiftedHalts {
                    everyone: number == 0,
                    rollouts: &[],
                },
            };
            directory.change(&intent, &author(), None).expect("written");
        }
        let halt = Intent::Halt { rollout: Some("a") };
        directory.change(&halt, &author(), None).expect("halted");
        damage(&directory);
        directory
            .apply(
                &numbered_policies::policy(2),
                numbered_policies::overrides(2),
                &author(),
            )
            .expect("written");
        let halts = model::halts(&directory);
        assert!(
            halts.everyone || halts.rollouts.contains("a"),
            "{what}: {halts:?}"
        );
        // Also if the next command is another halt.
        let all = directory.halt(&author()).expect("halted");
        assert!(all.entry.halted, "{what}");
    }
}

/// As long as the rest of the folder proves that it was not halted.
#[test]
fn damage_does_not_halt_a_folder_that_was_not_halted() {
    for damage in [
        |d: &Directory| fs::remove_file(d.filter()).expect("gone"),
        |d: &Directory| fs::write(d.filter(), "garbage").expect("a file"),
        |d: &Directory| fs::remove_dir_all(history(d)).expect("gone"),
        |d: &Directory| fs::remove_dir_all(d.path()).expect("gone"),
    ] {
        let (_folder, directory) = folder();
        apply(&directory, "a", Outcome::Accepted);
        apply(&directory, "b", Outcome::Accepted);
        damage(&directory);
        let change = directory
            .apply(&policy("c"), WASM, &author())
            .expect("written");
        assert!(!change.keeps.everyone && !change.entry.halted);
    }
}

/// Someone halts between the preview and the lock.
#[test]
fn a_halt_between_preview_and_change_is_seen() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b");
    let intent = Intent::Apply {
        policy: &policy,
        given: WASM,
        lifts: LiftedHalts::default(),
    };
    let preview = directory.preview(&intent, &author()).expect("a preview");
    assert!(!preview.after.halted);
    assert_halts(&directory, "a-halted");
    let refused = directory.change(&intent, &author(), Some(&preview));
    assert!(
        matches!(refused, Err(Error::ChangedMeanwhile)),
        "{refused:?}"
    );
    assert_eq!(active_policy(&directory)["revision"], "a-halted");
    // With a new preview the change keeps the halt.
    let preview = directory.preview(&intent, &author()).expect("a preview");
    assert_eq!(preview.after.revision, "b-halted");
    let change = directory
        .change(&intent, &author(), Some(&preview))
        .expect("written");
    assert!(change.keeps.everyone);
    let text: Value = serde_json::from_str(&preview.after.policy).expect("JSON");
    assert_eq!(active_policy(&directory), text);
}

/// `--resume` contradicts a policy with `"halted": true`.
#[test]
fn a_policy_that_halts_itself_contradicts_resume() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b").replacen('{', "{\"halted\": true,", 1);
    let intent = Intent::Apply {
        policy: &policy,
        given: WASM,
        lifts: RESUME,
    };
    let refused = directory.change(&intent, &author(), None);
    assert!(matches!(refused, Err(Error::HaltsItself)), "{refused:?}");
    // Its revision stays the author's, even in a halted folder.
    assert_halts(&directory, "a-halted");
    let change = directory.apply(&policy, WASM, &author()).expect("written");
    assert_eq!(
        (change.entry.revision.as_str(), change.keeps.everyone),
        ("b", false)
    );
}

/// The policy is active when someone halts, and proxies reject it only afterwards.
#[test]
fn a_halt_outlives_a_policy_that_halts_itself_and_is_refused_later() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b").replacen('{', "{\"halted\": true,", 1);
    let mut change = directory.apply(&policy, WASM, &author()).expect("written");
    directory.halt(&author()).expect("halted");
    let recorded = directory.record_outcome(&mut change, Outcome::Rejected, &["no".into()]);
    assert_eq!(recorded.restored, None);
    assert_eq!(active_policy(&directory)["halted"], true);
    // A second halt changes nothing.
    assert!(directory.halt(&author()).expect("halted").is_unchanged);
}

/// Proxies rejected the policy that the file still has, and run the one before it.
#[test]
fn a_halt_of_a_rollout_that_the_active_policy_does_not_have_is_not_lost_silently() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let rollout = r#"{ "name": "chat", "v1": "x", "v2": "y", "mode": "off", "halted": true }"#;
    let policy = policy("b").replace(r#""rollouts": []"#, &format!(r#""rollouts": [{rollout}]"#));
    let mut change = directory.apply(&policy, WASM, &author()).expect("written");
    let rejected = fs::read(directory.filter()).expect("the file");
    directory.record_outcome(&mut change, Outcome::Rejected, &[]);
    for halts in [true, false] {
        // As after a kill before the file was restored.
        fs::write(directory.filter(), &rejected).expect("the file");
        let change = match halts {
            true => directory.halt(&author()),
            false => directory.resume(&author()),
        };
        let notes = change.expect("written").notes.join("\n");
        let lost = "the halt of rollout `chat` is not kept, because the active policy has no rollout of this name";
        assert!(notes.contains(lost), "{notes}");
        assert_eq!(active_policy(&directory)["rollouts"], serde_json::json!([]));
    }
}
