//! The numbers of a producer in a batch.

use crate::error::AppendError;

/// Sequence numbers go from 0 to 2^31 - 1 and then begin anew.
const SEQUENCES: u32 = 1 << 31;

/// What an idempotent producer numbers a batch with, so that the log can tell one that is sent twice (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProducerNumbers {
    /// The producer's identity, from [`Log::new_producer_id`](crate::Log::new_producer_id) or from a Kafka broker.
    pub id: i64,
    /// How often that identity was taken over, or its numbers were begun anew.
    pub epoch: i16,
    /// The number of the batch's first record in this partition; -1 in a batch for brokers.
    pub base_sequence: i32,
}

impl ProducerNumbers {
    /// Those of a batch that nobody numbered.
    pub(crate) const NONE: Self = Self { id: -1, epoch: -1, base_sequence: -1 };

    /// The numbers of a batch.
    #[must_use]
    pub fn new(id: i64, epoch: i16, base_sequence: i32) -> Self {
        Self { id, epoch, base_sequence }
    }

    /// The numbers of the batch that follows one of so many records: behind 2^31 - 1 comes 0, as in Kafka.
    #[must_use]
    pub fn behind(self, records: u32) -> Self {
        Self { base_sequence: sequence_behind(self.base_sequence, records), ..self }
    }

    pub(crate) fn check(self) -> Result<(), AppendError> {
        let Self { id: producer_id, epoch, base_sequence: sequence } = self;
        if producer_id < 0 || epoch < 0 || sequence < 0 {
            return Err(AppendError::InvalidProducer { producer_id, epoch, sequence });
        }
        Ok(())
    }
}

/// The sequence number so many records behind one.
pub(crate) fn sequence_behind(sequence: i32, records: u32) -> i32 {
    let sum = sequence.cast_unsigned().wrapping_add(records);
    (sum % SEQUENCES).cast_signed()
}

/// What became of a batch with the numbers of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Appended {
    /// The offset of its first record: where it is now, or where it has been since it was sent the first time.
    pub offset: u64,
    /// Whether it was there already, and nothing was appended.
    pub is_duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_begin_anew_behind_the_largest() {
        assert_eq!(sequence_behind(0, 1), 1);
        assert_eq!(sequence_behind(i32::MAX, 1), 0);
        assert_eq!(sequence_behind(i32::MAX - 1, 5), 3);
        assert_eq!(sequence_behind(0, i32::MAX as u32), i32::MAX);
        assert_eq!(sequence_behind(i32::MAX, i32::MAX as u32), i32::MAX - 1);
        assert_eq!(ProducerNumbers::new(7, 1, i32::MAX).behind(2), ProducerNumbers::new(7, 1, 1));
    }
}
