//! Compiles a rollout's `hash`: the parameters of the tool that bucketed the accounts before.

use std::ops::RangeInclusive;

use turnout_text::format_millionths;

use crate::bucketing::Salt;
use crate::bucketing::hash::{
    AlgorithmVersion, BucketingScheme, Comparison, Flagd, GrowthBook, Hash, LaunchDarkly,
    Namespace, Split, Traffic, Unleash, V2End, whole_buckets,
};
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Expected, Problem, excerpt};
use crate::diagnostics::{Diagnostics, Document};
use crate::policy::document::{HashFields, HashValue};
use crate::policy::json::{Field, Located, LocatedText, Number, Reader};
use crate::policy::read::{self, expected};

use super::percentage::{between_parts, percentage};
use super::whole_number::{parsed, whole};
use super::{present, required};

const TOOLS: &[&str] = &["split", "unleash", "launchdarkly", "growthbook", "flagd"];

/// The most bytes that a tool hashes before an account; no tool lets its users write more.
const MAX_HASHED_LEN: usize = 256;

/// The total weight of a flagd flag. Up to this bound, each part is a percentage with at most six decimals.
const TOTAL_WEIGHT: RangeInclusive<i64> = 1..=100_000_000;

/// The whole numbers that a double holds exactly.
const EXACT: RangeInclusive<i64> = -0x1F_FFFF_FFFF_FFFF..=0x1F_FFFF_FFFF_FFFF;

/// The seeds of Split: 32 bits, signed or unsigned.
const SPLIT_SEED: RangeInclusive<i64> = -0x8000_0000..=0xFFFF_FFFF;

/// Whether a number may be rounded before the filter reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    /// The number arrives as it was written.
    AsWritten,
    /// A tool on the way may store the number as a double, for example if the policy is in a Kubernetes object.
    MayBeDoubles,
}

impl Hash {
    /// Parses a hash as in a rollout: `"turnout"`, or an object such as `{ "split": { "seed": 123 } }`. Only
    /// Turnout's own hash uses the salt.
    ///
    /// # Errors
    /// Every problem of the text at once.
    pub fn from_json(text: &str, salt: Salt) -> Result<Self, Diagnostics> {
        let mut reader = Reader::new(Document::Policy, text);
        let hash = reader
            .root(expected::HASH)
            .and_then(|root| read::hash(&mut reader, root))
            .and_then(|given| {
                read_hash(
                    &mut reader,
                    &JsonPointer::Root,
                    given,
                    salt,
                    Numbers::AsWritten,
                )
            });
        let diagnostics = reader.finish();
        match hash {
            Some(hash) if diagnostics.is_empty() => Ok(hash),
            _ => Err(diagnostics),
        }
    }
}

/// Compiles the hash of a rollout in a policy.
pub(crate) fn hash(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    hash: HashValue<'_>,
    salt: Salt,
) -> Option<Hash> {
    read_hash(reader, at, hash, salt, Numbers::MayBeDoubles)
}

fn read_hash(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    hash: HashValue<'_>,
    salt: Salt,
    numbers: Numbers,
) -> Option<Hash> {
    let Located { value, span } = match hash {
        HashValue::Text(word) => return turnout_hash(reader, at, &word, salt),
        HashValue::Object(tools) => tools,
        // The reader reports every value that is neither a word nor an object.
        HashValue::Number(_) => return None,
    };
    let mut hash = ToolFields::new(reader, *at, span, value);
    let mut given = TOOLS.iter().filter(|name| hash.has(name));
    let (Some(name), None) = (given.next(), given.next()) else {
        let count = TOOLS.iter().filter(|name| hash.has(name)).count();
        let problem = Problem::not_one_of("a hash", TOOLS, count);
        hash.reader.report(span, at, problem);
        return None;
    };
    let mut tool = hash.object(name)?;
    let scheme = match *name {
        "split" => split(&mut tool).map(BucketingScheme::Split),
        "unleash" => {
            let group_id = tool.text("group_id", 1);
            group_id.map(|group_id| BucketingScheme::Unleash(Unleash::new(&group_id)))
        }
        "launchdarkly" => launchdarkly(&mut tool, numbers).map(BucketingScheme::LaunchDarkly),
        "growthbook" => growthbook(&mut tool).map(BucketingScheme::GrowthBook),
        _ => flagd(&mut tool).map(BucketingScheme::Flagd),
    };
    let v2 = tool.v2_end();
    Some(Hash::new(scheme?, v2?))
}

