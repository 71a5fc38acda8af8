//! What a table makes of records.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::BuildHasher;

use bytes::Bytes;

use crate::record::RecordView;

/// A state that records change, one after the other.
///
/// It is a trait and not a closure so that a table of it has a name, and can stand in a struct.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
///
/// use headwater_log::{Fold, RecordView};
///
/// /// The sum of all values.
/// #[derive(Debug, Default)]
/// struct Sum(i64);
///
/// impl Fold for Sum {
///     type Error = ParseIntError;
///
///     fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), ParseIntError> {
///         self.0 += String::from_utf8_lossy(record.value.unwrap_or_default()).parse::<i64>()?;
///         Ok(())
///     }
/// }
/// ```
pub trait Fold {
    /// Why a record was refused.
    type Error;

    /// Takes one record in. Records of a partition come in their order, each once.
    ///
    /// What is kept of the record has to be copied. A state that must not come to depend on how two partitions are read in
    /// turn takes from each only what the others do not touch: with keys, each partition has its own.
    ///
    /// # Errors
    ///
    /// The record is refused, and the state is as it was: the table stays before the record.
    fn fold(&mut self, partition: u32, record: &RecordView<'_>) -> Result<(), Self::Error>;
}

/// The last value of each key; a tombstone removes it. Records without a key are passed over.
///
/// Keys and values are copied: a map of parts of the log's own memory would keep every segment mapped in which there is one of
/// them, and the space of files that compaction or retention has deleted.
impl<H: BuildHasher> Fold for HashMap<Bytes, Bytes, H> {
    type Error = Infallible;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), Infallible> {
        match (record.key, record.value.map(Bytes::copy_from_slice)) {
            (None, _) => {}
            (Some(key), None) => drop(self.remove(key)),
            (Some(key), Some(value)) => match self.get_mut(key) {
                Some(known) => *known = value,
                None => drop(self.insert(Bytes::copy_from_slice(key), value)),
            },
        }
        Ok(())
    }
}
