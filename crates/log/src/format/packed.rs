//! A batch whose records were just compressed.

use super::batch::{CODEC_MASK, CRC_COVERS_FROM, HEADER_BYTES, Header, crc32c};
use super::ready::Ready;
use crate::compress::{self, Compression, Failure};

/// Where the records are among the bytes that the checksum covers.
const RECORDS_AT: usize = HEADER_BYTES - CRC_COVERS_FROM;

/// A batch that is compressed, but for its place.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// As it is written: codec, length and checksum are right.
    header: Header,
    /// What the checksum covers.
    covered: Vec<u8>,
}

impl Packed {
    /// Compresses the records of a batch, which are encoded. All fields of `header` are kept but the codec, the length and the
    /// checksum.
    pub(crate) fn new(header: &Header, records: &[u8], compression: Compression) -> Result<Self, Failure> {
        let codec = u16::from(compression.codec().0);
        let mut header = Header { attributes: (header.attributes & !CODEC_MASK) | codec, ..*header };
        let mut covered = Vec::with_capacity(RECORDS_AT.saturating_add(records.len()));
        header.encode_covered(&mut covered);
        compress::compress(compression, records, &mut covered)?;
        header.bytes = CRC_COVERS_FROM.saturating_add(covered.len());
        header.crc = crc32c(&covered);
        Ok(Self { header, covered })
    }

    /// The same, to be appended.
    pub(crate) fn ready(&self) -> Ready<'_> {
        Ready::packed(self.header, self.covered.get(RECORDS_AT..).unwrap_or_default())
    }
}
