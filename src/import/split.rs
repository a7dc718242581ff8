//! Split: the answer of `splitChanges` (`splits`, or `ff` in newer ones), or one definition.
//!
//! Conditions decide in order, and each divides by the flag's seed. The first condition of the type
//! `ROLLOUT` is behind the traffic allocation, a draw of its own: who is outside of it is given the
//! default treatment.

use serde_json::Value;

use crate::draw::{Draw, Place, Serve};
use crate::flag::{Flag, Rest, choose, leave_out, no_environment};
use crate::node::{Node, Object, Read, Unreadable};
use crate::note::Notes;
use crate::options::Options;
use crate::treatment::{Treatment, Variations};
use crate::when::{Condition, When};
use crate::words::quoted;

const ALL: u32 = 100;
/// The only algorithm whose accounts can be kept: MurmurHash3.
const MURMUR: i64 = 2;

const NAME: &str = "Split";

/// What Split writes of each flag, condition and matcher, also where it is empty.
const OF_FLAG: &[&str] = &["conditions", "killed", "status", "trafficAllocation"];
const OF_CONDITION: &[&str] = &["conditionType", "partitions"];
const OF_GROUP: &[&str] = &["combiner", "matchers"];
const OF_MATCHER: &[&str] = &["keySelector", "negate"];

/// What the matchers of a kind match; each kind has one of these, and the others are empty.
const MATCHER_DATA: &[&str] = &[
    "betweenMatcherData",
    "betweenStringMatcherData",
    "booleanMatcherData",
    "dependencyMatcherData",
    "stringMatcherData",
    "unaryNumericMatcherData",
    "userDefinedLargeSegmentMatcherData",
    "userDefinedRuleBasedSegmentMatcherData",
    "userDefinedSegmentMatcherData",
    "whitelistMatcherData",
];

const HARMLESS: &[&str] = &[
    "changeNumber",
    "creationTime",
    "description",
    "id",
    "impressionsDisabled",
    "lastUpdateTime",
    "owners",
    "sets",
    "tags",
    "trafficType",
    "trafficTypeId",
    "trafficTypeName",
];

pub(crate) fn read<'a>(root: &Node<'a>, options: &'a Options, notes: &mut Notes) -> Read<Flag<'a>> {
    no_environment(options.environment.as_deref())?;
    if options.account_key.is_some() {
        return Err(Unreadable::option(
            "--account-key",
            "Split draws by the key that its client is given, whatever it is called",
            "leave the option out",
        ));
    }
    let (key, flag) = choose(&flags(root)?, options.flag.as_deref(), root.at())?;
    let mut reader = Reader {
        options,
        notes,
        flag: Flag::new(key),
    };
    reader.flag(flag.object()?)?;
    let mut file = root.object()?;
    if let Some(changes) = file.get("ff") {
        let mut changes = changes.object()?;
        changes.get("d");
        changes.finish(&["s", "t"], reader.notes);
        file.finish(&["rbs"], reader.notes);
    } else if flag.at() != root.at() {
        file.get("splits");
        file.finish(&["since", "till"], reader.notes);
    }
    Ok(reader.flag)
}

fn flags<'a>(root: &Node<'a>) -> Read<Vec<(&'a str, Node<'a>)>> {
    let mut file = root.object()?;
    if file.get("conditions").is_some() {
        return Ok(vec![(file.need("name")?.text()?, root.clone())]);
    }
    let list = match file.get("ff") {
        Some(changes) => changes.object()?.need("d")?,
        None => file.need("splits")?,
    };
    let flags = list.items()?.map(|flag| {
        let key = flag.object()?.need("name")?.text()?;
        Ok((key, flag))
    });
    flags.collect()
}

struct Reader<'a, 'n> {
    options: &'a Options,
    notes: &'n mut Notes,
    flag: Flag<'a>,
}

