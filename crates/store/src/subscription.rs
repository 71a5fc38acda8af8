//! What a session asked for.

use headwater_codec::{SubscribeOptions, SubscriptionId};
use headwater_topic::TopicFilterBuf;

/// One subscription of one session.
///
/// It begins at an offset of each partition: what was appended before is not for it, whatever the session still has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What it matches.
    pub filter: TopicFilterBuf,
    /// QoS and the other options of SUBSCRIBE.
    pub options: SubscribeOptions,
    /// Sent along with each message that it matches (5.0).
    pub id: Option<SubscriptionId>,
    /// The first offset that is for it, a partition each.
    pub starts: Box<[u64]>,
}

impl Subscription {
    /// Whether a record was appended after the subscription was made. A partition that it does not know has nothing for it.
    #[must_use]
    pub fn covers(&self, partition: u32, offset: u64) -> bool {
        usize::try_from(partition)
            .ok()
            .and_then(|index| self.starts.get(index))
            .is_some_and(|start| offset >= *start)
    }
}
