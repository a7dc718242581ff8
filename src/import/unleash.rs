//! Unleash: the answer of `client/features`.
//!
//! A flag is on for whom one of its strategies holds. Strategies that draw by one group are one line,
//! of which the largest percentage has the others in it.

use serde_json::Value;

use crate::draw::{Draw, Serve};
use crate::flag::{Branch, Flag, Rest, choose, leave_out, no_environment};
use crate::node::{Node, Object, Read, Unreadable};
use crate::note::Notes;
use crate::options::Options;
use crate::when::{Condition, When};
use crate::words::quoted;

const ALL: u32 = 100;
/// The longest text that a policy's hash has.
const LONGEST_GROUP: usize = 256;

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
        notes,
        flag: Flag::new(key),
    };
    reader.flag(flag.object()?)?;
    Ok(reader.flag)
}

struct Reader<'a, 'n> {
    /// What the context calls the account.
    account: &'a str,
    segments: Vec<Node<'a>>,
    notes: &'n mut Notes,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: Object<'a>) -> Read<()> {
        let is_enabled = flag.truth("enabled")?.unwrap_or_default();
        if !is_enabled {
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
            self.flag.push(flag.at(), everyone, Serve::V2, Rest::Next);
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
        let (serve, users) = self.serve(node, name, parameters)?;
        strategy.finish(&["id", "sortOrder", "title", "featureName"], self.notes);
        let Some(serve) = serve else {
            return Ok(());
        };
        if let Some(users) = users {
            condition = condition.and(&Condition::known(users));
        }
        self.flag.branches.push(Branch {
            at: node.at().to_owned(),
            condition,
            serve,
            rest: Rest::Next,
        });
        Ok(())
    }

    /// What a strategy serves, and the users that it is for; `None` where it is left out.
    fn serve(
        &mut self,
        node: &Node<'a>,
        name: &str,
        parameters: Option<Object<'a>>,
    ) -> Read<(Option<Serve>, Option<When<'a>>)> {
        let Some(mut parameters) = parameters else {
            if name != "default" {
                self.unknown_strategy(node, name);
                return Ok((None, None));
            }
            return Ok((Some(Serve::V2), None));
        };
        let served = match name {
            "default" => (Some(Serve::V2), None),
            "userWithId" => {
                let ids = parameters.text("userIds")?.unwrap_or_default();
                let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
                let is_user = self.account == "userId";
                if !is_user {
                    let what = format!(
                        "the strategy names users, and the account is {}",
                        quoted(self.account)
                    );
                    leave_out(node.at(), &what, self.notes);
                }
                (is_user.then_some(Serve::V2), Some(When::within("", ids)))
            }
            "flexibleRollout" => {
                let stickiness = parameters.text("stickiness")?.unwrap_or("default");
                // The default is the user's id, where there is one.
                let sticky = match stickiness {
                    "default" => "userId",
                    other => other,
                };
                let share = percentage(&mut parameters, "rollout")?;
                (self.drawn(node, sticky, share, &mut parameters)?, None)
            }
            "gradualRolloutUserId" => {
                let share = percentage(&mut parameters, "percentage")?;
                (self.drawn(node, "userId", share, &mut parameters)?, None)
            }
            "gradualRolloutSessionId" => {
                let share = percentage(&mut parameters, "percentage")?;
                (self.drawn(node, "sessionId", share, &mut parameters)?, None)
            }
            "gradualRolloutRandom" => {
                let share = percentage(&mut parameters, "percentage")?;
                (self.drawn(node, "random", share, &mut parameters)?, None)
            }
            _ => {
                self.unknown_strategy(node, name);
                return Ok((None, None));
            }
        };
        parameters.finish(&[], self.notes);
        Ok(served)
    }

    fn unknown_strategy(&mut self, node: &Node<'a>, name: &str) {
        let what = format!("the strategy {} is not known here", quoted(name));
        leave_out(node.at(), &what, self.notes);
    }

    fn drawn(
        &mut self,
        node: &Node<'a>,
        sticky: &str,
        share: u32,
        parameters: &mut Object<'a>,
    ) -> Read<Option<Serve>> {
        let group = parameters.text("groupId")?.unwrap_or(self.flag.key);
        if share == ALL {
            return Ok(Some(Serve::V2));
        }
        if sticky != self.account {
            if share == 0 {
                // Nobody, whatever is drawn.
                return Ok(None);
            }
            let what = format!(
                "accounts are drawn by {}, and the account is {}",
                quoted(sticky),
                quoted(self.account)
            );
            self.flag.refuse(node.at(), &what, self.notes);
            return Ok(None);
        }
        if group.len() > LONGEST_GROUP || group.is_empty() {
            let what = format!(
                "the group {} is empty, or too long for a policy",
                quoted(group)
            );
            self.flag.refuse(node.at(), &what, self.notes);
            return Ok(None);
        }
        let draw = Draw {
            tool: "unleash",
            fields: vec![("group_id", Value::from(group))],
            all: ALL,
            is_last: false,
        };
        Ok(Some(Serve::part(draw, share)))
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
    let share = text.trim().parse().ok().filter(|share| *share <= ALL);
    share.ok_or_else(|| {
        Unreadable::new(
            node.at(),
            format!("{} is no percentage", quoted(text)),
            "give a whole number from 0 to 100",
        )
    })
}
