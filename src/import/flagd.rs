//! flagd: a file of flag definitions. What a flag serves is a JsonLogic expression, its `targeting`;
//! where that gives nothing, the default variant.

mod fractional;
mod targeting;

use serde_json::Value;

use crate::draw::Serve;
use crate::flag::{Flag, Rest, choose, no_environment};
use crate::node::{Node, Object, Read};
use crate::note::Notes;
use crate::options::{Formula, Options};
use crate::treatment::{Treatment, Variations};
use crate::when::{Condition, When};
use crate::words::quoted;

/// What a targeting key is called.
const KEY: &str = "targetingKey";

pub(crate) fn read<'a>(root: &Node<'a>, options: &'a Options, notes: &mut Notes) -> Read<Flag<'a>> {
    no_environment(options.environment.as_deref())?;
    let mut file = flag_set(root, notes)?.object()?;
    let flags = file.need("flags")?;
    let flags = match flags.is_list() {
        true => {
            let flags = flags.items()?.map(|flag| {
                let key = flag.object()?.need("key")?.text()?;
                Ok((key, flag))
            });
            flags.collect::<Read<Vec<_>>>()?
        }
        false => flags.entries()?,
    };
    let (key, node) = choose(&flags, options.flag.as_deref(), "/flags")?;
    let mut flag = node.object()?;
    let variants = flag.need("variants")?.entries()?;
    let names = variants.iter().map(|(name, _)| *name).collect();
    let variations = variations(names, &variants, options, &flag.at_field("variants"), notes)?;
    let default = match flag.get("defaultVariant") {
        Some(name) => name
            .value()
            .as_str()
            .map(str::to_owned)
            .or(Some(name.value().to_string())),
        None => None,
    };
    let mut reader = Reader {
        account: options.account_key.as_deref().unwrap_or(KEY),
        formula: options.formula,
        has_told_formula: false,
        evaluators: file.get("$evaluators"),
        visited: 0,
        notes,
        default: default.filter(|name| !name.is_empty()),
        names: variants.iter().map(|(name, _)| *name).collect(),
        variations,
        flag: Flag::new(key),
    };
    reader.flag(flag)?;
    file.finish(&["$schema", "metadata"], reader.notes);
    Ok(reader.flag)
}

/// The flags and what they share: the file, or the `flagSpec` of a FeatureFlag of Kubernetes.
fn flag_set<'a>(root: &Node<'a>, notes: &mut Notes) -> Read<Node<'a>> {
    let mut file = root.object()?;
    if !file.has("spec") {
        return Ok(root.clone());
    }
    let mut spec = file.need("spec")?.object()?;
    let name = match spec.has("featureFlagSpec") {
        true => "featureFlagSpec",
        false => "flagSpec",
    };
    let flags = spec.need(name)?;
    spec.finish(&[], notes);
    file.finish(&["apiVersion", "kind", "metadata", "status"], notes);
    Ok(flags)
}

/// A variant may be called anything, so for truth values it is these that count.
fn variations<'a>(
    names: Vec<&'a str>,
    variants: &[(&'a str, Node<'a>)],
    options: &'a Options,
    at: &str,
    notes: &mut Notes,
) -> Read<Variations<'a>> {
    let truths = variants.iter().map(|(_, value)| value.value());
    let is_boolean = truths.clone().all(Value::is_boolean);
    let mut on = variants
        .iter()
        .filter(|(_, value)| value.value() == &Value::Bool(true));
    match (on.next(), on.next()) {
        (Some((name, _)), None) if is_boolean && options.v2_is.is_none() => {
            Ok(Variations::of_v2(name))
        }
        _ => Variations::new(names, options, at, notes),
    }
}

struct Reader<'a, 'n> {
    /// The variable that is the account.
    account: &'a str,
    formula: Formula,
    has_told_formula: bool,
    evaluators: Option<Node<'a>>,
    /// How many expressions were looked at: those that others refer to can be many times as many as
    /// there are.
    visited: usize,
    notes: &'n mut Notes,
    default: Option<String>,
    names: Vec<&'a str>,
    variations: Variations<'a>,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: Object<'a>) -> Read<()> {
        match flag.need("state")?.text()? {
            "ENABLED" => {}
            "DISABLED" => self.flag.stop(&flag.at_field("state"), self.notes),
            other => {
                let what = format!(
                    "the state {} is neither ENABLED nor DISABLED",
                    quoted(other)
                );
                self.flag.refuse(&flag.at_field("state"), &what, self.notes);
            }
        }
        let everyone = Condition::known(When::everyone());
        match flag.get("targeting") {
            Some(targeting) if targeting.is_object() && targeting.entries()?.is_empty() => {
                self.default(flag.at(), everyone);
            }
            Some(targeting) => self.expression(&targeting, &everyone)?,
            None => self.default(flag.at(), everyone),
        }
        flag.finish(
            &[
                "description",
                "flagSetId",
                "key",
                "metadata",
                "name",
                "priority",
                "selector",
                "source",
                "variants",
            ],
            self.notes,
        );
        Ok(())
    }

    fn default(&mut self, at: &str, condition: Condition<'a>) {
        match self.default.clone() {
            Some(name) => self.variant(at, condition, &name),
            None => {
                self.notes.note(
                    at,
                    "there is no default variant, so the code's own value is served; it is v1 here",
                    "nothing, if that is what the code says",
                );
                self.flag
                    .push(at, condition, Serve::V1, Rest::V1, self.notes);
            }
        }
    }

    fn variant(&mut self, at: &str, condition: Condition<'a>, name: &str) {
        let treatment = self.treatment(at, name);
        self.flag
            .push_undrawn(at, condition, whole(treatment), Rest::V1, self.notes);
    }

    /// flagd fails where there is no such variant, and the code's own value is served.
    fn treatment(&mut self, at: &str, name: &str) -> Treatment {
        if !self.names.contains(&name) {
            self.notes.lost(
                at,
                format!("the flag has no variant {}; it is v1 here", quoted(name)),
                "give the variant its right name",
            );
            return Treatment::V1;
        }
        self.variations.treatment(name)
    }
}

fn whole(treatment: Treatment) -> Serve {
    match treatment {
        Treatment::V1 => Serve::V1,
        Treatment::V2 => Serve::V2,
    }
}