/// Compiles Turnout's own hash, the only one that is a single word.
fn turnout_hash(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    word: &LocatedText<'_>,
    salt: Salt,
) -> Option<Hash> {
    let example = match &*word.value {
        "turnout" => return Some(Hash::turnout(salt)),
        "split" => expected::SPLIT,
        "unleash" => expected::UNLEASH,
        "launchdarkly" => expected::LAUNCHDARKLY,
        "growthbook" => expected::GROWTHBOOK,
        "flagd" => expected::FLAGD,
        other => {
            let known = [&["turnout"], TOOLS].concat();
            let problem = Problem::unknown_word("hash", other, &known);
            reader.report(word.span, at, problem);
            return None;
        }
    };
    let (name, example) = (&word.value, example.example);
    let problem = Problem::invalid(
        format!("the hash `{name}` needs parameters"),
        format!("write an object, for example {{ \"{name}\": {example} }}"),
    )
    .with_code(ErrorCode::BareHash);
    reader.report(word.span, at, problem);
    None
}

fn split(tool: &mut ToolFields<'_, '_, '_, '_>) -> Option<Split> {
    let seed = tool.split_seed("seed");
    if let Field::Given(algo) = tool.number("algo")
        && parsed(algo.value) != Some(2)
    {
        let problem = Problem::invalid(
            format!("Split algorithm {} is not supported", excerpt(algo.value)),
            "write 2 (MurmurHash3); the accounts of a flag with algorithm 1 (legacy) cannot keep their buckets",
        )
        .with_code(ErrorCode::UnknownAlgorithm);
        tool.report(algo.span, "algo", problem);
    }
    let traffic = traffic(tool);
    Some(Split::new(seed?, traffic?))
}

/// Compiles the traffic allocation of Split; the inner `None` means all traffic.
fn traffic(tool: &mut ToolFields<'_, '_, '_, '_>) -> Option<Option<Traffic>> {
    const PERCENT: &str = "traffic_allocation";
    const SEED: &str = "traffic_allocation_seed";
    if !tool.has(PERCENT) {
        if let Field::Given(seed) = tool.number(SEED) {
            let problem = Problem::invalid(
                format!("`{SEED}` has no effect without `{PERCENT}`"),
                format!("remove it, or add `{PERCENT}`"),
            )
            .with_code(ErrorCode::UselessSeed);
            tool.report(seed.span, SEED, problem);
        }
        return Some(None);
    }
    let percent = tool.whole(PERCENT, expected::PERCENTAGE, 0..=100);
    if percent == Some(100) || percent.is_none() && !tool.has(SEED) {
        return percent.map(|_| None);
    }
    let seed = tool.split_seed(SEED);
    Some(Some(Traffic::new(seed?, u32::try_from(percent?).ok()?)))
}

fn launchdarkly(tool: &mut ToolFields<'_, '_, '_, '_>, numbers: Numbers) -> Option<LaunchDarkly> {
    if !tool.has("seed") {
        let flag_key = tool.text("flag_key", 1);
        let salt = tool.text("salt", 1);
        return Some(LaunchDarkly::for_flag(&flag_key?, &salt?));
    }
    if tool.has("flag_key") || tool.has("salt") {
        let problem = Problem::invalid(
            "`seed` replaces `flag_key` and `salt`",
            "write either `seed`, or `flag_key` and `salt`",
        )
        .with_code(ErrorCode::TwoSeeds);
        tool.reader.report(tool.span.head(), &tool.at, problem);
    }
    let seed = tool.large_whole("seed", expected::SEED, numbers);
    seed.map(LaunchDarkly::for_experiment)
}

fn growthbook(tool: &mut ToolFields<'_, '_, '_, '_>) -> Option<GrowthBook> {
    let seed = tool.text("seed", 1);
    let version = tool.version();
    let rule = tool.required_word("rule", expected::HASH_RULE);
    let is_experiment = [("rollout", false), ("experiment", true)];
    let is_experiment =
        rule.and_then(|word| tool.boolean("rule", "rule type", is_experiment, &word));
    let rule = is_experiment.map(|is| match is {
        true => Comparison::Experiment,
        false => Comparison::Rollout,
    });
    let start = match tool.number("start") {
        Field::Absent => Some(0),
        Field::Bad => None,
        Field::Given(number) => start(tool, &number, rule, version),
    };
    let namespace = match tool.has("namespace") {
        false => Some(None),
        true => tool
            .object("namespace")
            .and_then(|mut given| namespace(&mut given))
            .map(Some),
    };
    Some(GrowthBook::new(version?, &seed?, rule?, start?, namespace?))
}

