//! Warns about other Turnout plugins in the same VM.
//!
//! A VM sees only the plugins with its own `vm_id`, and not whether two of them are in one filter
//! chain. So the warning describes what goes wrong in that case, and when two plugins are fine.

use log::warn;
use turnout_text::escape_for_terminal;

use crate::plugin::ActivePlugin;

/// The number of rollouts of each plugin to compare, which takes a few milliseconds at most.
const COMPARED: usize = 1_000;

/// Warns once about each pair of plugins.
#[derive(Default)]
pub(crate) struct Neighbours {
    /// The names of each pair.
    warned: Vec<[String; 2]>,
}

impl Neighbours {
    /// Compares a new plugin with another. One with the same name is the one it replaces.
    pub(crate) fn check(&mut self, new: &ActivePlugin, other: &ActivePlugin) {
        let (name, new_name) = (&other.name, &new.name);
        let is_pair = |[one, two]: &[String; 2]| {
            one == name && two == new_name || one == new_name && two == name
        };
        if name == new_name || self.warned.iter().any(is_pair) {
            return;
        }
        self.warned.push([name.clone(), new_name.clone()]);
        let shared = match shared_rollout(other, new) {
            Some(rollout) => format!(
                ". Both have a rollout {rollout}: its counts are those of both, unless each rollout of the proxy \
                 has a name of its own"
            ),
            None => String::new(),
        };
        warn!(
            "turnout: the plugins \"{}\" and \"{}\" of this proxy are both Turnout. That is fine in two \
             listeners. In one filter chain the later removes the x-turnout-* headers of the earlier, whose \
             requests then take v1 while its counters say v2: put the rollouts of both into one policy{shared}",
            escape_for_terminal(name),
            escape_for_terminal(new_name)
        );
    }
}

/// Returns the first rollout name that both plugins have. Metrics contain the rollout's name and not
/// the plugin's.
fn shared_rollout<'a>(one: &'a ActivePlugin, other: &ActivePlugin) -> Option<&'a str> {
    let names = one.rollouts().take(COMPARED);
    let mut shared =
        names.filter(|name| other.rollouts().take(COMPARED).any(|known| known == *name));
    shared.next()
}
