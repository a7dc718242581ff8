//! Reads GrowthBook's features: the response of `api/features`, which the SDKs read.
//!
//! An account that a rule does not include goes on to the next rule, so the coverages of rules that force
//! a value add up. An experiment includes the accounts in its ranges.

mod condition;
mod experiment;
mod ranges;

use serde_json::Value;
use turnout_text::format_millionths;

use self::ranges::{BucketRange, HashVersion};
use crate::account_set::Condition;
use crate::bucketing::{Allocation, Bucketing, millionths};
use crate::error::{ImportError, ImportResult};
use crate::flag::{Flag, Remainder, note_skipped, reject_environment, select_flag};
use crate::located_value::LocatedValue;
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::options::Options;
use crate::quote::quote;
use crate::variations::{Treatment, Variations};

const NAME: &str = "GrowthBook";

/// Fields that GrowthBook writes for each experiment and that do not decide. An experiment without any of
/// them was written by hand, where default values may be missing.
const SERVER_FIELDS: &[&str] = &["hashVersion", "key", "meta", "name", "phase"];

/// The longest text in a policy's `hash`, in bytes.
const LONGEST_TEXT: usize = 256;

/// Fields without a meaning for the decision. Encrypted saved groups count as missing.
const IGNORED_FILE_FIELDS: &[&str] = &[
    "dateUpdated",
    "encryptedFeatures",
    "encryptedSavedGroups",
    "experiments",
    "status",
];

const IGNORED_FLAG_FIELDS: &[&str] = &[
    "archived",
    "dateCreated",
    "dateUpdated",
    "description",
    "id",
    "owner",
    "project",
    "tags",
    "valueType",
];

const IGNORED_RULE_FIELDS: &[&str] = &[
    "bucketVersion",
    "description",
    "disableStickyBucketing",
    "id",
    "minBucketVersion",
    "name",
    "phase",
    "tracks",
];

pub(crate) fn read<'a>(
    root: &LocatedValue<'a>,
    options: &'a Options,
    notes: &mut Notes,
) -> ImportResult<Flag<'a>> {
    reject_environment(options.environment.as_deref())?;
    let mut file = root.object()?;
    if file
        .get("encryptedFeatures")
        .is_some_and(|text| text.string().is_ok_and(|text| !text.is_empty()))
    {
        return Err(ImportError::new(
            "/encryptedFeatures",
            "the features are encrypted",
            "export them from an SDK connection without encryption",
        ));
    }
    let (key, value) = select_flag(
        &file.require("features")?.entries()?,
        options.flag.as_deref(),
        "/features",
    )?;
    let mut flag = value.object()?;
    let rules = flag.items("rules")?;
    let default = flag.get("defaultValue");
    let names = names(default.as_ref(), &rules)?;
    let names = names.iter().map(String::as_str).collect();
    let variations = Variations::new(names, options, flag.at(), notes)?;
    let treatment = |value: &Value| variations.treatment(&text_of(value));
    let mut reader = Reader {
        account: options.account_key.as_deref().unwrap_or("id"),
        groups: file.get("savedGroups"),
        notes,
        treatment: &treatment,
        has_coverage_note: false,
        flag: Flag::new(key),
    };
    for rule in &rules {
        reader.rule(rule)?;
    }
    if let Some(default) = default
        && treatment(default.value()) == Treatment::V2
    {
        reader.flag.push_without_account(
            default.at(),
            Condition::always(),
            Allocation::V2,
            Remainder::V1,
            reader.notes,
        );
    }
    let mut flag_read = reader.flag;
    flag_read.require_fields(&flag, &["defaultValue"], NAME, notes);
    flag.finish(IGNORED_FLAG_FIELDS, notes);
    file.finish(IGNORED_FILE_FIELDS, notes);
    Ok(flag_read)
}

