//! Reading a list.

use turnout_trim::ExportList;

use crate::{LIST, list};

/// The problems of a text, one on a line.
fn problems(text: &str) -> String {
    ExportList::parse(text)
        .expect_err("a malformed list")
        .to_string()
}

#[test]
fn comments_and_blank_lines_are_ignored() {
    let list = list(LIST);
    let kept: Vec<&str> = list.kept().collect();
    assert_eq!(kept, ["memory", "on_request", "on_response"]);
    assert_eq!(crate::list("# none\n").kept().count(), 0);
}

#[test]
fn every_malformed_line_is_reported_with_its_number() {
    let expected = "expected `keep NAME`, `keep NAME from OTHER` or `drop NAME`, found";
    let text =
        "keep a\nkeep\nretain b\n\nkeep c of d\nkeep e from # f\ndrop g from h\nkeep \u{1b}[2J i\n";
    assert_eq!(
        problems(text),
        [
            format!("line 2: {expected} `keep`"),
            format!("line 3: {expected} `retain b`"),
            format!("line 5: {expected} `keep c of d`"),
            format!("line 6: {expected} `keep e from # f`"),
            format!("line 7: {expected} `drop g from h`"),
            format!("line 8: {expected} `keep \\u{{1b}}[2J i`"),
        ]
        .join("\n")
    );
}

#[test]
fn a_name_is_listed_once() {
    let text = "keep a\ndrop b\nkeep c from b\ndrop a\nkeep d from d\n";
    assert_eq!(
        problems(text),
        "line 3: `b` is already on line 2; keep only one of the two lines\n\
         line 4: `a` is already on line 1; keep only one of the two lines\n\
         line 5: `d` is on both sides of `from`; write `keep d`"
    );
}
