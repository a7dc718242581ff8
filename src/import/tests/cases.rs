//! The flags of the corpus, with the options of their imports.

use std::fs;
use std::path::{Path, PathBuf};

use turnout_import::{
    AccountFormat, AccountSource, FractionalVersion, ImportError, Imported, Options, Tool, import,
};

pub(crate) const TOOLS: [Tool; 5] = [
    Tool::Split,
    Tool::Unleash,
    Tool::LaunchDarkly,
    Tool::GrowthBook,
    Tool::Flagd,
];

/// A flag of an export. The expected policy and notes are in files with its `name`.
pub(crate) struct Case {
    pub(crate) tool: Tool,
    pub(crate) file: &'static str,
    pub(crate) name: &'static str,
    pub(crate) options: Options,
}

pub(crate) fn folder(tool: Tool) -> PathBuf {
    let name = match tool {
        Tool::Split => "split",
        Tool::Unleash => "unleash",
        Tool::LaunchDarkly => "launchdarkly",
        Tool::GrowthBook => "growthbook",
        Tool::Flagd => "flagd",
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/corpus/import")
        .join(name)
}

impl Case {
    pub(crate) fn path(&self, end: &str) -> PathBuf {
        folder(self.tool).join(format!("{}.{end}", self.name))
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(folder(self.tool).join(self.file)).expect("an export")
    }

    pub(crate) fn import(&self) -> Result<Imported, ImportError> {
        import(self.tool, &self.text(), &self.options)
    }
}

pub(crate) fn options(flag: &str) -> Options {
    Options {
        flag: Some(flag.into()),
        v1: Some("channels-v1".into()),
        v2: Some("channels-v2".into()),
        ..Options::default()
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (tool, flags) in [
        (
            Tool::Split,
            &[
                "percentage",
                "at_the_end",
                "traffic",
                "all_of_the_traffic",
                "killed",
                "killed_on",
                "everyone",
                "unknown",
                "legacy",
                "prerequisites",
            ][..],
        ),
        (
            Tool::Unleash,
            &[
                "gradual",
                "several",
                "segments",
                "old",
                "default",
                "no-strategies",
                "off",
                "random",
                "unknown",
                "missing-segment",
                "dependent",
            ],
        ),
        (
            Tool::LaunchDarkly,
            &[
                "percentage",
                "at-the-end",
                "seeded",
                "orders",
                "leftover",
                "everyone",
                "off",
                "off-is-v2",
                "experiment-middle",
                "bucket-by",
                "unknown",
                "prerequisite",
            ],
        ),
        (
            Tool::GrowthBook,
            &[
                "coverage",
                "adds-up",
                "experiment",
                "first",
                "namespace",
                "ranges",
                "range",
                "mixed",
                "gated",
                "numbers",
                "everyone",
                "nobody",
                "other-attribute",
                "unknown",
            ],
        ),
        (
            Tool::Flagd,
            &[
                "fractional",
                "at-the-end",
                "totals",
                "key-alone",
                "evaluators",
                "everyone",
                "targeting-empty",
                "disabled",
                "email",
                "unknown",
            ],
        ),
    ] {
        for name in flags {
            cases.push(Case {
                tool,
                file: "export.json",
                name,
                options: options(name),
            });
        }
    }
    cases.extend(with_options());
    cases
}

/// Imports with more options than the name of the flag.
fn with_options() -> Vec<Case> {
    let case = |tool, file, name, options| Case {
        tool,
        file,
        name,
        options,
    };
    let v2_is = |flag: &str, variation: &str| Options {
        v2_is: Some(variation.into()),
        ..options(flag)
    };
    let account_key = |flag: &str, name: &str| Options {
        account_key: Some(name.into()),
        ..options(flag)
    };
    vec![
        case(Tool::Split, "export.json", "three", v2_is("three", "red")),
        case(
            Tool::Split,
            "definition.json",
            "definition",
            Options {
                name: Some("chat".into()),
                account: vec![
                    AccountSource::Header("x-account-sid".into()),
                    AccountSource::Path("/Accounts/{account}/**".into()),
                    AccountSource::BasicAuth,
                ],
                format: AccountFormat::Sid,
                ..Options::default()
            },
        ),
        case(
            Tool::Unleash,
            "export.json",
            "company",
            account_key("company", "companyId"),
        ),
        case(
            Tool::LaunchDarkly,
            "export.json",
            "three",
            v2_is("three", "blue"),
        ),
        case(
            Tool::LaunchDarkly,
            "export.json",
            "account-kind",
            account_key("account-kind", "account"),
        ),
        case(
            Tool::LaunchDarkly,
            "rest.json",
            "rest",
            Options {
                environment: Some("production".into()),
                ..Options::default()
            },
        ),
        case(
            Tool::GrowthBook,
            "export.json",
            "words",
            v2_is("words", "new"),
        ),
        case(
            Tool::GrowthBook,
            "export.json",
            "company",
            account_key("company", "company"),
        ),
        case(Tool::Flagd, "export.json", "colors", v2_is("colors", "red")),
        case(
            Tool::Flagd,
            "export.json",
            "fractional-one",
            Options {
                formula: FractionalVersion::One,
                ..options("fractional")
            },
        ),
    ]
}
