//! Reads flagd's flags: a file of flag definitions.
//!
//! A flag's `targeting` is a JsonLogic expression that returns a variant, or null for the default variant.

mod fractional;
mod targeting;

use serde_json::Value;

use crate::account_set::Condition;
use crate::bucketing::Allocation;
use crate::error::ImportResult;
use crate::flag::{Flag, Remainder, reject_environment, select_flag};
use crate::located_value::LocatedValue;
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::options::{FractionalVersion, Options};
use crate::quote::quote;
use crate::variations::{Treatment, Variations};

/// flagd's name for the key of a context.
const KEY: &str = "targetingKey";

pub(crate) fn read<'a>(
    root: &LocatedValue<'a>,
    options: &'a Options,
    notes: &mut Notes,
) -> ImportResult<Flag<'a>> {
    reject_environment(options.environment.as_deref())?;
    let mut file = flag_set(root, notes)?.object()?;
    let flags = file.require("flags")?;
    let flags = match flags.is_list() {
        true => {
            let flags = flags.items()?.map(|flag| {
                let key = flag.object()?.require("key")?.string()?;
                Ok((key, flag))
            });
            flags.collect::<ImportResult<Vec<_>>>()?
        }
        false => flags.entries()?,
    };
    let (key, value) = select_flag(&flags, options.flag.as_deref(), "/flags")?;
    let mut flag = value.object()?;
    let variants = flag.require("variants")?.entries()?;
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
        version: options.formula,
        has_version_note: false,
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

/// The object with `flags` and `$evaluators`: the file, or the `flagSpec` of a Kubernetes FeatureFlag.
fn flag_set<'a>(root: &LocatedValue<'a>, notes: &mut Notes) -> ImportResult<LocatedValue<'a>> {
    let mut file = root.object()?;
    if !file.has("spec") {
        return Ok(root.clone());
    }
    let mut spec = file.require("spec")?.object()?;
    let name = match spec.has("featureFlagSpec") {
        true => "featureFlagSpec",
        false => "flagSpec",
    };
    let flags = spec.require(name)?;
    spec.finish(&[], notes);
    file.finish(&["apiVersion", "kind", "metadata", "status"], notes);
    Ok(flags)
}

/// Finds the variant that is v2. For a boolean flag, that is the one whose value is true, whatever its name.
fn variations<'a>(
    names: Vec<&'a str>,
    variants: &[(&'a str, LocatedValue<'a>)],
    options: &'a Options,
    at: &str,
    notes: &mut Notes,
) -> ImportResult<Variations<'a>> {
    let values = variants.iter().map(|(_, value)| value.value());
    let is_boolean = values.clone().all(Value::is_boolean);
    let mut on = variants
        .iter()
        .filter(|(_, value)| value.value() == &Value::Bool(true));
    match (on.next(), on.next()) {
        (Some((name, _)), None) if is_boolean && options.v2_is.is_none() => {
            Ok(Variations::with_v2(name))
        }
        _ => Variations::new(names, options, at, notes),
    }
}

struct Reader<'a, 'n> {
    /// The context field that is the account.
    account: &'a str,
    version: FractionalVersion,
    has_version_note: bool,
    evaluators: Option<LocatedValue<'a>>,
    /// The number of expressions visited. References can make it far larger than the file.
    visited: usize,
    notes: &'n mut Notes,
    default: Option<String>,
    names: Vec<&'a str>,
    variations: Variations<'a>,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: ObjectReader<'a>) -> ImportResult<()> {
        match flag.require("state")?.string()? {
            "ENABLED" => {}
            "DISABLED" => self.flag.turn_off(&flag.at_field("state"), self.notes),
            other => {
                let message = format!("the state {} is neither ENABLED nor DISABLED", quote(other));
                self.flag
                    .reject(&flag.at_field("state"), &message, self.notes);
            }
        }
        let always = Condition::always();
        match flag.get("targeting") {
            Some(targeting) if targeting.is_object() && targeting.entries()?.is_empty() => {
                self.default(flag.at(), always);
            }
            Some(targeting) => self.expression(&targeting, &always)?,
            None => self.default(flag.at(), always),
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
                self.notes.add_note(
                    at,
                    "the flag has no default variant, so flagd returns the default value in the code; it becomes v1",
                    "no action is needed if the default in the code is v1",
                );
                self.flag
                    .push(at, condition, Allocation::V1, Remainder::V1, self.notes);
            }
        }
    }

    fn variant(&mut self, at: &str, condition: Condition<'a>, name: &str) {
        let treatment = self.treatment(at, name);
        self.flag.push_without_account(
            at,
            condition,
            Allocation::from(treatment),
            Remainder::V1,
            self.notes,
        );
    }

    /// The treatment of a variant. For an unknown variant, flagd returns the default value in the code.
    fn treatment(&mut self, at: &str, name: &str) -> Treatment {
        if !self.names.contains(&name) {
            self.notes.add_loss(
                at,
                format!("the flag has no variant {}; it becomes v1", quote(name)),
                "correct the name of the variant",
            );
            return Treatment::V1;
        }
        self.variations.treatment(name)
    }
}
