//! Wills: published when a client is gone, after the delay it asked for, unless it comes back before [MQTT-3.1.3-9].
//! When the broker stops, those that wait are published: they are nowhere but in memory, and late is worse than early.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater::codec::{Delivery, Frame, Packet, PacketId, Publish, QoS, Version};
use headwater_examples::show::now_ms;

use crate::hub::{Hub, count};

/// Wills that wait for their time, by client identifier.
#[derive(Debug, Default)]
pub(crate) struct Wills {
    waiting: Mutex<HashMap<String, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    /// The CONNECT that the will is in.
    connect: Frame,
    /// Tells it from a later will of the same client.
    turn: u64,
}

impl Wills {
    /// The client is back. In its old session the will is not published any more; with a new one the old session has ended, and its
    /// will is due.
    pub(crate) fn client_is_back(&self, hub: &Hub, client_id: &str, resumed: bool) {
        let waiting = self.take(client_id, |_| true);
        if let Some(connect) = waiting.filter(|_| !resumed) {
            publish(hub, client_id, &connect);
        }
    }

    /// Publishes all that wait: the broker stops, and whoever waited for them would wait for ever.
    pub(crate) fn publish_all(&self, hub: &Hub) {
        let all = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (client_id, waiting) in all {
            publish(hub, &client_id, &waiting.connect);
        }
    }

    fn take(&self, client_id: &str, is_meant: impl FnOnce(&Waiting) -> bool) -> Option<Frame> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.get(client_id).is_some_and(is_meant) {
            return None;
        }
        waiting.remove(client_id).map(|waiting| waiting.connect)
    }

    /// Publishes the will in a CONNECT, if there is one, now or when its delay or the session is over.
    pub(crate) fn publish(&self, hub: &Arc<Hub>, client_id: &str, connect: Frame, expiry_secs: u32) {
        let Ok(Packet::Connect(packet)) = connect.packet(Version::V5) else { return };
        let Some(will) = packet.will else { return };
        let delay_secs = will.properties.will_delay_interval().unwrap_or(0).min(expiry_secs);
        if delay_secs == 0 {
            publish(hub, client_id, &connect);
            return;
        }
        let turn = fastrand::u64(..);
        let waiting = Waiting { connect, turn };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(client_id.to_owned(), waiting);
        let (hub, client_id) = (Arc::clone(hub), client_id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(u64::from(delay_secs))).await;
            if let Some(connect) = hub.wills.take(&client_id, |waiting| waiting.turn == turn) {
                publish(&hub, &client_id, &connect);
            }
        });
    }
}

fn publish(hub: &Hub, client_id: &str, connect: &Frame) {
    let Ok(Packet::Connect(packet)) = connect.packet(Version::V5) else { return };
    let Some(will) = packet.will else { return };
    // Nobody acknowledges a will: the identifier is never sent.
    let packet_id = PacketId::MIN;
    let delivery = match will.qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce { packet_id, dup: false },
        QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id, dup: false },
    };
    let message = Publish::new(will.topic, will.payload)
        .with_delivery(delivery)
        .with_retain(will.retain)
        .with_properties(will.properties);
    count(&hub.counters.received);
    if let Err(error) = hub.store.publish(&message, || connect.slice(will.payload), client_id, now_ms()) {
        count(&hub.counters.failed);
        tracing::error!(client = client_id, %error, "a will was not stored");
    }
}
