//! One request of the bench's client: that of a browser.

use std::io::Write;

use super::accounts::sid;

/// Writes the request of an account, as HTTP/1.1.
pub fn write(account: u32, into: &mut Vec<u8>) {
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
