//! A plan text, parsed once for all operations on it.

use serde_json::Value;
use turnout_core::json::{Reader, schema_of};
use turnout_core::{Diagnostics, Document};

use crate::check::Checked;
use crate::plan::document::RawPlan;
use crate::plan::read::{self, expected};
use crate::plan::{self, RollPlan};

/// A plan text, parsed. [`check`](Self::check) checks it with its policy.
#[derive(Clone)]
pub struct ParsedPlan<'t> {
    /// Holds the problems so far.
    pub(crate) reader: Reader<'t>,
    /// `None` if the text is not a JSON object.
    pub(crate) document: Option<RawPlan<'t>>,
    /// `None` if the text has errors.
    pub(crate) plan: Option<RollPlan>,
}

impl<'t> ParsedPlan<'t> {
    /// Parses the text of a plan. Problems are kept for [`check`](Self::check).
    #[must_use]
    pub fn parse(text: &'t str) -> Self {
        let mut reader = Reader::new(Document::RollPlan, text);
        let root = reader.root(expected::PLAN);
        let document = root.and_then(|root| read::plan(&mut reader, root));
        let plan = document
            .as_ref()
            .and_then(|document| plan::plan(&mut reader, document));
        let has_errors = !reader.clone().finish().is_empty();
        Self {
            plan: plan.filter(|_| !has_errors),
            document,
            reader,
        }
    }

    /// Whether the text has no errors. The policy can still make the plan unusable.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.plan.is_some()
    }

    /// Returns the plan and the problems of its text.
    #[must_use]
    pub fn without_policy(&self) -> Checked {
        Checked {
            plan: self.plan.clone(),
            steps: Vec::new(),
            diagnostics: self.reader.clone().finish(),
            policy_diagnostics: Diagnostics::default(),
        }
    }

    /// Returns the path of the policy, relative to the folder of the plan, if it can be read.
    #[must_use]
    pub fn policy_path(&self) -> Option<&str> {
        let path = self.document.as_ref()?.policy.value()?;
        Some(&*path.value).filter(|path| !path.is_empty())
    }
}

impl RollPlan {
    /// Parses a plan without its policy.
    ///
    /// # Errors
    /// Every problem of the text at once, each with its place and what to write instead.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        let parsed = ParsedPlan::parse(text);
        parsed.plan.ok_or_else(|| parsed.reader.finish())
    }
}

/// Returns the JSON Schema (2020-12) of plans. It describes only their form.
#[must_use]
pub fn schema() -> Value {
    schema_of::<RawPlan<'_>>("Turnout plan of a roll")
}
