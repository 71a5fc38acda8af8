//! A session whose client is here.

use std::sync::Arc;

use bytes::Bytes;
use headwater_codec::{Publish, QoS, RetainHandling, SubscribeOptions, SubscriptionId};
use headwater_log::{AppendError, ReadError};
use headwater_session::{InFlight, Stage, State};
use headwater_topic::{TopicFilter, TopicFilterBuf};

use super::core::Core;
use super::follow::Follows;
use super::inbox::Inbox;
use super::replay::Replay;
use super::share::{UnderWay, shares_of};
use super::snapshot::{OutgoingRecord, Snapshot};
use crate::counters::Counters;
use crate::delivery::{Delivery, Origin};
use crate::dispatch::Subscriber;
use crate::error::PublishError;
use crate::group::Occasion;
use crate::lock::{lock, write};
use crate::offsets::Offsets;
use crate::placement::Placement;
use crate::store::{Publisher, Shared};
use crate::subscription::{Past, Subscription, Terms};

/// A session whose client is connected: the connection's handle to what is for it.
///
/// It belongs to one connection and is ended by [`detach`](Self::detach). If it is dropped without, the session falls back to what was
/// saved last: nothing is lost, some messages may come again.
#[derive(Debug)]
pub struct Attached {
    pub(super) shared: Arc<Shared>,
    pub(super) core: Arc<Core>,
    /// The partition that was caught up last, so that each gets its turn.
    pub(super) turn: usize,
    /// Whether what the session reads by itself comes before what is live, the next time.
    own_first: bool,
    /// Whether it reads for a group before it reads for itself, the next time.
    for_group: bool,
    detached: bool,
}

/// What [`Attached::next`] found.
#[derive(Debug)]
pub enum Next {
    /// A message to send.
    Delivery(Delivery),
    /// Nothing yet, but there is more to look at: call again, after giving others a chance to run.
    Again,
    /// Nothing; the session is woken when something comes.
    Idle,
}

/// What a look at the queues found.
enum Taken {
    Delivery(Delivery),
    /// Nothing yet; but there is something to read.
    Read,
    Nothing,
}

/// What [`Attached::subscribe`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribed {
    /// Whether a subscription with this filter was replaced.
    pub existed: bool,
}

impl Attached {
    pub(super) fn new(shared: Arc<Shared>, core: Arc<Core>) -> Self {
        Self { shared, core, turn: 0, own_first: false, for_group: false, detached: false }
    }

