//! The file in which `turnout judge --state` keeps what it has read.

use std::fs;
use std::io;
use std::path::Path;

use turnout_judge::Ledger;

use crate::support::safe_output::SafeText;
use crate::support::text_io::{self, is_dash, name_of};

/// Reads the ledger. If there is no file, it is empty.
pub(super) fn read(path: &Path) -> Result<Ledger, String> {
    if is_dash(path) {
        return Err(
            "--state -: the state cannot be kept on standard input; write the name of a file"
                .into(),
        );
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledger::default()),
        _ => {}
    }
    let text = text_io::read(path)?;
    serde_json::from_str(&text).map_err(|error| {
        let name = name_of(path);
        let what = match text.trim().is_empty() {
            true => "it is empty".to_owned(),
            false => turnout_text::escape_for_terminal(&error.to_string()),
        };
        format!(
            "{name} is not a state file of `turnout judge` ({what}); restore it, or begin with another file: what it \
             counted is lost then"
        )
    })
}

/// Replaces the file.
pub(super) fn write(path: &Path, ledger: &Ledger) -> Result<(), String> {
    text_io::write(Some(path), &SafeText::json_of(ledger))
}
