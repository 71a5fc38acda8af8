//! Whether a session gets a message, and how.

use std::sync::Arc;

use headwater_codec::{QoS, SubscribeOptions, SubscriptionId};

use crate::delivery::{Delivery, Source};
use crate::message::Message;
use crate::subscription::{Subscription, Terms};

/// How one session gets one message: its subscriptions taken together, so that it gets the message once, with the highest QoS that
/// any of them allows and the identifiers of all [MQTT-3.3.4-2] [MQTT-3.3.4-4].
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    qos: QoS,
    retain: bool,
    ids: Vec<SubscriptionId>,
}

impl Selection {
    /// Over the subscriptions of one session that match the topic. `None` if none of them is for this message.
    pub(crate) fn over<'a>(
        subscriptions: impl Iterator<Item = &'a Subscription>,
        message: &Message,
        client_id: &str,
        partition: u32,
        offset: u64,
    ) -> Option<Self> {
        let mut selection: Option<Self> = None;
        for subscription in subscriptions {
            let Some(Terms { options, id }) = subscription.terms_at(partition, offset) else { continue };
            if is_own(options, message, client_id) {
                continue;
            }
            let chosen =
                selection.get_or_insert(Self { qos: QoS::AtMostOnce, retain: false, ids: Vec::new() });
            // [MQTT-3.8.4-8]
            chosen.qos = chosen.qos.max(options.qos.min(message.qos));
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            chosen.retain |= options.retain_as_published && message.retain;
            chosen.ids.extend(id);
        }
        selection
    }

    pub(crate) fn qos(&self) -> QoS {
        self.qos
    }

    pub(crate) fn deliver(self, message: &Arc<Message>, source: Source) -> Delivery {
        Delivery {
            message: Arc::clone(message),
            qos: self.qos,
            retain: self.retain,
            subscription_ids: self.ids,
            source,
            first: None,
            share: None,
        }
    }
}

/// Whether *no local* keeps the message from its own publisher [MQTT-3.8.3-3].
pub(crate) fn is_own(options: SubscribeOptions, message: &Message, client_id: &str) -> bool {
    options.no_local && message.client_id == client_id.as_bytes()
}