/// What the conditions of a flag share.
struct Line<'a> {
    variations: Variations<'a>,
    seed: Option<i64>,
    is_murmur: bool,
    traffic: u32,
    traffic_seed: Option<i64>,
    /// Where the default treatment stands.
    default_at: String,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: Object<'a>) -> Read<()> {
        flag.need("name")?;
        self.flag.expect(&flag, OF_FLAG, NAME, self.notes);
        let default = flag.need("defaultTreatment")?.text()?;
        let conditions = flag.items("conditions")?;
        let variations = self.variations(default, &conditions, flag.at())?;
        let algorithm = flag.whole("algo")?;
        let traffic = flag.get("trafficAllocation");
        let line = Line {
            variations,
            seed: seed(&mut flag, "seed")?,
            is_murmur: algorithm == Some(MURMUR),
            traffic: traffic.map_or(Ok(ALL), |traffic| traffic.parts(ALL))?,
            traffic_seed: seed(&mut flag, "trafficAllocationSeed")?,
            default_at: flag.at_field("defaultTreatment"),
        };
        let default = line.variations.treatment(default);
        self.state(&mut flag)?;
        let is_killed = flag.truth("killed")?.unwrap_or_default();
        if is_killed && default == Treatment::V2 {
            let everyone = Condition::known(When::everyone());
            let at = flag.at_field("killed");
            self.flag
                .push(&at, everyone, Serve::V2, Rest::V1, self.notes);
        } else {
            if is_killed {
                self.flag.stop(&flag.at_field("killed"), self.notes);
            }
            self.conditions(&line, default, conditions)?;
        }
        flag.finish(HARMLESS, self.notes);
        Ok(())
    }

    fn variations(
        &mut self,
        default: &'a str,
        conditions: &[Node<'a>],
        at: &str,
    ) -> Read<Variations<'a>> {
        let mut names = vec![default];
        for condition in conditions {
            for partition in condition.object()?.items("partitions")? {
                names.push(partition.object()?.need("treatment")?.text()?);
            }
        }
        Variations::new(names, self.options, at, self.notes)
    }

    /// What a flag says besides its conditions.
    fn state(&mut self, flag: &mut Object<'a>) -> Read<()> {
        if let Some(status) = flag.word("status")?
            && status != "ACTIVE"
        {
            let what = format!("the flag's status is {}", quoted(status));
            self.flag
                .refuse(&flag.at_field("status"), &what, self.notes);
        }
        let needed = flag.items("prerequisites")?;
        if let Some(first) = needed.first() {
            self.flag.refuse(
                first.at(),
                "the flag has prerequisites, and what another flag says is not known here",
                self.notes,
            );
        }
        if let Some(texts) = flag.get("configurations") {
            let texts = texts.entries()?;
            if texts.iter().any(|(_, text)| !text.is_zero()) {
                self.notes.lost(
                    &flag.at_field("configurations"),
                    "treatments have configurations, and a policy only says v1 or v2",
                    "give the two versions what the configurations say",
                );
            }
        }
        Ok(())
    }

    fn conditions(
        &mut self,
        line: &Line<'a>,
        default: Treatment,
        conditions: Vec<Node<'a>>,
    ) -> Read<()> {
        let mut is_behind_traffic = false;
        for node in conditions {
            let mut condition = node.object()?;
            self.flag.expect(&condition, OF_CONDITION, NAME, self.notes);
            let kind = condition.word("conditionType")?.unwrap_or("WHITELIST");
            if kind == "ROLLOUT" && !is_behind_traffic && line.traffic < ALL {
                is_behind_traffic = true;
                if default == Treatment::V2 {
                    self.flag.refuse(
                        node.at(),
                        "who is outside of the traffic allocation is given v2, the default treatment",
                        self.notes,
                    );
                }
                if line.traffic == 0 {
                    break;
                }
            }
            let when = self.matchers(&condition.need("matcherGroup")?)?;
            let mut pieces = Vec::new();
            for partition in condition.items("partitions")? {
                let mut partition = partition.object()?;
                let treatment = line
                    .variations
                    .treatment(partition.need("treatment")?.text()?);
                pieces.push((treatment, partition.need("size")?.parts(ALL)?));
                partition.finish(&[], self.notes);
            }
            let place = Place::of(&pieces, ALL, Treatment::V1);
            let serve = self.serve(line, place, is_behind_traffic, &condition)?;
            condition.finish(&["label"], self.notes);
            self.flag.push(node.at(), when, serve, Rest::V1, self.notes);
        }
        let serve = match default {
            Treatment::V1 => Serve::V1,
            Treatment::V2 => Serve::V2,
        };
        let everyone = Condition::known(When::everyone());
        self.flag
            .push(&line.default_at, everyone, serve, Rest::V1, self.notes);
        Ok(())
    }

    fn serve(
        &mut self,
        line: &Line<'a>,
        place: Place,
        is_behind_traffic: bool,
        condition: &Object<'a>,
    ) -> Read<Serve> {
        let at = condition.at_field("partitions");
        let is_drawn = matches!(place, Place::First(_) | Place::Last(_) | Place::Between);
        let is_all_in_traffic = place == Place::Everywhere && is_behind_traffic;
        if (is_drawn || is_all_in_traffic) && !line.is_murmur {
            self.flag.refuse(
                &at,
                "the flag draws by Split's old algorithm, or says none; accounts of algorithm 2 alone can be kept",
                self.notes,
            );
            return Ok(Serve::V1);
        }
        let seed = |seed: Option<i64>, name: &str| {
            seed.ok_or_else(|| {
                let what = format!("the flag divides its keys, and its `{name}` is missing");
                Unreadable::new(condition.at(), what, "give the file as the tool exports it")
            })
        };
        let draw = |fields, is_last| Draw {
            tool: "split",
            fields,
            all: ALL,
            is_last,
        };
        if is_all_in_traffic {
            // The draw of the traffic is all there is.
            let seed = seed(line.traffic_seed, "trafficAllocationSeed")?;
            let fields = vec![("seed", Value::from(seed))];
            return Ok(Serve::part(draw(fields, false), line.traffic));
        }
        let mut fields = Vec::new();
        if is_drawn {
            fields.push(("seed", Value::from(seed(line.seed, "seed")?)));
            if is_behind_traffic {
                let seed = seed(line.traffic_seed, "trafficAllocationSeed")?;
                fields.push(("traffic_allocation", Value::from(line.traffic)));
                fields.push(("traffic_allocation_seed", Value::from(seed)));
            }
        }
        let serve = place.serve(|is_last| draw(fields.clone(), is_last));
        Ok(serve.unwrap_or_else(|| {
            self.notes.lost_of_branch(
                &at,
                "v2 is between other treatments, and only one at an end of Split's range can be kept:",
                "move v2 to one end of the list in Split before the export, if its accounts may change",
            );
            Serve::V1
        }))
    }

    fn matchers(&mut self, group: &Node<'a>) -> Read<Condition<'a>> {
        let mut group = group.object()?;
        self.flag.expect(&group, OF_GROUP, NAME, self.notes);
        let mut all = Condition::known(When::everyone());
        let matchers = group.items("matchers")?;
        for node in &matchers {
            all = all.and(&self.matcher(node)?);
        }
        let combiner = group.word("combiner")?.unwrap_or("AND");
        let unknown = match (combiner, matchers.is_empty()) {
            ("AND", false) => None,
            ("AND", true) => Some(String::from("there are no matchers")),
            (other, _) => Some(format!("the combiner {} is not known", quoted(other))),
        };
        if let Some(what) = unknown {
            leave_out(group.at(), &what, self.notes);
            all = Condition::unknown();
        }
        group.finish(&[], self.notes);
        Ok(all)
    }

    fn matcher(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        let mut matcher = node.object()?;
        self.flag.expect(&matcher, OF_MATCHER, NAME, self.notes);
        let kind = matcher.need("matcherType")?.text()?;
        let is_negated = matcher.truth("negate")?.unwrap_or_default();
        let attribute = match matcher.get("keySelector") {
            Some(selector) => {
                let mut selector = selector.object()?;
                self.flag
                    .expect(&selector, &["attribute"], NAME, self.notes);
                let attribute = selector.word("attribute")?;
                selector.finish(&["trafficType"], self.notes);
                attribute
            }
            None => None,
        };
        let condition = match (kind, attribute) {
            ("ALL_KEYS", None) => Condition::known(When::everyone()),
            ("WHITELIST", None) => {
                let mut data = matcher.need("whitelistMatcherData")?.object()?;
                let keys = data.need_texts("whitelist")?;
                data.finish(&[], self.notes);
                Condition::known(When::within("", keys))
            }
            (kind, attribute) => {
                let segment = segment_of(&mut matcher)?;
                let what = match (attribute, segment) {
                    (Some(attribute), _) => {
                        format!("{} of the attribute {}", quoted(kind), quoted(attribute))
                    }
                    (None, Some(name)) => {
                        format!(
                            "{} of {}, which the file does not list,",
                            quoted(kind),
                            quoted(name)
                        )
                    }
                    (None, None) => quoted(kind),
                };
                leave_out(node.at(), &format!("{what} is not known here"), self.notes);
                Condition::unknown()
            }
        };
        // Of a matcher that is known, what others match is empty.
        let mut known = Vec::new();
        for name in MATCHER_DATA {
            if !condition.is_known || matcher.get(name).is_none_or(|data| data.is_zero()) {
                known.push(*name);
            }
        }
        matcher.finish(&known, self.notes);
        Ok(match is_negated {
            true => condition.not(),
            false => condition,
        })
    }
}

/// A seed of 32 bits, with a sign or without.
fn seed(flag: &mut Object<'_>, name: &'static str) -> Read<Option<i64>> {
    let seed = flag.whole(name)?;
    match seed {
        Some(seed) if i32::try_from(seed).is_err() && u32::try_from(seed).is_err() => {
            Err(Unreadable::new(
                &flag.at_field(name),
                format!("{seed} is out of range"),
                "give a whole number of 32 bits, with a sign or without",
            ))
        }
        seed => Ok(seed),
    }
}

/// The segment that a matcher names.
fn segment_of<'a>(matcher: &mut Object<'a>) -> Read<Option<&'a str>> {
    for (name, field) in [
        ("userDefinedSegmentMatcherData", "segmentName"),
        ("userDefinedLargeSegmentMatcherData", "largeSegmentName"),
        ("userDefinedRuleBasedSegmentMatcherData", "segmentName"),
    ] {
        if let Some(data) = matcher.get(name)
            && let Some(segment) = data.object()?.word(field)?
        {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}
