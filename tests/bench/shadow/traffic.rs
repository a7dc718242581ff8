//! The requests of the client, and the check of the responses.

use std::io::Write;

use support::bench::open_loop;

use crate::response_body;

const ACCOUNTS: u32 = 1_000;
const CHANNELS: u32 = 50;

/// Requests that v1 must serve.
pub(crate) struct Traffic {
    query: String,
    expected: String,
}

impl Traffic {
    pub(crate) fn new(query: &str) -> Self {
        Self {
            query: query.to_owned(),
            expected: format!("\r\n\r\n{}", response_body::page(false)),
        }
    }
}

impl open_loop::Traffic for Traffic {
    fn request(&self, number: u32, into: &mut Vec<u8>) {
        let separator = if self.query.is_empty() { "" } else { "?" };
        let (channel, account) = (number % CHANNELS, number % ACCOUNTS);
        let _ = write!(
            into,
            "GET /v1/Channels/support-{channel}/Messages{separator}{query} HTTP/1.1\r\n\
             host: flex.example.com\r\n\
             x-account-sid: AC{account:032x}\r\n\
             accept: application/json\r\n\
             accept-encoding: gzip, deflate, br\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101\r\n\
             authorization: Basic dGhpcyBpczpub3Qgc2VjcmV0\r\n\r\n",
            query = self.query,
        );
    }

    fn check(&self, number: u32, response: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(response);
        let right = text.starts_with("HTTP/1.1 200 ")
            && text.contains("\r\nx-version: v1\r\n")
            && text.ends_with(&self.expected);
        match right {
            true => Ok(()),
            false => Err(format!(
                "not the response of v1 to request {number}:\n{text}"
            )),
        }
    }
}