/// Returns the bucket at which v2's range begins.
fn start(
    tool: &mut ToolFields<'_, '_, '_, '_>,
    number: &Number<'_>,
    rule: Option<Comparison>,
    version: Option<AlgorithmVersion>,
) -> Option<u32> {
    if rule == Some(Comparison::Rollout) || tool.has("v2") {
        let problem = Problem::invalid(
            "`start` applies only to experiments",
            "remove it, or write \"rule\": \"experiment\" without `v2`",
        )
        .with_code(ErrorCode::UselessStart);
        tool.report(number.span, "start", problem);
    }
    let at = tool.at.field("start");
    let millionths = percentage(tool.reader, &at, number)?;
    whole_buckets(
        "growthbook",
        GrowthBook::bucket_count_of(version?),
        millionths,
    )
    .inspect_err(|between| {
        let problem = between_parts(between);
        tool.reader.report(number.span, &at, problem);
    })
    .ok()
}

fn namespace(given: &mut ToolFields<'_, '_, '_, '_>) -> Option<Namespace> {
    let id = given.text("id", 1);
    let from = given.percentage("from");
    let to = given.percentage("to");
    let (from, to) = (from?, to?);
    if from >= to {
        let problem = Problem::invalid(
            format!(
                "the namespace from {} to {} % is empty",
                format_millionths(from),
                format_millionths(to)
            ),
            "write a `from` that is below `to`",
        )
        .with_code(ErrorCode::EmptyNamespace);
        given.reader.report(given.span.head(), &given.at, problem);
    }
    Some(Namespace::new(&id?, from, to))
}

fn flagd(tool: &mut ToolFields<'_, '_, '_, '_>) -> Option<Flagd> {
    // The key is empty if the flag's targeting names what is hashed, without the key.
    let flag_key = tool.text("flag_key", 0);
    let version = tool.version();
    let total = tool.whole("total_weight", expected::TOTAL_WEIGHT, TOTAL_WEIGHT);
    let total = u32::try_from(total?).ok()?;
    Some(Flagd::new(version?, &flag_key?, total))
}

/// An object of a hash, whose fields are taken by name. The names are those of the reader's table.
struct ToolFields<'r, 't, 'p, 'a> {
    reader: &'r mut Reader<'t>,
    at: JsonPointer<'p>,
    span: Span,
    fields: Vec<(&'static str, Field<HashValue<'a>>)>,
}

impl<'r, 't, 'p, 'a> ToolFields<'r, 't, 'p, 'a> {
    fn new(
        reader: &'r mut Reader<'t>,
        at: JsonPointer<'p>,
        span: Span,
        fields: HashFields<'a>,
    ) -> Self {
        let HashFields(fields) = fields;
        Self {
            reader,
            at,
            span,
            fields,
        }
    }

    fn report(&mut self, span: Span, field: &'static str, problem: Problem) {
        let at = self.at.field(field);
        self.reader.report(span, &at, problem);
    }

