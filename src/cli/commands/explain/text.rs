//! Prints an explanation as text: the decision, the request, and a line for each condition.

use turnout_core::explain::{
    AccountFound, Bucketing, Condition, Question, RolloutTried, RuleFound, ServeFound,
    SourceContent, StepFinding, StepResult,
};
use turnout_core::guard::GuardAction;
use turnout_core::{Account, Fraction, Inbound, Mode, Reason, Treatment};
use turnout_text::escape_for_terminal;

use crate::support::safe_output::{SafeText, Style};

use super::{ExplainReport, suggestions, wording};

/// What a line means for v2.
#[derive(Clone, Copy)]
enum Mark {
    /// The condition holds.
    Yes,
    /// The condition does not hold.
    No,
    /// It is unknown whether the condition holds.
    Unknown,
    /// Nothing depends on the line, or the step was not reached.
    None,
}

/// A line of the table.
struct Line {
    mark: Mark,
    /// The step; empty if it is the same as in the line before.
    step: String,
    wanted: String,
    found: String,
    outcome: Option<(Treatment, Reason)>,
}

/// Beyond this a column is no longer kept aligned, in characters.
const WIDEST: usize = 48;
pub(super) fn of(report: &ExplainReport<'_>) -> SafeText {
    let decision = &report.explanation.decision;
    let mut text = SafeText::default();
    text.push_styled(
        Style::Bold,
        &escape_for_terminal(&wording::decision(&report.explanation)),
    );
    text.push(&format!(
        "\n{}\n",
        escape_for_terminal(&wording::served(decision))
    ));
    if let Some(guard) = &report.explanation.guard {
        text.push(&format!("{}\n", wording::guard(guard)));
    }
    text.push("\n");
    for (name, value) in about(report) {
        text.push(&format!("{name:<8} {}\n", escape_for_terminal(&value)));
    }
    let mut lines = Vec::new();
    rollouts(&report.explanation.rollouts, &mut lines);
    if let Some(doubt) = report.explanation.ambiguity {
        let line = Line::new(Mark::No, "ambiguous", doubt.as_str());
        lines.push(line.found("servers may interpret it in more than one way"));
    }
    steps(report, &mut lines);
    if !lines.is_empty() {
        text.push("\n");
    }
    table(&lines, &mut text);
    let help = suggestions::of(report);
    if !help.is_empty() {
        text.push("\n");
    }
    for sentence in help {
        text.push_styled(Style::Bold, "help");
        text.push(&format!(": {}\n", escape_for_terminal(&sentence)));
    }
    text
}

/// The request that is explained.
fn about(report: &ExplainReport<'_>) -> Vec<(&'static str, String)> {
    let request = report.request;
    let seen = [request.method(), b" ", request.host(), request.path()].concat();
    let id = match request.id() {
        Some(id) => wording::shown(id),
        None => String::from("none"),
    };
    let mut about = vec![("request", wording::shown(&seen)), ("id", id)];
    let put = report.built.account.as_ref();
    let put = put.map(|place| format!("(in the {})", wording::source(place)));
    let account = match &request.account {
        Account::Known(account) => wording::shown(account.as_slice()),
        Account::Malformed => String::from("malformed"),
        Account::Absent => String::from("none"),
    };
    let account = [Some(account), put].into_iter().flatten();
    about.push(("account", account.collect::<Vec<_>>().join(" ")));
    about.push(("time", report.at.to_string()));
    if let Some(region) = report.region {
        about.push(("region", wording::shown(region.as_bytes())));
    }
    if let Some(assumed) = report.assumed {
        let filled = &report.built.filled;
        let filled: Vec<String> = filled
            .iter()
            .map(|(name, value)| {
                let name = match name.as_str() {
                    ":method" => "method",
                    ":authority" => "host",
                    ":path" => "path",
                    name => name,
                };
                format!("{name} {}", wording::shown(value.as_bytes()))
            })
            .collect();
        let what = match filled.is_empty() {
            true => String::from("nothing filled in"),
            false => filled.join(", "),
        };
        about.push(("assumed", format!("{what} (for rollout {})", assumed.name)));
    }
    about
}

