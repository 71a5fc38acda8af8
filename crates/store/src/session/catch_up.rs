//! A session that reads the log by itself, until it has caught up.

use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::{ReadError, ReadUpTo};
use headwater_topic::TopicName;

use super::attached::Attached;
use super::follow::Follow;
use crate::counters::Counters;
use crate::delivery::{Delivery, Origin, Source};
use crate::lane::MessageLane;
use crate::lock::lock;
use crate::message::Message;
use crate::scan::{Found, Probes, Skipped, Wanted};
use crate::select::Selection;
use crate::subscription::Subscription;

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
    /// Reads a piece of one partition in which the session is behind. `false` if it is behind in none.
    pub(super) fn catch_up(&mut self) -> Result<bool, ReadError> {
        let Some(lag) = self.behind() else { return Ok(false) };
        let shared = Arc::clone(&self.shared);
        let Some(lane) = shared.lane(lag.partition) else { return Ok(false) };
        if lag.next >= lane.position() {
            return self.go_live(&lag, lane).map(|()| true);
        }
        let mut found = Vec::new();
        let next = self.scan(&lag, lane, &mut found)?;
        let mut state = lock(&self.core.state);
        state.caught.extend(found);
        state.follow.set(lag.partition, Follow::Behind { next });
        Ok(true)
    }

    /// The next partition in which the session is behind.
    fn behind(&mut self) -> Option<Lag> {
        let state = lock(&self.core.state);
        let (index, next) = state.next_behind(self.turn)?;
        self.turn = index;
        Some(Lag {
            partition: u32::try_from(index).ok()?,
            next,
            came_at: state.came_at.get(index).copied().unwrap_or(0),
            subscriptions: Arc::clone(&state.subscriptions),
        })
    }

    /// Joins the dispatcher, if nothing was dispatched meanwhile.
    fn go_live(&self, lag: &Lag, lane: &MessageLane) -> Result<(), ReadError> {
        let _still = lock(&lane.dispatching);
        if lag.next >= lane.position() {
            let found = self.not_dispatched(lag, lane)?;
            let mut state = lock(&self.core.state);
            // Not among what is read: what is dispatched from now on must not come before it.
            found.into_iter().for_each(|delivery| state.inbox.push(delivery));
            if state.subscriptions.iter().any(|one| one.past.until.of(lag.partition) > lag.next) {
                let read = state.subscriptions.iter().map(|one| Arc::new(one.past_read(lag.partition)));
                state.subscriptions = read.collect();
            }
            state.follow.set(lag.partition, Follow::Live { pushed: lag.next });
        }
        Ok(())
    }

    /// What of the past that a subscription has asked for is not durable, and was published with QoS 0: the dispatcher passes it over.
    fn not_dispatched(&self, lag: &Lag, lane: &MessageLane) -> Result<Vec<Delivery>, ReadError> {
        let (mut found, mut next) = (Vec::new(), lag.next);
        let asked = lag.subscriptions.iter().map(|one| one.past.until.of(lag.partition)).max().unwrap_or(0);
        let end = asked.min(lane.partition.appended_end());
        while next < end {
            let fetched =
                lane.partition.read_up_to(ReadUpTo::Appended, next, self.shared.options.catch_up_bytes)?;
            for record in fetched.views() {
                let record = match record {
                    Ok(record) => record,
                    Err(ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. }) => {
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let message = Message::from_record(&record, fetched.bytes());
                if let Ok(message) = message
                    && message.qos == QoS::AtMostOnce
                {
                    found.extend(self.deliver_past(lag, &Arc::new(message), record.offset));
                }
            }
            next = fetched.next_offset();
        }
        Ok(found)
    }

    /// A message of QoS 0, to those who have asked for the past.
    fn deliver_past(&self, lag: &Lag, message: &Arc<Message>, offset: u64) -> Option<Delivery> {
        let partition = lag.partition;
        let asking = lag.subscriptions.iter().map(|one| &**one).filter(|one| {
            one.asks_for_past(partition, offset) && one.filter.as_filter().matches(message.topic())
        });
        let selection = Selection::over(asking, message, &self.core.client_id, partition, offset)?;
        Some(selection.deliver(message, Source { origin: Origin::Messages, partition, offset }))
    }

    /// Finds what is for the session, up to what was dispatched; returns where to go on.
    fn scan(&mut self, lag: &Lag, lane: &MessageLane, found: &mut Vec<Delivery>) -> Result<u64, ReadError> {
        let (next, dispatched) = (lag.next, lane.position());
        // What retention has taken is counted, also where nothing of it was for the session.
        let log_start = lane.partition.start_offset();
        if log_start > next {
            return Ok(self.fall_behind(next, log_start));
        }
        let probes = || Probes::of(lag.subscriptions.iter().map(|one| one.filter.as_filter()));
        let Skipped { next, limit, has_more } =
            lane.scans.skip(next, dispatched, &self.shared.counters, probes);
        Counters::add(&self.shared.counters.skipped, next - lag.next);
        if has_more || next >= dispatched {
            return Ok(next);
        }
        let wanted = Wanted { next, limit, bytes: self.shared.options.catch_up_bytes };
        match self.scan_piece(lag, lane, wanted, found) {
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > next => {
                Ok(self.fall_behind(next, start))
            }
            scanned => scanned,
        }
    }

    /// Retention was faster: the session goes on from what there is.
    fn fall_behind(&mut self, next: u64, start: u64) -> u64 {
        Counters::add(&self.shared.counters.fell_behind, start - next);
        self.fell_behind += start - next;
        start
    }

    fn scan_piece(
        &self,
        lag: &Lag,
        lane: &MessageLane,
        wanted: Wanted,
        found: &mut Vec<Delivery>,
    ) -> Result<u64, ReadError> {
        let Lag { partition, came_at, ref subscriptions, .. } = *lag;
        let (options, counters) = (&self.shared.options, &self.shared.counters);
        let wants =
            |topic: TopicName<'_>| subscriptions.iter().any(|one| one.filter.as_filter().matches(topic));
        let Found { messages, end } = lane.scans.read(&lane.partition, wanted, counters, wants)?;
        for (offset, message) in messages {
            // There is enough to send for now.
            if found.len() >= options.inbox_max {
                return Ok(offset);
            }
            if message.qos == QoS::AtMostOnce {
                // The others had it when it came, or not at all.
                found.extend(self.deliver_past(lag, &message, offset));
                continue;
            }
            let topic = message.topic();
            let matching = || {
                let all = subscriptions.iter().map(|subscription| &**subscription);
                all.filter(|one| one.filter.as_filter().matches(topic))
            };
            let selection = Selection::over(matching(), &message, &self.core.client_id, partition, offset);
            let Some(selection) = selection else { continue };
            // What is sent at most once is not kept for a client that is away.
            if selection.qos() == QoS::AtMostOnce
                && offset < came_at
                && !matching().any(|one| one.asks_for_past(partition, offset))
            {
                continue;
            }
            let source = Source { origin: Origin::Messages, partition, offset };
            found.push(selection.deliver(&message, source));
        }
        Ok(end)
    }
}
