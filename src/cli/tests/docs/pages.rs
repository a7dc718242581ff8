//! The pages of the documentation, their blocks of code, and the commands in their text.

use std::fs;
use std::path::{Path, PathBuf};

/// A Markdown file of the repository.
pub(crate) struct Page {
    /// Its path from the root of the repository.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A fenced block of code.
pub(crate) struct Block {
    /// The page and the line of the first fence.
    pub(crate) place: String,
    pub(crate) language: String,
    pub(crate) text: String,
    /// Why no test runs it: what the comment above it says.
    pub(crate) not_run: Option<String>,
}

const NOT_RUN: &str = "<!-- not run here: ";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

/// The pages that describe Turnout to its users and contributors.
pub(crate) fn documentation() -> Vec<Page> {
    let mut pages = all();
    pages.retain(|page| {
        let in_root = !page.name.contains('/') && page.name != "CHANGELOG.md";
        in_root || page.name.starts_with("docs/") || page.name.starts_with("examples/")
    });
    pages
}

/// Every Markdown file of the repository, without hidden folders and `target`.
pub(crate) fn all() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(&root(), "", &mut pages);
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    pages
}

fn collect(folder: &Path, prefix: &str, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), &format!("{path}/"), pages);
        } else if name.ends_with(".md") {
            pages.push(Page {
                text: read(&path),
                name: path,
            });
        }
    }
}

impl Page {
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut before = "";
        for (number, line) in (1..).zip(self.text.lines()) {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, &mut open) {
                (Some(language), None) => {
                    open = Some(Block {
                        place: format!("{}:{number}", self.name),
                        language: language.trim().to_owned(),
                        text: String::new(),
                        not_run: reason(before),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
            before = line;
        }
        assert!(open.is_none(), "{}: a block of code has no end", self.name);
        blocks
    }

    /// The paragraphs and table rows without fenced blocks of code, as pairs of the first line's number and the text.
    pub(crate) fn paragraphs(&self) -> Vec<(usize, String)> {
        let mut paragraphs: Vec<(usize, String)> = Vec::new();
        let mut continues = false;
        for (number, line) in self.prose() {
            let is_row = line.starts_with('|');
            match paragraphs.last_mut() {
                Some((_, text)) if continues && !is_row => {
                    text.push(' ');
                    text.push_str(line.trim());
                }
                _ => paragraphs.push((number, line.to_owned())),
            }
            continues = !line.trim().is_empty() && !is_row;
        }
        paragraphs
    }

    /// The text without fenced blocks of code, as pairs of a line's number and the line.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut is_code = false;
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            let is_fence = line.trim_start().starts_with("```");
            if !is_fence && !is_code {
                lines.push((number, line));
            }
            is_code ^= is_fence;
        }
        lines
    }
}

fn reason(line: &str) -> Option<String> {
    let reason = line.trim().strip_prefix(NOT_RUN)?.strip_suffix("-->")?;
    Some(reason.trim().to_owned())
}
