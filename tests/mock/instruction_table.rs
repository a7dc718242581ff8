//! A table of instruction counts, which is checked against a file next to this one.
//!
//! The numbers are the same on every machine, but depend on the compiler. With the version that the file names, a
//! number may differ by 1 %, with another one by 15 %, because a newer compiler is not a mistake of the developer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Rows of `N` numbers, by their names.
#[derive(Debug, PartialEq)]
pub(crate) struct Table<const N: usize> {
    columns: [&'static str; N],
    rows: BTreeMap<String, [u64; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [&'static str; N]) -> Self {
        Self {
            columns,
            rows: BTreeMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, name: String, numbers: [u64; N]) {
        let is_new = self.rows.insert(name.clone(), numbers).is_none();
        assert!(is_new, "{name} is counted twice");
    }

    /// Compares the table with a file in `tests/mock`. With `UPDATE_EXPECT` in the environment, it rewrites the file.
    ///
    /// Panics with the names of the rows that differ. `subject` names what was counted.
    #[track_caller]
    pub(crate) fn check(&self, file: &str, subject: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("mock")
            .join(file);
        let compiler = compiler();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(file, self.format(&compiler)).expect("the numbers can be written");
            return;
        }
        let text = std::fs::read_to_string(&file).expect("the numbers");
        let (kept_compiler, kept) = parse(&text);
        let band = if kept_compiler == compiler { 1 } else { 15 };
        let problems = differences(&kept, &self.rows, band);
        assert!(
            problems.is_empty(),
            "the instructions of {subject} differ from {}, measured with {kept_compiler} (here: \
             {compiler}):\n{problems}If the change is intended, run with UPDATE_EXPECT=1 to update the file.",
            file.display()
        );
    }

    fn format(&self, compiler: &str) -> String {
        let columns = self.columns.map(|column| format!("{column:>6}"));
        let mut text = format!("{compiler}\n\n{}\n", columns.join("  "));
        for (name, numbers) in &self.rows {
            let numbers = numbers.map(|number| format!("{number:6}"));
            let _ = writeln!(text, "{}  {name}", numbers.join("  "));
        }
        text
    }
}

fn differences<const N: usize>(
    kept: &BTreeMap<String, [u64; N]>,
    counted: &BTreeMap<String, [u64; N]>,
    band: u64,
) -> String {
    let mut text = String::new();
    for name in kept.keys().chain(counted.keys()).collect::<BTreeSet<_>>() {
        let (kept, counted) = (kept.get(name), counted.get(name));
        let is_near = kept.zip(counted).is_some_and(|(kept, counted)| {
            let mut pairs = kept.iter().zip(counted);
            pairs.all(|(kept, counted)| kept.abs_diff(*counted) * 100 <= kept * band + 100)
        });
        if !is_near {
            let _ = writeln!(text, "  {name}: {kept:?} are now {counted:?}");
        }
    }
    text
}

/// The compiler, and the rows.
fn parse<const N: usize>(text: &str) -> (String, BTreeMap<String, [u64; N]>) {
    let mut lines = text.lines();
    let compiler = lines.next().unwrap_or_default().to_owned();
    let rows = lines.skip(2).map(|line| {
        let mut rest = line;
        let numbers = [(); N].map(|()| {
            let (number, after) = rest
                .trim_start()
                .split_once(' ')
                .unwrap_or_else(|| panic!("expected {N} numbers and a name, found {line}"));
            rest = after;
            number
                .parse()
                .unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        (rest.trim_start().to_owned(), numbers)
    });
    (compiler, rows.collect())
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.expect("rustc starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn written_entries_are_read_back() {
    let mut table = Table::new(["a", "b"]);
    table.insert("a: b,  c".to_owned(), [1, 20]);
    table.insert("d".to_owned(), [300, 0]);
    let text = table.format("rustc 1");
    assert_eq!(parse(&text), ("rustc 1".to_owned(), table.rows.clone()));
    let mut more = table.rows.clone();
    more.insert("d".to_owned(), [305, 0]);
    assert_eq!(differences(&table.rows, &more, 15), "");
    assert!(differences(&table.rows, &more, 1).contains("[300, 0]"));
    more.remove("d");
    assert!(!differences(&table.rows, &more, 15).is_empty());
}
