//! Warns about other Turnout plugins in the same VM.
//!
//! A VM sees only the plugins with its own `vm_id`, and not whether two of them are in one filter
//! chain. So the warning describes what goes wrong in that case, and when two plugins are fine.

use turnout_text::escape_for_terminal;

use crate::host::{self, LogLevel};
use crate::root::Active;

/// The number of rollouts of each plugin to compare, which takes a few milliseconds at most.
const COMPARED: usize = 1_000;

/// Warns once about each pair of plugins.
#[derive(Default)]
pub(crate) struct Neighbours {
    /// The names of each pair.
    warned: Vec<[String; 2]>,
}

impl Neighbours {
    /// Compares a new plugin with the others. One with the same name is the one it replaces.
    pub(crate) fn check<'a>(&mut self, taken: &Active, others: impl Iterator<Item = &'a Active>) {
        for other in others {
            let (name, plugin) = (&other.plugin, &taken.plugin);
            let is_pair = |[one, two]: &[String; 2]| {
                one == name && two == plugin || one == plugin && two == name
            };
            if name == plugin || self.warned.iter().any(is_pair) {
                continue;
            }
            self.warned.push([name.clone(), plugin.clone()]);
            let shared = match shared_rollout(other, taken) {
                Some(rollout) => format!(
                    ". Both have a rollout {rollout}: its counts are those of both, unless each rollout of the \
                     proxy has a name of its own"
                ),
                None => String::new(),
            };
            let line = format!(
                "turnout: the plugins \"{}\" and \"{}\" of this proxy are both Turnout. That is fine in two \
                 listeners. In one filter chain the later removes the x-turnout-* headers of the earlier, whose \
                 requests then take v1 while its counters say v2: put the rollouts of both into one policy{shared}",
                escape_for_terminal(name),
                escape_for_terminal(plugin)
            );
            host::log(LogLevel::Warn, &line);
        }
    }
}

/// Returns the first rollout name that both plugins have. Metrics contain the rollout's name and not
/// the plugin's.
fn shared_rollout<'a>(one: &'a Active, other: &Active) -> Option<&'a str> {
    let names = one.rollouts().take(COMPARED);
    let mut shared =
        names.filter(|name| other.rollouts().take(COMPARED).any(|known| known == *name));
    shared.next()
}
