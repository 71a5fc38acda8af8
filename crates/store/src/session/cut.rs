//! A session after a power failure: the log ends earlier than it did when the session was saved.
//!
//! ```text
//!   the log       ---------- durable ----------|--- lost ---|
//!   the session                                     ^ start of a subscription, a retained message on its way
//!   the log then  ---------- durable ----------|--- other messages -------->
//! ```
//!
//! What was lost had been promised to nobody; but its offsets are given out again, and what the session knows by them would be another
//! message. So the session is cut to the end of the log, and written anew before the log grows.

use headwater_session::Stage;

use super::snapshot::{OutgoingRecord, Snapshot};
use crate::delivery::Origin;
use crate::offsets::is_before;

/// Where the log topics end.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    /// The partitions of the topics of all messages, in the order of their lanes.
    pub(crate) messages: &'a [u64],
    /// The topic of retained messages.
    pub(crate) retained: u64,
}

impl Snapshot {
    /// Forgets what lies behind the ends; `true` if there was any.
    pub(super) fn cut(&mut self, ends: &Ends<'_>) -> bool {
        let mut changed = false;
        for (position, end) in self.positions.iter_mut().zip(ends.messages) {
            changed |= *position > *end;
            *position = (*position).min(*end);
        }
        for subscription in &mut self.subscriptions {
            changed |= subscription.starts.cut(ends.messages);
            for earlier in &mut subscription.earlier {
                changed |= earlier.until.cut(ends.messages);
            }
        }
        for owed in &mut self.owed {
            changed |= owed.ends.cut(ends.messages);
        }
        let held = self.incoming.len();
        self.incoming.retain(|record| record.place.is_none_or(|place| is_before(place, ends.messages)));
        changed |= self.incoming.len() != held;
        self.outgoing.retain_mut(|record| {
            let first = record.first.filter(|first| is_before(*first, ends.messages));
            changed |= first != record.first;
            record.first = first;
            let is_there = record.is_before(ends);
            if is_there || record.stage == Stage::PubComp {
                return true;
            }
            changed = true;
            record.close()
        });
        changed
    }
}

impl OutgoingRecord {
    fn is_before(&self, ends: &Ends<'_>) -> bool {
        match self.source.origin {
            Origin::Messages => is_before((self.source.partition, self.source.offset), ends.messages),
            Origin::Retained => self.source.offset < ends.retained,
        }
    }

    /// The message is gone and cannot be sent again. `true` if the exchange has to be ended all the same: the client may hold the
    /// identifier of a QoS 2 message until PUBREL comes.
    pub(super) fn close(&mut self) -> bool {
        if self.stage == Stage::PubRec && self.sent {
            self.stage = Stage::PubComp;
        }
        self.stage == Stage::PubComp
    }
}
