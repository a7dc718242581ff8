//! `turnout lint --for roll`: the plan of a roll, together with its policy.

use serde_json::json;
use turnout_core::{Diagnostic, Diagnostics, Severity};

use crate::support::exit::Exit;
use crate::support::lint_code_arg::LintCode;
use crate::support::roll_plan_file::{self, RollPlanFile};
use crate::support::safe_output::SafeText;
use crate::support::text_io::{self, is_dash};

use super::{
    Arguments, Format, bad_lines_as_json, diagnostic_as_json, print_summary, push_bad_lines,
    push_commands,
};

pub(super) fn linted(arguments: &Arguments) -> Result<Exit, String> {
    if arguments.against.is_some() || !arguments.admin.is_empty() {
        return Err("--against and --admin are for policies; lint the policy of the plan".into());
    }
    let mut file = roll_plan_file::read(&arguments.policy, arguments.account_files.access())?;
    allow(&mut file.checked.diagnostics, &arguments.allow);
    allow(&mut file.checked.policy_diagnostics, &arguments.allow);
    match arguments.format() {
        Format::Json => text_io::write(None, &as_json(arguments, &file))?,
        Format::Github => {
            let is_file = !is_dash(&arguments.policy);
            text_io::write(None, &as_commands(is_file, &file))?;
            summary(&file);
        }
        Format::Text => {
            file.show();
            summary(&file);
        }
    }
    Ok(arguments.exit(|severity| file.checked.count(severity)))
}

fn allow(diagnostics: &mut Diagnostics, allowed: &[LintCode]) {
    diagnostics.retain(|diagnostic| {
        let mut allowed = allowed.iter();
        diagnostic.severity() == Severity::Error
            || allowed.all(|code| code.as_str() != diagnostic.code())
    });
}

fn summary(file: &RollPlanFile) {
    print_summary(&file.name, &file.checked.diagnostics);
    if let Some(policy) = &file.policy {
        print_summary(&policy.name, &file.checked.policy_diagnostics);
    }
}

fn as_json(arguments: &Arguments, file: &RollPlanFile) -> SafeText {
    let checked = &file.checked;
    let documents = [&checked.diagnostics, &checked.policy_diagnostics];
    let all = documents.iter().flat_map(|document| document.as_slice());
    let all = all.map(|diagnostic: &Diagnostic| {
        let mut value = diagnostic_as_json(diagnostic);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("document".into(), diagnostic.document.to_string().into());
        }
        value
    });
    let omitted = documents.map(Diagnostics::omitted);
    let policy = file.policy.as_ref();
    let report = json!({
        "plan": text_io::exact_name_of(&arguments.policy),
        "policy": policy.map(|policy| text_io::exact_name_of(&policy.path)),
        "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning),
        "omitted": omitted.into_iter().fold(0, usize::saturating_add),
        "diagnostics": all.collect::<Vec<_>>(),
        "bad_lines": policy.map_or(Vec::new(), |policy| bad_lines_as_json(&policy.found)),
        "bad_lines_omitted": policy.map_or(0, |policy| policy.found.omitted),
    });
    SafeText::json(&format!("{report:#}\n"))
}

fn as_commands(is_file: bool, file: &RollPlanFile) -> SafeText {
    let mut commands = SafeText::default();
    let plan = is_file.then_some(&file.name);
    push_commands(&mut commands, plan, &file.checked.diagnostics);
    if let Some(policy) = &file.policy {
        let diagnostics = &file.checked.policy_diagnostics;
        push_commands(&mut commands, Some(&policy.name), diagnostics);
        push_bad_lines(&mut commands, &policy.found);
    }
    commands
}
