//! What is decided where decisions are counted and timed: a policy of a size, and its requests.

use std::fmt::Write as _;
use std::ops::Range;

use turnout_core::{AccountListBuilder, Format, Plan};

/// How large the policy is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The accounts of its segment.
    pub accounts: u32,
    /// Its rollouts, each with three rules.
    pub rollouts: u32,
    /// By what its rollouts are told apart.
    pub by: By,
}

/// By what rollouts are told apart. A request of the scene is for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All have one host, and each a prefix of the path.
    Path,
    /// All have one prefix, and each a host.
    Host,
}

/// The header of a request that says whom it is for.
pub const ACCOUNT_HEADER: &str = "x-account-sid";

/// A header's name and its value.
pub type Pair = (String, String);

/// The so many-th account; they are spread over the whole range of SIDs, as real ones are.
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

/// Some of the accounts, as `accounts_packed` has them.
///
/// # Panics
/// Never: they are accounts.
#[must_use]
pub fn packed(numbers: Range<u32>) -> String {
    let mut gathered = AccountListBuilder::new(Format::Sid);
    for number in numbers {
        gathered.push(1, sid(number).as_bytes());
    }
    gathered.pack().expect("SIDs")
}

impl Size {
    /// The policy as it is written.
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

    /// The policy, compiled.
    ///
    /// # Panics
    /// When it is no good one.
    #[must_use]
    pub fn plan(self) -> Plan {
        Plan::from_json(&self.policy()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The so many-th request, with the headers of a browser. Every other one is for an account of
    /// the segment.
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

    /// Whom the so many-th request is for: from anywhere in the segment, every other one.
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
