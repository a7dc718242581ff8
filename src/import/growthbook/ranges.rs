//! GrowthBook's line: its floats as whole places.

use crate::node::{Node, Read, Unreadable};

/// A version of the hash, by how many places it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hashing {
    One,
    Two,
}

/// Places from the first to before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    start: u32,
    end: u32,
}

impl Interval {
    pub(super) fn new(start: u32, end: u32) -> Self {
        let end = end.max(start);
        Self { start, end }
    }

    pub(super) fn start(self) -> u32 {
        self.start
    }

    pub(super) fn end(self) -> u32 {
        self.end
    }

    pub(super) fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}

impl Hashing {
    /// 1 unless given.
    pub(super) fn new(version: Option<Node<'_>>) -> Read<Self> {
        let Some(node) = version else {
            return Ok(Self::One);
        };
        match node.whole()? {
            // As Go writes it where it is not set.
            0 | 1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(Unreadable::new(
                node.at(),
                format!("version {other} of the hash is not known"),
                "give a file with 1 or 2",
            )),
        }
    }

    pub(super) fn version(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    pub(super) fn places(self) -> u32 {
        match self {
            Self::One => 1_000,
            Self::Two => 10_000,
        }
    }

    /// A range `[start, end]`, of which the end is not part.
    pub(super) fn interval(self, node: &Node<'_>) -> Read<Interval> {
        let mut ends = node.items()?;
        let (Some(start), Some(end), None) = (ends.next(), ends.next(), ends.next()) else {
            return Err(Unreadable::new(
                node.at(),
                "found no two numbers where a range belongs",
                "give the file as the tool exports it",
            ));
        };
        Ok(self.between(start.number()?, end.number()?))
    }

    /// Whom a coverage takes: those not above it; nobody for 0.
    pub(super) fn coverage(self, node: &Node<'_>) -> Read<Interval> {
        let coverage = node.number()?;
        if coverage == 0.0 {
            return Ok(Interval::new(0, 0));
        }
        Ok(Interval::new(0, self.count(|place| place <= coverage)))
    }

    /// The range of each variation: it begins where the weights before it end, and is as much of its
    /// weight as the coverage says.
    #[expect(
        clippy::float_arithmetic,
        reason = "GrowthBook's own arithmetic, at an import"
    )]
    pub(super) fn intervals(
        self,
        variations: usize,
        coverage: Option<Node<'_>>,
        weights: Option<Node<'_>>,
    ) -> Read<Vec<Interval>> {
        let coverage = match coverage {
            Some(node) => node.number()?.clamp(0.0, 1.0),
            None => 1.0,
        };
        let mut given = Vec::new();
        if let Some(weights) = weights {
            for weight in weights.items()? {
                given.push(weight.number()?);
            }
        }
        let sum: f64 = given.iter().sum();
        if given.len() != variations || !(0.99..=1.01).contains(&sum) {
            let count = u32::try_from(variations).unwrap_or(u32::MAX);
            given = vec![1.0 / f64::from(count); variations];
        }
        let mut start = 0.0;
        let intervals = given.iter().map(|weight| {
            let interval = self.between(start, start + coverage * weight);
            start += weight;
            interval
        });
        Ok(intervals.collect())
    }

    fn between(self, start: f64, end: f64) -> Interval {
        let before = |bound: f64| self.count(|place| place < bound);
        Interval::new(before(start), before(end))
    }

    /// How many of the first places something holds for, that holds until it holds no longer.
    #[expect(
        clippy::float_arithmetic,
        reason = "GrowthBook's own arithmetic, at an import"
    )]
    fn count(self, holds: impl Fn(f64) -> bool) -> u32 {
        let all = self.places();
        let (mut low, mut high) = (0, all);
        while low < high {
            let middle = low.midpoint(high);
            if holds(f64::from(middle) / f64::from(all)) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Whether these have every place.
pub(super) fn have_all(intervals: &[Interval], places: u32) -> bool {
    matches!(joined(intervals).as_slice(), [one] if one.len() == places)
}

/// Those that touch, as one.
pub(super) fn joined(intervals: &[Interval]) -> Vec<Interval> {
    let mut sorted: Vec<_> = intervals.iter().filter(|one| one.len() > 0).collect();
    sorted.sort_by_key(|interval| interval.start);
    let mut joined: Vec<Interval> = Vec::new();
    for interval in sorted {
        match joined.last_mut() {
            Some(last) if last.end >= interval.start => last.end = last.end.max(interval.end),
            _ => joined.push(*interval),
        }
    }
    joined
}

/// `["id", 0, 0.5]`: always of version 1.
pub(super) fn namespace<'a>(node: &Node<'a>) -> Read<(&'a str, Interval)> {
    let mut parts = node.items()?;
    let (Some(id), Some(start), Some(end)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Unreadable::new(
            node.at(),
            "found no name and two numbers where a namespace belongs",
            "give the file as the tool exports it",
        ));
    };
    let range = Hashing::One.between(start.number()?, end.number()?);
    Ok((id.text()?, range))
}
