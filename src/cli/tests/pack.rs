//! Account files and packed accounts: `turnout pack`, and how other commands read `accounts_from`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::turnout;

const FIRST: &str = "AC00000000000000000000000000000001";
const SECOND: &str = "AC7342e9713fa896e4af00c654c444aada";
const THIRD: &str = "ACffffffffffffffffffffffffffffffff";
/// The three accounts, packed with Python's base64.
const PACKED: &str = "AAAAAAAAAAAAAAAAAAAAAXNC6XE/qJbkrwDGVMREqtr/////////////////////";

/// A folder with a policy that has this segment, and with these files.
fn folder(segment: &str, format: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let policy = format!(
        "{{\n  \"version\": 1,\n  \"account\": {{ \"from\": [{{ \"header\": \"x-user\" }}], \"format\": \
         \"{format}\" }},\n  \"segments\": {{\n    \"hvc\": {segment}\n  }},\n  \"rollouts\": [\n    \
         {{ \"name\": \"r\", \"v1\": \"a\", \"v2\": \"b\", \"mode\": \"split\",\n      \
         \"rules\": [{{ \"when\": {{ \"in\": [\"hvc\"] }} }}] }}\n  ]\n}}\n"
    );
    fs::create_dir(folder.path().join("policies")).expect("a folder");
    write(folder.path(), "policies/policy.json", &policy);
    write(
        folder.path(),
        "template.txt",
        "x: \"@TURNOUT_CONFIGURATION@\"\n",
    );
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file");
}

fn run(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = turnout(folder.path(), arguments, "");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// The segment in the configuration that `render` writes.
fn rendered_segment(folder: &TempDir) -> Value {
    let arguments = [
        "render",
        "policies/policy.json",
        "--template",
        "template.txt",
    ];
    let (code, stdout, stderr) = run(folder, &arguments);
    assert_eq!(code, Some(0), "{stderr}");
    let quoted = stdout.strip_prefix("x: ").expect("the template");
    let configuration: String = serde_json::from_str(quoted).expect("a string");
    let configuration: Value = serde_json::from_str(&configuration).expect("JSON");
    let at = |pointer| configuration.pointer(pointer).cloned().expect(pointer);
    assert!(at("/policy/revision").is_string());
    at("/policy/segments/hvc")
}

#[test]
fn a_file_of_lines_is_packed_whatever_its_order() {
    let text = format!("\u{feff}account\r\n{THIRD}\n\n {FIRST} \n{SECOND}\n{THIRD}\n");
    for (name, named) in ["hvc.txt", "../policies/hvc.txt"].map(|named| ("policies/hvc.txt", named))
    {
        let folder = folder(
            &format!("{{ \"accounts_from\": \"{named}\" }}"),
            "sid",
            &[(name, &text)],
        );
        let packed = serde_json::json!({ "accounts_packed": PACKED });
        assert_eq!(rendered_segment(&folder), packed);
        let (code, stdout, _) = run(&folder, &["pack", name]);
        assert_eq!((code, stdout.trim()), (Some(0), PACKED));
        let (code, _, stderr) = run(&folder, &["lint", "policies/policy.json", "--strict"]);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("repeated-account"), "{stderr}");
        assert!(
            stderr.contains(&format!("`{THIRD}` on lines 2 and 6")),
            "{stderr}"
        );
    }
}

#[test]
fn a_column_of_csv_is_named_or_numbered() {
    let csv = format!("name,\"account sid\"\n\"Smith, Ltd\",{SECOND}\nx,{FIRST}\ny,{THIRD}\n");
    for column in ["account sid", "2"] {
        let segment =
            format!("{{ \"accounts_from\": {{ \"file\": \"a.csv\", \"column\": \"{column}\" }} }}");
        let folder = folder(&segment, "sid", &[("policies/a.csv", &csv)]);
        let packed = serde_json::json!({ "accounts_packed": PACKED });
        assert_eq!(rendered_segment(&folder), packed);
        let pack = ["pack", "policies/a.csv", "--column", column];
        assert_eq!(run(&folder, &pack).1.trim(), PACKED);
    }
}

#[test]
fn opaque_accounts_of_a_file_become_a_list() {
    let folder = folder(
        "{ \"accounts_from\": \"a.txt\" }",
        "opaque",
        &[("policies/a.txt", "zoë\nadam \"a\"\n")],
    );
    let list = serde_json::json!({ "accounts": ["adam \"a\"", "zoë"] });
    assert_eq!(rendered_segment(&folder), list);
}

