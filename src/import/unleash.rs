//! Unleash: the answer of `client/features`.
//!
//! A flag is on for whom one of its strategies holds. Strategies that draw by one group are one line,
//! of which the largest percentage has the others in it.

use serde_json::Value;

use crate::draw::{Draw, Serve};
use crate::flag::{Flag, Rest, choose, leave_out, no_environment};
use crate::node::{Node, Object, Read, Unreadable, whole};
use crate::note::Notes;
use crate::options::Options;
use crate::when::{Condition, When};
use crate::words::quoted;

const ALL: u32 = 100;
/// The longest text that a policy's hash has.
const LONGEST_GROUP: usize = 256;

const NAME: &str = "Unleash";
/// What the server writes of each feature, beside what decides. A feature that has none of them was
/// written by a person, who may leave out what is empty.
const BY_SERVER: &[&str] = &[
    "createdAt",
    "impressionData",
    "lastSeenAt",
    "project",
    "stale",
    "type",
];

/// What the server writes of each strategy, beside what decides.
const STRATEGY_BY_SERVER: &[&str] = &[
    "disabled",
    "featureName",
    "id",
    "segments",
    "sortOrder",
    "title",
    "variants",
];

const HARMLESS: &[&str] = &[
    "createdAt",
    "description",
    "favorite",
    "impressionData",
    "lastSeenAt",
    "name",
    "project",
    "stale",
    "tags",
    "type",
];

pub(crate) fn read<'a>(root: &Node<'a>, options: &'a Options, notes: &mut Notes) -> Read<Flag<'a>> {
    no_environment(options.environment.as_deref())?;
    if options.v2_is.is_some() {
        return Err(Unreadable::option(
            "--v2-is",
            "Unleash draws variants apart from its strategies, and they cannot be kept",
            "leave the option out: v2 is where the flag is on",
        ));
    }
    let mut file = root.object()?;
    let features = match file.get("features") {
        Some(features) => {
            let features = features.items()?.map(|flag| {
                let key = flag.object()?.need("name")?.text()?;
                Ok((key, flag))
            });
            features.collect::<Read<Vec<_>>>()?
        }
        None => {
            file.need("strategies")?;
            vec![(file.need("name")?.text()?, root.clone())]
        }
    };
    let (key, flag) = choose(&features, options.flag.as_deref(), root.at())?;
    let mut reader = Reader {
        account: options.account_key.as_deref().unwrap_or("userId"),
        segments: file.items("segments")?,
        is_by_server: false,
        notes,
        is_bare: !file.has("version"),
        flag: Flag::new(key),
    };
    reader.flag(flag.object()?)?;
    if file.has("features") {
        file.finish(&["version", "query", "meta"], reader.notes);
    }
    Ok(reader.flag)
}

/// What a strategy serves.
enum Served<'a> {
    Everyone,
    Users(When<'a>),
    Drawn(Serve),
    /// It is left out.
    Unknown,
}

