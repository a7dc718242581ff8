//! Joins lines that a container runtime has split, and reads batches.

use crate::{Around, MOST_LAYERS, Unwrapped, line_without_end, peel};

/// Lines that may be open at a time, one of each stream.
const MOST_OPEN: usize = 64;
/// Bytes of a joined line.
const MOST_BYTES: usize = 1 << 20;

/// Unwraps the lines of one input, in their order.
#[derive(Debug, Default)]
pub struct Unwrapper {
    /// By stream: the parts so far.
    open: Vec<(Vec<u8>, Vec<u8>)>,
    dropped: u64,
}

impl Unwrapper {
    /// Hands over the lines that this one completes: usually one, none where it goes on in a later one,
    /// and many where it is a batch.
    pub fn line(&mut self, line: &[u8], take: &mut dyn FnMut(&Unwrapped<'_>)) {
        let stream = Vec::new();
        let line = line_without_end(line);
        self.peeled(line, stream, Around::default(), 0, take);
    }

    /// Whether the last line of a stream goes on in a later one.
    #[must_use]
    pub fn has_open_lines(&self) -> bool {
        !self.open.is_empty()
    }

    /// How many lines had no end, once all lines were read.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let open = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.dropped.saturating_add(open)
    }

    fn peeled(
        &mut self,
        line: &[u8],
        mut stream: Vec<u8>,
        around: Around,
        depth: usize,
        take: &mut dyn FnMut(&Unwrapped<'_>),
    ) {
        let layer = (depth < MOST_LAYERS).then(|| peel(line)).flatten();
        let Some(mut layer) = layer else {
            take(&Unwrapped::new(line.into(), around));
            return;
        };
        let texts = std::mem::take(&mut layer.texts);
        stream.push(layer.wrapper as u8);
        stream.append(&mut layer.stream);
        let depth = depth.saturating_add(1);
        for inner in texts {
            let around = around.and(&layer, &inner);
            match self.join(&stream, &inner.text, layer.continues) {
                Joined::Open => {}
                Joined::Alone => self.peeled(&inner.text, stream.clone(), around, depth, take),
                Joined::Whole(whole) => {
                    self.peeled(&whole, stream.clone(), around, depth, take);
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
                    // A longer line loses its end, and nobody takes it for a whole one.
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
    /// It goes on in a later line.
    Open,
    /// It is a whole line by itself.
    Alone,
    Whole(Vec<u8>),
}
