//! What stands at the beginning of each payload.
//!
//! ```text
//!  0         8           12         16
//!  | due, ns | publisher | sequence | filling ..
//! ```

/// Bytes of a stamp: a payload has at least so many.
pub(crate) const STAMP_BYTES: usize = 16;

/// Which message it is, and when it was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds since the start of the program. Where there is a rate: when the message was due, not when there was room for it, so
    /// that a broker that stops for a while is late with all that should have been sent meanwhile.
    pub(crate) due_ns: u64,
    pub(crate) publisher: u32,
    /// Counts the messages of the publisher, from 0.
    pub(crate) sequence: u32,
}

impl Stamp {
    /// Puts it at the beginning of a payload; one that is shorter stays as it is.
    pub(crate) fn write(self, payload: &mut [u8]) {
        let bytes =
            u128::from(self.due_ns) << 64 | u128::from(self.publisher) << 32 | u128::from(self.sequence);
        if let Some(start) = payload.first_chunk_mut::<STAMP_BYTES>() {
            *start = bytes.to_be_bytes();
        }
    }

    /// Reads it back; `None` if the payload is shorter.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (due, rest) = payload.split_first_chunk()?;
        let (publisher, rest) = rest.split_first_chunk()?;
        let sequence = rest.first_chunk()?;
        Some(Self {
            due_ns: u64::from_be_bytes(*due),
            publisher: u32::from_be_bytes(*publisher),
            sequence: u32::from_be_bytes(*sequence),
        })
    }
}

/// A payload of this size, of bytes that are not all the same.
pub(crate) fn filled(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was_and_leaves_the_rest_alone() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..1_000 {
            let stamp = Stamp { due_ns: rng.u64(..), publisher: rng.u32(..), sequence: rng.u32(..) };
            let mut payload = filled(40);
            stamp.write(&mut payload);
            assert_eq!(Stamp::read(&payload), Some(stamp));
            assert_eq!(payload[STAMP_BYTES..], filled(40)[STAMP_BYTES..]);
        }
    }

    #[test]
    fn a_payload_that_is_too_short_has_none() {
        assert_eq!(Stamp::read(&[0; STAMP_BYTES - 1]), None);
        assert!(Stamp::read(&[0; STAMP_BYTES]).is_some());
    }
}
