//! `examples/git/apply.sh` commits and pushes a step.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/script.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod script;

use std::path::{Path, PathBuf};
use std::process::Command;

use script::Script;
use tempfile::TempDir;

/// A bare repository with one commit of `policy.json`.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        repository.git(&["init", "--quiet", "--bare", "--initial-branch", "main", "."]);
        repository.push("{}", "A first policy");
        repository
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder")
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    /// Commits a policy as another person does.
    fn push(&self, policy: &str, message: &str) {
        let clone = tempfile::tempdir().expect("a folder");
        let origin = self.path().display().to_string();
        git(clone.path(), &["clone", "--quiet", &origin, "."]);
        std::fs::write(clone.path().join("policy.json"), policy).expect("a policy");
        git(clone.path(), &["add", "policy.json"]);
        let author = [
            "-c",
            "user.name=other",
            "-c",
            "user.email=other@example.com",
        ];
        let commit = ["commit", "--quiet", "--message", message];
        git(clone.path(), &[&author[..], &commit].concat());
        git(clone.path(), &["push", "--quiet", "origin", "HEAD"]);
    }

    fn script(&self) -> Script {
        let mut script = Script::new();
        without_configuration(|name, value| script.env(name, value));
        script.env("TURNOUT_REPOSITORY", &self.path().display().to_string());
        script.env("TURNOUT_ACTION", "apply");
        script.env("TURNOUT_ROLLOUT", "chat-users");
        script.env("TURNOUT_STEP", "half");
        script.env("TURNOUT_REVISION", "r1");
        script.env("TURNOUT_WHY", "the step tenth is healthy");
        script
    }
}

/// The configuration of whoever runs the tests has no effect.
fn without_configuration(mut set: impl FnMut(&str, &str)) {
    set("GIT_CONFIG_GLOBAL", "/dev/null");
    set("GIT_CONFIG_SYSTEM", "/dev/null");
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    without_configuration(|name, value| {
        command.env(name, value);
    });
    let output = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn apply() -> PathBuf {
    script::examples().join("git/apply.sh")
}

const POLICY: &str = "{ \"version\": 1 }\n";

#[test]
fn a_step_is_one_commit_with_its_reason() {
    let repository = Repository::new();
    let output = repository.script().run(&apply(), &[], POLICY);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(repository.git(&["show", "main:policy.json"]), POLICY);
    let message = repository.git(&["log", "-1", "--format=%an%n%B", "main"]);
    let expected =
        "turnout-roll\nchat-users: apply half\n\nthe step tenth is healthy\n\nRevision: r1\n";
    assert_eq!(message.trim_end(), expected.trim_end());
    assert_eq!(repository.git(&["rev-list", "--count", "main"]), "2\n");
}

#[test]
fn a_step_that_is_there_already_is_no_second_commit() {
    let repository = Repository::new();
    for _ in 0..2 {
        let output = repository.script().run(&apply(), &[], POLICY);
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(repository.git(&["rev-list", "--count", "main"]), "2\n");
}

#[test]
fn a_push_that_comes_second_fails_and_changes_nothing() {
    let repository = Repository::new();
    let mut script = repository.script();
    // Someone else pushes between the clone and the push.
    let real = Command::new("sh").args(["-c", "command -v git"]).output();
    let real = String::from_utf8(real.expect("a shell").stdout).expect("UTF-8");
    let other = tempfile::tempdir().expect("a folder");
    let other = other.path().display().to_string();
    let real = real.trim();
    script.env("OTHER", &other);
    script.stub(
        "git",
        &format!(
            "if [ \"$1\" = push ]; then\n\
             {real} clone --quiet \"$TURNOUT_REPOSITORY\" \"$OTHER\"\n\
             cd \"$OTHER\" && echo other > other && {real} add other\n\
             {real} -c user.name=o -c user.email=o@example.com commit --quiet --message other\n\
             {real} push --quiet origin HEAD\n\
             cd \"$OLDPWD\"\n\
             fi\n\
             exec {real} \"$@\""
        ),
    );
    let output = script.run(&apply(), &[], POLICY);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(repository.git(&["show", "main:policy.json"]), "{}");
    assert_eq!(
        repository.git(&["log", "-1", "--format=%s", "main"]),
        "other\n"
    );
}

#[test]
fn without_a_repository_nothing_is_done() {
    let repository = Repository::new();
    let mut script = repository.script();
    script.env("TURNOUT_REPOSITORY", "/no/such/repository");
    let output = script.run(&apply(), &[], POLICY);
    assert!(!output.status.success(), "{output:?}");
}
