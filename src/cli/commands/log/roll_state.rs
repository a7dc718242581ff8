//! The state of the roll in a folder, as text and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use turnout_live::StateFolder;
use turnout_roll::{Outcome, Phase, RollState, StateFile, StepRecord};
use turnout_text::{Table, escape_for_terminal, thousands};

/// The state of the roll in a folder.
pub(super) enum RollOfFolder {
    None,
    Some(Box<RollState>),
    /// It cannot be read. The text says why.
    Unreadable(String),
}

impl RollOfFolder {
    pub(super) fn read(folder: &Path) -> Self {
        let file = StateFile::new(StateFolder::new(folder.join("roll")));
        match file.read() {
            Ok(None) => Self::None,
            Ok(Some(saved)) => Self::Some(Box::new(saved.roll)),
            Err(why) => Self::Unreadable(why),
        }
    }

    /// The steps with their verdicts, and what the roll waits for. Empty if there is no roll.
    pub(super) fn to_text(&self) -> String {
        let roll = match self {
            Self::None => return String::new(),
            Self::Unreadable(why) => return format!("roll: {}\n", escape_for_terminal(why)),
            Self::Some(roll) => roll,
        };
        let rollout = escape_for_terminal(&roll.rollout);
        let mut text = format!("roll of {rollout}, begun {}: {}\n", roll.began, phase(roll));
        if let Some(wait) = &roll.waits_for {
            let _ = writeln!(text, "    waits: {}", escape_for_terminal(&wait.text));
        }
        let mut table = Table::default();
        let heads = [
            "step",
            "began",
            "ended",
            "v2 requests",
            "minutes",
            "verdict",
        ];
        table.push_row(heads.map(str::to_owned));
        for (index, step) in roll.steps.iter().enumerate() {
            table.push_row(cells(roll, index, step));
        }
        text.push_str(&table.format());
        for step in &roll.steps {
            if let Some(judgment) = &step.judgment {
                let name = escape_for_terminal(&step.name);
                let why = escape_for_terminal(&judgment.text);
                let _ = writeln!(text, "    {name}: {why}");
            }
        }
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let roll = match self {
            Self::None => return Value::Null,
            Self::Unreadable(why) => return json!({ "error": why }),
            Self::Some(roll) => roll,
        };
        let steps = roll.steps.iter().enumerate().map(|(index, step)| {
            json!({
                "name": step.name,
                "revision": step.revision,
                "began": step.began.map(|time| time.to_string()),
                "ended": step.ended.map(|time| time.to_string()),
                "baked_seconds": baked_seconds(roll, index, step),
                "judgment": step.judgment,
            })
        });
        json!({
            "rollout": roll.rollout,
            "began": roll.began.to_string(),
            "updated": roll.updated.to_string(),
            "phase": roll.phase,
            "held": roll.is_held,
            "waits_for": roll.waits_for,
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

/// Describes where a roll is.
fn phase(roll: &RollState) -> String {
    let step = roll.steps.get(roll.phase.step());
    let name = step.map_or_else(String::new, |step| escape_for_terminal(&step.name));
    match &roll.phase {
        _ if roll.outcome() == Some(Outcome::Held) => format!("held at step {name}"),
        Phase::Applying { .. } => format!("applying step {name}"),
        Phase::Baking { .. } => format!("observing step {name}"),
        Phase::RollingBack { why, .. } => format!("rolling back ({})", escape_for_terminal(why)),
        Phase::Ended { outcome, why, .. } => {
            let outcome = match outcome {
                Outcome::Finished => "finished",
                Outcome::RolledBack => "rolled back",
                Outcome::GivenUp => "given up",
                Outcome::Held => "held",
            };
            format!("{outcome} ({})", escape_for_terminal(why))
        }
    }
}

fn cells(roll: &RollState, index: usize, step: &StepRecord) -> [String; 6] {
    let time = |time: Option<turnout_core::Time>| time.map_or("-".into(), |time| time.to_string());
    let judgment = step.judgment.as_ref();
    let requests = judgment.map(|judgment| thousands(judgment.v2_requests));
    let verdict = judgment.map(|judgment| judgment.verdict.as_str().to_owned());
    let none = || "-".to_owned();
    [
        escape_for_terminal(&step.name),
        time(step.began),
        time(step.ended),
        requests.unwrap_or_else(none),
        (baked_seconds(roll, index, step) / 60).to_string(),
        verdict.unwrap_or_else(none),
    ]
}

fn baked_seconds(roll: &RollState, index: usize, step: &StepRecord) -> u64 {
    match roll.phase {
        Phase::Baking { step: now } if now == index => roll.baked.seconds(),
        _ => step.baked_seconds,
    }
}
