//! A policy of a given size and its requests, for tests that count or time decisions.

use std::fmt::Write as _;
use std::ops::Range;

use turnout_core::{AccountListBuilder, Format, Plan};

/// The size of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The number of accounts of its segment.
    pub accounts: u32,
    /// The number of its rollouts, each with three rules.
    pub rollouts: u32,
    /// What distinguishes the rollouts.
    pub by: By,
}

/// What distinguishes the rollouts. Each request matches one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// They share one host, and each has a path prefix.
    Path,
    /// They share one path prefix, and each has a host.
    Host,
}

/// The header with the account of a request.
pub const ACCOUNT_HEADER: &str = "x-account-sid";

/// A header's name and its value.
pub type Pair = (String, String);

/// The n-th account. Accounts are spread over the whole range of SIDs, as real ones are.
#[must_use]
pub fn sid(number: u32) -> String {
    let mixed = |seed: u64| {
        // SplitMix64.
        let state = (u64::from(number) | (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    format!("AC{:016x}{:016x}", mixed(1), mixed(2))
}

/// Some accounts in the form of `accounts_packed`.
///
/// # Panics
/// Never, because the accounts are valid.
#[must_use]
pub fn packed(numbers: Range<u32>) -> String {
    let mut gathered = AccountListBuilder::new(Format::Sid);
    for number in numbers {
        gathered.push(1, sid(number).as_bytes());
    }
    gathered.pack().expect("SIDs")
}

impl Size {
    /// The text of the policy.
    #[must_use]
    pub fn policy(self) -> String {
        let mut text = String::from(
            r#"{"version": 1,
            "account": {"from": [{"header": "x-account-sid"}], "format": "sid"},
            "segments": {"big": {"accounts": []}, "hvc": {"accounts": ["#,
        );
        for number in 0..self.accounts {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\"{}\"", sid(number));
        }
        text.push_str(r#"]}}, "rollouts": ["#);
        for number in 0..self.rollouts {
            let comma = if number == 0 { "" } else { "," };
            let (host, prefix) = (self.host(number), self.prefix(number));
            let _ = write!(
                text,
                r#"{comma}{{
                "name": "chat-{number}",
                "match": {{"hosts": ["{host}"], "path": {{"prefix": "{prefix}"}}}},
                "v1": "channels-v1", "v2": "channels-v2", "mode": "split",
                "rules": [
                    {{"when": {{"in": ["hvc"]}}, "accounts": 1}},
                    {{"when": {{"in": ["big"]}}, "accounts": 10}},
                    {{"when": {{"not_in": ["hvc", "big"]}}, "accounts": 50, "requests": 10}}
                ]}}"#
            );
        }
        text.push_str("]}");
        text
    }

    /// The compiled policy.
    ///
    /// # Panics
    /// When the policy is invalid.
    #[must_use]
    pub fn plan(self) -> Plan {
        Plan::from_json(&self.policy()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The n-th request, with the headers of a browser. Every second one is for an account of the
    /// segment.
    #[must_use]
    pub fn request(self, number: u32) -> Vec<Pair> {
        let rollout = number.checked_rem(self.rollouts).unwrap_or_default();
        let (host, account) = (self.host(rollout), sid(self.account(number)));
        let path = format!("{}/CH1/Messages?PageSize=50", self.prefix(rollout));
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let headers = [
            (":authority", host.as_str()),
            (":path", &path),
            (":method", "GET"),
            (":scheme", "https"),
            ("accept", "application/json"),
            ("accept-encoding", "gzip, deflate, br"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
            ),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            (ACCOUNT_HEADER, &account),
            ("x-request-id", &id),
        ];
        headers
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }

    /// The account of the n-th request. Every second one is from anywhere in the segment.
    #[must_use]
    pub fn account(self, number: u32) -> u32 {
        let spread = number.wrapping_mul(2_654_435_769);
        let inside = spread.checked_rem(self.accounts).unwrap_or_default();
        match number % 2 {
            0 => inside,
            _ => self.accounts.saturating_add(inside),
        }
    }

    fn host(self, rollout: u32) -> String {
        match self.by {
            By::Host => format!("flex-{rollout}.example.com"),
            By::Path => "flex.example.com".to_owned(),
        }
    }

    fn prefix(self, rollout: u32) -> String {
        match self.by {
            By::Path => format!("/v1/Services/{rollout:04}/Channels"),
            By::Host => "/v1/Services/Channels".to_owned(),
        }
    }
}
