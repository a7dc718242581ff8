//! The sources of a request's account, `account.from`: finds the account of a request.

use crate::plan::path_match::PathTemplate;
use crate::request::account_id::{Account, Decoded, Format, SourceValue, hex_digit_of_any_case};
use crate::request::basic_auth;
use crate::request::headers::{Headers, Single};
use crate::request::path_spelling::{LenientPath, is_plain};

/// The sources of the account, in order, and its format.
#[derive(Debug)]
pub(crate) struct AccountSources {
    pub(crate) from: Vec<Source>,
    pub(crate) format: Format,
}

/// One entry of `account.from`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The value of a header, by its lower-case name.
    Header(String),
    /// The user name of `authorization: Basic …`.
    BasicAuthUsername,
    /// `{account}` in a path.
    Path(PathTemplate),
}

impl AccountSources {
    /// Finds the account of a request and writes it to `account`.
    ///
    /// The first source that is present decides, even if its content is malformed: a client that sends two
    /// accounts must not get the treatment of the one it prefers. For the same reason an ambiguous source is
    /// malformed, not absent. An API key as the user name of Basic authentication counts as absent, because
    /// it does not identify an account.
    ///
    /// The account is an out-parameter because it has room for a decoded buffer: returning it would copy
    /// some 180 bytes for each request. [`SourceValue`] is separate from [`Account`] because `explain` shows the
    /// content of a source that is not an account.
    pub(crate) fn read<'a>(&self, headers: Headers<'a>, path: &'a [u8], account: &mut Account<'a>) {
        for (index, source) in self.from.iter().enumerate() {
            match self.find(index, source, headers, path) {
                SourceValue::Absent => continue,
                SourceValue::Malformed => *account = Account::Malformed,
                SourceValue::Plain(bytes) => *account = self.format.parse_raw(bytes),
                SourceValue::Decoded(bytes) => *account = self.format.parse_decoded(bytes),
            }
            return;
        }
        *account = Account::Absent;
    }

    /// Returns the content of one of the sources. `index` is its index in `account.from`.
    #[inline(always)]
    pub(crate) fn find<'a>(
        &self,
        index: usize,
        source: &Source,
        headers: Headers<'a>,
        path: &'a [u8],
    ) -> SourceValue<'a> {
        match source {
            Source::Header(name) => match headers.single(name) {
                Single::Absent => SourceValue::Absent,
                Single::Ambiguous => SourceValue::Malformed,
                Single::One(value) => SourceValue::Plain(value),
            },
            Source::BasicAuthUsername => basic_auth::find_account(headers, self.format),
            Source::Path(template) => match template.capture(path) {
                Some(segment) if is_plain(path) => SourceValue::Plain(segment),
                None if is_plain(path) && template.capture_leniently(path).is_none() => {
                    SourceValue::Absent
                }
                captured => self.find_leniently(index, template, captured, path),
            },
        }
    }

    /// Returns the account in a path that a lenient server may read differently. The account captured from
    /// the path as sent counts only if a lenient server reads the same one.
    #[inline(never)]
    fn find_leniently(
        &self,
        index: usize,
        template: &PathTemplate,
        captured: Option<&[u8]>,
        path: &[u8],
    ) -> SourceValue<'static> {
        let sent = captured.map(percent_decoded);
        if !template.is_plain() {
            // The template itself contains an escape, so its author means exactly this spelling.
            return match sent {
                Some(sent) => sent.map_or(SourceValue::Malformed, SourceValue::Decoded),
                None => SourceValue::Absent,
            };
        }
        let read = match is_plain(path) {
            true => template.capture_leniently(path).map(Decoded::copy_of),
            false => match LenientPath::normalize(path) {
                Some(lenient) => template
                    .capture_leniently(lenient.as_slice())
                    .map(Decoded::copy_of),
                None => return SourceValue::Malformed,
            },
        };
        match (sent, read) {
            (None, None) => SourceValue::Absent,
            (Some(Some(sent)), Some(Some(read))) if is_read_as(&sent, &read) => {
                SourceValue::Decoded(sent)
            }
            // A later source matches exactly this spelling and finds the same account, so it decides.
            (None, Some(Some(read))) if self.later_source_finds(index, path, &read) => {
                SourceValue::Absent
            }
            _ => SourceValue::Malformed,
        }
    }

    /// Whether the first later path source that matches the path as sent finds the same account.
    fn later_source_finds(&self, index: usize, path: &[u8], read: &Decoded) -> bool {
        let later = self.from.iter().skip(index.saturating_add(1));
        let mut captured = later.filter_map(|source| match source {
            Source::Path(template) => template.capture(path),
            Source::Header(_) | Source::BasicAuthUsername => None,
        });
        let first = captured.next().and_then(percent_decoded);
        first.is_some_and(|sent| is_read_as(&sent, read))
    }
}

