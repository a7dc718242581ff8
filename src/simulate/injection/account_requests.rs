//! Requests of the accounts of a list.

use std::io::Read;

use turnout_core::{Account, Headers, Inbound, Plan};

use super::seed::{Purpose, Seed};
use super::trial::Trial;
use super::{Injection, InjectionError, InjectionReport};
use crate::account_list::{AccountListError, AccountListSummary, Accounts, ListOptions};
use crate::wording::{self, wanted};

/// The highest number of requests per second.
pub const MOST_PER_SECOND: u32 = 100_000;

/// How many requests the accounts of a list send. The account of each request is random: all accounts are equally
/// likely, and an account that is listed twice is twice as likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRequests {
    /// Requests per second, at least 1.
    pub per_second: u32,
    /// The number of requests of each trial.
    pub requests: u64,
}

/// The accounts of a list, in one piece of memory.
#[derive(Default)]
struct AccountBytes {
    bytes: Vec<u8>,
    /// Where each account ends.
    ends: Vec<usize>,
}

impl AccountBytes {
    fn push(&mut self, account: &[u8]) {
        self.bytes.extend_from_slice(account);
        self.ends.push(self.bytes.len());
    }

    fn len(&self) -> u64 {
        u64::try_from(self.ends.len()).unwrap_or(u64::MAX)
    }

    fn get(&self, index: u64) -> Option<&[u8]> {
        let index = usize::try_from(index).ok()?;
        let end = *self.ends.get(index)?;
        let before = index.checked_sub(1).and_then(|index| self.ends.get(index));
        self.bytes.get(before.copied().unwrap_or(0)..end)
    }
}

/// The accounts of a list, ready to send requests.
pub struct AccountTraffic {
    accounts: AccountBytes,
    /// What was read.
    pub summary: AccountListSummary,
}

impl AccountTraffic {
    /// Reads a list of accounts. Keeps the accounts in memory.
    ///
    /// # Errors
    /// If the input cannot be read, or does not have the column.
    pub fn read(
        plan: &Plan,
        list: &ListOptions,
        input: impl Read,
    ) -> Result<Self, AccountListError> {
        let reader = Accounts {
            options: list,
            wanted: wanted(plan.format()),
            malformed: &|found| wording::malformed(plan.format(), found, list.text),
            is_account: &|found| plan.account(found).is_some(),
            is_header: &|_| true,
        };
        let mut accounts = AccountBytes::default();
        let summary = reader.read(input, &mut |account| accounts.push(account))?;
        Ok(Self { accounts, summary })
    }
}

impl Injection<'_> {
    /// Simulates requests of accounts.
    ///
    /// # Errors
    /// If the guard cannot find what is injected, whatever the requests are.
    pub fn with_accounts(
        &self,
        traffic: AccountTraffic,
        requests: AccountRequests,
    ) -> Result<InjectionReport, InjectionError> {
        self.check()?;
        let results: Result<Vec<_>, _> = (0..self.trials)
            .map(|index| {
                let mut trial = self.trial(index)?;
                for number in 1..=requests.requests {
                    if trial.has_ended() {
                        break;
                    }
                    self.request(&mut trial, number, &traffic.accounts, requests);
                }
                Ok(trial.finish())
            })
            .collect();
        let report = self.report(results?, requests.requests)?;
        Ok(report.with_accounts(self, traffic.summary, requests))
    }

    fn request(
        &self,
        trial: &mut Trial<'_>,
        number: u64,
        accounts: &AccountBytes,
        requests: AccountRequests,
    ) {
        let seed = trial.seed();
        let account = accounts.get(seed.below(Purpose::Account, number, accounts.len()));
        let account = account.and_then(|account| self.plan.account(account));
        let id = request_id(seed, number);
        let headers = [(&b"x-request-id"[..], id.as_slice())];
        let headers = Headers::new(&headers);
        let mut request = self.plan.request(headers, Inbound::Strip, self.at);
        request.account = account.map_or(Account::Absent, Account::Known);
        trial.request(&request, requests.milliseconds(number));
    }
}

impl AccountRequests {
    /// When a request comes. The first one has number 1.
    fn milliseconds(&self, number: u64) -> u64 {
        let before = u128::from(number.saturating_sub(1)).saturating_mul(1_000);
        let milliseconds = before.checked_div(self.per_second.into());
        u64::try_from(milliseconds.unwrap_or_default()).unwrap_or(u64::MAX)
    }
}

/// 16 hex digits.
fn request_id(seed: Seed, number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = seed.number(Purpose::RequestId, number);
    let mut id = [0; 16];
    for place in &mut id {
        let digit = usize::try_from(rest & 15).unwrap_or_default();
        *place = DIGITS.get(digit).copied().unwrap_or_default();
        rest >>= 4;
    }
    id
}
