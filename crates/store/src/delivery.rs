//! A message on its way to one session.

use std::fmt;
use std::sync::Arc;

use headwater_codec::{QoS, SubscriptionId};
use headwater_topic::TopicFilter;

use crate::group::Group;
use crate::message::Message;

/// A message and how one session gets it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message; shared by all who get it.
    pub message: Arc<Message>,
    /// The lower one of the message's QoS and that of the subscription.
    pub qos: QoS,
    /// The RETAIN flag to send.
    pub retain: bool,
    /// The identifiers of the subscriptions that match (5.0).
    pub subscription_ids: Vec<SubscriptionId>,
    /// Where the message is in the log.
    pub source: Source,
    /// Of a retained message: where the same message is among all messages, lane and offset, if it was there when it was sent.
    /// Compaction may remove what [`source`](Self::source) names, when the topic has another retained message.
    pub first: Option<(u32, u64)>,
    /// The shared subscription that it comes from. Then it is one that the session alone has, until it is
    /// [finished](crate::Attached::finish).
    pub share: Option<Share>,
}

/// A shared subscription, as the one that a message comes from.
#[derive(Clone)]
pub struct Share(pub(crate) Arc<Group>);

impl Share {
    /// The whole filter, `$share/{name}/{filter}`.
    #[must_use]
    pub fn filter(&self) -> TopicFilter<'_> {
        self.0.text.as_filter()
    }

    pub(crate) fn is_of(&self, group: &Group) -> bool {
        std::ptr::eq(&*self.0, group)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", self.filter())
    }
}

/// The place of a message in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Which log topic.
    pub origin: Origin,
    /// Which partition: of [`Origin::Messages`] the number of its lane, see [`Store::partition`](crate::Store::partition).
    pub partition: u32,
    /// Which record of that.
    pub offset: u64,
}

/// The log topics that messages are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// All messages, in the log topic `mqtt` and in those that rules name.
    Messages,
    /// Retained messages.
    Retained,
}
