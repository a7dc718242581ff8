//! How a tool draws accounts, and which part of them is v2.

use std::rc::Rc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::treatment::Treatment;

/// A hundred percent, in millionths of a percent.
const HUNDRED_PERCENT: u64 = 100_000_000;

/// A rollout's `hash`: on a tool's line of so many parts, v2's end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draw {
    pub(crate) tool: &'static str,
    pub(crate) fields: Vec<(&'static str, Value)>,
    pub(crate) all: u32,
    pub(crate) is_last: bool,
}

/// So many parts of a line, from v2's end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) draw: Rc<Draw>,
    pub(crate) share: u32,
}

/// What is served to an account, or to accounts that are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Serve {
    V1,
    V2,
    /// v2 to this part.
    Part(Part),
}

impl Serve {
    /// All parts are everyone.
    pub(crate) fn part(draw: Draw, share: u32) -> Self {
        match share >= draw.all {
            true => Self::V2,
            false => Self::Part(Part {
                draw: Rc::new(draw),
                share,
            }),
        }
    }

    pub(crate) fn is_some_v2(&self) -> bool {
        match self {
            Self::V1 => false,
            Self::V2 => true,
            Self::Part(part) => part.share > 0,
        }
    }

    /// Of two parts of one line, that for whom both serve v2.
    pub(crate) fn both(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::V1, _) | (_, Self::V1) => Self::V1,
            (Self::V2, serve) | (serve, Self::V2) => serve.clone(),
            (Self::Part(a), Self::Part(b)) if a.share <= b.share => Self::Part(a.clone()),
            (_, part) => part.clone(),
        }
    }

    /// Of two parts of one line, that for whom one serves v2.
    pub(crate) fn either(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::V2, _) | (_, Self::V2) => Self::V2,
            (Self::V1, serve) | (serve, Self::V1) => serve.clone(),
            (Self::Part(a), Self::Part(b)) if a.share >= b.share => Self::Part(a.clone()),
            (_, part) => part.clone(),
        }
    }
}

impl Draw {
    /// Where nothing is drawn.
    pub(crate) fn none() -> Self {
        Self {
            tool: "",
            fields: Vec::new(),
            all: 0,
            is_last: false,
        }
    }
}

impl Part {
    /// The percentage in millionths, rounded to the nearest as the policy's language has it.
    pub(crate) fn millionths(&self) -> u32 {
        millionths(self.share, self.draw.all)
    }
}

/// A number of parts as a percentage.
pub(crate) fn millionths(parts: u32, all: u32) -> u32 {
    let product = u64::from(parts).saturating_mul(HUNDRED_PERCENT);
    let rounded = product.saturating_add(u64::from(all / 2));
    let percentage = rounded.checked_div(u64::from(all)).unwrap_or_default();
    u32::try_from(percentage).unwrap_or(u32::MAX)
}

/// Where v2 stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Nowhere,
    Everywhere,
    /// At the beginning, or the end, so many parts.
    First(u32),
    Last(u32),
    /// Between v1 and v1, or in several places.
    Between,
}

impl Place {
    /// Of pieces in the order of the line. What they leave of it is `left`.
    pub(crate) fn of(pieces: &[(Treatment, u32)], all: u32, left: Treatment) -> Self {
        let mut line: Vec<(Treatment, u32)> = Vec::new();
        let mut room = all;
        let rest = (left, all);
        for (treatment, parts) in pieces.iter().chain([&rest]) {
            let parts = room.min(*parts);
            room = room.saturating_sub(parts);
            match line.last_mut() {
                _ if parts == 0 => {}
                Some((last, sum)) if last == treatment => *sum = sum.saturating_add(parts),
                _ => line.push((*treatment, parts)),
            }
        }
        match line.as_slice() {
            [] | [(Treatment::V1, _)] => Self::Nowhere,
            [(Treatment::V2, _)] => Self::Everywhere,
            [(Treatment::V2, parts), _] => Self::First(*parts),
            [_, (Treatment::V2, parts)] => Self::Last(*parts),
            _ => Self::Between,
        }
    }

    /// What is served, where v2 stands at an end of the line; `None` where it stands between.
    pub(crate) fn serve(self, draw: impl Fn(bool) -> Draw) -> Option<Serve> {
        Some(match self {
            Self::Nowhere => Serve::V1,
            Self::Everywhere => Serve::V2,
            Self::First(share) => Serve::part(draw(false), share),
            Self::Last(share) => Serve::part(draw(true), share),
            Self::Between => return None,
        })
    }
}

impl Serialize for Draw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.tool, &Fields(self))?;
        map.end()
    }
}

struct Fields<'a>(&'a Draw);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.0.fields {
            map.serialize_entry(name, value)?;
        }
        if self.0.is_last {
            map.serialize_entry("v2", "last")?;
        }
        map.end()
    }
}
