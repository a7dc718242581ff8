//! Trims a module in memory.

use std::collections::BTreeMap;
use std::fmt;

use turnout_text::{escape_for_terminal, nearest};
use walrus::{Export, ExportId, ExportItem, Module, ModuleConfig};

use crate::export_list::{Action, ExportList};
use crate::problem::{Problem, write_lines};

/// A trimmed module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// The module. It has no custom sections, such as names of functions.
    pub wasm: Vec<u8>,
    /// The number of its exports.
    pub kept: usize,
    /// The number of exports that the module has lost.
    pub dropped: usize,
}

/// Why a module was not trimmed. `Display` writes each problem on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrimError {
    /// The bytes are not a valid module. The text says why.
    NotAModule(String),
    /// The module and the list do not fit. There is at least one problem.
    Unfit(Vec<Problem>),
}

/// Removes the exports of a module that the list drops, and the functions, globals and imports that only they
/// reach. The same module and list give the same bytes.
///
/// Returns all problems if the module and the list do not fit: the list has to name every export of the module,
/// and the module to have every export that the list names.
pub fn trim(wasm: &[u8], list: &ExportList) -> Result<Trimmed, TrimError> {
    let mut module = parse(wasm)?;
    let exports = Exports::of(&module);
    let problems = exports.problems(list);
    if !problems.is_empty() {
        return Err(TrimError::Unfit(problems));
    }
    let (deleted, renamed) = exports.changes(list);
    for export in &deleted {
        module.exports.delete(*export);
    }
    for (export, name) in renamed {
        name.clone_into(&mut module.exports.get_mut(export).name);
    }
    walrus::passes::gc::run(&mut module);
    Ok(Trimmed {
        wasm: module.emit_wasm(),
        kept: list.kept().count(),
        dropped: deleted.len(),
    })
}

/// The first bytes of a module in the binary format of version 1. Those of a component differ.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// Reads and validates a module without its custom sections. Envoy uses none of them.
fn parse(wasm: &[u8]) -> Result<Module, TrimError> {
    if !wasm.starts_with(HEADER) {
        let why = "the file does not begin with `\\0asm` and version 1";
        return Err(TrimError::NotAModule(why.to_owned()));
    }
    let mut config = ModuleConfig::new();
    config
        .generate_dwarf(false)
        .generate_name_section(false)
        .generate_producers_section(false);
    let parsed = config.parse(wasm);
    let mut module = parsed
        .map_err(|error| TrimError::NotAModule(escape_for_terminal(&format!("{error:#}"))))?;
    let sections: Vec<_> = module.customs.iter().map(|(section, _)| section).collect();
    for section in sections {
        module.customs.delete(section);
    }
    Ok(module)
}

/// The exports of a module by their names.
struct Exports<'a> {
    module: &'a Module,
    by_name: BTreeMap<&'a str, &'a Export>,
}

impl<'a> Exports<'a> {
    fn of(module: &'a Module) -> Self {
        let exports = module.exports.iter();
        let by_name = exports.map(|export| (export.name.as_str(), export));
        Self {
            module,
            by_name: by_name.collect(),
        }
    }

    /// The problems that prevent trimming, in the order of its lines; then what it does not name.
    fn problems(&self, list: &ExportList) -> Vec<Problem> {
        let mut problems = Vec::new();
        for entry in &list.entries {
            let name = entry.name.as_str();
            let found = match &entry.action {
                Action::Keep => self.kept_problem(name),
                Action::KeepFrom(other) => self.replacement_problem(name, other),
                Action::Drop => self.dropped_problem(name),
            };
            problems.extend(found.map(|message| Problem::on_line(entry.line, message)));
        }
        let unknown = self.by_name.keys().filter(|name| !list.contains(name));
        problems.extend(unknown.map(|name| {
            let name = escape_for_terminal(name);
            let message = format!(
                "the module exports `{name}`, which the list does not name; add `keep {name}` or `drop {name}` \
                 to the list"
            );
            Problem {
                line: None,
                message,
            }
        }));
        problems
    }

    fn kept_problem(&self, name: &str) -> Option<String> {
        (!self.by_name.contains_key(name)).then(|| self.missing(name, "is to be kept"))
    }

    fn dropped_problem(&self, name: &str) -> Option<String> {
        (!self.by_name.contains_key(name)).then(|| {
            let name = escape_for_terminal(name);
            format!(
                "the module does not export `{name}`, which is to be dropped; remove the line, or use a module \
                 that is not trimmed yet"
            )
        })
    }

    fn replacement_problem(&self, name: &str, other: &str) -> Option<String> {
        let Some(replacement) = self.by_name.get(other) else {
            let purpose = format!("is to be exported as `{}`", escape_for_terminal(name));
            return Some(self.missing(other, &purpose));
        };
        let (name_shown, other_shown) = (escape_for_terminal(name), escape_for_terminal(other));
        let ExportItem::Function(_) = replacement.item else {
            return Some(format!(
                "`{other_shown}` is a {}, which cannot be exported as `{name_shown}`; expected an exported \
                 function after `from`",
                kind(replacement.item)
            ));
        };
        let replaced = self.by_name.get(name)?;
        let [expected, found] = [replaced, replacement].map(|export| self.type_of(export.item));
        (expected != found).then(|| {
            format!(
                "`{other_shown}` cannot replace `{name_shown}`: expected {expected}, found {found}; give the \
                 two the same type"
            )
        })
    }

    fn missing(&self, name: &str, purpose: &str) -> String {
        let similar = nearest(name, self.by_name.keys());
        let hint = match similar {
            Some(similar) => format!("did you mean `{}`?", escape_for_terminal(similar)),
            None => String::from("export it in the source, or remove the line"),
        };
        let name = escape_for_terminal(name);
        format!("the module does not export `{name}`, which {purpose}; {hint}")
    }

    /// The type of a function as WebAssembly text, or the kind of another export.
    fn type_of(&self, item: ExportItem) -> String {
        let ExportItem::Function(function) = item else {
            return format!("a {}", kind(item));
        };
        let types = &self.module.types;
        let declared = types.get(self.module.funcs.get(function).ty());
        declared
            .as_function()
            .map_or_else(|| String::from("another type"), ToString::to_string)
    }

    /// The exports to delete, and those that get another name. The list has no problems.
    fn changes<'l>(&self, list: &'l ExportList) -> (Vec<ExportId>, Vec<(ExportId, &'l str)>) {
        let id = |name: &str| self.by_name.get(name).map(|export| export.id());
        let (mut deleted, mut renamed) = (Vec::new(), Vec::new());
        for entry in &list.entries {
            match &entry.action {
                Action::Keep => {}
                Action::KeepFrom(other) => {
                    deleted.extend(id(&entry.name));
                    renamed.extend(id(other).map(|export| (export, entry.name.as_str())));
                }
                Action::Drop => deleted.extend(id(&entry.name)),
            }
        }
        (deleted, renamed)
    }
}

fn kind(item: ExportItem) -> &'static str {
    match item {
        ExportItem::Function(_) => "function",
        ExportItem::Table(_) => "table",
        ExportItem::Memory(_) => "memory",
        ExportItem::Global(_) => "global",
        ExportItem::Tag(_) => "tag",
    }
}

impl fmt::Display for TrimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAModule(why) => write!(f, "expected a valid WebAssembly module: {why}"),
            Self::Unfit(problems) => write_lines(problems, f),
        }
    }
}

impl std::error::Error for TrimError {}
