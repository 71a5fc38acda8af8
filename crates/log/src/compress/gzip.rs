//! gzip, as `java.util.zip` writes and reads it: one member is written; several, one behind the other, are read as one.

use std::io::{Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::Failure;

/// A stream is expected to become so many times its length; it grows from there.
const EXPECTED_RATIO: usize = 4;
const BYTES_MIN: usize = 4096;

pub(super) fn decompress(stream: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let expected = stream.len().saturating_mul(EXPECTED_RATIO);
    read_all(MultiGzDecoder::new(stream), expected, bytes_max)
}

/// Reads everything; the buffer doubles as it fills, and is never larger than the limit.
fn read_all(mut decoder: impl Read, expected: usize, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut len = 0;
    loop {
        if len == bytes.len() {
            if len == bytes_max {
                // Nothing may follow; but a decoder checks its last checksum only when it is asked for more.
                return match decoder.read(&mut [0]) {
                    Ok(0) => Ok(bytes),
                    Ok(_) => Err(Failure::TooLarge),
                    Err(_) => Err(Failure::Malformed),
                };
            }
            let more = len.saturating_mul(2).max(expected).max(BYTES_MIN).min(bytes_max);
            bytes.reserve_exact(more.saturating_sub(len));
            bytes.resize(more, 0);
        }
        match decoder.read(bytes.get_mut(len..).unwrap_or_default()) {
            Ok(0) => {
                bytes.truncate(len);
                return Ok(bytes);
            }
            Ok(read) => len = len.saturating_add(read),
            Err(_) => return Err(Failure::Malformed),
        }
    }
}

pub(super) fn compress(records: &[u8], level: u8, into: &mut Vec<u8>) -> Result<(), Failure> {
    let mut encoder = GzEncoder::new(into, flate2::Compression::new(u32::from(level)));
    // Writing to memory does not fail.
    encoder.write_all(records).and_then(|()| encoder.try_finish()).map_err(|_| Failure::TooLarge)
}
