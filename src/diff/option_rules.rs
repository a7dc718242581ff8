//! The options as one table of rules, and those that apply to one place.

use crate::decimal::Margin;
use crate::options::Options;
use crate::pattern::{Pattern, PatternStep};
use crate::tape::NodeKind;

/// An option with its pattern. Its index in the table is its index in
/// [`OptionUsage`](crate::OptionUsage).
pub(crate) struct OptionRule<'t> {
    pub(crate) steps: &'t [PatternStep],
    pub(crate) effect: OptionEffect<'t>,
}

#[derive(Clone, Copy)]
pub(crate) enum OptionEffect<'t> {
    Ignore,
    Unordered(Option<&'t Pattern>),
    Tolerance(Margin),
    Map,
}

/// What the options say about one place.
#[derive(Clone, Copy, Default)]
pub(crate) struct EffectiveRules<'t> {
    pub(crate) is_ignored: bool,
    /// A list without order, with the pattern of its elements' keys.
    pub(crate) unordered: Option<Option<&'t Pattern>>,
    pub(crate) tolerance: Option<Margin>,
    /// An object whose keys are data.
    pub(crate) is_map: bool,
}

impl<'t> OptionRule<'t> {
    pub(crate) fn table(options: &'t Options) -> Vec<Self> {
        let rule = |path: &'t Pattern, effect| Self {
            steps: path.steps(),
            effect,
        };
        // In the order of `OptionUsage::new`.
        let mut table: Vec<Self> = Vec::new();
        table.extend(
            options
                .ignore
                .iter()
                .map(|path| rule(path, OptionEffect::Ignore)),
        );
        for list in &options.unordered {
            table.push(rule(&list.path, OptionEffect::Unordered(list.key.as_ref())));
        }
        for number in &options.tolerance {
            table.push(rule(&number.path, OptionEffect::Tolerance(number.allowed)));
        }
        table.extend(
            options
                .maps
                .iter()
                .map(|path| rule(path, OptionEffect::Map)),
        );
        table
    }

    /// Whether the rule applies to values of this type.
    pub(crate) fn is_for(&self, kind: NodeKind) -> bool {
        match self.effect {
            OptionEffect::Ignore => true,
            OptionEffect::Unordered(_) => kind == NodeKind::Array,
            OptionEffect::Tolerance(_) => kind == NodeKind::Number,
            OptionEffect::Map => kind == NodeKind::Object,
        }
    }
}

impl<'t> EffectiveRules<'t> {
    pub(crate) fn add(&mut self, effect: OptionEffect<'t>) {
        match effect {
            OptionEffect::Ignore => self.is_ignored = true,
            OptionEffect::Unordered(key) => {
                self.unordered.get_or_insert(key);
            }
            OptionEffect::Tolerance(allowed) => {
                self.tolerance.get_or_insert(allowed);
            }
            OptionEffect::Map => self.is_map = true,
        }
    }
}
