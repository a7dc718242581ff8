//! Whether one selection of paths takes all that another one takes.

use super::{PathMatch, Segment, Template};

impl PathMatch {
    /// Whether every path that `other` selects is selected by this one. A `false` may be a doubt,
    /// a `true` never is.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(exact)) => self.holds(exact.as_bytes()),
            (Self::Prefix(prefix), Self::Prefix(longer)) => longer.starts_with(prefix),
            (Self::Prefix(prefix), Self::Template(template)) => {
                template.beginning().starts_with(prefix)
            }
            (Self::Template(template), Self::Prefix(prefix)) => template.covers_prefix(prefix),
            (Self::Template(template), Self::Template(other)) => template.covers(other),
            (Self::Exact(_), Self::Prefix(_) | Self::Template(_)) => false,
        }
    }
}

impl Template {
    /// What every path of this shape begins with.
    pub(crate) fn beginning(&self) -> String {
        let mut beginning = String::new();
        for segment in &self.segments {
            beginning.push('/');
            match segment {
                Segment::Literal(literal) => beginning.push_str(literal),
                Segment::Any | Segment::Account { .. } => return beginning,
            }
        }
        if beginning.is_empty() {
            beginning.push('/');
        }
        beginning
    }

    /// Only the segments that the prefix ends with a `/` are sure.
    fn covers_prefix(&self, prefix: &str) -> bool {
        let Some(inner) = prefix.strip_prefix('/') else {
            return false;
        };
        let mut sure: Vec<&str> = inner.split('/').collect();
        sure.pop();
        self.rest
            && self.segments.len() <= sure.len()
            && self
                .segments
                .iter()
                .zip(sure)
                .all(|(wanted, given)| wanted.takes(given))
    }

    fn covers(&self, other: &Self) -> bool {
        let length_fits = match self.rest {
            true => self.segments.len() <= other.segments.len(),
            false => !other.rest && self.segments.len() == other.segments.len(),
        };
        let mut pairs = self.segments.iter().zip(&other.segments);
        length_fits
            && pairs.all(|(wanted, given)| match given {
                Segment::Literal(literal) => wanted.takes(literal),
                Segment::Any => matches!(wanted, Segment::Any),
                Segment::Account { .. } => false,
            })
    }
}

impl Segment {
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Any => !text.is_empty(),
            Self::Account { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Purpose;

    fn path(text: &str) -> PathMatch {
        match text.split_once(' ').unwrap() {
            ("=", exact) => PathMatch::Exact(exact.into()),
            ("^", prefix) => PathMatch::Prefix(prefix.into()),
            (_, template) => {
                PathMatch::Template(Template::parse(template, Purpose::Match).unwrap())
            }
        }
    }

    #[test]
    fn one_selection_covers_another() {
        for (wide, narrow) in [
            ("= /a", "= /a"),
            ("^ /a", "= /ab"),
            ("~ /a/*", "= /a/b"),
            ("^ /a", "^ /a/b"),
            ("^ /a", "~ /a/**"),
            ("^ /", "~ /**"),
            ("^ /a/", "~ /a/*/b"),
            ("~ /**", "^ /"),
            ("~ /a/**", "^ /a/"),
            ("~ /a/*/**", "^ /a/b/c"),
            ("~ /a/*", "~ /a/b"),
            ("~ /a/**", "~ /a/*/b"),
            ("~ /**", "~ /**"),
        ] {
            assert!(path(wide).covers(&path(narrow)), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_selection_that_leaves_something_does_not_cover() {
        for (narrow, wide) in [
            ("= /a", "^ /a"),
            ("= /a", "~ /a"),
            ("^ /a/", "~ /a/**"),
            ("^ /a/b", "~ /a/*"),
            ("~ /a/**", "^ /a"),
            ("~ /a/*/**", "^ /a/"),
            ("~ /a/*/**", "^ /a//"),
            ("~ /a/*", "^ /a/b"),
            ("~ /a/b", "~ /a/*"),
            ("~ /a/*", "~ /a/**"),
            ("~ /a/*/**", "~ /a/**"),
            ("~ /*", "= /"),
        ] {
            assert!(!path(narrow).covers(&path(wide)), "{narrow} {wide}");
        }
    }
}
