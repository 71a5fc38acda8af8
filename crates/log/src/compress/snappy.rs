//! Snappy: blocks in the framing of the Java library, which Kafka's clients write; one raw block, as librdkafka writes it, is
//! read too.
//!
//! ```text
//!   82 S N A P P Y 0 | version 1 | compatible 1 | length | block | length | block | ..
//!                      i32 BE      i32 BE         i32 BE
//! ```
//!
//! Source: xerial/snappy-java, `SnappyCodec` and `SnappyOutputStream`; each block is of the raw format, and begins with its
//! decompressed length.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::Failure;
use crate::format::field;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSION: i32 = 1;
/// What the Java library puts into a block.
const BLOCK_BYTES: usize = 32 * 1024;
/// Three bytes make at most 64: no block becomes more than so many times its length.
const RATIO_MAX: usize = 22;

pub(super) fn decompress(stream: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let Some(mut rest) = stream.strip_prefix(&MAGIC) else {
        append(stream, bytes_max, &mut bytes)?;
        return Ok(bytes);
    };
    let _version = field::take_i32(&mut rest).ok_or(Failure::Malformed)?;
    let compatible = field::take_i32(&mut rest).ok_or(Failure::Malformed)?;
    // The oldest version that reads it.
    if compatible > VERSION {
        return Err(Failure::Malformed);
    }
    while !rest.is_empty() {
        let length = field::take_i32(&mut rest).and_then(|length| usize::try_from(length).ok());
        let block = length.and_then(|length| field::take_slice(&mut rest, length));
        append(block.ok_or(Failure::Malformed)?, bytes_max, &mut bytes)?;
    }
    Ok(bytes)
}

/// Decompresses a block behind what there is.
fn append(block: &[u8], bytes_max: usize, bytes: &mut Vec<u8>) -> Result<(), Failure> {
    let len = decompress_len(block).map_err(|_| Failure::Malformed)?;
    if len > block.len().saturating_mul(RATIO_MAX) {
        return Err(Failure::Malformed);
    }
    let from = bytes.len();
    let end = from.saturating_add(len);
    if end > bytes_max {
        return Err(Failure::TooLarge);
    }
    bytes.resize(end, 0);
    let target = bytes.get_mut(from..).unwrap_or_default();
    match Decoder::new().decompress(block, target) {
        Ok(written) if written == len => Ok(()),
        _ => Err(Failure::Malformed),
    }
}

pub(super) fn compress(records: &[u8], into: &mut Vec<u8>) -> Result<(), Failure> {
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&VERSION.to_be_bytes());
    into.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = Encoder::new();
    for block in records.chunks(BLOCK_BYTES) {
        let length_at = into.len();
        let at = length_at.saturating_add(4);
        into.resize(at.saturating_add(max_compress_len(block.len())), 0);
        let target = into.get_mut(at..).unwrap_or_default();
        // The target has room for the worst.
        let len = encoder.compress(block, target).map_err(|_| Failure::TooLarge)?;
        into.truncate(at.saturating_add(len));
        let length = i32::try_from(len).map_err(|_| Failure::TooLarge)?;
        if let Some(field) = into.get_mut(length_at..at) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}
