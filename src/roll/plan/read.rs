//! Reads JSON into the wire types of the plan, with one function for each kind of object.

use turnout_core::json::{Located, Node, Reader};

use super::document::{RawBake, RawForbid, RawOnNotEnoughData, RawPlan, RawQuiet, RawStep};

/// The values that each field accepts, for the messages of diagnostics.
pub(crate) mod expected {
    use turnout_core::json::Expected;

    const fn new(what: &'static str, example: &'static str) -> Expected {
        Expected::new(what, example)
    }

    pub(crate) const PLAN: Expected = new(
        "a plan",
        "{ \"version\": 1, \"policy\": \"policy.json\", \"rollout\": \"chat-users\", \"steps\": [ … ] }",
    );
    pub(crate) const SCHEMA: Expected = new("a schema path or URL", "\"roll.schema.json\"");
    pub(crate) const VERSION: Expected = new("a version number", "1");
    pub(crate) const POLICY: Expected = new("the path of a policy", "\"policy.json\"");
    pub(crate) const ROLLOUT: Expected = new("the name of a rollout", "\"chat-users\"");
    pub(crate) const PERCENTAGE: Expected = new("a percentage", "12.5");
    pub(crate) const STEPS: Expected = new(
        "a list of steps",
        "[ { \"name\": \"canary\", \"accounts\": 1, \"requests\": 50, \"bake\": { \"requests\": 10000 } } ]",
    )
    .at_most(100);
    pub(crate) const STEP: Expected = new(
        "a step",
        "{ \"name\": \"canary\", \"accounts\": 1, \"requests\": 50, \"bake\": { \"requests\": 10000 } }",
    );
    pub(crate) const NAME: Expected = new("a name", "\"canary\"");
    pub(crate) const RULES: Expected = new(
        "a list of rules",
        "[ { \"accounts\": 50, \"requests\": 10 } ]",
    )
    .at_most(100);
    pub(crate) const RULE: Expected = new("the number of a rule", "1");
    pub(crate) const BAKE: Expected = new("a bake", "{ \"requests\": 10000, \"minutes\": 10 }");
    pub(crate) const COUNT: Expected = new("a whole number", "10000");
    pub(crate) const MINUTES: Expected = new("a number of minutes", "10");
    pub(crate) const FORBIDS: Expected = new(
        "a list of forbidden segments",
        "[ { \"segment\": \"hvc\", \"until\": \"all\" } ]",
    );
    pub(crate) const FORBID: Expected = new(
        "a forbidden segment",
        "{ \"segment\": \"hvc\", \"until\": \"all\" }",
    );
    pub(crate) const SEGMENT: Expected = new("the name of a segment", "\"hvc\"");
    pub(crate) const UNTIL: Expected = new("the name of a step", "\"all\"");
    pub(crate) const ON_REGRESSED: Expected = new("an action", "\"halt\"");
    pub(crate) const ON_NOT_ENOUGH_DATA: Expected = new(
        "an object with a time and an action",
        "{ \"after_minutes\": 240, \"then\": \"wait\" }",
    );
    pub(crate) const THEN: Expected = new("an action", "\"wait\"");
    pub(crate) const QUIET: Expected = new(
        "a list of quiet times",
        "[ { \"from\": \"18:00\", \"to\": \"08:00\", \"time_zone\": \"Europe/Berlin\" } ]",
    )
    .at_most(100);
    pub(crate) const WINDOW: Expected = new(
        "a quiet time",
        "{ \"from\": \"18:00\", \"to\": \"08:00\", \"time_zone\": \"Europe/Berlin\" }",
    );
    pub(crate) const DAYS: Expected = new("a list of days", "[ \"sat\", \"sun\" ]").at_most(7);
    pub(crate) const DAY: Expected = new("a day", "\"sat\"");
    pub(crate) const CLOCK: Expected = new("a time of day", "\"18:00\"");
    pub(crate) const TIME_ZONE: Expected = new("a time zone", "\"Europe/Berlin\"");
    pub(crate) const NOTIFY: Expected =
        new("a list of URLs", "[ \"https://example.com/hook\" ]").at_most(10);
    pub(crate) const URL: Expected = new("a URL", "\"https://example.com/hook\"");
}

