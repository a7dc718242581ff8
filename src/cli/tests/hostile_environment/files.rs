//! Paths that are not files: folders, circular links, endless devices, pipes. Each command reports an error or
//! reads on, and none hangs or exhausts the memory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{ended, folder, is_printable, policy, run, stderr, turnout, wait};

/// Commands that read a complete file, `FILE`.
const WHOLE: &[&str] = &[
    "lint FILE",
    "lint a.json --against FILE",
    "explain FILE --account AC7342e9713fa896e4af00c654c444aada",
    "plan FILE b.json --accounts accounts",
    "simulate FILE --accounts accounts",
    "import launchdarkly FILE",
    "judge --counts FILE",
    "judge --metrics FILE",
    "roll FILE --check",
    "diff FILE a.json",
    "diff a.json FILE",
    "render FILE --template template",
    "render a.json --template FILE",
    "apply FILE --dir d --wasm f.wasm",
];

/// Commands that stream a file, `FILE`.
const STREAMED: &[&str] = &[
    "simulate a.json --accounts FILE",
    "simulate a.json --log FILE",
    "plan a.json b.json --accounts FILE",
    "report FILE",
];

/// Commands that use a live folder, `FILE`.
const FOLDERS: &[&str] = &[
    "apply a.json --dir FILE --wasm f.wasm",
    "halt --dir FILE",
    "resume --dir FILE",
    "rollback --dir FILE",
    "log --dir FILE",
];

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

#[test]
fn a_path_that_is_not_a_file_is_an_error_and_no_command_hangs() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("folder")).expect("a folder");
    fs::write(path.join("accounts"), "").expect("a file");
    fs::write(path.join("template"), "\"@TURNOUT_CONFIGURATION@\"").expect("a file");
    symlink("circle2", path.join("circle1")).expect("a link");
    symlink("circle1", path.join("circle2")).expect("a link");
    symlink("nowhere", path.join("dangling")).expect("a link");
    symlink("/dev/zero", path.join("zero")).expect("a link");
    let refused = |lines: &[&str], file: &str, words: &str| {
        for line in lines {
            let output = run(path, &line.replace("FILE", file));
            assert_eq!(output.status.code(), Some(2), "{line}: {file}: {output:?}");
            let printed = stderr(&output);
            assert!(printed.contains(words), "{line}: {file}: {printed}");
            assert!(!printed.contains("panicked"), "{line}: {file}: {printed}");
            assert!(output.stdout.is_empty(), "{line}: {file}: {output:?}");
        }
    };
    for file in ["folder", "circle1", "dangling", "a.json/b", "none"] {
        let words = format!("cannot read {file}: ");
        refused(WHOLE, file, &words);
        refused(STREAMED, file, &words);
    }
    for file in ["/dev/zero", "zero"] {
        refused(WHOLE, file, "it is larger than 64 MiB");
    }
    pipe(&path.join("pipe"));
    for file in ["pipe", "zero", "a.json"] {
        refused(FOLDERS, file, "is not a folder");
    }
    for file in ["folder", "none/x", "a.json/b", "/dev/full"] {
        let line = format!("schema --output {file}");
        refused(&[&line], file, "cannot write");
    }
    assert_eq!(
        fs::read_to_string(path.join("a.json")).expect("the policy"),
        policy("a")
    );
    assert!(!path.join("d").exists());
}

/// As a shell creates for `<(…)`.
#[test]
fn a_pipe_with_a_writer_is_read_like_a_file() {
    let folder = folder();
    let path = folder.path();
    pipe(&path.join("pipe"));
    for (line, written, code) in [
        ("lint pipe", policy("a"), 0),
        ("lint pipe", "{".to_owned(), 2),
        ("apply pipe --dir d --wasm f.wasm", policy("p"), 0),
    ] {
        let writer = {
            let pipe = path.join("pipe");
            thread::spawn(move || fs::write(pipe, written))
        };
        let output = run(path, line);
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
        writer.join().expect("the writer ends").expect("it is read");
    }
    assert_eq!(super::filter(path).1, "p");
}

