//! GrowthBook: the answer of `api/features`, which the SDKs read.
//!
//! A rule that does not take an account lets it go on to the next one, so rules that force a value
//! for a coverage add up. An experiment takes whom its ranges have.

mod condition;
mod experiment;
mod ranges;

use serde_json::Value;
use turnout_text::format_millionths;

use self::ranges::{Hashing, Interval};
use crate::draw::{Draw, Serve, millionths};
use crate::flag::{Flag, Rest, choose, leave_out, no_environment};
use crate::node::{Node, Object, Read, Unreadable};
use crate::note::Notes;
use crate::options::Options;
use crate::treatment::{Treatment, Variations};
use crate::when::{Condition, When};
use crate::words::quoted;

const NAME: &str = "GrowthBook";

/// What GrowthBook writes of each experiment, beside what divides it. One that has none of them was
/// written by a person, who may leave out what goes without saying.
const BY_GROWTHBOOK: &[&str] = &["hashVersion", "key", "meta", "name", "phase"];

/// The longest text that a policy's hash has.
const LONGEST: usize = 256;

/// Groups that are encrypted are as groups that are not there.
const OF_FILE: &[&str] = &[
    "dateUpdated",
    "encryptedFeatures",
    "encryptedSavedGroups",
    "experiments",
    "status",
];

const OF_FLAG: &[&str] = &[
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

const OF_RULE: &[&str] = &[
    "bucketVersion",
    "description",
    "disableStickyBucketing",
    "id",
    "minBucketVersion",
    "name",
    "phase",
    "tracks",
];

pub(crate) fn read<'a>(root: &Node<'a>, options: &'a Options, notes: &mut Notes) -> Read<Flag<'a>> {
    no_environment(options.environment.as_deref())?;
    let mut file = root.object()?;
    if file
        .get("encryptedFeatures")
        .is_some_and(|text| text.text().is_ok_and(|text| !text.is_empty()))
    {
        return Err(Unreadable::new(
            "/encryptedFeatures",
            "the features are encrypted",
            "export them from a connection without encryption",
        ));
    }
    let (key, node) = choose(
        &file.need("features")?.entries()?,
        options.flag.as_deref(),
        "/features",
    )?;
    let mut flag = node.object()?;
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
        has_told_coverage: false,
        flag: Flag::new(key),
    };
    for rule in &rules {
        reader.rule(rule)?;
    }
    if let Some(default) = default
        && treatment(default.value()) == Treatment::V2
    {
        let everyone = Condition::known(When::everyone());
        reader
            .flag
            .push_undrawn(default.at(), everyone, Serve::V2, Rest::V1, reader.notes);
    }
    let mut flag_read = reader.flag;
    flag_read.expect(&flag, &["defaultValue"], NAME, notes);
    flag.finish(OF_FLAG, notes);
    file.finish(OF_FILE, notes);
    Ok(flag_read)
}

