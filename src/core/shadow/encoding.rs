//! Decompresses gzip and deflate responses, so that their content is compared.

use miniz_oxide::inflate::{
    TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit,
};

use super::{Outcome, StoredResponse};

const CONTENT_ENCODING: &[u8] = b"content-encoding";

impl StoredResponse {
    /// Decompresses the body. A body that cannot be decompressed stays as it is, and is not comparable
    /// with others.
    ///
    /// # Errors
    /// `TooLarge` if the decompressed body would exceed `most` bytes.
    pub fn decode(&mut self, most: usize) -> Result<(), Outcome> {
        let mut encodings = self
            .headers
            .iter()
            .filter(|(name, _)| name == CONTENT_ENCODING);
        let (Some((_, encoding)), None) = (encodings.next(), encodings.next()) else {
            return Ok(());
        };
        let decoded = match encoding.to_ascii_lowercase().as_slice() {
            _ if self.body.is_empty() => return Ok(()),
            b"gzip" | b"x-gzip" => gunzip(&self.body, most),
            b"deflate" => {
                decompress_to_vec_zlib_with_limit(&self.body, most).map_err(|error| error.status)
            }
            _ => return Ok(()),
        };
        match decoded {
            Ok(body) => {
                self.body = body;
                self.headers.retain(|(name, _)| name != CONTENT_ENCODING);
                Ok(())
            }
            Err(TINFLStatus::HasMoreOutput) => Err(Outcome::TooLarge),
            Err(_) => Ok(()),
        }
    }
}

/// Decompresses one gzip member (RFC 1952). If its stated length is wrong, more members follow.
fn gunzip(body: &[u8], most: usize) -> Result<Vec<u8>, TINFLStatus> {
    let (deflated, length) = member(body).ok_or(TINFLStatus::Failed)?;
    let plain = decompress_to_vec_with_limit(deflated, most).map_err(|error| error.status)?;
    match u32::try_from(plain.len()) == Ok(length) {
        true => Ok(plain),
        false => Err(TINFLStatus::Failed),
    }
}

/// Returns the deflated data and its stated length.
fn member(body: &[u8]) -> Option<(&[u8], u32)> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let ([0x1f, 0x8b, 8, flags, ..], mut rest) = body.split_first_chunk::<10>()? else {
        return None;
    };
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end.checked_add(1)?..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let (deflated, _crc) = rest.split_last_chunk::<4>()?;
    Some((deflated, u32::from_le_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(encoding: &str, body: &[u8]) -> StoredResponse {
        StoredResponse {
            status: 200,
            headers: vec![(CONTENT_ENCODING.to_vec(), encoding.as_bytes().to_vec())],
            body: body.to_vec(),
        }
    }

    fn gzip(plain: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut body = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff];
        body.extend(fields);
        body.extend(miniz_oxide::deflate::compress_to_vec(plain, 6));
        // The checksum is not verified: corrupt data shows as a difference.
        body.extend([0; 4]);
        body.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        body
    }

    #[test]
    fn gzip_and_deflate_are_undone() {
        let plain = b"hello, hello, hello";
        for (encoding, body) in [
            ("gzip", gzip(plain, 0, b"")),
            ("GZip", gzip(plain, 8, b"name.json\0")),
            (
                "x-gzip",
                gzip(plain, 4 | 8 | 16 | 2, b"\x03\0abcname\0comment\0cc"),
            ),
            (
                "deflate",
                miniz_oxide::deflate::compress_to_vec_zlib(plain, 6),
            ),
        ] {
            let mut reply = reply(encoding, &body);
            assert_eq!(reply.decode(plain.len()), Ok(()));
            assert_eq!(
                (&reply.body[..], reply.headers.len()),
                (&plain[..], 0),
                "{encoding}"
            );
        }
    }

    #[test]
    fn a_bomb_is_too_large() {
        let mut reply = reply("gzip", &gzip(&[0; 1_000_000], 0, b""));
        assert_eq!(reply.decode(65_536), Err(Outcome::TooLarge));
    }

    #[test]
    fn what_cannot_be_undone_stays_as_it_is() {
        let whole = gzip(b"hello", 0, b"");
        let two = [whole.clone(), gzip(b"hello hello", 0, b"")].concat();
        for end in 0..whole.len() {
            let cut = &whole[..end];
            let mut reply = reply("gzip", cut);
            assert_eq!(reply.decode(100), Ok(()));
            assert_eq!((&reply.body[..], reply.headers.len()), (cut, 1), "{end}");
        }
        for (encoding, body) in [
            ("br", &whole),
            ("gzip, gzip", &whole),
            ("gzip", &two),
            ("deflate", &whole),
        ] {
            let mut reply = reply(encoding, body);
            assert_eq!(reply.decode(100), Ok(()));
            assert_eq!((&reply.body, reply.headers.len()), (body, 1), "{encoding}");
        }
    }
}
