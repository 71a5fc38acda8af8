//! Retained messages that a subscription is still owed, as bytes.

use bytes::BufMut;
use headwater_topic::TopicNameBuf;

use super::SnapshotError;
use super::fields::{put_offsets, put_text, take_offsets, take_text, take_u8, take_u32};
use crate::offsets::Offsets;

/// The retained messages that a subscription of the session has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedRecord {
    /// The place of the subscription in the list.
    pub subscription: u32,
    /// The end of each partition at the SUBSCRIBE: what came after it is sent as a live message.
    pub ends: Offsets,
    /// Those up to this topic were sent; `None` if none was.
    pub after: Option<TopicNameBuf>,
}

impl OwedRecord {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.subscription);
        put_offsets(out, &self.ends);
        out.put_u8(u8::from(self.after.is_some()));
        if let Some(after) = &self.after {
            put_text(out, after.as_str());
        }
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Self, SnapshotError> {
        let subscription = take_u32(input, "owed subscription")?;
        let ends = take_offsets(input, "owed ends")?;
        let after = match take_u8(input, "owed flag")? {
            0 => None,
            1 => Some(take_text(input, "owed topic")?),
            _ => return Err(SnapshotError::Invalid { field: "owed flag" }),
        };
        let after = after.map(TopicNameBuf::parse).transpose();
        Ok(Self {
            subscription,
            ends,
            after: after.map_err(|_| SnapshotError::Invalid { field: "owed topic" })?,
        })
    }
}
