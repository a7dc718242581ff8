//! Whether one selection of paths takes all that another one takes.

use super::{PathMatch, PathSegment, PathTemplate};

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

impl PathTemplate {
    /// What every path of this shape begins with.
    pub(crate) fn beginning(&self) -> String {
        let mut beginning = String::new();
        for segment in &self.segments {
            beginning.push('/');
            match segment {
                PathSegment::Literal(literal) => beginning.push_str(literal),
                PathSegment::Any | PathSegment::Account { .. } => return beginning,
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

    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Whether every path in which `other` finds an account is of this shape too, so that this one
    /// captures something of it: not always the account. A `false` may be a doubt, a `true` never is.
    pub(crate) fn captures_before(&self, other: &Self) -> bool {
        self.covers(other)
    }

    fn covers(&self, other: &Self) -> bool {
        let length_fits = match self.rest {
            true => self.segments.len() <= other.segments.len(),
            false => !other.rest && self.segments.len() == other.segments.len(),
        };
        let mut pairs = self.segments.iter().zip(&other.segments);
        length_fits
            && pairs.all(|(wanted, given)| match given {
                PathSegment::Literal(literal) => wanted.takes(literal),
                PathSegment::Any => wanted.takes_any(),
                PathSegment::Account { before, after } => wanted.takes_around(before, after),
            })
    }
}

impl PathSegment {
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Any => !text.is_empty(),
            Self::Account { before, after } => {
                let inner = text.strip_prefix(before.as_str());
                inner.is_some_and(|inner| inner.ends_with(after.as_str()))
            }
        }
    }

    /// Whether it takes every text that is not empty.
    fn takes_any(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Any => true,
            Self::Account { before, after } => before.is_empty() && after.is_empty(),
        }
    }

    /// Whether it takes every account, which is never empty, between these two texts.
    fn takes_around(&self, before: &str, after: &str) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Any => true,
            Self::Account {
                before: wide_before,
                after: wide_after,
            } => before.starts_with(wide_before.as_str()) && after.ends_with(wide_after.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path_match::TemplateUse;

    fn path(text: &str) -> PathMatch {
        match text.split_once(' ').unwrap() {
            ("=", exact) => PathMatch::Exact(exact.into()),
            ("^", prefix) => PathMatch::Prefix(prefix.into()),
            (_, template) => {
                PathMatch::Template(PathTemplate::parse(template, TemplateUse::Match).unwrap())
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
    fn one_template_takes_all_accounts_of_another() {
        let captures_before = |wide: &str, narrow: &str| {
            let template = |text| PathTemplate::parse(text, TemplateUse::Account).unwrap();
            template(wide).captures_before(&template(narrow))
        };
        for (wide, narrow) in [
            ("/a/{account}", "/a/{account}"),
            ("/a/{account}", "/a/{account}.json"),
            ("/a/{account}/**", "/a/{account}.json"),
            ("/a/{account}/**", "/a/{account}/b/*"),
            ("/a/{account}/**", "/a/x{account}y/**"),
            ("/a/x{account}.json", "/a/xy{account}.b.json"),
            ("/{account}/**", "/a/{account}"),
            ("/{account}/*", "/a/{account}"),
            ("/*/{account}/**", "/a/{account}.json"),
            ("/a/{account}/**", "/a/*/{account}"),
            ("/{account}/a/", "/{account}/a/"),
        ] {
            assert!(captures_before(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [
            ("/a/{account}.json", "/a/{account}"),
            ("/a/{account}.json", "/a/{account}/**"),
            ("/a/{account}", "/a/{account}/**"),
            ("/a/{account}", "/a/{account}/b"),
            ("/a/{account}/b/**", "/a/{account}/**"),
            ("/a/{account}", "/b/{account}"),
            ("/a/{account}", "/*/{account}"),
            ("/a/x{account}", "/a/{account}"),
            ("/a/x{account}", "/a/y{account}"),
            ("/a/x{account}/b", "/a/*/{account}"),
            ("/{account}x/*", "/a/{account}"),
            ("/a/{account}/*", "/a/{account}/"),
        ] {
            assert!(!captures_before(wide, narrow), "{wide} {narrow}");
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
