//! What the client is told of the broker, where it has asked for topics below `$SYS`.

use headwater::codec::sink::Limited;
use headwater::codec::{Properties, Property, Publish, QoS, RetainHandling, SubscribeOptions, Version};
use headwater::store::{Attached, Subscription};
use headwater::topic::{TopicFilter, TopicFilterBuf};
use tokio::sync::watch;

use super::{Connection, OUTBOX_BYTES_MAX};
use crate::hub::count;
use crate::sys::{PREFIX, Value, Values};

/// What it is told, and what it was told.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) values: watch::Receiver<Values>,
    /// Everything up to this turn was told.
    told: u64,
    /// Filters that were just subscribed to: all that match is owed.
    owed: Vec<TopicFilterBuf>,
}

/// Whether a filter can match a topic of the broker: a wildcard in front of all does not [MQTT-4.7.2-1].
fn is_asking(filter: TopicFilter<'_>) -> bool {
    filter.as_str().starts_with(PREFIX)
}

impl Asked {
    /// `None` for a session that asks for nothing.
    pub(super) fn of(attached: &Attached, values: &watch::Sender<Values>) -> Option<Self> {
        let asks = attached.list_subscriptions().iter().any(|one| is_asking(one.filter.as_filter()));
        // Since the client has gone it may all be another.
        asks.then(|| Self { values: values.subscribe(), told: 0, owed: Vec::new() })
    }
}

impl Connection {
    /// The client has subscribed; `existed` if it replaces what it had.
    pub(super) fn asks(&mut self, filter: TopicFilter<'_>, options: SubscribeOptions, existed: bool) {
        let Some(client) = &mut self.client else { return };
        if !is_asking(filter) {
            return;
        }
        let values = &self.hub.sys;
        let asked = client.asked.get_or_insert_with(|| {
            let values = values.subscribe();
            let told = values.borrow().turn;
            Asked { values, told, owed: Vec::new() }
        });
        let owes = match options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !existed,
            RetainHandling::DoNotSend => false,
        };
        if owes {
            asked.owed.push(TopicFilterBuf::from(filter));
        }
    }

    /// The client has unsubscribed.
    pub(super) fn asks_no_more(&mut self) {
        let Some(client) = &mut self.client else { return };
        if client.asked.is_some() && Asked::of(&client.attached, &self.hub.sys).is_none() {
            client.asked = None;
        }
    }

    /// Sends what the client has asked for and was not told.
    pub(super) fn tell(&mut self) {
        if !self.session.is_open() || self.outbox.len() > OUTBOX_BYTES_MAX {
            return;
        }
        let Some(client) = &mut self.client else { return };
        let Some(asked) = &mut client.asked else { return };
        let values = asked.values.borrow_and_update().clone();
        // What is owed waits for the first values.
        if values.turn == 0 || (values.turn == asked.told && asked.owed.is_empty()) {
            return;
        }
        let owed = std::mem::take(&mut asked.owed);
        let told = std::mem::replace(&mut asked.told, values.turn);
        let subscriptions = client.attached.list_subscriptions();
        for value in &*values.all {
            let topic = value.topic.as_name();
            let is_owed = owed.iter().any(|filter| filter.as_filter().matches(topic));
            let of_it = subscriptions.iter().filter(|one| one.filter.as_filter().matches(topic));
            let of_it: Vec<&Subscription> = of_it.map(|one| &**one).collect();
            if !of_it.is_empty() && (is_owed || value.since > told) {
                self.tell_value(value, &of_it, is_owed);
            }
        }
    }

    fn tell_value(&mut self, value: &Value, of_it: &[&Subscription], is_owed: bool) {
        let version = self.session.version();
        let limit = usize::try_from(self.session.peer_packet_size_max()).unwrap_or(usize::MAX);
        let ids = of_it.iter().filter_map(|one| one.terms.id).map(Property::SubscriptionIdentifier);
        let properties: Vec<Property<'_>> = ids.filter(|_| version == Version::V5).collect();
        // [MQTT-3.3.1-8] [MQTT-3.3.1-12] [MQTT-3.3.1-13]
        let retain = is_owed || of_it.iter().any(|one| one.terms.options.retain_as_published);
        let publish = Publish::new(value.topic.as_name(), value.text.as_bytes())
            .with_retain(retain)
            .with_properties(Properties::new(&properties));
        debug_assert_eq!(publish.qos(), QoS::AtMostOnce);
        // Whoever takes only smaller packets is not told.
        if self.outbox.write(|buffer| publish.encode(version, &mut Limited::new(buffer, limit))).is_ok() {
            count(&self.hub.counters.sent);
        }
    }
}