/// The names of all values of a flag, with few duplicates: a rule may have many equal values.
fn names(
    default: Option<&LocatedValue<'_>>,
    rules: &[LocatedValue<'_>],
) -> ImportResult<Vec<String>> {
    let mut names = Vec::new();
    names.extend(default.map(|value| text_of(value.value())));
    for rule in rules {
        let mut rule = rule.object()?;
        if let Some(force) = rule.get("force") {
            names.push(text_of(force.value()));
            continue;
        }
        let variations = rule.items("variations")?;
        names.extend(variations.iter().map(|value| text_of(value.value())));
        names.sort_unstable();
        names.dedup();
    }
    Ok(names)
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

struct Reader<'a, 'n> {
    /// The attribute that is the account.
    account: &'a str,
    groups: Option<LocatedValue<'a>>,
    notes: &'n mut Notes,
    treatment: &'n dyn Fn(&Value) -> Treatment,
    has_coverage_note: bool,
    flag: Flag<'a>,
}

/// The parameters of a rule's hash.
struct HashInputs<'a> {
    version: HashVersion,
    seed: &'a str,
    /// An experiment's namespace and the range that the experiment has in it.
    namespace: Option<(&'a str, BucketRange)>,
}

impl<'a> Reader<'a, '_> {
    fn rule(&mut self, value: &LocatedValue<'a>) -> ImportResult<()> {
        let mut rule = value.object()?;
        let mut condition = match rule.get("condition") {
            Some(condition) => self.condition(&condition)?,
            None => Condition::always(),
        };
        for (name, message) in [
            ("parentConditions", "prerequisites are not supported"),
            ("filters", "filters are not supported"),
            ("contextualBanditRef", "bandits are not supported"),
            ("contextualVariations", "bandits are not supported"),
        ] {
            let Some(field) = rule.get(name) else {
                continue;
            };
            let is_empty = field.value().as_array().is_some_and(Vec::is_empty);
            if is_empty || field.string().is_ok_and(str::is_empty) {
                continue;
            }
            note_skipped(field.at(), message, self.notes);
            condition = Condition::unknown();
            self.reject_gates(name, &field)?;
        }
        if rule.non_empty_string("fallbackAttribute")?.is_some() {
            self.notes.add_note(
                &rule.at_field("fallbackAttribute"),
                "users without an account are bucketed by another attribute in GrowthBook; in the policy they take v1",
                "no action is needed if every request has an account",
            );
        }
        let by = rule
            .string("hashAttribute")?
            .filter(|name| !name.is_empty());
        let by = by.unwrap_or("id");
        let force = rule.get("force");
        let (allocation, remainder, is_bucketed) = match &force {
            Some(value) => {
                let treatment = (self.treatment)(value.value());
                self.forced(&mut rule, treatment)?
            }
            None => self.experiment(&mut rule)?,
        };
        rule.finish(IGNORED_RULE_FIELDS, self.notes);
        if is_bucketed && by != self.account {
            let message = format!(
                "accounts are bucketed by {}, but the account is {}",
                quote(by),
                quote(self.account)
            );
            self.flag.reject(value.at(), &message, self.notes);
            // The rule may have decided for any account.
            let (at, unknown) = (value.at(), Condition::unknown());
            self.flag
                .push(at, unknown, Allocation::V1, Remainder::V1, self.notes);
        } else if is_bucketed {
            self.flag
                .push(value.at(), condition, allocation, remainder, self.notes);
        } else {
            self.flag.push_without_account(
                value.at(),
                condition,
                allocation,
                remainder,
                self.notes,
            );
        }
        Ok(())
    }

    /// Rejects a flag with a gate. Where the gate is closed, the flag has no value, whatever its rules are.
    fn reject_gates(&mut self, name: &str, field: &LocatedValue<'a>) -> ImportResult<()> {
        if name != "parentConditions" {
            return Ok(());
        }
        for parent in field.items()? {
            if parent.object()?.boolean("gate")?.unwrap_or_default() {
                self.flag.reject(
                    parent.at(),
                    "another flag is a gate for this flag, which is not supported",
                    self.notes,
                );
            }
        }
        Ok(())
    }

    /// Reads a rule that forces a value, for everyone or for a part. The last value says whether the rule
    /// buckets accounts.
    fn forced(
        &mut self,
        rule: &mut ObjectReader<'a>,
        treatment: Treatment,
    ) -> ImportResult<(Allocation, Remainder, bool)> {
        let version = HashVersion::new(rule.get("hashVersion"))?;
        let coverage = rule.get("coverage");
        let range = rule.get("range");
        let seed = self.seed(rule)?;
        // Only experiments use these.
        for name in [
            "key",
            "weights",
            "meta",
            "ranges",
            "namespace",
            "variations",
        ] {
            rule.get(name);
        }
        let inputs = HashInputs {
            version,
            seed,
            namespace: None,
        };
        let buckets = version.bucket_count();
        let (range, is_coverage) = match (range, &coverage) {
            (Some(range), _) => (version.range(&range)?, false),
            (None, Some(coverage)) => (version.coverage(coverage)?, true),
            (None, None) => {
                // A hash without a coverage: the rule may be incomplete.
                if ["hashAttribute", "hashVersion", "seed"]
                    .iter()
                    .any(|name| rule.get(name).is_some_and(|field| !field.is_zero()))
                {
                    self.flag
                        .require_fields(rule, &["coverage"], NAME, self.notes);
                    if rule.has("coverage") {
                        self.flag.reject(
                            rule.at(),
                            "the `coverage` is null, which means everyone in some SDKs and nobody in others",
                            self.notes,
                        );
                    }
                }
                return Ok((Allocation::from(treatment), Remainder::V1, false));
            }
        };
        if range.len() == buckets {
            return Ok((Allocation::from(treatment), Remainder::V1, true));
        }
        let allocation = match treatment {
            Treatment::V1 if range.len() == 0 => {
                return Ok((Allocation::V1, Remainder::Next, false));
            }
            Treatment::V1 => return Ok((Allocation::V1, Remainder::Mixed, true)),
            Treatment::V2 if is_coverage => self.covered(rule, &inputs, range),
            Treatment::V2 => self.partial(rule, &inputs, "experiment", range),
        };
        Ok((allocation, Remainder::Next, true))
    }

    /// The allocation of a coverage. Most SDKs include one bucket more than the percentage has.
    fn covered(
        &mut self,
        rule: &ObjectReader<'a>,
        inputs: &HashInputs<'a>,
        range: BucketRange,
    ) -> Allocation {
        let buckets = match range.len() {
            0 => return self.partial(rule, inputs, "rollout", range),
            1 => return self.partial(rule, inputs, "experiment", range),
            more => more.saturating_sub(1),
        };
        if !std::mem::replace(&mut self.has_coverage_note, true) {
            self.notes.add_note(
                &rule.at_field("coverage"),
                "accounts in the bucket that equals the coverage take v2, as in GrowthBook's JavaScript SDK",
                "if your SDK excludes them, as the Python SDK does since 4.0, set \"rule\": \"experiment\" in `hash`",
            );
        }
        self.partial(rule, inputs, "rollout", BucketRange::new(0, buckets))
    }

    fn seed(&self, rule: &mut ObjectReader<'a>) -> ImportResult<&'a str> {
        let seed = rule.string("seed")?.filter(|seed| !seed.is_empty());
        Ok(seed.unwrap_or(self.flag.key))
    }

    /// The allocation of a range of buckets.
    fn partial(
        &mut self,
        rule: &ObjectReader<'a>,
        inputs: &HashInputs<'a>,
        kind: &str,
        range: BucketRange,
    ) -> Allocation {
        let HashInputs { version, seed, .. } = inputs;
        let buckets = version.bucket_count();
        let ids = [Some(*seed), inputs.namespace.map(|(id, _)| id)];
        let is_valid = |text: &&str| (1..=LONGEST_TEXT).contains(&text.len()) && text.is_ascii();
        if !ids.iter().flatten().all(is_valid) {
            self.flag.reject(rule.at(), "the seed or the namespace is empty, too long, or not ASCII, which is not supported", self.notes);
            return Allocation::V1;
        }
        let mut fields = vec![
            ("seed", Value::from(*seed)),
            ("version", Value::from(version.version())),
            ("rule", Value::from(kind)),
        ];
        if range.start() > 0 {
            fields.push(("start", percent(millionths(range.start(), buckets))));
        }
        if let Some((id, namespace)) = inputs.namespace {
            if range.len() >= buckets {
                self.notes.add_branch_loss(
                    rule.at(),
                    "all of a namespace takes v2, which a policy does not support, so the rule is skipped",
                    "write a rule with the percentage of the namespace if its accounts may change",
                );
                return Allocation::V1;
            }
            let thousand = HashVersion::One.bucket_count();
            let object = Value::from_iter([
                ("from", percent(millionths(namespace.start(), thousand))),
                ("id", Value::from(id)),
                ("to", percent(millionths(namespace.end(), thousand))),
            ]);
            fields.push(("namespace", object));
        }
        let bucketing = Bucketing {
            tool: "growthbook",
            fields,
            buckets,
            is_v2_last: false,
        };
        Allocation::partial(bucketing, range.len())
    }
}

fn percent(millionths: u32) -> Value {
    serde_json::from_str(&format_millionths(millionths)).unwrap_or_default()
}