/// Every command that reads a policy reads its account files.
#[test]
fn other_commands_read_the_files_too() {
    let text = format!("{FIRST}\n{SECOND}\n");
    let segment = "{ \"accounts_from\": \"hvc.txt\" }";
    let folder = folder(segment, "sid", &[("policies/hvc.txt", &text)]);
    let policy = "policies/policy.json";
    let list = "policies/hvc.txt";
    let (code, stdout, stderr) = run(
        &folder,
        &["explain", policy, "--account", SECOND, "--path", "/"],
    );
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("hvc"), "{stdout}");
    let simulate = ["simulate", policy, "--accounts", list, "--json"];
    let (code, stdout, stderr) = run(&folder, &simulate);
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    let segments = &report["rollouts"][0]["segments"];
    assert_eq!(segments[0]["accounts"], 2, "{segments}");
    let (code, _, stderr) = run(&folder, &["lint", policy, "--against", policy]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = run(&folder, &["plan", policy, policy, "--accounts", list]);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn every_bad_line_is_named_and_nothing_is_written() {
    let mut text = format!("{FIRST}\nAC7342E9713FA896E4AF00C654C444AADA\nSK1,{SECOND}\n");
    text.push_str(&"bad\n".repeat(2_000));
    let segment = "{ \"accounts_from\": \"hvc.txt\" }";
    let folder = folder(segment, "sid", &[("policies/hvc.txt", &text)]);
    let arguments = [
        "render",
        "policies/policy.json",
        "--template",
        "template.txt",
        "--show-lines",
    ];
    let (code, stdout, stderr) = run(&folder, &arguments);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("policies/policy.json:5:31"), "{stderr}");
    for error in [
        "has 2002 malformed lines",
        "hvc.txt line 2: `AC7342E9713FA896E4AF00C654C444AADA` is not an account: its hex digits are not all in lower case; write",
        "hvc.txt line 3: `SK1,AC7342e9713fa896e4af00c654c444aada` is not an account: it has 38 characters, not 34, and it begins with SK; an account SID begins with AC; write",
        "hvc.txt lines 4, 5, 6 and 995 more: `bad` is not an account: it has 3 characters, not 34, and it begins with ba; an account SID begins with AC; write",
        "and 1002 more malformed lines",
    ] {
        assert!(stderr.contains(error), "{error}\n{stderr}");
    }
    let (code, stdout, _) = run(&folder, &["lint", "policies/policy.json", "--json"]);
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &report["errors"]), (Some(2), &Value::from(1)));
    assert_eq!(report["bad_lines"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(report["bad_lines"][0]["line"], 2);
    assert_eq!(report["bad_lines_omitted"], 1_002);
    let github = ["lint", "policies/policy.json", "--format", "github"];
    let (_, stdout, _) = run(&folder, &github);
    assert!(stdout.contains("::error file=policies/hvc.txt,line=2,title=malformed-account::"));
    let (code, stdout, stderr) = run(&folder, &["pack", "policies/hvc.txt"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("hvc.txt line 2: "), "{stderr}");
}

#[test]
fn an_unusable_file_is_an_error_of_the_policy() {
    for (named, error) in [
        ("\"no.txt\"", "No such file"),
        ("\"../policies\"", "it is a folder"),
        ("\"/dev/null\"", "is outside the folder of the policy"),
        ("\"empty.txt\"", "has no account"),
        ("\"header.txt\"", "has no account"),
        ("\"first.txt\"", "has a malformed line"),
        (
            "{ \"file\": \"a.csv\", \"column\": \"sid\" }",
            "has no column `sid`",
        ),
        ("\"\"", "the file path is empty"),
    ] {
        let segment = format!("{{ \"accounts_from\": {named} }}");
        let files = [
            ("policies/empty.txt", "\n"),
            ("policies/header.txt", "account\n"),
            (
                "policies/first.txt",
                "AC12\nAC00000000000000000000000000000001\n",
            ),
            ("policies/a.csv", "id,account\n1,2\n"),
        ];
        let folder = folder(&segment, "sid", &files);
        let arguments = [
            "render",
            "policies/policy.json",
            "--template",
            "template.txt",
        ];
        let (code, stdout, stderr) = run(&folder, &arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{named}");
        assert!(stderr.contains(error), "{named}: {stderr}");
        assert!(stderr.contains("accounts_from"), "{named}: {stderr}");
    }
}

#[test]
fn a_long_list_is_rendered_packed_and_a_short_one_as_a_list() {
    let list = |count: u32| {
        let accounts: Vec<String> = (0..count).map(|n| format!("\"AC{n:032x}\"")).collect();
        format!("{{ \"accounts\": [{}] }}", accounts.join(","))
    };
    let short = folder(&list(1_000), "sid", &[]);
    assert!(rendered_segment(&short)["accounts"].is_array());
    let long = folder(&list(1_001), "sid", &[]);
    let packed = &rendered_segment(&long)["accounts_packed"];
    assert!(packed.as_str().is_some_and(|text| text.len() > 21_000));

    let three = format!("{{ \"accounts\": [\"{THIRD}\",\n \"{FIRST}\", \"{SECOND}\"] }}");
    let three = folder(&three, "sid", &[]);
    let (code, stdout, _) = run(&three, &["pack", "--policy", "policies/policy.json"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains(&format!(
            "    \"hvc\": {{ \"accounts_packed\": \"{PACKED}\" }}\n"
        )),
        "{stdout}"
    );
    // The rest is unchanged.
    let policy = fs::read_to_string(three.path().join("policies/policy.json")).expect("a policy");
    let rest = policy.split("\"rollouts\"").nth(1).expect("rollouts");
    assert!(stdout.ends_with(rest));
}

/// If ten segments name one file, its accounts would be in memory ten times.
#[test]
fn the_total_number_of_accounts_of_all_files_is_limited() {
    let mut segment = String::from("{ \"accounts_from\": \"a.txt\" }");
    for number in 1..10 {
        segment.push_str(&format!(
            ",\n    \"s{number}\": {{ \"accounts_from\": \"a.txt\" }}"
        ));
    }
    let accounts = (0..400_001).map(|number| format!("AC{number:032x}\n"));
    let accounts: String = accounts.collect();
    let folder = folder(&segment, "sid", &[("policies/a.txt", &accounts)]);
    let (code, _, printed) = run(&folder, &["lint", "policies/policy.json"]);
    assert_eq!(code, Some(2));
    assert!(
        printed.contains("a.txt` has more than 399991 accounts"),
        "{printed}"
    );
    assert!(
        printed.contains("at /segments/s9/accounts_from"),
        "{printed}"
    );
    assert!(printed.contains("may have at most 4000000"), "{printed}");
}
