//! A message on its way to one session.

use std::sync::Arc;

use headwater_codec::{QoS, SubscriptionId};

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
}

/// The place of a message in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Which log topic.
    pub origin: Origin,
    /// Which partition of it.
    pub partition: u32,
    /// Which record of that.
    pub offset: u64,
}

/// The log topics that messages are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// All messages.
    Messages,
    /// Retained messages.
    Retained,
}