    /// Whose session it is.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.core.client_id
    }

    /// Makes a subscription, or replaces the one with the same filter [MQTT-3.8.4-3]. Messages that are appended from now on are for it;
    /// retained messages follow as its options say. Save the session before SUBACK.
    ///
    /// A shared filter, `$share/{name}/{filter}`, makes the session a member of the group of that name and filter: each message goes to one
    /// member, as that one's options say. What waits for the group comes too, and no retained messages. *No local* is not looked at: with a
    /// shared filter it is a protocol error [MQTT-3.8.3-4]. What is given as [shared](Delivery::share) has to be
    /// [finished](Self::finish).
    ///
    /// O(subscriptions of the session), and for a shared filter O(members of the group).
    pub fn subscribe(
        &mut self,
        filter: TopicFilter<'_>,
        options: SubscribeOptions,
        id: Option<SubscriptionId>,
    ) -> Subscribed {
        if filter.shared().is_some() {
            return Subscribed { existed: self.subscribe_shared(filter, options, id) };
        }
        let dispatched = self.shared.dispatched();
        let old = {
            let state = lock(&self.core.state);
            let old = state.subscriptions.iter().find(|old| old.filter.as_filter() == filter);
            old.map(|old| old.behind(&state.positions(&dispatched)))
        };
        let (subscription, ends) = {
            // Under the lock of the tree: a QoS 0 message that comes after the start finds the subscription.
            let mut tree = write(&self.shared.subscriptions);
            let ends = self.ends();
            let (terms, limit) = (Terms { options, id }, ends.clone());
            let subscription = Arc::new(match &old {
                Some(old) => old.replaced(terms, limit),
                None => {
                    let filter = TopicFilterBuf::from(filter);
                    Subscription { filter, terms, starts: limit, earlier: Vec::new(), past: Past::default() }
                }
            });
            let subscriber =
                Subscriber { session: Arc::clone(&self.core), subscription: Arc::clone(&subscription) };
            tree.subscribe(filter, self.core.key, subscriber);
            (subscription, ends)
        };
        let existed = old.is_some();
        let replay = match options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !existed,
            RetainHandling::DoNotSend => false,
        };
        // What is owed is kept with the session: nothing is most often.
        let may_be_owed = replay && self.shared.retained.may_have(filter);
        let mut state = lock(&self.core.state);
        let others = state.subscriptions.iter().filter(|other| other.filter.as_filter() != filter).cloned();
        state.subscriptions = others.chain([Arc::clone(&subscription)]).collect();
        let is_of_it = |replay: &Replay| replay.subscription.filter.as_filter() == filter;
        if replay {
            state.replays.retain(|replay| !is_of_it(replay));
            if may_be_owed {
                state.replays.push_back(Replay::new(subscription, ends, None));
            }
        } else if let Some(owed) = state.replays.iter_mut().find(|replay| is_of_it(replay)) {
            // What the replaced one is owed is not lost [MQTT-3.8.4-4].
            owed.subscription = subscription;
        }
        Subscribed { existed }
    }

    /// The end of each partition; every retained message before it is in the tree.
    fn ends(&self) -> Offsets {
        Offsets::new(self.shared.lanes.iter().map(|lane| {
            let _order = lock(&lane.retaining);
            lane.partition.appended_end()
        }))
    }

    /// Ends a subscription; `false` if there was none [MQTT-3.10.4-1]. Save the session before UNSUBACK.
    ///
    /// Of a shared subscription, what was sent stays with the session, and what waits goes to other members. With its last member a group
    /// ends.
    pub fn unsubscribe(&mut self, filter: TopicFilter<'_>) -> bool {
        if filter.shared().is_some() {
            return self.unsubscribe_shared(filter);
        }
        let existed = write(&self.shared.subscriptions).unsubscribe(filter, &self.core.key).is_some();
        let mut state = lock(&self.core.state);
        let others = state.subscriptions.iter().filter(|other| other.filter.as_filter() != filter).cloned();
        state.subscriptions = others.collect();
        state.replays.retain(|replay| replay.subscription.filter.as_filter() != filter);
        existed
    }

    /// How many subscriptions the session has.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        let state = lock(&self.core.state);
        state.subscriptions.len() + state.shares.len()
    }

    /// The subscriptions of the session that are not shared. O(1): it is a view of them as they are now.
    #[must_use]
    pub fn list_subscriptions(&self) -> Arc<[Arc<Subscription>]> {
        Arc::clone(&lock(&self.core.state).subscriptions)
    }

    /// How many messages wait in memory to be sent: live ones, at most [`inbox_max`](crate::StoreOptions::inbox_max), and what was read
    /// for the session, at most as many from the log and a page of 64 of its retained messages. What else there is for it stays where it
    /// is kept. O(1 + subscriptions with retained messages to come).
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.core.state).waiting()
    }

    /// Whether the session has a subscription with this filter, so that [`subscribe`](Self::subscribe) would replace it.
    #[must_use]
    pub fn is_subscribed(&self, filter: TopicFilter<'_>) -> bool {
        let state = lock(&self.core.state);
        state.share(filter).is_some()
            || state.subscriptions.iter().any(|one| one.filter.as_filter() == filter)
    }

    /// The next message to send. Call it while there is room in flight, and again when woken.
    ///
    /// What is live and what the session reads by itself, retained messages and the log, take turns: neither keeps the other waiting.
    ///
    /// Does a bounded amount of work: at most one read of the log.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the log is damaged where the session reads.
    pub fn next(&mut self, now_ms: i64) -> Result<Next, ReadError> {
        self.own_first = !self.own_first;
        match self.take(now_ms, self.own_first, true) {
            Taken::Delivery(delivery) => return Ok(Next::Delivery(self.hand_over(delivery))),
            Taken::Nothing => return Ok(Next::Idle),
            Taken::Read => {}
        }
        // The session for itself and for its groups take turns.
        self.for_group = !self.for_group;
        let has_read = (self.for_group && self.read_for_group()?) || self.replay() || self.catch_up()?;
        if !has_read {
            self.read_for_group()?;
        }
        Ok(match self.take(now_ms, true, false) {
            Taken::Delivery(delivery) => Next::Delivery(self.hand_over(delivery)),
            Taken::Nothing | Taken::Read => Next::Again,
        })
    }

    /// Takes what waits; if it is the turn of what has to be read first, says so.
    fn take(&self, now_ms: i64, own_first: bool, may_read: bool) -> Taken {
        let mut expired = Vec::new();
        let taken = self.take_current(now_ms, own_first, may_read, &mut expired);
        expired.iter().for_each(|delivery| self.let_go(delivery));
        taken
    }

    fn take_current(
        &self,
        now_ms: i64,
        own_first: bool,
        may_read: bool,
        expired: &mut Vec<Delivery>,
    ) -> Taken {
        let mut state = lock(&self.core.state);
        loop {
            let live = if own_first { None } else { state.inbox.pop() };
            let next = match live.or_else(|| state.take_own()) {
                None if may_read && state.can_read(self.turn) => return Taken::Read,
                None => state.inbox.pop(),
                found => found,
            };
            match next {
                Some(delivery) if delivery.message.is_expired(now_ms) => {
                    Counters::add(&self.shared.counters.expired, 1);
                    expired.push(delivery);
                }
                // One that was replaced since it was looked up comes as a live message, and must not come after that.
                Some(delivery) if !self.is_current(&delivery) => {}
                Some(delivery) => return Taken::Delivery(delivery),
                None => return Taken::Nothing,
            }
        }
    }

    /// False for a retained message that is not the one of its topic any more.
    fn is_current(&self, delivery: &Delivery) -> bool {
        delivery.source.origin != Origin::Retained
            || self.shared.retained.is_current(delivery.message.topic.as_name(), delivery.source.offset)
    }

    /// Takes a message of the client, as [`Store::publish`](crate::Store::publish) does. Of a message of QoS 2 the packet identifier is kept
    /// too if the session outlives its connection: after a crash the client sends it again, and it is known to be here.
    ///
    /// What has to be saved before the client learns that an identifier is free, see [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// [`PublishError`]: the message must not be acknowledged.
    pub fn publish(
        &mut self,
        publish: &Publish<'_>,
        payload: impl FnOnce() -> Bytes,
        now_ms: i64,
    ) -> Result<Placement, PublishError> {
        let is_held = publish.qos() == QoS::ExactlyOnce && lock(&self.core.state).saved.is_some();
        let holds = publish.packet_id().filter(|_| is_held).map(|packet_id| (&*self.core, packet_id));
        self.shared.publish(publish, payload, Publisher { client_id: self.client_id(), holds }, now_ms)
    }

    /// Saves the session as it is, unless nothing changed. `state` are the exchanges under way.
    ///
    /// A crash falls back to what was saved before: messages of QoS 1 that were delivered since come again. With QoS 2 that must not be, so
    /// a session that outlives its connection has to be saved, and what this returns has to be durable, before such a packet is written:
    /// a PUBLISH of QoS 2 that was not sent before, a PUBREL that answers PUBREC, a PUBCOMP, a PUBREC that refuses a message. One save does
    /// for all that came together; [`poll_change`](headwater_session::server::Session::poll_change) tells of them.
    ///
    /// # Errors
    ///
    /// [`AppendError`] when the log does not take it.
    pub fn save(&self, state: &State<Delivery>, expiry_secs: u32) -> Result<Placement, AppendError> {
        if expiry_secs > 0 {
            self.save_groups(Occasion::Member)?;
        }
        let snapshot = self.snapshot(state, expiry_secs, None);
        let placement = self.keep(snapshot)?;
        self.forget_groups()?;
        Ok(placement)
    }

    /// The client goes: saves the session, or forgets it if it does not outlive the connection.
    ///
    /// Of shared subscriptions, what was not sent goes to other members at once. What was sent stays with the session; if that ends, QoS 1 goes
    /// to another member and QoS 2 to nobody [MQTT-4.8.2-4] [MQTT-4.8.2-5].
    ///
    /// # Errors
    ///
    /// [`AppendError`] when the log does not take it; then what was saved before holds after a crash.
    pub fn detach(
        mut self,
        state: &State<Delivery>,
        expiry_secs: u32,
        now_ms: i64,
    ) -> Result<Placement, AppendError> {
        let saved = if expiry_secs > 0 { self.save_groups(Occasion::Member) } else { Ok(()) };
        let snapshot = self.snapshot(state, expiry_secs, Some(now_ms));
        let under_way = snapshot.under_way();
        let kept = self.keep(snapshot);
        let left = self.leave(Some(&under_way));
        saved.and(left).and(kept)
    }

    fn keep(&self, snapshot: Snapshot) -> Result<Placement, AppendError> {
        let mut state = lock(&self.core.state);
        let state = &mut *state;
        let kept = self.shared.save(&self.core.client_id, state.saved.as_ref(), &snapshot);
        if let Err(error) = &kept
            && snapshot.disconnected_at.is_some()
        {
            // The client is gone whether or not the log says so. After a crash what was saved holds; until then this does, or, if the
            // session is too large to be saved at all, what was saved with its end.
            match &mut state.saved {
                Some(saved) if matches!(error, AppendError::BatchTooLarge { .. }) => {
                    saved.disconnected_at = snapshot.disconnected_at;
                    saved.incoming_from = None;
                    saved.hold(&state.held);
                }
                saved => *saved = (snapshot.expiry_secs > 0).then_some(snapshot),
            }
            return kept;
        }
        let placement = kept?;
        let Some(offset) = placement.session else {
            // It is what was saved last, which somebody may have to wait for.
            let session = state.saved_at.filter(|offset| *offset >= self.shared.session_log.durable_end());
            return Ok(Placement { session, ..placement });
        };
        state.held.saved(&snapshot);
        state.saved_at = Some(offset);
        state.saved = (snapshot.expiry_secs > 0).then_some(snapshot);
        Ok(placement)
    }

    fn snapshot(&self, state: &State<Delivery>, expiry_secs: u32, disconnected_at: Option<i64>) -> Snapshot {
        // Before the session is locked: what is dispatched in between is in the inbox then, and counts as not examined.
        let dispatched = self.shared.dispatched();
        let shared_state = lock(&self.core.state);
        let positions = shared_state.positions(&dispatched);
        let ends = self.shared.lanes.iter().map(|lane| lane.partition.appended_end());
        let incoming_from = disconnected_at.is_none().then(|| shared_state.incoming_from(ends));
        // The past is asked for by a connection: what of it is sent at most once does not come to the next one.
        let kept = |subscription: &Arc<Subscription>| Subscription {
            past: Past::default(),
            ..subscription.behind(&positions)
        };
        let subscriptions = shared_state.subscriptions.iter().map(kept);
        // What was not sent goes to other members.
        let stays = |in_flight: &&InFlight<Delivery>| {
            in_flight.sent || disconnected_at.is_none() || in_flight.message.share.is_none()
        };
        let outgoing = || state.outgoing.iter().filter(stays);
        let shares = shares_of(outgoing());
        Snapshot {
            expiry_secs,
            disconnected_at,
            last_packet_id: state.last_packet_id,
            avoided_packet_ids: state.avoided_packet_ids.clone(),
            subscriptions: subscriptions.chain(shared_state.shared_subscriptions()).collect(),
            positions,
            owed: shared_state.owed(),
            outgoing: outgoing().map(|in_flight| OutgoingRecord::new(in_flight, &shares)).collect(),
            shares,
            incoming: shared_state.held.records(&state.incoming),
            incoming_from,
        }
    }

    /// Makes the session one that is away. `under_way` is what is on its way to the client; what was saved, if that is not known.
    fn leave(&mut self, under_way: Option<&UnderWay>) -> Result<(), AppendError> {
        self.detached = true;
        let (subscriptions, groups, saved) = {
            let mut state = lock(&self.core.state);
            state.wake = None;
            state.inbox = Inbox::default();
            state.caught = Default::default();
            state.replays = Default::default();
            state.follow = Follows::default();
            state.to_read = Default::default();
            let shares = std::mem::take(&mut state.shares).into_iter().map(|(group, _)| group);
            let mut groups: Vec<_> = shares.collect();
            groups.append(&mut state.left);
            let saved = if groups.is_empty() { None } else { state.saved.clone() };
            (std::mem::take(&mut state.subscriptions), groups, saved)
        };
        let kept = saved.as_ref().map(|saved| (saved, saved.under_way()));
        let under_way = under_way.or(kept.as_ref().map(|(_, under_way)| under_way));
        let kept = kept.as_ref().map(|(saved, under_way)| (*saved, under_way));
        let ended = self.shared.part(&self.core, &groups, under_way, kept);
        let parted = self.shared.save_left(&groups, &ended);
        let forgotten = self.forget_groups();
        {
            let mut tree = write(&self.shared.subscriptions);
            for subscription in &*subscriptions {
                tree.unsubscribe(subscription.filter.as_filter(), &self.core.key);
            }
        }
        // Only now may another connection have it.
        let mut sessions = lock(&self.shared.sessions);
        let has_ended = {
            let mut state = lock(&self.core.state);
            state.in_use = false;
            state.saved.is_none()
        };
        let is_ours = |core: &Arc<Core>| Arc::ptr_eq(core, &self.core);
        if has_ended && sessions.get(&self.core.client_id).is_some_and(is_ours) {
            sessions.remove(&self.core.client_id);
        }
        drop(sessions);
        parted.and(forgotten)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if !self.detached {
            // If the log does not take it, more comes again after a crash.
            let _ = self.leave(None);
        }
    }
}

impl OutgoingRecord {
    fn new(in_flight: &InFlight<Delivery>, shares: &[TopicFilterBuf]) -> Self {
        let delivery = &in_flight.message;
        debug_assert!(delivery.qos != QoS::AtMostOnce);
        debug_assert!(in_flight.stage != Stage::PubAck || delivery.qos == QoS::AtLeastOnce);
        Self {
            packet_id: in_flight.packet_id,
            stage: in_flight.stage,
            sent: in_flight.sent,
            retain: delivery.retain,
            source: delivery.source,
            first: delivery.first,
            subscription_ids: delivery.subscription_ids.clone(),
            share: delivery.share.as_ref().and_then(|share| share.place(shares)),
        }
    }
}