/// Whether a lenient server, which drops spaces and control characters, reads `sent` as `read`.
fn is_read_as(sent: &Decoded, read: &Decoded) -> bool {
    let sent = sent.as_slice().iter().copied();
    let sent = sent.filter(|byte| !matches!(byte, 0..=b' ' | 0x7f));
    sent.eq(read.as_slice().iter().copied())
}

/// Decodes a path segment, in which one account has many spellings (`%61` is `a`). `None` if an escape is
/// malformed.
///
/// The crate `percent-encoding` keeps a malformed escape as it is; here it makes the account malformed.
#[inline(never)]
fn percent_decoded(segment: &[u8]) -> Option<Decoded> {
    let mut rest = segment.iter().copied();
    Decoded::collect(std::iter::from_fn(|| {
        Some(match rest.next()? {
            b'%' => {
                let high = rest.next().and_then(hex_digit_of_any_case);
                let low = rest.next().and_then(hex_digit_of_any_case);
                high.zip(low).map(|(high, low)| (high << 4) | low)
            }
            plain => Some(plain),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path_match::TemplateUse;

    /// The account, `None` where the source is absent, an error where it is malformed.
    fn read(format: Format, templates: &[&str], path: &str) -> Result<Option<String>, ()> {
        let template = |text: &&str| PathTemplate::parse(text, TemplateUse::Account).unwrap();
        let sources = AccountSources {
            from: templates.iter().map(template).map(Source::Path).collect(),
            format,
        };
        let mut account = Account::Absent;
        sources.read(Headers::new(&[]), path.as_bytes(), &mut account);
        match account {
            Account::Absent => Ok(None),
            Account::Malformed => Err(()),
            Account::Known(id) => Ok(Some(String::from_utf8(id.as_slice().to_vec()).unwrap())),
        }
    }

    const SID: &str = "AC7342e9713fa896e4af00c654c444aada";

    #[test]
    fn no_spelling_of_a_path_with_an_account_is_absent() {
        for (template, path) in [
            ("/v1/Accounts/{account}/**", "/v1%2FAccounts/SID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts%2fSID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts%252FSID"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts\\SID"),
            ("/v1/Accounts/{account}/**", "/v1/%41ccounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1/Acc%6Funts/SID"),
            ("/v1/Accounts/{account}/**", "//v1/Accounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1//Accounts/SID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts//SID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1;a=b/Accounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts;a/SID;b/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts/SID;b/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts%20/SID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts%00/SID/Calls"),
            ("/v1/Accounts/{account}/**", "/x/../v1/Accounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1/./Accounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1/%2e/Accounts/SID"),
            ("/v1/Accounts/{account}/**", "/v1/Accounts/SID/../x"),
            ("/v1/Accounts/{account}/**", "/V1/ACCOUNTS/SID/Calls"),
            ("/v1/Accounts/{account}/**", "/v1/accounts/SID"),
            ("/v1/Accounts/{account}", "/v1/Accounts/SID/"),
            ("/v1/Accounts/{account}/", "/v1/Accounts/SID"),
            ("/v1/Accounts/{account}.json", "/v1/Accounts/SID.json/"),
            ("/v1/Accounts/{account}.json", "/v1/Accounts/SID.JSON"),
            ("/v1/Accounts/{account}.json", "/v1/Accounts/SID%2Ejson"),
            (
                "/*/{account}/**",
                "/a%2FACf0f19c557067cbbe80c46d1fb6dfbdb0/SID",
            ),
        ] {
            let path = path.replace("SID", SID);
            for format in [Format::Sid, Format::Opaque] {
                assert_eq!(
                    read(format, &[template], &path),
                    Err(()),
                    "{template} {path}"
                );
            }
        }
    }

    #[test]
    fn an_account_is_read_where_all_servers_read_the_same() {
        let long = format!("/v1/Accounts/SID/{}%20", "a".repeat(5_000));
        for (templates, path) in [
            (&["/v1/Accounts/{account}/**"][..], "/v1/Accounts/SID/Calls"),
            (
                &["/v1/Accounts/{account}/**"],
                "/v1/Accounts/%41C7342e9713fa896e4af00c654c444aada",
            ),
            (
                &["/v1/Accounts/{account}/**"],
                "/v1/Accounts/SID/a%20b;c//d%2Fe",
            ),
            (
                &["/v1/Accounts/{account}/**"],
                "/v1/Accounts/SID/.well-known",
            ),
            (&["/v1/Accounts/{account}/**"], &long),
            // Each template matches its own spelling.
            (
                &["/v1/Accounts/{account}", "/v1/accounts/{account}"],
                "/v1/accounts/SID",
            ),
            (
                &["/v1/Accounts/{account}", "/v1/Accounts/{account}/**"],
                "/v1/Accounts/SID/",
            ),
            (
                &["/v1/Accounts/{account}", "/v1%2FAccounts/{account}"],
                "/v1%2FAccounts/SID",
            ),
        ] {
            let path = path.replace("SID", SID);
            let found = read(Format::Sid, templates, &path);
            assert_eq!(found, Ok(Some(SID.to_owned())), "{templates:?} {path}");
        }
        let opaque = read(Format::Opaque, &["/a/{account}"], "/a/a%20b%C3%A9");
        assert_eq!(opaque, Ok(Some("a b\u{e9}".to_owned())));
    }

    #[test]
    fn a_path_that_is_another_one_to_every_server_is_absent() {
        let long = format!("/v2/{}%20", "a".repeat(5_000));
        for path in [
            "/",
            "/v1",
            "/v1/Accounts",
            "/v1/Accounts/",
            "/v1/Users/SID",
            "/v2/a%20b",
            "/v2/a%2Fb;c",
            "/v1/Accounts.json",
            "/.well-known/a",
            "/v1/Users%2FAccounts%2FSID",
            &long,
            "*",
            "",
        ] {
            let path = path.replace("SID", SID);
            let found = read(Format::Sid, &["/v1/Accounts/{account}/Calls"], &path);
            assert_eq!(found, Ok(None), "{path}");
        }
    }

    #[test]
    fn percent_encoding_is_one_spelling_of_an_account() {
        let decode = |segment: &str| {
            percent_decoded(segment.as_bytes()).map(|account| account.as_slice().to_vec())
        };
        assert_eq!(decode("alice"), Some(b"alice".to_vec()));
        assert_eq!(decode("%61l%69ce"), Some(b"alice".to_vec()));
        assert_eq!(decode("a%2Fb%2fc"), Some(b"a/b/c".to_vec()));
        assert_eq!(decode("%"), None);
        assert_eq!(decode("%4"), None);
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode(&"%61".repeat(128)), Some(b"a".repeat(128)));
        assert_eq!(decode(&"%61".repeat(129)), None);
    }
}
