//! Decides whether one path condition matches every path that another one matches.

use super::{PathMatch, PathSegment, PathTemplate};

impl PathMatch {
    /// Whether every path that `other` matches also matches this one. `true` is certain; `false` may mean that
    /// it is not known.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(exact)) => self.holds(exact.as_bytes()),
            (Self::Prefix(prefix), Self::Prefix(longer)) => longer.starts_with(prefix),
            (Self::Prefix(prefix), Self::Template(template)) => {
                template.literal_prefix().starts_with(prefix)
            }
            (Self::Template(template), Self::Prefix(prefix)) => template.covers_prefix(prefix),
            (Self::Template(template), Self::Template(other)) => template.covers(other),
            (Self::Exact(_), Self::Prefix(_) | Self::Template(_)) => false,
        }
    }
}

impl PathTemplate {
    /// Returns the text that every matching path begins with.
    pub(crate) fn literal_prefix(&self) -> String {
        let mut prefix = String::new();
        for segment in &self.segments {
            prefix.push('/');
            match segment {
                PathSegment::Literal(literal) => prefix.push_str(literal),
                PathSegment::Any | PathSegment::Account { .. } => return prefix,
            }
        }
        if prefix.is_empty() {
            prefix.push('/');
        }
        prefix
    }

    /// Whether every path with this prefix matches. The last segment of the prefix may continue, so only the
    /// segments before it can match.
    fn covers_prefix(&self, prefix: &str) -> bool {
        let Some(inner) = prefix.strip_prefix('/') else {
            return false;
        };
        let mut complete: Vec<&str> = inner.split('/').collect();
        complete.pop();
        self.rest
            && self.segments.len() <= complete.len()
            && self
                .segments
                .iter()
                .zip(complete)
                .all(|(wanted, text)| wanted.matches(text))
    }

    /// The number of segments, without a final `**`.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Whether this template also captures something, not necessarily the account, from every path in which
    /// `other` finds an account. `true` is certain; `false` may mean that it is not known.
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
            && pairs.all(|(wanted, other)| match other {
                PathSegment::Literal(literal) => wanted.matches(literal),
                PathSegment::Any => wanted.matches_all(),
                PathSegment::Account { before, after } => {
                    wanted.matches_accounts_between(before, after)
                }
            })
    }
}

impl PathSegment {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Any => !text.is_empty(),
            Self::Account { before, after } => {
                let inner = text.strip_prefix(before.as_str());
                inner.is_some_and(|inner| inner.ends_with(after.as_str()))
            }
        }
    }

    /// Whether the segment matches every text that is not empty.
    fn matches_all(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Any => true,
            Self::Account { before, after } => before.is_empty() && after.is_empty(),
        }
    }

    /// Whether the segment matches every account, which is never empty, between these two texts.
    fn matches_accounts_between(&self, before: &str, after: &str) -> bool {
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
    fn a_condition_covers_a_narrower_one() {
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
    fn a_template_captures_from_every_path_of_another() {
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
    fn a_condition_that_misses_a_path_does_not_cover() {
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
