//! A session that reads by itself: retained messages after a SUBSCRIBE, and the log until it has caught up.

use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::{ReadError, ReadUpTo};

use super::attached::Attached;
use super::core::{Follow, Replay};
use crate::counters::Counters;
use crate::delivery::{Delivery, Origin, Source};
use crate::lane::MessageLane;
use crate::lock::lock;
use crate::message::{Message, topic_of};
use crate::select::{Selection, is_own};
use crate::subscription::{Subscription, Terms};

/// How many retained messages are put into the inbox at a time.
const REPLAY_PAGE: usize = 64;

/// A partition in which the session is behind.
#[derive(Debug)]
struct Lag {
    partition: u32,
    /// The next offset to look at.
    next: u64,
    /// The end of the partition when the client came.
    came_at: u64,
    subscriptions: Arc<[Arc<Subscription>]>,
}

impl Attached {
    /// Puts a page of retained messages into the inbox. `false` if there are none to come.
    pub(super) fn replay(&mut self) -> bool {
        let Some(replay) = lock(&self.core.state).replays.front().cloned() else { return false };
        let Replay { subscription, ends, after } = replay;
        let (filter, Terms { options, id }) = (subscription.filter.as_filter(), subscription.terms);
        let after = after.as_deref().map(Message::topic);
        let (entries, after) = self.shared.retained.page(filter, after, REPLAY_PAGE);
        let mut state = lock(&self.core.state);
        for entry in entries {
            // One that came after the SUBSCRIBE is delivered as a live message.
            let is_live = entry.source.is_some_and(|(partition, offset)| {
                let end = usize::try_from(partition).ok().and_then(|index| ends.get(index));
                end.is_some_and(|end| offset >= *end)
            });
            if is_live || is_own(options, &entry.message, &self.core.client_id) {
                continue;
            }
            state.inbox.push_back(Delivery {
                qos: options.qos.min(entry.message.qos),
                // [MQTT-3.3.1-8]
                retain: true,
                subscription_ids: id.into_iter().collect(),
                source: Source { origin: Origin::Retained, partition: 0, offset: entry.offset },
                message: entry.message,
            });
        }
        if after.is_some() {
            if let Some(replay) = state.replays.front_mut() {
                replay.after = after;
            }
        } else {
            state.replays.pop_front();
        }
        true
    }

    /// Reads a piece of one partition in which the session is behind. `false` if it is behind in none.
    pub(super) fn catch_up(&mut self) -> Result<bool, ReadError> {
        let Some(lag) = self.behind() else { return Ok(false) };
        let shared = Arc::clone(&self.shared);
        let Some(lane) = shared.lane(lag.partition) else { return Ok(false) };
        if lag.next >= lane.position() {
            self.go_live(&lag, lane);
            return Ok(true);
        }
        let mut found = Vec::new();
        let next = self.scan(&lag, lane, &mut found)?;
        let mut state = lock(&self.core.state);
        state.inbox.extend(found);
        if let Some(follow) = state.follow_mut(lag.partition) {
            *follow = Follow::Behind { next };
        }
        Ok(true)
    }

    /// The next partition in which the session is behind.
    fn behind(&mut self) -> Option<Lag> {
        let state = lock(&self.core.state);
        let count = state.follow.len();
        for step in 1..=count {
            let index = (self.turn + step) % count;
            if let Some(Follow::Behind { next }) = state.follow.get(index) {
                self.turn = index;
                return Some(Lag {
                    partition: u32::try_from(index).ok()?,
                    next: *next,
                    came_at: state.came_at.get(index).copied().unwrap_or(0),
                    subscriptions: Arc::clone(&state.subscriptions),
                });
            }
        }
        None
    }

    /// Joins the dispatcher, if nothing was dispatched meanwhile.
    fn go_live(&self, lag: &Lag, lane: &MessageLane) {
        let _still = lock(&lane.dispatching);
        if lag.next >= lane.position()
            && let Some(follow) = lock(&self.core.state).follow_mut(lag.partition)
        {
            *follow = Follow::Live { pushed: lag.next };
        }
    }

    /// Finds what is for the session, up to what was dispatched; returns where to go on.
    fn scan(&self, lag: &Lag, lane: &MessageLane, found: &mut Vec<Delivery>) -> Result<u64, ReadError> {
        let Lag { partition, mut next, came_at, ref subscriptions } = *lag;
        let options = &self.shared.options;
        let dispatched = lane.position();
        let fetched = match lane.partition.read_up_to(ReadUpTo::Durable, next, options.catch_up_bytes) {
            Ok(fetched) => fetched,
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > next => {
                // Retention was faster: the session goes on from what there is.
                Counters::add(&self.shared.counters.fell_behind, start - next);
                return Ok(start);
            }
            Err(error) => return Err(error),
        };
        for record in fetched.views() {
            let record = match record {
                Ok(record) => record,
                // Counted when it was dispatched.
                Err(ReadError::UnsupportedCodec { .. }) => continue,
                Err(error) => return Err(error),
            };
            // The rest is the dispatcher's, or there is enough to send for now.
            if record.offset >= dispatched || found.len() >= options.inbox_max {
                return Ok(next);
            }
            next = record.offset + 1;
            let Some(topic) = topic_of(&record) else { continue };
            let matching = || {
                subscriptions
                    .iter()
                    .map(|subscription| &**subscription)
                    .filter(|s| s.filter.as_filter().matches(topic))
            };
            if matching().next().is_none() {
                continue;
            }
            let Ok(message) = Message::from_record(&record, fetched.bytes()) else { continue };
            let offset = record.offset;
            let selection = Selection::over(matching(), &message, &self.core.client_id, partition, offset);
            let Some(selection) = selection.filter(|_| message.qos != QoS::AtMostOnce) else { continue };
            // What is sent at most once is not kept for a client that is away.
            if selection.qos() == QoS::AtMostOnce && offset < came_at {
                continue;
            }
            let source = Source { origin: Origin::Messages, partition, offset };
            found.push(selection.deliver(&Arc::new(message), source));
        }
        // Batches may hold no record that is for readers.
        Ok(fetched.next_offset().min(dispatched))
    }
}