struct Reader<'a, 'n> {
    /// What the context calls the account.
    account: &'a str,
    segments: Vec<Node<'a>>,
    /// The server writes lists also if they are empty.
    is_by_server: bool,
    /// There is nothing in the file but what decides, as where somebody has picked these fields of it.
    is_bare: bool,
    notes: &'n mut Notes,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: Object<'a>) -> Read<()> {
        self.is_by_server = BY_SERVER.iter().any(|name| flag.has(name));
        self.is_bare = self.is_bare || !flag.has("description");
        let always = &["enabled", "strategies"];
        self.flag.expect(&flag, always, NAME, self.notes);
        if flag.truth("archived")?.unwrap_or_default() {
            self.flag.refuse(
                &flag.at_field("archived"),
                "the flag is archived",
                self.notes,
            );
        }
        let is_enabled = flag.truth("enabled")?.unwrap_or_default();
        if !is_enabled && flag.has("enabled") {
            self.flag.stop(&flag.at_field("enabled"), self.notes);
        }
        if let Some(first) = flag.items("dependencies")?.first() {
            self.flag.refuse(
                first.at(),
                "the flag depends on another, and what that says is not known here",
                self.notes,
            );
        }
        if !flag.items("variants")?.is_empty() {
            self.variants(&flag.at_field("variants"));
        }
        let strategies = flag.items("strategies")?;
        if strategies.is_empty() {
            let everyone = Condition::known(When::everyone());
            self.flag
                .push_undrawn(flag.at(), everyone, Serve::V2, Rest::Next, self.notes);
        }
        for strategy in strategies {
            self.strategy(&strategy)?;
        }
        // Any order means the same; in this one the largest percentage of a line comes first.
        self.flag
            .branches
            .sort_by_key(|branch| match &branch.serve {
                Serve::V2 => 0,
                Serve::Part(part) => ALL.saturating_sub(part.share).saturating_add(1),
                Serve::V1 => u32::MAX,
            });
        flag.finish(HARMLESS, self.notes);
        Ok(())
    }

    fn variants(&mut self, at: &str) {
        self.notes.lost(
            at,
            "variants are drawn apart from the strategies and are not imported: v2 is where the flag is on",
            "make a rollout of its own for each variant that is more than on",
        );
    }

    fn strategy(&mut self, node: &Node<'a>) -> Read<()> {
        let mut strategy = node.object()?;
        if strategy.truth("disabled")?.unwrap_or_default() {
            return Ok(());
        }
        self.expect(&strategy, &["parameters"]);
        let is_projected = self.is_bare && strategy.has("parameters");
        let is_by_server = STRATEGY_BY_SERVER.iter().any(|name| strategy.has(name));
        if self.is_by_server || is_projected || is_by_server {
            self.flag
                .expect(&strategy, &["constraints"], NAME, self.notes);
        }
        let name = strategy.need("name")?.text()?;
        let mut condition = Condition::known(When::everyone());
        for constraint in strategy.items("constraints")? {
            condition = condition.and(&self.constraint(&constraint)?);
        }
        for segment in strategy.items("segments")? {
            condition = condition.and(&self.segment(&segment)?);
        }
        if !strategy.items("variants")?.is_empty() {
            self.variants(&strategy.at_field("variants"));
        }
        let parameters = match strategy.get("parameters") {
            Some(parameters) => Some(parameters.object()?),
            None => None,
        };
        let served = self.served(node, name, parameters)?;
        strategy.finish(&["id", "sortOrder", "title", "featureName"], self.notes);
        match served {
            Served::Everyone => {
                let at = node.at();
                self.flag
                    .push_undrawn(at, condition, Serve::V2, Rest::Next, self.notes);
            }
            Served::Users(users) => {
                let users = condition.and(&Condition::known(users));
                self.push(node, users, Serve::V2);
            }
            Served::Drawn(serve) => self.push(node, condition, serve),
            // It would serve v2 to some of them.
            Served::Unknown => {
                condition.is_known = false;
                self.push(node, condition, Serve::V2);
            }
        }
        Ok(())
    }

    fn push(&mut self, node: &Node<'a>, condition: Condition<'a>, serve: Serve) {
        self.flag
            .push(node.at(), condition, serve, Rest::Next, self.notes);
    }

    /// Fields that the server writes even if they are empty.
    fn expect(&mut self, object: &Object<'a>, names: &[&'static str]) {
        if self.is_by_server {
            self.flag.expect(object, names, NAME, self.notes);
        }
    }

    fn served(
        &mut self,
        node: &Node<'a>,
        name: &str,
        parameters: Option<Object<'a>>,
    ) -> Read<Served<'a>> {
        let Some(mut parameters) = parameters else {
            return Ok(match name {
                "default" => Served::Everyone,
                _ => self.unknown_strategy(node, name),
            });
        };
        let served = match name {
            "default" => Served::Everyone,
            "userWithId" => {
                let ids = parameters.need("userIds")?.text()?;
                let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
                if self.account == "userId" {
                    Served::Users(When::within("", ids))
                } else {
                    let what = format!(
                        "the strategy names users, and the account is {}",
                        quoted(self.account)
                    );
                    leave_out(node.at(), &what, self.notes);
                    Served::Unknown
                }
            }
            "flexibleRollout" => {
                self.expect(&parameters, &["groupId", "stickiness"]);
                // The default is the user's id, where there is one.
                let sticky = match parameters.word("stickiness")? {
                    None | Some("default") => ("userId", true),
                    Some(other) => (other, other == "random"),
                };
                let share = percentage(&mut parameters, "rollout")?;
                self.drawn(node, sticky, share, &mut parameters)?
            }
            "gradualRolloutUserId" | "gradualRolloutSessionId" | "gradualRolloutRandom" => {
                let sticky = match name {
                    "gradualRolloutUserId" => "userId",
                    "gradualRolloutSessionId" => "sessionId",
                    _ => "random",
                };
                if sticky != "random" {
                    self.expect(&parameters, &["groupId"]);
                }
                let share = percentage(&mut parameters, "percentage")?;
                self.drawn(node, (sticky, sticky == "random"), share, &mut parameters)?
            }
            _ => return Ok(self.unknown_strategy(node, name)),
        };
        parameters.finish(&[], self.notes);
        Ok(served)
    }

    fn unknown_strategy(&mut self, node: &Node<'a>, name: &str) -> Served<'a> {
        let what = format!("the strategy {} is not known here", quoted(name));
        leave_out(node.at(), &what, self.notes);
        Served::Unknown
    }

    /// Draws by `sticky`; with `has_random`, at random where a request does not have it. Without, such
    /// a request is in no percentage, not even in 100 %.
    fn drawn(
        &mut self,
        node: &Node<'a>,
        (sticky, has_random): (&str, bool),
        share: u32,
        parameters: &mut Object<'a>,
    ) -> Read<Served<'a>> {
        let group = parameters.text("groupId")?.unwrap_or(self.flag.key);
        if share == ALL && (sticky == self.account || has_random) {
            return Ok(Served::Drawn(Serve::V2));
        }
        if sticky != self.account {
            if share == 0 {
                // Nobody, whatever is drawn.
                return Ok(Served::Users(When::within("", [])));
            }
            let what = format!(
                "accounts are drawn by {}, and the account is {}",
                quoted(sticky),
                quoted(self.account)
            );
            self.flag.refuse(node.at(), &what, self.notes);
            return Ok(Served::Unknown);
        }
        if group.len() > LONGEST_GROUP || group.is_empty() {
            let what = format!(
                "the group {} is empty, or too long for a policy",
                quoted(group)
            );
            self.flag.refuse(node.at(), &what, self.notes);
            return Ok(Served::Unknown);
        }
        let draw = Draw {
            tool: "unleash",
            fields: vec![("group_id", Value::from(group))],
            all: ALL,
            is_last: false,
        };
        Ok(Served::Drawn(Serve::part(draw, share)))
    }

    fn constraint(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        let mut constraint = node.object()?;
        let context = constraint.need("contextName")?.text()?;
        let operator = constraint.need("operator")?.text()?;
        let is_inverted = constraint.truth("inverted")?.unwrap_or_default();
        let ignores_case = constraint.truth("caseInsensitive")?.unwrap_or_default();
        let values = match constraint.get("values") {
            Some(values) => values.texts()?,
            None => Vec::new(),
        };
        if matches!(operator, "IN" | "NOT_IN") {
            self.flag.expect(&constraint, &["values"], NAME, self.notes);
        }
        // Older constraints have neither of these two, and newer ones have both.
        if constraint.has("inverted") != constraint.has("caseInsensitive") {
            self.expect(&constraint, &["inverted", "caseInsensitive"]);
        }
        constraint.finish(&["id", "value"], self.notes);
        let condition = match operator {
            "IN" | "NOT_IN" if context == self.account && !ignores_case => {
                let within = When::within("", values);
                Condition::known(if operator == "IN" {
                    within
                } else {
                    within.not()
                })
            }
            _ => {
                let what = format!(
                    "whether {} of {} holds is not known here",
                    quoted(operator),
                    quoted(context)
                );
                leave_out(node.at(), &what, self.notes);
                return Ok(Condition::unknown());
            }
        };
        Ok(match is_inverted {
            true => condition.not(),
            false => condition,
        })
    }

    /// A segment is a list of constraints that strategies share.
    fn segment(&mut self, reference: &Node<'a>) -> Read<Condition<'a>> {
        let id = reference.whole()?;
        let mut found = None;
        for segment in &self.segments {
            let mut segment = segment.object()?;
            if segment.need("id")?.whole()? == id {
                let name = segment.text("name")?.unwrap_or_default();
                self.flag
                    .expect(&segment, &["constraints"], NAME, self.notes);
                found = Some((segment.items("constraints")?, name));
                segment.finish(
                    &["createdAt", "createdBy", "description", "project"],
                    self.notes,
                );
                break;
            }
        }
        let Some((constraints, name)) = found else {
            // Unleash's own engine turns the whole flag off then.
            let what = format!("the segment {id} is not in the file");
            self.flag.refuse(reference.at(), &what, self.notes);
            return Ok(Condition::unknown());
        };
        let mut condition = Condition::known(When::everyone());
        for constraint in constraints {
            condition = condition.and(&self.constraint(&constraint)?);
        }
        condition.when = condition.when.named(name);
        Ok(condition)
    }
}

/// A percentage as Unleash has it, a text of a whole number.
fn percentage(parameters: &mut Object<'_>, name: &'static str) -> Read<u32> {
    let node = parameters.need(name)?;
    let Ok(text) = node.text() else {
        return node.parts(ALL);
    };
    let share = serde_json::from_str(text.trim()).ok();
    let share = share.and_then(|value: Value| whole(&value));
    let share = share.and_then(|share| u32::try_from(share).ok());
    let share = share.filter(|share| *share <= ALL);
    share.ok_or_else(|| {
        Unreadable::new(
            node.at(),
            format!("{} is no percentage", quoted(text)),
            "give a whole number from 0 to 100",
        )
    })
}
