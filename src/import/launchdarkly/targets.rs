//! LaunchDarkly's targets: accounts that a flag lists one by one.

use super::{Reader, USER};
use crate::account_set::{AccountSet, Condition};
use crate::bucketing::Allocation;
use crate::error::ImportResult;
use crate::flag::{Remainder, note_skipped};
use crate::located_value::LocatedValue;
use crate::object_reader::ObjectReader;
use crate::quote::quote;

impl<'a> Reader<'a, '_> {
    /// Reads all targets. The `contextTargets`, if there are any, set the order.
    pub(super) fn targets(&mut self, flag: &mut ObjectReader<'a>) -> ImportResult<()> {
        let users = flag.items("targets")?;
        let context_targets = flag.items("contextTargets")?;
        if context_targets.is_empty() {
            return users
                .iter()
                .try_for_each(|target| self.target(target, USER));
        }
        for target in &context_targets {
            let mut object = target.object()?;
            let kind = object.non_empty_string("contextKind")?.unwrap_or(USER);
            if kind != USER {
                self.target(target, kind)?;
                continue;
            }
            let variation = object.require("variation")?.integer()?;
            object.get("values");
            object.finish(&[], self.notes);
            for user in &users {
                if user.object()?.require("variation")?.integer()? == variation {
                    self.target(user, USER)?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn target(&mut self, value: &LocatedValue<'a>, kind: &str) -> ImportResult<()> {
        let mut target = value.object()?;
        let allocation = Allocation::from(self.treatment(&target.require("variation")?)?);
        let values = target.require_strings("values")?;
        let condition = match self.account.is(Some(kind), "key") {
            _ if values.is_empty() => return Ok(()),
            true => Condition::known(AccountSet::within("", values)),
            false => {
                let account = self.account.name();
                let message = format!(
                    "the target lists contexts of the kind {}, but the account is {account}",
                    quote(kind)
                );
                note_skipped(value.at(), &message, self.notes);
                Condition::unknown()
            }
        };
        target.finish(&["contextKind"], self.notes);
        self.flag
            .push(value.at(), condition, allocation, Remainder::V1, self.notes);
        Ok(())
    }
}