    fn has(&self, name: &str) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|(field, value)| *field == name && present(value))
    }

    /// Takes a field. A second call returns `Absent`.
    fn take(&mut self, name: &str) -> Field<HashValue<'a>> {
        let mut fields = self.fields.iter_mut();
        let field = fields.find(|(field, _)| *field == name);
        field.map_or(Field::Absent, |(_, value)| {
            std::mem::replace(value, Field::Absent)
        })
    }

    fn object(&mut self, name: &'static str) -> Option<ToolFields<'_, 't, '_, 'a>> {
        let Field::Given(HashValue::Object(Located { value, span })) = self.take(name) else {
            return None;
        };
        Some(ToolFields::new(
            self.reader,
            self.at.field(name),
            span,
            value,
        ))
    }

    fn number(&mut self, name: &str) -> Field<Number<'a>> {
        match self.take(name) {
            Field::Absent => Field::Absent,
            Field::Given(HashValue::Number(number)) => Field::Given(number),
            Field::Bad | Field::Given(_) => Field::Bad,
        }
    }

    fn word(&mut self, name: &str) -> Field<LocatedText<'a>> {
        match self.take(name) {
            Field::Absent => Field::Absent,
            Field::Given(HashValue::Text(text)) => Field::Given(text),
            Field::Bad | Field::Given(_) => Field::Bad,
        }
    }

    fn required_word(
        &mut self,
        field: &'static str,
        expected: Expected,
    ) -> Option<LocatedText<'a>> {
        let word = self.word(field);
        required(self.reader, self.span, &self.at, field, expected, word)
    }

    fn required_number(&mut self, field: &'static str, expected: Expected) -> Option<Number<'a>> {
        let number = self.number(field);
        required(self.reader, self.span, &self.at, field, expected, number)
    }

    /// Takes a required string that the tool hashes, of at least `least` bytes.
    fn text(&mut self, field: &'static str, least: usize) -> Option<String> {
        let text = self.required_word(field, expected::HASHED)?;
        let length = text.value.len();
        if !(least..=MAX_HASHED_LEN).contains(&length) {
            let what = format!("the string has {length} bytes");
            let problem =
                Problem::invalid(what, format!("write {least} to {MAX_HASHED_LEN} bytes"));
            self.report(
                text.span,
                field,
                problem.with_code(ErrorCode::MalformedText),
            );
        }
        Some(text.value.into_owned())
    }

    fn whole(
        &mut self,
        field: &'static str,
        expected: Expected,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = self.required_number(field, expected)?;
        whole(self.reader, &self.at.field(field), &number, &range)
    }

    /// Takes a 64-bit integer. An integer that a double cannot hold must be a string, because a tool on the way to
    /// the proxy may round a number.
    fn large_whole(
        &mut self,
        field: &'static str,
        expected: Expected,
        numbers: Numbers,
    ) -> Option<i64> {
        let given = self.take(field);
        let given = required(self.reader, self.span, &self.at, field, expected, given)?;
        let (text, span, is_text) = match given {
            HashValue::Text(Located { value, span }) => (value, span, true),
            HashValue::Number(Number { value, span }) => (value.into(), span, false),
            HashValue::Object(_) => return None,
        };
        let value: Option<i64> = match is_text {
            true => text.parse().ok(),
            false => parsed(&text),
        };
        let problem = match value {
            Some(value) if is_text || numbers == Numbers::AsWritten || EXACT.contains(&value) => {
                return Some(value);
            }
            Some(value) => Problem::invalid(
                format!(
                    "{} may be rounded by JSON parsers that use doubles",
                    excerpt(&text)
                ),
                format!("write it as a string: \"{value}\""),
            )
            .with_code(ErrorCode::InexactNumber),
            None => Problem::invalid(
                format!("{} is not a 64-bit integer", excerpt(&text)),
                format!(
                    "write an integer from {} to {}, as a string if it is beyond {}",
                    i64::MIN,
                    i64::MAX,
                    EXACT.end()
                ),
            )
            .with_code(ErrorCode::OutOfRange),
        };
        self.report(span, field, problem);
        None
    }

    fn split_seed(&mut self, field: &'static str) -> Option<u32> {
        let seed = self.whole(field, expected::SEED, SPLIT_SEED)?;
        let signed = || i32::try_from(seed).ok().map(i32::cast_unsigned);
        u32::try_from(seed).ok().or_else(signed)
    }

    fn version(&mut self) -> Option<AlgorithmVersion> {
        match self.whole("version", expected::FORMULA, 1..=2)? {
            1 => Some(AlgorithmVersion::One),
            _ => Some(AlgorithmVersion::Two),
        }
    }

    fn percentage(&mut self, field: &'static str) -> Option<u32> {
        let number = self.required_number(field, expected::PERCENTAGE)?;
        percentage(self.reader, &self.at.field(field), &number)
    }

    fn v2_end(&mut self) -> Option<V2End> {
        let is_last = [("first", false), ("last", true)];
        let is_last = match self.word("v2") {
            Field::Absent => Some(false),
            Field::Bad => None,
            Field::Given(word) => self.boolean("v2", "position of v2", is_last, &word),
        };
        is_last.map(|is| match is {
            true => V2End::Last,
            false => V2End::First,
        })
    }

    /// Maps a word to a boolean. Booleans reuse code that the reader already has, which keeps the filter small.
    fn boolean(
        &mut self,
        field: &'static str,
        what: &'static str,
        words: [(&'static str, bool); 2],
        word: &LocatedText<'_>,
    ) -> Option<bool> {
        self.reader
            .one_of_words(&self.at.field(field), what, words, word)
    }
}
