//! The configuration of one proxy: the policy, which is the same in the whole mesh, and the settings
//! of this proxy.
//!
//! The plugin's configuration wraps the policy:
//! `{ "policy": <policy>, "inbound": "strip", "headers": ["cluster", "treatment", "decision"],
//! "record_level": "info", "max_held_bytes": 67108864 }`.

use std::ops::Range;

use crate::compile::whole_number::whole;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Expected, Problem};
use crate::diagnostics::{Diagnostics, Document};
use crate::plan::Plan;
use crate::policy::account_files::AccountFiles;
use crate::policy::config_stream::{ConfigStream, ElidedSpans};
use crate::policy::json::{Field, Node, Reader};
use crate::policy::parsed_policy::ParsedPolicy;
use crate::proxy::decision_header::Inbound;
use crate::proxy::max_held_bytes::MaxHeldBytes;
use crate::proxy::record_level::RecordLevel;
use crate::proxy::revision::Revision;
use crate::proxy::{EmittedHeaders, Proxy};

/// A proxy's configuration, valid by construction.
#[derive(Debug)]
pub struct Configuration {
    /// The policy.
    pub plan: Plan,
    /// Whether the proxy trusts the `x-turnout-*` headers of requests.
    pub inbound: Inbound,
    /// The headers that the proxy writes into requests.
    pub headers: EmittedHeaders,
    /// The level of the records in Envoy's log.
    pub record_level: RecordLevel,
    /// The maximum number of bytes that Turnout holds in one worker.
    pub max_held_bytes: MaxHeldBytes,
}

const POLICY: Expected = Expected::new("a policy", "{ \"version\": 1, … }");
const ENVELOPE: Expected = Expected::new(
    "a configuration",
    "{ \"policy\": { … }, \"inbound\": \"strip\" }",
);
const INBOUND: Expected = Expected::new("a word", "\"strip\"");
const HEADERS: Expected = Expected::new("a list of headers", "[\"cluster\", \"decision\"]");
const HEADER: Expected = Expected::new("a word", "\"cluster\"");
const RECORD_LEVEL: Expected = Expected::new("a word", "\"warn\"");
const MAX_HELD_BYTES: Expected = Expected::new("a number of bytes", "67108864");

impl Configuration {
    /// Parses a plugin's configuration. Diagnostics of the policy have their place within the policy
    /// alone, as its author sees it.
    ///
    /// # Errors
    /// Every problem of the envelope and of the policy at once.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Diagnostics> {
        let mut intake = ConfigStream::new(bytes.len());
        intake.push(bytes);
        Self::read(intake, &|range| {
            bytes.get(range).unwrap_or_default().to_vec()
        })
    }

    /// Like [`Configuration::from_json`], for a text that a [`ConfigStream`] has read. `again`
    /// returns a part of the text once more. It is called only for a policy with packed accounts and
    /// without a revision, whose revision is a hash of its whole text.
    ///
    /// # Errors
    /// Every problem of the envelope and of the policy at once.
    pub fn read(
        intake: ConfigStream,
        again: &dyn Fn(Range<usize>) -> Vec<u8>,
    ) -> Result<Self, Diagnostics> {
        let (rest, elided_spans) = intake.finish();
        let text = match std::str::from_utf8(&rest) {
            Ok(text) => text,
            Err(error) => return Err(not_utf8(&rest, elided_spans, error.valid_up_to())),
        };
        let mut reader = Reader::with_elided_spans(Document::Configuration, text, elided_spans);
        let envelope = reader
            .root(ENVELOPE)
            .and_then(|root| envelope(&mut reader, root));
        let elided_spans = envelope.as_ref().map(|envelope| {
            let (start, policy) = envelope.policy;
            reader.elided_spans_of(start, policy)
        });
        let whole = envelope.as_ref().map_or(0..0, |envelope| {
            let (start, policy) = envelope.policy;
            reader.range_of(start, policy)
        });
        let mut diagnostics = reader.finish();
        let plan = envelope.as_ref().and_then(|envelope| {
            let (_, policy) = envelope.policy;
            let elided_spans = elided_spans.unwrap_or_default();
            let has_elided_spans = !elided_spans.is_empty();
            let reader = Reader::with_elided_spans(Document::Policy, policy, elided_spans);
            match ParsedPolicy::read(reader).into_plan(&AccountFiles::default()) {
                Ok(mut plan) => {
                    // The revision is a hash of the whole text, including the elided spans.
                    if has_elided_spans && !plan.revision.is_named() {
                        plan.revision = Revision::of_bytes(&again(whole));
                    }
                    Some(plan)
                }
                Err(problems) => {
                    diagnostics.append(problems);
                    None
                }
            }
        });
        match (plan, envelope) {
            (Some(plan), Some(envelope)) if diagnostics.is_empty() => Ok(Self {
                plan,
                inbound: envelope.proxy.inbound,
                headers: envelope.proxy.headers,
                record_level: envelope.proxy.record_level,
                max_held_bytes: envelope.proxy.max_held_bytes,
            }),
            _ => Err(diagnostics),
        }
    }

    /// Writes a plugin's configuration around the text of a policy, which stays as it is. Fields
    /// with their default value are omitted, except `inbound`.
    #[must_use]
    pub fn to_json(policy: &str, proxy: impl Into<Proxy>) -> String {
        let Proxy {
            inbound,
            headers,
            record_level,
            max_held_bytes,
        } = proxy.into();
        let inbound = inbound.as_str();
        let headers = match headers {
            EmittedHeaders::ALL => String::new(),
            headers => {
                let words: Vec<&str> = headers.words().collect();
                format!("\"headers\":[\"{}\"],", words.join("\",\""))
            }
        };
        let level = match record_level {
            RecordLevel::Info => String::new(),
            level => format!("\"record_level\":\"{}\",", level.as_str()),
        };
        let most = match max_held_bytes == MaxHeldBytes::default() {
            true => String::new(),
            false => format!("\"max_held_bytes\":{},", max_held_bytes.get()),
        };
        format!("{{{headers}\"inbound\":\"{inbound}\",{level}{most}\"policy\":{policy}}}")
    }
}

