//! The records of a batch, compressed: the codecs that Kafka's clients use, and which of them are built in.
//!
//! ```text
//!   records, encoded -- compress --> one stream  | gzip   a member, or several
//!                                                | snappy blocks in the framing of the Java library, or one raw block
//!                                                | lz4    a frame
//!                   <-- decompress --            | zstd   a frame, or several
//! ```
//!
//! Each codec is a file, and a feature of the crate. Whatever a stream claims, what it becomes is bounded before memory is
//! taken for it.

mod choice;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;

pub use choice::Compression;
use choice::{GZIP, LZ4, NONE, SNAPPY, ZSTD};
pub(crate) use choice::{from_bits, of_codec, to_bits};

/// Why bytes do not become records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The codec is not built in, or there is none of this number.
    Unsupported,
    /// They would become more than the limit.
    TooLarge,
    /// They are not what the codec writes.
    #[cfg_attr(
        not(any(test, feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")),
        expect(dead_code, reason = "it takes a codec to say so")
    )]
    Malformed,
}

/// Whether a codec, by Kafka's number, is built in.
pub(crate) fn is_supported(codec: u8) -> bool {
    let built = [
        (NONE, true),
        (GZIP, cfg!(feature = "gzip")),
        (SNAPPY, cfg!(feature = "snappy")),
        (LZ4, cfg!(feature = "lz4")),
        (ZSTD, cfg!(feature = "zstd")),
    ];
    built.contains(&(codec, true))
}

/// Undoes a codec, given by Kafka's number. The whole of `stream` has to be of it.
///
/// No more than `bytes_max` bytes become of it. What is allocated for them is a small multiple of what they become, never more
/// than twice `bytes_max`, and the buffer before it while one grows; whatever the stream claims.
pub(crate) fn decompress(codec: u8, stream: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    match codec {
        NONE if stream.len() > bytes_max => Err(Failure::TooLarge),
        NONE => Ok(stream.to_vec()),
        #[cfg(feature = "gzip")]
        GZIP => gzip::decompress(stream, bytes_max),
        #[cfg(feature = "snappy")]
        SNAPPY => snappy::decompress(stream, bytes_max),
        #[cfg(feature = "lz4")]
        LZ4 => lz4::decompress(stream, bytes_max),
        #[cfg(feature = "zstd")]
        ZSTD => zstd::decompress(stream, bytes_max),
        _ => Err(Failure::Unsupported),
    }
}

/// The same without a copy of what is not compressed, which is as long as it is.
pub(crate) fn plain(codec: u8, stream: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, Failure> {
    match codec {
        NONE => Ok(Cow::Borrowed(stream)),
        _ => decompress(codec, stream, bytes_max).map(Cow::Owned),
    }
}

/// Compresses encoded records as Kafka's clients do, and puts the stream behind what `into` has.
///
/// The stream may be longer than the records. A codec that is not built in, which no options that were checked name, is
/// [`Failure::Unsupported`]; nothing else fails but more records than a batch can have.
pub(crate) fn compress(compression: Compression, records: &[u8], into: &mut Vec<u8>) -> Result<(), Failure> {
    match compression {
        Compression::None => {
            into.extend_from_slice(records);
            Ok(())
        }
        #[cfg(feature = "gzip")]
        Compression::Gzip { level } => gzip::compress(records, level, into),
        #[cfg(feature = "snappy")]
        Compression::Snappy => snappy::compress(records, into),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => lz4::compress(records, into),
        #[cfg(feature = "zstd")]
        Compression::Zstd { level } => zstd::compress(records, level, into),
        #[cfg(not(all(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")))]
        _ => Err(Failure::Unsupported),
    }
}

#[cfg(test)]
mod tests;
