//! The arguments of `turnout roll`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use turnout_judge::LabelMatcher;

use crate::support::account_file_access::AccountFileOptions;
use crate::support::interval_arg::parse_interval;

/// Move a rollout through the steps of a plan.
///
/// Applies the policy of each step, and judges all proxies meanwhile. It moves to the next step when the verdict is
/// HEALTHY and the bake of the step is over. If v2 is worse, it rolls back at once: it halts the rollout or applies the
/// step before, as `on_regressed` in the plan defines. If a person halts the rollout or applies another policy, it waits.
///
/// Its state is in FOLDER/roll. If the command is ended or killed, the same command continues the plan where it was.
/// `turnout log` shows each step with its verdict.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the last step is over
  1  v2 is rolled back, because it is worse or the plan was given up
  2  an input has an error, or another process runs a roll in the folder
  3  the plan is not over: it is held, --once has looked once, or a signal has ended the command

Examples:
  turnout roll plan.json --check
  turnout roll plan.json --dir /etc/envoy/turnout --admin http://10.0.0.7:9901 --admin http://10.0.0.8:9901
  turnout roll plan.json --prometheus http://prometheus:9090 --state /var/lib/turnout/roll \\
    --apply-with ./ship-policy.sh")]
pub(crate) struct Arguments {
    /// The plan; `-` reads standard input.
    pub(super) plan: PathBuf,
    /// The folder that Envoy watches. It contains filter.json and the history.
    #[arg(long, value_name = "FOLDER", conflicts_with = "apply_with")]
    #[arg(required_unless_present_any = ["apply_with", "check", "dry_run"])]
    pub(super) dir: Option<PathBuf>,
    /// The admin address of a proxy. May be repeated.
    #[arg(long, value_name = "URL", conflicts_with = "prometheus")]
    #[arg(required_unless_present_any = ["prometheus", "check", "dry_run"])]
    pub(super) admin: Vec<String>,
    /// Read the proxies from this Prometheus server.
    #[arg(long, value_name = "URL")]
    pub(super) prometheus: Option<String>,
    /// With --prometheus: read only the proxies with this label, such as `job="envoy"`. May be repeated. Default: all
    /// proxies with metrics of Turnout.
    #[arg(long = "match", value_name = "MATCHER", value_parser = LabelMatcher::parse, requires = "prometheus")]
    pub(super) matchers: Vec<LabelMatcher>,
    /// With --prometheus: a file with a bearer token for the server.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(super) prometheus_token: Option<PathBuf>,
    /// The expected number of proxies. With fewer, the roll does not move to the next step.
    #[arg(long, value_name = "NUMBER")]
    pub(super) proxies: Option<NonZeroUsize>,
    /// Ship policies with this shell command instead of writing a folder. It reads the policy from standard input, and
    /// has the environment variables TURNOUT_ACTION (`apply` or `halt`), TURNOUT_STEP, TURNOUT_ROLLOUT,
    /// TURNOUT_REVISION and TURNOUT_WHY. Exit code 0 means that the policy is on its way to the proxies.
    #[arg(long, value_name = "COMMAND", requires = "state")]
    pub(super) apply_with: Option<String>,
    /// The folder for the state of the roll. Default: FOLDER/roll.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state: Option<PathBuf>,
    /// Look once, act, and exit: for cron.
    #[arg(long)]
    pub(super) once: bool,
    /// Only check the plan and its policy.
    #[arg(long, conflicts_with_all = ["once", "dry_run"])]
    pub(super) check: bool,
    /// Only print how long each step takes with the traffic of the proxies. Changes nothing.
    #[arg(long, conflicts_with = "once")]
    pub(super) dry_run: bool,
    /// Continue a plan that is held.
    #[arg(long = "continue", conflicts_with = "from")]
    pub(super) proceed: bool,
    /// Forget the state, and begin with this step.
    #[arg(long, value_name = "STEP")]
    pub(super) from: Option<String>,
    /// The interval between two looks, such as `10s` or `500ms`.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_interval)]
    pub(super) interval: Duration,
    /// Also post what happens to this webhook of Slack or Mattermost, in addition to those of the plan. May be repeated.
    #[arg(long, value_name = "URL")]
    pub(super) notify: Vec<String>,
    /// The name for the history. Default: the current user.
    #[arg(long, value_name = "NAME")]
    pub(super) who: Option<String>,
    #[command(flatten)]
    pub(super) account_files: AccountFileOptions,
    /// Print one line of JSON per event instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl Arguments {
    /// The folder for the state of the roll.
    pub(super) fn state_folder(&self) -> Result<PathBuf, String> {
        match (&self.state, &self.dir) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, dir) => Self::default_state_folder(dir.as_deref().unwrap_or(Path::new(""))),
        }
    }

    /// The folder for the state, if --state does not name one.
    pub(super) fn default_state_folder(dir: &Path) -> Result<PathBuf, String> {
        if dir.is_dir() {
            return Ok(dir.join("roll"));
        }
        let dir = crate::support::text_io::name_of(dir);
        Err(format!(
            "{dir} is not a folder; apply the first policy with `turnout apply`, which creates it"
        ))
    }

    /// The number of proxies that must be there, if it is known.
    pub(super) fn expected_proxies(&self) -> Option<usize> {
        self.proxies.map(NonZeroUsize::get)
    }
}