struct Envelope<'a> {
    /// The offset at which the policy begins, and its text.
    policy: (usize, &'a str),
    proxy: Proxy,
}

fn envelope<'a>(reader: &mut Reader<'a>, root: Node<'a, '_>) -> Option<Envelope<'a>> {
    let mut object = reader.object(root, ENVELOPE)?;
    let policy = object.field(reader, "policy", &|reader, node| {
        Some(reader.with_indent(node))
    });
    let inbound = object.field(reader, "inbound", &inbound);
    let headers = object.field(reader, "headers", &headers);
    let record_level = object.field(reader, "record_level", &record_level);
    let max_held_bytes = object.field(reader, "max_held_bytes", &max_held_bytes);
    object.finish(reader);
    if matches!(policy, Field::Absent) {
        reader.report(
            root.span.head(),
            &JsonPointer::Root,
            Problem::missing_field("policy", POLICY),
        );
    }
    let proxy = Proxy {
        inbound: inbound.into_value().unwrap_or_default(),
        headers: headers.into_value().unwrap_or_default(),
        record_level: record_level.into_value().unwrap_or_default(),
        max_held_bytes: max_held_bytes.into_value().unwrap_or_default(),
    };
    if !proxy.passes_on() {
        let problem = Problem::invalid(
            "a proxy that trusts earlier hops must write its own decisions for later hops",
            "add `decision` to /headers",
        );
        reader.report(root.span.head(), &JsonPointer::Root, problem);
    }
    Some(Envelope {
        policy: policy.into_value()?,
        proxy,
    })
}

fn inbound<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Inbound> {
    let word = reader.text(node, INBOUND)?;
    let known = [Inbound::Strip, Inbound::Trust].map(|inbound| (inbound.as_str(), inbound));
    reader.one_of_words(node.path, "inbound", known, &word)
}

fn record_level<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<RecordLevel> {
    let word = reader.text(node, RECORD_LEVEL)?;
    let known = RecordLevel::ALL.map(|level| (level.as_str(), level));
    reader.one_of_words(node.path, "record level", known, &word)
}

fn max_held_bytes<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<MaxHeldBytes> {
    let number = reader.number(node, MAX_HELD_BYTES)?;
    let bytes = whole(reader, node.path, &number, &MaxHeldBytes::RANGE)?;
    MaxHeldBytes::new(bytes)
}

fn headers<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<EmittedHeaders> {
    let list = reader.list(node, HEADERS, &|reader, node| {
        let word = reader.text(node, HEADER)?;
        let known = EmittedHeaders::WORDS.map(|word| (word, word));
        reader.one_of_words(node.path, "header", known, &word)
    })?;
    let words = list.value.into_iter().collect::<Option<Vec<_>>>()?;
    let written = EmittedHeaders::from_words(words);
    if written.is_none() {
        let problem = Problem::invalid(
            "without `cluster` or `treatment`, no route can follow a decision",
            "add the one that the routes of this proxy read",
        );
        reader.report(node.span, node.path, problem);
    }
    written
}

fn not_utf8(bytes: &[u8], elided_spans: ElidedSpans, valid_up_to: usize) -> Diagnostics {
    let valid = bytes.get(..valid_up_to).unwrap_or_default();
    let valid = std::str::from_utf8(valid).unwrap_or_default();
    let mut reader = Reader::with_elided_spans(Document::Configuration, valid, elided_spans);
    let span = Span {
        start: valid_up_to,
        end: valid_up_to,
    };
    reader.report(span, &JsonPointer::Root, Problem::not_utf8());
    reader.finish()
}
