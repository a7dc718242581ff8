//! The options as one table, and what they say of one place.

use super::amount::Allowed;
use super::options::Options;
use super::pattern::{Pattern, Step};
use super::tape::Kind;

/// An option with its pattern. Its place in the table is its place in the `Usage`.
pub(super) struct Rule<'t> {
    pub(super) steps: &'t [Step],
    pub(super) what: What<'t>,
}

#[derive(Clone, Copy)]
pub(super) enum What<'t> {
    Ignore,
    Unordered(Option<&'t Pattern>),
    Tolerance(Allowed),
    Map,
}

/// What the options say of one place.
#[derive(Clone, Copy, Default)]
pub(super) struct Here<'t> {
    pub(super) is_ignored: bool,
    /// A list whose order has no meaning, and the way to its elements' keys.
    pub(super) unordered: Option<Option<&'t Pattern>>,
    pub(super) tolerance: Option<Allowed>,
    /// An object whose keys are data.
    pub(super) is_map: bool,
}

impl<'t> Rule<'t> {
    pub(super) fn table(options: &'t Options) -> Vec<Self> {
        let rule = |path: &'t Pattern, what| Self {
            steps: path.steps(),
            what,
        };
        // In the order of `Usage::new`.
        let mut table: Vec<Self> = Vec::new();
        table.extend(options.ignore.iter().map(|path| rule(path, What::Ignore)));
        for list in &options.unordered {
            table.push(rule(&list.path, What::Unordered(list.key.as_ref())));
        }
        for number in &options.tolerance {
            table.push(rule(&number.path, What::Tolerance(number.allowed)));
        }
        table.extend(options.maps.iter().map(|path| rule(path, What::Map)));
        table
    }

    /// Whether it says anything of a value of this type.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        match self.what {
            What::Ignore => true,
            What::Unordered(_) => kind == Kind::Array,
            What::Tolerance(_) => kind == Kind::Number,
            What::Map => kind == Kind::Object,
        }
    }
}

impl<'t> Here<'t> {
    pub(super) fn add(&mut self, what: What<'t>) {
        match what {
            What::Ignore => self.is_ignored = true,
            What::Unordered(key) => {
                self.unordered.get_or_insert(key);
            }
            What::Tolerance(allowed) => {
                self.tolerance.get_or_insert(allowed);
            }
            What::Map => self.is_map = true,
        }
    }
}
