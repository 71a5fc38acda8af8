//! Bytes, read from their beginning, with places for errors.

use alloc::vec::Vec;

use headwater_codec::PacketId;

use super::{DecodeError, EncodeError};

/// What is left, and where it begins.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    pub(super) position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, position: 0 }
    }

    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Truncated { position: self.position + self.rest.len(), field });
        };
        self.rest = rest;
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn packet_id(&mut self, field: &'static str) -> Result<PacketId, DecodeError> {
        let position = self.position;
        let value = self.u16(field)?;
        PacketId::new(value).ok_or(DecodeError::Value { position, field, value })
    }

    /// How many follow, of so many bytes at least: no memory is set aside for what is not there.
    pub(super) fn count(&mut self, each: usize, field: &'static str) -> Result<usize, DecodeError> {
        let count = usize::from(self.u16(field)?);
        if count * each > self.rest.len() {
            return Err(DecodeError::Truncated { position: self.position + self.rest.len(), field });
        }
        Ok(count)
    }

    pub(super) fn message<T>(&mut self, read: &mut impl FnMut(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
        const FIELD: &str = "message";
        let length = u32::from_be_bytes(self.array(FIELD)?);
        let position = self.position;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX), FIELD)?;
        read(bytes).ok_or(DecodeError::Message { position })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

pub(super) fn write_packet_id(packet_id: PacketId, out: &mut Vec<u8>) {
    out.extend_from_slice(&packet_id.get().to_be_bytes());
}

pub(super) fn write_count(count: usize, field: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let number = u16::try_from(count).map_err(|_| EncodeError::TooMany { count, field })?;
    out.extend_from_slice(&number.to_be_bytes());
    Ok(())
}

/// Its length first, which is known afterwards.
pub(super) fn write_message<T>(
    message: &T,
    out: &mut Vec<u8>,
    write: &mut impl FnMut(&T, &mut Vec<u8>),
) -> Result<(), EncodeError> {
    let place = out.len();
    out.extend_from_slice(&[0; 4]);
    write(message, out);
    let length = out.len().saturating_sub(place + 4);
    let number = u32::try_from(length).map_err(|_| EncodeError::MessageTooLarge { length })?;
    if let Some(field) = out.get_mut(place..place + 4) {
        field.copy_from_slice(&number.to_be_bytes());
    }
    Ok(())
}
