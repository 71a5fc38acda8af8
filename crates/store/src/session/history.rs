//! Subscriptions that begin in the past.
//!
//! ```text
//!                 starts of the new one                position of the session          end at the time of SUBSCRIBE
//!   ... | - - - - - - | the new one alone . . . . . . . | what the others wait for too . . | live, for all
//!                     '--- read from the log, in order, every QoS ------------------------>'
//! ```
//!
//! A session has one position for all of its subscriptions. So it goes back to where the new one starts, and the others start anew
//! where the session was: what they had does not come to them again.

use headwater_codec::{SubscribeOptions, SubscriptionId};
use headwater_log::ReadError;
use headwater_topic::{TopicFilter, TopicFilterBuf};

use std::sync::Arc;

use super::attached::{Attached, Subscribed};
use super::core::State;
use super::follow::Follow;
use crate::dispatch::Subscriber;
use crate::error::SubscribeError;
use crate::lock::{lock, write};
use crate::offsets::Offsets;
use crate::subscription::{Past, Subscription, Terms};

/// From when on a subscription wants messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// From the first that the log still has.
    Earliest,
    /// From the first that came then or later, in milliseconds since 1970-01-01 UTC.
    Moment {
        /// When.
        ms: i64,
    },
}

impl Attached {
    /// Makes a subscription that begins in the past, or replaces the one with the same filter: first come the messages that the log has of
    /// it, then those that are published from now on, without a gap and without a double. Save the session before SUBACK.
    ///
    /// * Messages of QoS 1 and 2 come in the order of the log, each topic's in its own, and what is published meanwhile comes behind them. One of QoS 0
    ///   that is published meanwhile is forwarded at once.
    /// * Messages of QoS 0 that are in the log come too, with QoS 0; after a disconnection the rest of them does not.
    /// * Retained messages are not sent because of it, whatever its options say: they are among what comes.
    /// * What expires before it is sent is not. What retention has deleted is not there.
    /// * Other subscriptions of the session do not get again what they had. They wait until what is before is sent.
    /// * One with the same filter is replaced: from the beginning that is asked for, all comes again, on the new terms. What it has not sent
    ///   from before that comes as it asked, and is not lost [MQTT-3.8.4-4].
    ///
    /// It costs a look at the time index of each partition, and then a reading of the log from there, in pieces, by [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`SubscribeError::Shared`] for a shared filter: what a group has had is the group's.
    /// [`SubscribeError::Read`] if the log cannot be read.
    pub fn subscribe_since(
        &mut self,
        filter: TopicFilter<'_>,
        options: SubscribeOptions,
        id: Option<SubscriptionId>,
        since: Since,
    ) -> Result<Subscribed, SubscribeError> {
        if filter.shared().is_some() {
            return Err(SubscribeError::Shared);
        }
        let starts = self.starts(since)?;
        // Before the session is locked: what is dispatched in between is in the inbox then.
        let dispatched = self.shared.dispatched();
        let old = {
            let state = lock(&self.core.state);
            state.subscriptions.iter().find(|old| old.filter.as_filter() == filter).cloned()
        };
        let (subscription, ends) = {
            // Under the lock of the tree: a QoS 0 message that comes after the ends finds the subscription.
            let mut tree = write(&self.shared.subscriptions);
            let ends: Vec<u64> = self.shared.lanes.iter().map(|lane| lane.partition.appended_end()).collect();
            let terms = Terms { options, id };
            let subscription = Arc::new(match &old {
                Some(old) => old.begun_again(terms, &starts, &ends),
                None => {
                    let filter = TopicFilterBuf::from(filter);
                    let from = Offsets::new(starts.iter().copied());
                    let past = Past { from: from.clone(), until: Offsets::new(ends.iter().copied()) };
                    Subscription { filter, terms, starts: from, earlier: Vec::new(), past }
                }
            });
            let subscriber =
                Subscriber { session: Arc::clone(&self.core), subscription: Arc::clone(&subscription) };
            tree.subscribe(filter, self.core.key, subscriber);
            (subscription, ends)
        };
        let moved: Vec<_> = {
            let mut state = lock(&self.core.state);
            let others: Vec<_> = state
                .subscriptions
                .iter()
                .filter(|other| other.filter.as_filter() != filter)
                .cloned()
                .collect();
            state.replays.retain(|replay| replay.subscription.filter.as_filter() != filter);
            let positions = state.go_back(&dispatched, &starts, &ends);
            let moved: Vec<_> = others.iter().map(|other| Arc::new(other.not_before(&positions))).collect();
            state.subscriptions = moved.iter().cloned().chain([subscription]).collect();
            moved
        };
        // The dispatcher goes by these.
        let mut tree = write(&self.shared.subscriptions);
        for one in moved {
            let subscriber = Subscriber { session: Arc::clone(&self.core), subscription: Arc::clone(&one) };
            tree.subscribe(one.filter.as_filter(), self.core.key, subscriber);
        }
        Ok(Subscribed { existed: old.is_some() })
    }

    /// The first offset of each partition that is wanted.
    fn starts(&self, since: Since) -> Result<Vec<u64>, ReadError> {
        let each = self.shared.lanes.iter().map(|lane| match since {
            Since::Earliest => Ok(lane.partition.start_offset()),
            Since::Moment { ms } => {
                // Before the look: what becomes durable meanwhile is live.
                let end = lane.partition.durable_end();
                Ok(lane.partition.offset_for_timestamp(ms)?.unwrap_or(end))
            }
        });
        each.collect()
    }
}

impl State {
    /// Goes back to these offsets where they are before the ends. Gives, for those partitions, the first offset that the subscriptions
    /// there are have not had; what waits to be sent from there on is read again. For others, 0.
    fn go_back(&mut self, dispatched: &[u64], starts: &[u64], ends: &[u64]) -> Vec<u64> {
        let mut positions = self.follow.positions(dispatched);
        for ((partition, position), (start, end)) in (0..).zip(&mut positions).zip(starts.iter().zip(ends)) {
            if start >= end {
                // Nothing is read again here.
                *position = 0;
                continue;
            }
            let from_inbox = self.inbox.take_dispatched(partition);
            let (taken, kept) = std::mem::take(&mut self.caught)
                .into_iter()
                .partition::<Vec<_>, _>(|delivery| delivery.source.partition == partition);
            self.caught = kept.into();
            let waiting = from_inbox.iter().chain(&taken).map(|delivery| delivery.source.offset);
            *position = waiting.min().map_or(*position, |first| first.min(*position));
            self.follow.set(partition, Follow::Behind { next: (*start).min(*position) });
        }
        positions
    }
}
