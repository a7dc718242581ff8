//! The requests of the client: those of a browser, for various accounts.

use std::io::Write;

use support::bench::accounts::sid;
use support::bench::open_loop;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::policy::ACCOUNTS;
use crate::upstream::Version;

/// Accounts with this number or a higher one are in no segment.
pub(crate) const OUTSIDE: u32 = 1_000_000;

/// The requests of one client process.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    /// Selects the accounts.
    pub(crate) seed: u64,
    /// The number of these accounts that are in the segment.
    pub(crate) segment: u32,
}

impl Traffic {
    /// The account of a request. Half of the requests are for accounts of the segment.
    pub(crate) fn account(self, number: u32) -> u32 {
        let drawn = xxh3_64_with_seed(&number.to_le_bytes(), self.seed);
        let (is_outside, drawn) = (drawn % 2 == 1, drawn / 2);
        // A remainder is smaller than its divisor, so it fits.
        match is_outside {
            true => OUTSIDE + (drawn % u64::from(ACCOUNTS)) as u32,
            false => (drawn % u64::from(self.segment.max(1))) as u32,
        }
    }

    pub(crate) fn write(account: u32, into: &mut Vec<u8>) {
        let (sid, channel) = (sid(account), account % 1_000);
        // Writing to a vector cannot fail.
        let _ = write!(
            into,
            "GET /v1/Channels/CH{channel:032}/Messages?PageSize=50 HTTP/1.1\r\n\
             host: flex.example.com\r\n\
             x-account-sid: {sid}\r\n\
             accept: application/json\r\n\
             accept-encoding: gzip, deflate, br, zstd\r\n\
             accept-language: en-GB,en;q=0.8,de;q=0.6\r\n\
             authorization: Basic dGhpcyBpczpub3Qgc2VjcmV0\r\n\
             cache-control: no-cache\r\n\
             cookie: session=b7342e9713fa896e4af00c654c444aada; theme=dark\r\n\
             origin: https://flex.example.com\r\n\
             referer: https://flex.example.com/agent-desktop/\r\n\
             sec-fetch-dest: empty\r\n\
             sec-fetch-mode: cors\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
             \r\n"
        );
    }
}

impl open_loop::Traffic for Traffic {
    fn request(&self, number: u32, into: &mut Vec<u8>) {
        Self::write(self.account(number), into);
    }

    fn check(&self, number: u32, response: &[u8]) -> Result<(), String> {
        let wrong = |what| format!("request {number}: {what}");
        Version::of(response).map(|_| ()).map_err(wrong)
    }
}
