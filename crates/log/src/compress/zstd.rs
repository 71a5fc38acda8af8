//! Zstandard frames (RFC 8878). One is written, with the length of what is in it and without a checksum, for the batch has one.
//!
//! A stream is decompressed at once, into memory for all of it: so what a frame asks for as a window, which may be 128 MiB for
//! some bytes, is never taken.

use zstd::zstd_safe::{CCtx, DCtx, compress_bound, get_frame_content_size};

use super::Failure;

/// A stream that does not say it is expected to become so many times its length; it is tried with more from there.
const EXPECTED_RATIO: usize = 8;
const BYTES_MIN: usize = 4096;
/// The least that a block takes, and the most that it becomes (RFC 8878, section 3.1.1.2).
const BLOCK_BYTES_MIN: usize = 3;
const BLOCK_CONTENT_BYTES_MAX: usize = 128 * 1024;
/// `ZSTD_error_dstSize_tooSmall`; the library keeps the numbers of its errors below 100.
const TARGET_TOO_SMALL: usize = 70;

pub(super) fn decompress(stream: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let stated = get_frame_content_size(stream).map_err(|_| Failure::Malformed)?;
    if stated.is_some_and(|stated| stated > bytes_max as u64) {
        return Err(Failure::TooLarge);
    }
    let possible = (stream.len() / BLOCK_BYTES_MIN).saturating_mul(BLOCK_CONTENT_BYTES_MAX).min(bytes_max);
    let expected = stated.and_then(|stated| usize::try_from(stated).ok());
    let mut len =
        expected.unwrap_or(stream.len().saturating_mul(EXPECTED_RATIO).max(BYTES_MIN)).min(possible);
    let mut context = DCtx::create();
    loop {
        let mut bytes = vec![0; len];
        match context.decompress(bytes.as_mut_slice(), stream) {
            Ok(written) => {
                bytes.truncate(written);
                return Ok(bytes);
            }
            Err(code) if code.wrapping_neg() != TARGET_TOO_SMALL => return Err(Failure::Malformed),
            Err(_) if len < possible => len = len.saturating_mul(2).max(BYTES_MIN).min(possible),
            Err(_) if possible == bytes_max => return Err(Failure::TooLarge),
            Err(_) => return Err(Failure::Malformed),
        }
    }
}

pub(super) fn compress(records: &[u8], level: u8, into: &mut Vec<u8>) -> Result<(), Failure> {
    let from = into.len();
    into.resize(from.saturating_add(compress_bound(records.len())), 0);
    let target = into.get_mut(from..).unwrap_or_default();
    // The target has room for the worst, and the level was checked.
    let written =
        CCtx::create().compress(target, records, i32::from(level)).map_err(|_| Failure::TooLarge)?;
    into.truncate(from.saturating_add(written));
    Ok(())
}