/// What all values of a flag are called. A rule may have many, and most are the same.
fn names(default: Option<&Node<'_>>, rules: &[Node<'_>]) -> Read<Vec<String>> {
    let mut names = Vec::new();
    names.extend(default.map(|node| text_of(node.value())));
    for rule in rules {
        let mut rule = rule.object()?;
        if let Some(force) = rule.get("force") {
            names.push(text_of(force.value()));
            continue;
        }
        let variations = rule.items("variations")?;
        names.extend(variations.iter().map(|node| text_of(node.value())));
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
    groups: Option<Node<'a>>,
    notes: &'n mut Notes,
    treatment: &'n dyn Fn(&Value) -> Treatment,
    has_told_coverage: bool,
    flag: Flag<'a>,
}

/// How a rule draws.
struct Drawing<'a> {
    hashing: Hashing,
    seed: &'a str,
    /// Of an experiment: its name, and its range.
    namespace: Option<(&'a str, Interval)>,
}

impl<'a> Reader<'a, '_> {
    fn rule(&mut self, node: &Node<'a>) -> Read<()> {
        let mut rule = node.object()?;
        let mut condition = match rule.get("condition") {
            Some(condition) => self.condition(&condition)?,
            None => Condition::known(When::everyone()),
        };
        for (name, what) in [
            (
                "parentConditions",
                "what another flag says is not known here",
            ),
            ("filters", "a filter is a draw of its own and is not kept"),
            ("contextualBanditRef", "a bandit is not kept"),
            ("contextualVariations", "a bandit is not kept"),
        ] {
            let Some(field) = rule.get(name) else {
                continue;
            };
            let is_empty = field.value().as_array().is_some_and(Vec::is_empty);
            if is_empty || field.text().is_ok_and(str::is_empty) {
                continue;
            }
            leave_out(field.at(), what, self.notes);
            condition = Condition::unknown();
            self.gates(name, &field)?;
        }
        if rule.word("fallbackAttribute")?.is_some() {
            self.notes.note(
                &rule.at_field("fallbackAttribute"),
                "who has no account is drawn by another attribute, and takes v1 here",
                "nothing, if each request has an account",
            );
        }
        let by = rule.text("hashAttribute")?.filter(|name| !name.is_empty());
        let by = by.unwrap_or("id");
        let force = rule.get("force");
        let (serve, rest, is_drawn) = match &force {
            Some(value) => {
                let treatment = (self.treatment)(value.value());
                self.forced(&mut rule, treatment)?
            }
            None => self.experiment(&mut rule)?,
        };
        rule.finish(OF_RULE, self.notes);
        if is_drawn && by != self.account {
            let what = format!(
                "accounts are drawn by {}, and the account is {}",
                quoted(by),
                quoted(self.account)
            );
            self.flag.refuse(node.at(), &what, self.notes);
            // Nothing is known of who was in it.
            let (at, unknown) = (node.at(), Condition::unknown());
            self.flag.push(at, unknown, Serve::V1, Rest::V1, self.notes);
        } else if is_drawn {
            self.flag
                .push(node.at(), condition, serve, rest, self.notes);
        } else {
            self.flag
                .push_undrawn(node.at(), condition, serve, rest, self.notes);
        }
        Ok(())
    }

    /// Another flag that is a gate decides for all rules: where it is shut, the flag has no value.
    fn gates(&mut self, name: &str, field: &Node<'a>) -> Read<()> {
        if name != "parentConditions" {
            return Ok(());
        }
        for parent in field.items()? {
            if parent.object()?.truth("gate")?.unwrap_or_default() {
                self.flag.refuse(
                    parent.at(),
                    "another flag is a gate for this one, and what it says is not known here",
                    self.notes,
                );
            }
        }
        Ok(())
    }

    /// A rule that forces a value, for all or for a part; and whether it draws.
    fn forced(&mut self, rule: &mut Object<'a>, treatment: Treatment) -> Read<(Serve, Rest, bool)> {
        let hashing = Hashing::new(rule.get("hashVersion"))?;
        let coverage = rule.get("coverage");
        let range = rule.get("range");
        let seed = self.seed(rule)?;
        // Only an experiment has these.
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
        let drawing = Drawing {
            hashing,
            seed,
            namespace: None,
        };
        let all = hashing.places();
        let (interval, is_coverage) = match (range, &coverage) {
            (Some(range), _) => (hashing.interval(&range)?, false),
            (None, Some(coverage)) => (hashing.coverage(coverage)?, true),
            (None, None) => {
                // What a part is drawn by, without the part.
                if ["hashAttribute", "hashVersion", "seed"]
                    .iter()
                    .any(|name| rule.get(name).is_some_and(|field| !field.is_zero()))
                {
                    self.flag.expect(rule, &["coverage"], NAME, self.notes);
                    if rule.has("coverage") {
                        self.flag.refuse(
                            rule.at(),
                            "the `coverage` is null, which SDKs take for everyone or for nobody",
                            self.notes,
                        );
                    }
                }
                return Ok((whole(treatment), Rest::V1, false));
            }
        };
        if interval.len() == all {
            return Ok((whole(treatment), Rest::V1, true));
        }
        let serve = match treatment {
            Treatment::V1 if interval.len() == 0 => return Ok((Serve::V1, Rest::Next, false)),
            Treatment::V1 => return Ok((Serve::V1, Rest::Mixed, true)),
            Treatment::V2 if is_coverage => self.covered(rule, &drawing, interval),
            Treatment::V2 => self.drawn(rule, &drawing, "experiment", interval),
        };
        Ok((serve, Rest::Next, true))
    }

    /// A coverage takes one place more than its percentage says, in all SDKs but a few.
    fn covered(&mut self, rule: &Object<'a>, drawing: &Drawing<'a>, interval: Interval) -> Serve {
        let share = match interval.len() {
            0 => return self.drawn(rule, drawing, "rollout", interval),
            1 => return self.drawn(rule, drawing, "experiment", interval),
            more => more.saturating_sub(1),
        };
        if !std::mem::replace(&mut self.has_told_coverage, true) {
            self.notes.note(
                &rule.at_field("coverage"),
                "who is drawn exactly at a coverage takes v2, as in GrowthBook's SDK for JavaScript",
                "for an SDK that leaves them out, as that for Python since 4.0, write \"rule\": \"experiment\" in `hash`",
            );
        }
        self.drawn(rule, drawing, "rollout", Interval::new(0, share))
    }

    fn seed(&self, rule: &mut Object<'a>) -> Read<&'a str> {
        let seed = rule.text("seed")?.filter(|seed| !seed.is_empty());
        Ok(seed.unwrap_or(self.flag.key))
    }

    fn drawn(
        &mut self,
        rule: &Object<'a>,
        drawing: &Drawing<'a>,
        kind: &str,
        interval: Interval,
    ) -> Serve {
        let Drawing { hashing, seed, .. } = drawing;
        let all = hashing.places();
        let ids = [Some(*seed), drawing.namespace.map(|(id, _)| id)];
        let is_hashed = |text: &&str| (1..=LONGEST).contains(&text.len()) && text.is_ascii();
        if !ids.iter().flatten().all(is_hashed) {
            self.flag.refuse(rule.at(), "the seed or the namespace is empty, too long or not ASCII, and GrowthBook hashes other text in a way of its own", self.notes);
            return Serve::V1;
        }
        let mut fields = vec![
            ("seed", Value::from(*seed)),
            ("version", Value::from(hashing.version())),
            ("rule", Value::from(kind)),
        ];
        if interval.start() > 0 {
            fields.push(("start", percent(millionths(interval.start(), all))));
        }
        if let Some((id, range)) = drawing.namespace {
            if interval.len() >= all {
                self.notes.lost_of_branch(
                    rule.at(),
                    "all of a namespace takes v2, and a policy that serves everyone has no namespace:",
                    "make a rule of the percentage that the namespace has, if its accounts may change",
                );
                return Serve::V1;
            }
            let thousand = Hashing::One.places();
            let object = Value::from_iter([
                ("from", percent(millionths(range.start(), thousand))),
                ("id", Value::from(id)),
                ("to", percent(millionths(range.end(), thousand))),
            ]);
            fields.push(("namespace", object));
        }
        let draw = Draw {
            tool: "growthbook",
            fields,
            all,
            is_last: false,
        };
        Serve::part(draw, interval.len())
    }
}

fn percent(millionths: u32) -> Value {
    serde_json::from_str(&format_millionths(millionths)).unwrap_or_default()
}

fn whole(treatment: Treatment) -> Serve {
    match treatment {
        Treatment::V1 => Serve::V1,
        Treatment::V2 => Serve::V2,
    }
}