fn rollouts(rollouts: &[RolloutTried<'_>], lines: &mut Vec<Line>) {
    for tried in rollouts {
        let Some(conditions) = &tried.conditions else {
            continue;
        };
        let step = format!("rollout {}", tried.rollout.name);
        if conditions.is_empty() {
            lines.push(Line::new(Mark::Yes, &step, "every request"));
        }
        conditions_of(&step, conditions, None, lines);
    }
    let others: Vec<&RolloutTried<'_>> =
        rollouts.iter().filter(|t| t.conditions.is_none()).collect();
    match others.as_slice() {
        [] => {}
        [other] => {
            let step = format!("rollout {}", other.rollout.name);
            lines.push(Line::new(Mark::None, &step, "not reached"));
        }
        others => {
            let step = format!("{} more rollouts", others.len());
            lines.push(Line::new(Mark::None, &step, "not reached"));
        }
    }
}

/// Adds the conditions, those that do not hold first: they are the interesting ones.
fn conditions_of(
    step: &str,
    conditions: &[Condition<'_>],
    region: Option<&str>,
    lines: &mut Vec<Line>,
) {
    let mut conditions: Vec<&Condition<'_>> = conditions.iter().collect();
    conditions.sort_by_key(|condition| match condition.holds {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    });
    for (index, condition) in conditions.into_iter().enumerate() {
        let mark = match condition.holds {
            Some(true) => Mark::Yes,
            Some(false) => Mark::No,
            None => Mark::Unknown,
        };
        let step = if index == 0 { step } else { "" };
        let (wanted, found) = wording::condition(&condition.part, region);
        lines.push(Line::new(mark, step, wanted).found(found));
    }
}

fn steps(report: &ExplainReport<'_>, lines: &mut Vec<Line>) {
    let mut not_reached = Vec::new();
    for step in &report.explanation.steps {
        match &step.result {
            Some(answer) => push_result(report, step.question, answer, lines),
            None => not_reached.push(step.question),
        }
    }
    if !not_reached.is_empty() {
        lines.push(Line::new(Mark::None, "not reached", names(&not_reached)));
    }
}

fn push_result(
    report: &ExplainReport<'_>,
    question: Question,
    answer: &StepResult<'_>,
    lines: &mut Vec<Line>,
) {
    match &answer.finding {
        StepFinding::Halted(None) => lines.push(Line::new(Mark::Yes, "halted", "no")),
        StepFinding::Halted(Some(by)) => {
            let by = format!("the {} is halted", by.as_str());
            lines.push(Line::new(Mark::No, "halted", "yes").found(by));
        }
        StepFinding::Mode(mode) => {
            // The mode is checked at two steps and shown once.
            let is_shown = (question == Question::On) == (*mode == Mode::On);
            if !is_shown {
                return;
            }
            let mark = if *mode == Mode::Off {
                Mark::No
            } else {
                Mark::Yes
            };
            lines.push(Line::new(mark, "mode", wording::mode(*mode)));
        }
        StepFinding::Guard(GuardAction::Halt) => {
            let line = Line::new(Mark::Unknown, "guard", "not tripped");
            lines.push(line.found("only the proxy knows"));
        }
        StepFinding::Guard(GuardAction::Report) => {
            let line = Line::new(Mark::None, "guard", "report");
            lines.push(line.found("it changes no decision"));
        }
        StepFinding::Inbound(inbound, decided) => lines.push(of_inbound(*inbound, *decided)),
        StepFinding::Account(found) => of_account(report, found, lines),
        StepFinding::Rule(found) => {
            let Question::Rule(index) = question else {
                return;
            };
            of_rule(
                report,
                &format!("rule {}", wording::rule(index)),
                found,
                lines,
            );
        }
        StepFinding::Default => {
            lines.push(Line::new(Mark::No, "default", "no rule applies").found("v1"));
        }
    }
    if let Some(last) = lines.last_mut() {
        last.outcome = answer.outcome;
    }
}

fn of_inbound(inbound: Inbound, decided: Option<Treatment>) -> Line {
    let line = |mark| Line::new(mark, "inbound", inbound.as_str());
    match (inbound, decided) {
        (Inbound::Strip, _) => line(Mark::None).found("decisions of earlier hops are ignored"),
        (Inbound::Trust, None) => line(Mark::None).found("no earlier hop decided"),
        (Inbound::Trust, Some(Treatment::V1)) => line(Mark::No).found("an earlier hop decided v1"),
        (Inbound::Trust, Some(Treatment::V2)) => line(Mark::Yes).found("an earlier hop decided v2"),
    }
}

fn of_account(report: &ExplainReport<'_>, found: &AccountFound<'_>, lines: &mut Vec<Line>) {
    let is_absent = matches!(report.request.account, Account::Absent);
    let mut step = "account";
    for source in &found.sources {
        let (mark, held) = match &source.content {
            None => continue,
            Some(SourceContent::Nothing) if is_absent => (Mark::No, String::from("absent")),
            Some(SourceContent::Nothing) => (Mark::None, String::from("absent")),
            Some(SourceContent::Credential(name)) => {
                let mark = if is_absent { Mark::No } else { Mark::None };
                (
                    mark,
                    format!("{}: {}", wording::shown(name), wording::API_KEY),
                )
            }
            Some(SourceContent::Account(account)) => (Mark::Yes, wording::shown(account)),
            Some(SourceContent::NoAccount { why, .. }) => {
                (Mark::No, wording::shown(why.as_bytes()))
            }
        };
        let line = Line::new(mark, step, wording::source(&source.name));
        lines.push(line.found(held));
        step = "";
    }
    if let Account::Known(_) = report.request.account {
        let segments = match found.segments.is_empty() {
            true => String::from("none"),
            false => found.segments.join(", "),
        };
        lines.push(Line::new(Mark::None, "segments", segments));
    }
}

fn of_rule(report: &ExplainReport<'_>, step: &str, found: &RuleFound<'_>, lines: &mut Vec<Line>) {
    conditions_of(step, &found.conditions, report.region, lines);
    let step = match found.conditions.is_empty() {
        true => step,
        false => "",
    };
    match &found.serve {
        None => {}
        Some(ServeFound::NoRegion) => lines.push(Line::new(
            Mark::No,
            step,
            "the region is needed, and unknown",
        )),
        Some(ServeFound::V1) => lines.push(Line::new(Mark::No, step, "serves v1")),
        Some(ServeFound::V2 { accounts, requests }) => {
            lines.push(of_accounts(step, accounts));
            lines.extend(requests.as_deref().map(of_requests));
        }
    }
}

fn of_accounts(step: &str, bucketing: &Bucketing) -> Line {
    let mut wanted = format!("accounts {}", wording::percent(bucketing.fraction));
    if let Some(active) = bucketing.ramp.iter().find(|step| step.is_active) {
        if let Some(from) = active.step.from {
            wanted.push_str(&format!(" since {from}"));
        }
    } else if let Some(from) = bucketing.ramp.first().and_then(|first| first.step.from) {
        wanted.push_str(&format!(" before {from}"));
    }
    let everyone = match bucketing.fraction == Fraction::ALL {
        true => "every account; ",
        false => "",
    };
    let mut found = format!(
        "{everyone}this account is included from {}",
        wording::percent(bucketing.smallest_including)
    );
    if let (Some(native), true) = (bucketing.tool_position, bucketing.hash != "turnout") {
        found.push_str(&format!(" ({}: {native})", bucketing.hash));
    }
    if let Some(at) = bucketing.enters_at() {
        found.push_str(&format!(", by the step of {at}"));
    } else if !bucketing.includes && !bucketing.ramp.is_empty() {
        found.push_str(", which no step reaches");
    }
    Line::new(mark(bucketing.includes), step, wanted).found(found)
}

fn of_requests(bucketing: &Bucketing) -> Line {
    let wanted = format!("requests {}", wording::percent(bucketing.fraction));
    let found = match bucketing.position {
        _ if bucketing.fraction == Fraction::ALL => String::from("every request"),
        Some(_) => format!(
            "this request is included from {}",
            wording::percent(bucketing.smallest_including)
        ),
        None => String::from("a request without an id is included only at 100 %"),
    };
    Line::new(mark(bucketing.includes), "", wanted).found(found)
}

fn mark(includes: bool) -> Mark {
    match includes {
        true => Mark::Yes,
        false => Mark::No,
    }
}

/// `account, rules 1 to 3, default`
fn names(questions: &[Question]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for question in questions {
        match question {
            Question::Halted => names.push(String::from("halted")),
            Question::Off => names.push(String::from("mode")),
            Question::Guard => names.push(String::from("guard")),
            Question::Inbound => names.push(String::from("inbound")),
            // Shown as `mode`.
            Question::On => {}
            Question::Account => names.push(String::from("account")),
            Question::Rule(index) => rules.push(wording::rule(*index)),
            Question::Default => {
                match rules.as_slice() {
                    [] => {}
                    [rule] => names.push(format!("rule {rule}")),
                    [first, last] => names.push(format!("rules {first} and {last}")),
                    [first, .., last] => names.push(format!("rules {first} to {last}")),
                }
                names.push(String::from("default"));
            }
        }
    }
    names.join(", ")
}

impl Line {
    fn new(mark: Mark, step: &str, wanted: impl Into<String>) -> Self {
        Self {
            mark,
            step: escape_for_terminal(step),
            wanted: escape_for_terminal(&wanted.into()),
            found: String::new(),
            outcome: None,
        }
    }

    fn found(self, found: impl Into<String>) -> Self {
        Self {
            found: escape_for_terminal(&found.into()),
            ..self
        }
    }
}

fn table(lines: &[Line], text: &mut SafeText) {
    let widest = |column: fn(&Line) -> &String| {
        let widths = lines.iter().map(|line| column(line).chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (step, wanted) = (widest(|line| &line.step), widest(|line| &line.wanted));
    for line in lines {
        let (style, mark) = match line.mark {
            Mark::Yes => (Style::Green, "✓"),
            Mark::No => (Style::Red, "✗"),
            Mark::Unknown => (Style::Yellow, "?"),
            Mark::None => (Style::Dim, "·"),
        };
        let row = format!(
            "{:<step$}  {:<wanted$}  {}",
            line.step, line.wanted, line.found
        );
        text.push_styled(style, mark);
        text.push(&format!(" {}", row.trim_end()));
        if let Some((treatment, reason)) = line.outcome {
            text.push("  ");
            text.push_styled(Style::Bold, &format!("⇒ {treatment} ({reason})"));
        }
        text.push("\n");
    }
}
