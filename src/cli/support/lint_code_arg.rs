//! The `--allow` argument of `lint` and `apply`: a warning code.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use turnout_core::{Severity, WarningCode};
use turnout_roll::PlanCode;

/// Parses a warning code. The error lists all codes.
pub(crate) fn parser() -> impl TypedValueParser<Value = WarningCode> {
    let words = WarningCode::ALL.map(WarningCode::as_str);
    PossibleValuesParser::new(words).try_map(|word| {
        let mut codes = WarningCode::ALL.into_iter();
        let code = codes.find(|code| code.as_str() == word);
        code.ok_or("unknown warning code")
    })
}

/// A warning of a policy or of the plan of a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LintCode {
    Policy(WarningCode),
    Plan(PlanCode),
}

impl LintCode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Policy(code) => code.as_str(),
            Self::Plan(code) => code.as_str(),
        }
    }
}

/// Parses a warning code of a policy or a plan. The error lists all codes.
pub(crate) fn parser_of_all() -> impl TypedValueParser<Value = LintCode> {
    let codes = || {
        let of_plans = PlanCode::ALL.into_iter();
        let of_plans = of_plans.filter(|code| code.severity() == Severity::Warning);
        let of_policies = WarningCode::ALL.into_iter().map(LintCode::Policy);
        of_policies.chain(of_plans.map(LintCode::Plan))
    };
    let words: Vec<&str> = codes().map(LintCode::as_str).collect();
    PossibleValuesParser::new(words).try_map(move |word| {
        let code = codes().find(|code| code.as_str() == word);
        code.ok_or("unknown warning code")
    })
}