pub(crate) fn plan<'a>(reader: &mut Reader<'a>, root: Node<'a, '_>) -> Option<RawPlan<'a>> {
    let mut object = reader.object(root, expected::PLAN)?;
    let plan = RawPlan {
        version: object.field(reader, "version", &|r, n| r.number(n, expected::VERSION)),
        policy: object.field(reader, "policy", &|r, n| r.text(n, expected::POLICY)),
        rollout: object.field(reader, "rollout", &|r, n| r.text(n, expected::ROLLOUT)),
        excess_percent: object.field(reader, "excess_percent", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
        steps: object.field(reader, "steps", &|r, n| r.list(n, expected::STEPS, &step)),
        forbid: object.field(reader, "forbid", &|r, n| {
            r.list(n, expected::FORBIDS, &forbid)
        }),
        on_regressed: object.field(reader, "on_regressed", &|r, n| {
            r.text(n, expected::ON_REGRESSED)
        }),
        on_not_enough_data: object.field(reader, "on_not_enough_data", &on_not_enough_data),
        quiet: object.field(reader, "quiet", &|r, n| {
            Some(located(n, r.list(n, expected::QUIET, &quiet)?))
        }),
        notify: object.field(reader, "notify", &|r, n| {
            r.list(n, expected::NOTIFY, &|r, n| r.text(n, expected::URL))
        }),
        schema: object.field(reader, "$schema", &|r, n| r.text(n, expected::SCHEMA)),
    };
    object.finish(reader);
    Some(plan)
}

fn step<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawStep<'a>>> {
    let mut object = reader.object(node, expected::STEP)?;
    let step = RawStep {
        name: object.field(reader, "name", &|r, n| r.text(n, expected::NAME)),
        rules: object.field(reader, "rules", &|r, n| {
            // The rules are read as those of a policy, in the policy of the step.
            r.list(n, expected::RULES, &|_, _| Some(()))?;
            Some(located(n, n.raw()))
        }),
        rule: object.field(reader, "rule", &|r, n| r.number(n, expected::RULE)),
        accounts: object.field(reader, "accounts", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
        requests: object.field(reader, "requests", &|r, n| {
            r.number(n, expected::PERCENTAGE)
        }),
        bake: object.field(reader, "bake", &bake),
    };
    object.finish(reader);
    Some(located(node, step))
}

fn bake<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawBake<'a>>> {
    let mut object = reader.object(node, expected::BAKE)?;
    let bake = RawBake {
        requests: object.field(reader, "requests", &|r, n| r.number(n, expected::COUNT)),
        minutes: object.field(reader, "minutes", &|r, n| r.number(n, expected::MINUTES)),
    };
    object.finish(reader);
    Some(located(node, bake))
}

fn forbid<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawForbid<'a>>> {
    let mut object = reader.object(node, expected::FORBID)?;
    let forbid = RawForbid {
        segment: object.field(reader, "segment", &|r, n| r.text(n, expected::SEGMENT)),
        until: object.field(reader, "until", &|r, n| r.text(n, expected::UNTIL)),
    };
    object.finish(reader);
    Some(located(node, forbid))
}

fn on_not_enough_data<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
) -> Option<Located<RawOnNotEnoughData<'a>>> {
    let mut object = reader.object(node, expected::ON_NOT_ENOUGH_DATA)?;
    let given = RawOnNotEnoughData {
        after_minutes: object.field(reader, "after_minutes", &|r, n| {
            r.number(n, expected::MINUTES)
        }),
        then: object.field(reader, "then", &|r, n| r.text(n, expected::THEN)),
    };
    object.finish(reader);
    Some(located(node, given))
}

fn quiet<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Located<RawQuiet<'a>>> {
    let mut object = reader.object(node, expected::WINDOW)?;
    let quiet = RawQuiet {
        days: object.field(reader, "days", &|r, n| {
            r.list(n, expected::DAYS, &|r, n| r.text(n, expected::DAY))
        }),
        from: object.field(reader, "from", &|r, n| r.text(n, expected::CLOCK)),
        to: object.field(reader, "to", &|r, n| r.text(n, expected::CLOCK)),
        time_zone: object.field(reader, "time_zone", &|r, n| r.text(n, expected::TIME_ZONE)),
    };
    object.finish(reader);
    Some(located(node, quiet))
}

fn located<T>(node: Node<'_, '_>, value: T) -> Located<T> {
    Located {
        value,
        span: node.span,
    }
}
