//! Joins lines that a container runtime has split, and reads batches.

use crate::{LineContext, MOST_LAYERS, Unwrapped, line_without_end, peel};

/// The largest number of incomplete lines at a time, one per stream.
const MOST_OPEN: usize = 64;
/// The limit of a joined line, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// Unwraps the lines of one input, in order.
#[derive(Debug, Default)]
pub struct Unwrapper {
    /// The parts so far, by stream.
    open: Vec<(Vec<u8>, Vec<u8>)>,
    dropped: u64,
}

impl Unwrapper {
    /// Passes on the lines that this one completes: usually one, none if it continues in a later line, and several
    /// if it is a batch.
    pub fn line(&mut self, line: &[u8], take: &mut dyn FnMut(&Unwrapped<'_>)) {
        let stream = Vec::new();
        let line = line_without_end(line);
        self.peeled(line, stream, LineContext::default(), 0, take);
    }

    /// Whether the last line of any stream is incomplete.
    #[must_use]
    pub fn has_open_lines(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns the number of incomplete lines, after all lines were read.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let open = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.dropped.saturating_add(open)
    }

    fn peeled(
        &mut self,
        line: &[u8],
        mut stream: Vec<u8>,
        context: LineContext,
        depth: usize,
        take: &mut dyn FnMut(&Unwrapped<'_>),
    ) {
        let layer = (depth < MOST_LAYERS).then(|| peel(line)).flatten();
        let Some(mut layer) = layer else {
            take(&Unwrapped::new(line.into(), context));
            return;
        };
        let texts = std::mem::take(&mut layer.texts);
        stream.push(layer.wrapper as u8);
        stream.append(&mut layer.stream);
        let depth = depth.saturating_add(1);
        for inner in texts {
            let context = context.and(&layer, &inner);
            match self.join(&stream, &inner.text, layer.continues) {
                Joined::Open => {}
                Joined::Alone => self.peeled(&inner.text, stream.clone(), context, depth, take),
                Joined::Whole(whole) => {
                    self.peeled(&whole, stream.clone(), context, depth, take);
                }
            }
        }
    }

    fn join(&mut self, stream: &[u8], text: &[u8], continues: bool) -> Joined {
        let known = self.open.iter().position(|(known, _)| known == stream);
        match (known, continues) {
            (None, false) => Joined::Alone,
            (None, true) => {
                if self.open.len() >= MOST_OPEN {
                    self.open.remove(0);
                    self.dropped = self.dropped.saturating_add(1);
                }
                self.open.push((stream.to_vec(), text.to_vec()));
                Joined::Open
            }
            (Some(index), true) => {
                if let Some((_, parts)) = self.open.get_mut(index) {
                    let is_short = parts.len().saturating_add(text.len()) <= MOST_BYTES;
                    // A longer line is cut off, so it cannot be mistaken for a complete one.
                    parts.extend_from_slice(if is_short { text } else { b"" });
                }
                Joined::Open
            }
            (Some(index), false) => {
                let (_, mut parts) = self.open.remove(index);
                parts.extend_from_slice(text);
                Joined::Whole(parts)
            }
        }
    }
}

enum Joined {
    /// It continues in a later line.
    Open,
    /// It is a complete line.
    Alone,
    Whole(Vec<u8>),
}
