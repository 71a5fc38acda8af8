//! Retained messages that a SUBSCRIBE asked for, page by page.
//!
//! ```text
//!   topics of the filter   ---- sent ----|---- page ----|---- not looked at ---->
//!                                        after      page_end
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_codec::QoS;
use headwater_topic::TopicNameBuf;

use super::attached::Attached;
use super::core::State;
use super::snapshot::OwedRecord;
use crate::delivery::{Delivery, Origin, Source};
use crate::lock::lock;
use crate::offsets::Offsets;
use crate::retained::Entry;
use crate::select::is_own;
use crate::subscription::{Subscription, Terms};

/// Retained messages of one subscription that were not sent yet.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(super) subscription: Arc<Subscription>,
    /// The end of each partition at the SUBSCRIBE: what came after it is delivered as a live message.
    ends: Offsets,
    /// All up to this topic were sent.
    after: Option<TopicNameBuf>,
    page: VecDeque<Delivery>,
    /// The last topic that was looked at; `None` if there are no more.
    page_end: Option<TopicNameBuf>,
}

impl Replay {
    /// All of them, or those behind `after`.
    pub(super) fn new(subscription: Arc<Subscription>, ends: Offsets, after: Option<TopicNameBuf>) -> Self {
        Self { subscription, ends, page_end: after.clone(), after, page: VecDeque::new() }
    }

    /// What is kept of it. `place` is that of the subscription.
    pub(super) fn record(&self, place: u32) -> OwedRecord {
        OwedRecord { subscription: place, ends: self.ends.clone(), after: self.after.clone() }
    }

    /// How a retained message is sent, if it is.
    fn select(&self, entry: Entry, client_id: &str, came_at: &[u64]) -> Option<Delivery> {
        let Terms { options, id } = self.subscription.terms;
        let qos = options.qos.min(entry.message.qos);
        let is_live = entry.source.is_some_and(|(partition, offset)| {
            let came_at = usize::try_from(partition).ok().and_then(|index| came_at.get(index));
            let was_missed = qos == QoS::AtMostOnce && came_at.is_some_and(|came_at| offset < *came_at);
            offset >= self.ends.of(partition) && !was_missed
        });
        if is_live || is_own(options, &entry.message, client_id) {
            return None;
        }
        Some(Delivery {
            qos,
            // [MQTT-3.3.1-8]
            retain: true,
            subscription_ids: id.into_iter().collect(),
            source: Source { origin: Origin::Retained, partition: 0, offset: entry.offset },
            first: entry.source,
            share: None,
            message: entry.message,
        })
    }
}

impl State {
    /// What is kept of the replays.
    pub(super) fn owed(&self) -> Vec<OwedRecord> {
        let place = |replay: &Replay| {
            let is_its = |other: &Arc<Subscription>| other.filter == replay.subscription.filter;
            u32::try_from(self.subscriptions.iter().position(is_its)?).ok()
        };
        self.replays.iter().filter_map(|replay| Some(replay.record(place(replay)?))).collect()
    }

    /// The replays of which these were kept.
    pub(super) fn set_owed(&mut self, owed: &[OwedRecord]) {
        let subscriptions = &self.subscriptions;
        let replay = |record: &OwedRecord| {
            let subscription = subscriptions.get(usize::try_from(record.subscription).ok()?)?;
            Some(Replay::new(Arc::clone(subscription), record.ends.clone(), record.after.clone()))
        };
        self.replays = owed.iter().filter_map(replay).collect();
    }

    /// The next retained message that was looked up.
    pub(super) fn take_owed(&mut self) -> Option<Delivery> {
        let replay = self.replays.front_mut()?;
        let delivery = replay.page.pop_front()?;
        replay.after = Some(delivery.message.topic.clone());
        self.end_page();
        Some(delivery)
    }

    /// How many messages are held for the session, and not in the log alone.
    pub(super) fn waiting(&self) -> usize {
        let replayed: usize = self.replays.iter().map(|replay| replay.page.len()).sum();
        self.inbox.iter().len() + self.caught.len() + replayed
    }

    /// Goes on behind a page that was sent; the last page ends the replay.
    fn end_page(&mut self) {
        let Some(replay) = self.replays.front_mut().filter(|replay| replay.page.is_empty()) else { return };
        match replay.page_end.clone() {
            Some(end) => replay.after = Some(end),
            None => _ = self.replays.pop_front(),
        }
    }
}

impl Attached {
    /// Looks up a page of retained messages. `false` if there are none to come.
    pub(super) fn replay(&mut self) -> bool {
        let Some((subscription, after)) = lock(&self.core.state)
            .replays
            .front()
            .map(|replay| (Arc::clone(&replay.subscription), replay.page_end.clone()))
        else {
            return false;
        };
        let filter = subscription.filter.as_filter();
        let after = after.as_ref().map(TopicNameBuf::as_name);
        let (entries, page_end) = self.shared.retained.page(filter, after);
        let mut state = lock(&self.core.state);
        let came_at = std::mem::take(&mut state.came_at);
        if let Some(replay) = state.replays.front_mut() {
            let selected =
                entries.into_iter().filter_map(|entry| replay.select(entry, &self.core.client_id, &came_at));
            let selected: VecDeque<Delivery> = selected.collect();
            replay.page = selected;
            replay.page_end = page_end;
        }
        state.came_at = came_at;
        state.end_page();
        true
    }
}
