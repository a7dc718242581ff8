//! What one proxy is given: the policy, which is the same in the whole mesh, and what this proxy
//! is. The plugin's configuration is this envelope: `{ "policy": <policy>, "inbound": "strip" }`.

use std::ops::Range;

use crate::diagnostic::{Diagnostics, Document};
use crate::files::Files;
use crate::inbound::Inbound;
use crate::intake::{Cuts, Intake};
use crate::json::{Field, Node, Reader};
use crate::place::{Path, Span};
use crate::plan::Plan;
use crate::problem::{Expected, Problem};

/// A proxy's configuration, valid by construction.
#[derive(Debug)]
pub struct Configuration {
    /// What to decide.
    pub plan: Plan,
    /// Whether earlier hops are believed.
    pub inbound: Inbound,
}

const POLICY: Expected = Expected::new("a policy", "{ \"version\": 1, … }");
const ENVELOPE: Expected = Expected::new(
    "a configuration",
    "{ \"policy\": { … }, \"inbound\": \"strip\" }",
);
const INBOUND: Expected = Expected::new("a word", "\"strip\"");

impl Configuration {
    /// Reads a plugin's configuration. Places inside the policy are those of the policy alone, as
    /// its author sees it.
    ///
    /// # Errors
    /// Every problem of the envelope and of the policy at once.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Diagnostics> {
        let mut intake = Intake::new(bytes.len());
        intake.push(bytes);
        Self::read(intake, &|range| {
            bytes.get(range).unwrap_or_default().to_vec()
        })
    }

    /// As [`Configuration::from_json`], of a text that has been taken in. `again` gives a part of it
    /// once more, which is asked for where packed accounts are in a policy without a revision.
    ///
    /// # Errors
    /// Every problem of the envelope and of the policy at once.
    pub fn read(
        intake: Intake,
        again: &dyn Fn(Range<usize>) -> Vec<u8>,
    ) -> Result<Self, Diagnostics> {
        let (rest, cuts) = intake.finish();
        let text = match std::str::from_utf8(&rest) {
            Ok(text) => text,
            Err(error) => return Err(not_utf8(&rest, cuts, error.valid_up_to())),
        };
        let mut reader = Reader::with_cuts(Document::Configuration, text, cuts);
        let envelope = reader
            .root(ENVELOPE)
            .and_then(|root| envelope(&mut reader, root));
        let cuts = envelope.as_ref().map(|envelope| {
            let (start, policy) = envelope.policy;
            reader.cuts_of(start, policy)
        });
        let whole = envelope.as_ref().map_or(0..0, |envelope| {
            let (start, policy) = envelope.policy;
            reader.range_of(start, policy)
        });
        let mut diagnostics = reader.finish();
        let plan = envelope.as_ref().and_then(|envelope| {
            let (_, policy) = envelope.policy;
            let cuts = cuts.unwrap_or_default();
            match Plan::read(policy, cuts, &Files::default(), &|| again(whole.clone())) {
                Ok(plan) => Some(plan),
                Err(problems) => {
                    diagnostics.append(problems);
                    None
                }
            }
        });
        match (plan, envelope) {
            (Some(plan), Some(envelope)) if diagnostics.is_empty() => Ok(Self {
                plan,
                inbound: envelope.inbound,
            }),
            _ => Err(diagnostics),
        }
    }

    /// Writes a plugin's configuration around a policy's text, which is kept as it is.
    #[must_use]
    pub fn to_json(policy: &str, inbound: Inbound) -> String {
        format!(
            "{{\"inbound\":\"{}\",\"policy\":{policy}}}",
            inbound.as_str()
        )
    }
}

struct Envelope<'a> {
    /// Where it begins, and its text.
    policy: (usize, &'a str),
    inbound: Inbound,
}

fn envelope<'a>(reader: &mut Reader<'a>, root: Node<'a, '_>) -> Option<Envelope<'a>> {
    let mut object = reader.object(root, ENVELOPE)?;
    let policy = object.field(reader, "policy", &|reader, node| {
        Some(reader.with_indent(node))
    });
    let inbound = object.field(reader, "inbound", &inbound);
    object.finish(reader);
    if matches!(policy, Field::Absent) {
        reader.report(
            root.span.head(),
            &Path::Root,
            Problem::missing_field("policy", POLICY),
        );
    }
    Some(Envelope {
        policy: policy.given()?,
        inbound: inbound.given().unwrap_or_default(),
    })
}

fn inbound<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Inbound> {
    let word = reader.text(node, INBOUND)?;
    let known = [Inbound::Strip, Inbound::Trust].map(|inbound| (inbound.as_str(), inbound));
    reader.meaning(node.path, "inbound", known, &word)
}

fn not_utf8(bytes: &[u8], cuts: Cuts, valid_up_to: usize) -> Diagnostics {
    let valid = bytes.get(..valid_up_to).unwrap_or_default();
    let valid = std::str::from_utf8(valid).unwrap_or_default();
    let mut reader = Reader::with_cuts(Document::Configuration, valid, cuts);
    let span = Span {
        start: valid_up_to,
        end: valid_up_to,
    };
    reader.report(span, &Path::Root, Problem::not_utf8());
    reader.finish()
}