/// A log or a list of accounts may be endless. The memory for it is bounded.
#[cfg(target_os = "linux")]
#[test]
fn an_endless_stream_takes_bounded_memory() {
    const READ: Duration = Duration::from_millis(700);
    const MOST: u64 = 64 << 10;
    let folder = folder();
    for line in STREAMED {
        let line = line.replace("FILE", "/dev/zero");
        let mut command = turnout(folder.path(), line.split_whitespace());
        let command = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("the command starts");
        let began = Instant::now();
        let mut kibibytes = 0;
        let mut has_ended = false;
        while began.elapsed() < READ && !has_ended {
            kibibytes = most_memory(child.id()).unwrap_or(kibibytes);
            has_ended = child.try_wait().expect("the state of a child").is_some();
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        wait(&mut child);
        assert!(kibibytes > 0, "{line}");
        assert!(kibibytes < MOST, "{line}: {kibibytes} KiB");
    }
}

#[cfg(target_os = "linux")]
fn most_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line?.split_whitespace().next()?.parse().ok()
}

/// Spaces, quotes, newlines, escapes, `--`, and invalid UTF-8.
#[test]
fn paths_may_contain_any_bytes() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let folder = folder();
    let path = folder.path();
    for odd in [
        &b"a b"[..],
        b"'q'\"q\"",
        b"new\nline",
        b"re\rturn",
        b"es\x1b[2Jc",
        b"c1\xc2\x9b2J",
        b"$(id);`id`|&",
        b"*?[",
        b"-rf",
        b"\\\\n",
        b"%00%s%n",
        b"\xe2\x80\xaebidi",
        b"not UTF-8 \xff\xfe",
        b"..\xc0\xaf..",
    ] {
        let odd = OsString::from_vec(odd.to_vec());
        let with = |before: &str, after: &str| {
            let mut all = OsString::from(before);
            all.push(&odd);
            all.push(after);
            all
        };
        let (file, dir) = (with("./", ".json"), with("--dir=", ""));
        fs::copy(path.join("a.json"), path.join(&file)).expect("a policy");
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let lines = [
            ([words(&["lint"]), vec![file.clone()]].concat(), 0),
            ([words(&["lint"]), vec![with("./none", "")]].concat(), 2),
            (
                [
                    words(&["apply", "--wasm", "f.wasm"]),
                    vec![file.clone(), dir.clone()],
                ]
                .concat(),
                0,
            ),
            ([words(&["halt"]), vec![dir.clone()]].concat(), 0),
            ([words(&["log"]), vec![dir.clone()]].concat(), 0),
            ([words(&["log", "--json"]), vec![dir]].concat(), 0),
        ];
        for (arguments, code) in lines {
            let output = ended(turnout(path, &arguments));
            assert_eq!(
                output.status.code(),
                Some(code),
                "{arguments:?}: {output:?}"
            );
            is_printable(&output);
        }
        let filter = fs::read(path.join(&odd).join("filter.json")).expect("a filter.json");
        let filter: serde_json::Value = serde_json::from_slice(&filter).expect("JSON");
        assert_eq!(
            filter.get("version_info").and_then(|text| text.as_str()),
            Some("a-halted"),
            "{odd:?}"
        );
        fs::remove_dir_all(path.join(&odd)).expect("the folder");
        fs::remove_file(path.join(&file)).expect("the policy");
    }
}

/// The proxies read the path as JSON.
#[test]
fn the_path_of_the_filter_reaches_the_proxies_unchanged_or_is_an_error() {
    let folder = folder();
    let path = folder.path();
    for (number, odd) in [
        "a b",
        "'q'\"q\"",
        "new\nline",
        "es\u{1b}c",
        "\\n",
        "@X@",
        "\u{202e}",
    ]
    .iter()
    .enumerate()
    {
        let wasm = path.join(format!("{odd}.wasm"));
        fs::copy(path.join("f.wasm"), &wasm).expect("a filter");
        let dir = format!("d{number}");
        let wasm = wasm.to_str().expect("UTF-8");
        let output = ended(turnout(
            path,
            ["apply", "a.json", "--dir", &dir, "--wasm", wasm],
        ));
        assert_eq!(output.status.code(), Some(0), "{odd:?}: {output:?}");
        is_printable(&output);
        let text = fs::read_to_string(path.join(dir).join("filter.json")).expect("a file");
        let filter: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let quoted = serde_json::Value::from(wasm).to_string();
        assert!(filter.to_string().contains(&quoted), "{odd:?}: {text}");
    }
}
