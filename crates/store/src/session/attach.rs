//! A client comes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::AppendError;
use headwater_session::{InFlight, Incoming, Stage, State};

use super::attached::Attached;
use super::core::{Core, Wake};
use super::follow::{Follow, Follows};
use super::inbox::Inbox;
use super::incoming::Held;
use super::snapshot::{OutgoingRecord, Snapshot};
use crate::counters::Counters;
use crate::delivery::{Delivery, Origin, Share};
use crate::dispatch::Subscriber;
use crate::error::AttachError;
use crate::lock::{lock, write};
use crate::message::Message;
use crate::offsets::Offsets;
use crate::placement::Placement;
use crate::retained::read_one;
use crate::store::{Shared, Store};
use crate::subscription::Subscription;

/// Who comes, and how.
pub struct Attach<'a> {
    /// The client identifier; not empty.
    pub client_id: &'a str,
    /// Whether an earlier session is to be forgotten [MQTT-3.1.2-4].
    pub clean_start: bool,
    /// How many seconds the session outlives the connection; 0 not at all, `u32::MAX` for ever.
    pub expiry_secs: u32,
    /// Called from other threads whenever something came for the session: it must make the connection call
    /// [`Attached::next`] soon, and do nothing else.
    pub wake: Wake,
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
}

impl fmt::Debug for Attach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach")
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("expiry_secs", &self.expiry_secs)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A client comes: gives its session, and the exchanges that were under way if it had one. What must be durable before CONNACK is in
    /// the placement.
    ///
    /// # Errors
    ///
    /// [`AttachError::InUse`] while another connection has the session; [`AttachError::Full`] when it would be one more than
    /// [`StoreOptions::sessions_max`](crate::StoreOptions::sessions_max); [`AttachError::Append`] when the log does not take the
    /// session; [`AttachError::Sync`] when a message of the client, which the last connection did not wait for, cannot be made durable. Nothing
    /// has changed then.
    pub fn attach(
        &self,
        attach: &Attach<'_>,
    ) -> Result<(Attached, Option<State<Delivery>>, Placement), AttachError> {
        let shared = &self.shared;
        let mut sessions = lock(&shared.sessions);
        let existing = sessions.get(attach.client_id).cloned();
        if existing.as_ref().is_some_and(|core| lock(&core.state).in_use) {
            return Err(AttachError::InUse);
        }
        if existing.is_none() && sessions.len() >= shared.options.sessions_max {
            Counters::add(&shared.counters.sessions_refused, 1);
            return Err(AttachError::Full { sessions: sessions.len() });
        }
        let saved = existing.as_ref().and_then(|core| lock(&core.state).saved.clone());
        let resumable =
            saved.as_ref().filter(|saved| !attach.clean_start && !saved.is_expired(attach.now_ms));

        let mut snapshot = resumable.cloned().unwrap_or_else(|| Snapshot::new(shared.dispatched()));
        snapshot.expiry_secs = attach.expiry_secs;
        if let Some(core) =
            existing.as_ref().filter(|_| resumable.is_some() && snapshot.disconnected_at.is_none())
        {
            // Its end was not kept: as after a crash.
            snapshot.hold(&lock(&core.state).held);
            snapshot.may_be_sent();
        }
        for place in snapshot.incoming.iter_mut().filter_map(|record| record.place.take()) {
            // PUBREC answers as soon as the client sends the message again. Most often it has been durable for long.
            let Some(lane) = usize::try_from(place.0).ok().and_then(|index| shared.lanes.get(index)) else {
                continue;
            };
            lane.partition.wait_durable(place.1)?;
        }
        snapshot.incoming_from =
            Some(Offsets::new(shared.lanes.iter().map(|lane| lane.partition.appended_end())));
        snapshot.disconnected_at = None;
        let mut placement = shared.save(attach.client_id, saved.as_ref(), &snapshot)?;

        let core = match (&existing, resumable) {
            (Some(core), Some(_)) => Arc::clone(core),
            _ => Arc::new(Core::new(shared.next_session_key(), attach.client_id, None)),
        };
        sessions.insert(attach.client_id.into(), Arc::clone(&core));
        let resumed = resumable.is_some();
        if let (false, Some(old), Some(saved)) = (resumed, &existing, &saved) {
            // If the log does not take it, more comes again after a crash.
            let (groups, ended) = shared.part_for_good(old, saved);
            let _ = shared.save_left(&groups, &ended);
        }
        enter(shared, &core, &snapshot, attach, resumed);
        {
            let mut state = lock(&core.state);
            state.saved_at = placement.session.or(state.saved_at);
            // The caller waits until it is durable before the first message leaves.
            placement.session = state.saved_at.filter(|offset| *offset >= shared.session_log.durable_end());
        }
        drop(sessions);
        let state = resumed.then(|| restore(shared, &snapshot));
        Ok((Attached::new(Arc::clone(shared), core), state, placement))
    }

    /// Forgets the sessions whose time is over; returns how many [MQTT-3.1.2-23]. Call it now and then.
    ///
    /// # Errors
    ///
    /// [`AppendError`] when the log does not take the record that says so.
    pub fn expire_sessions(&self, now_ms: i64) -> Result<usize, AppendError> {
        let shared = &self.shared;
        let mut sessions = lock(&shared.sessions);
        let expired: Vec<Box<str>> = sessions
            .iter()
            .filter(|(_, core)| {
                let state = lock(&core.state);
                !state.in_use && state.saved.as_ref().is_none_or(|saved| saved.is_expired(now_ms))
            })
            .map(|(client_id, _)| client_id.clone())
            .collect();
        // Each group once, however many of its sessions end.
        let (mut left, mut ended) = (HashMap::new(), Vec::new());
        let mut forgotten = Ok(());
        for client_id in &expired {
            forgotten = shared.forget(client_id).map(|_| ());
            if forgotten.is_err() {
                break;
            }
            let Some(core) = sessions.remove(client_id) else { continue };
            let saved = lock(&core.state).saved.take();
            if let Some(saved) = saved {
                let (its, its_ended) = shared.part_for_good(&core, &saved);
                left.extend(its.into_iter().map(|group| (group.key, group)));
                ended.extend(its_ended);
            }
        }
        let written = shared.save_left(left.values(), &ended);
        forgotten.and(written)?;
        Ok(expired.len())
    }
}

/// Makes the session one that is attached.
fn enter(shared: &Shared, core: &Arc<Core>, snapshot: &Snapshot, attach: &Attach<'_>, resumed: bool) {
    let is_shared = |subscription: &&Subscription| subscription.filter.as_filter().shared().is_some();
    let plain = snapshot.subscriptions.iter().filter(|subscription| !is_shared(subscription));
    let subscriptions: Arc<[_]> = plain.cloned().map(Arc::new).collect();
    {
        let mut state = lock(&core.state);
        state.wake = Some(Arc::clone(&attach.wake));
        state.in_use = true;
        // One without subscriptions of its own has missed nothing: what was dispatched before is not for it.
        let has_missed = resumed && !subscriptions.is_empty();
        let behind = |next: &u64| {
            if has_missed { Follow::Behind { next: *next } } else { Follow::Live { pushed: *next } }
        };
        state.follow = Follows::new(snapshot.positions.iter().map(behind).collect());
        state.came_at = shared.dispatched().into();
        state.inbox = Inbox::new(snapshot.positions.len());
        state.caught.clear();
        state.subscriptions = Arc::clone(&subscriptions);
        state.set_owed(&snapshot.owed);
        state.held = Held::default();
        state.saved = (snapshot.expiry_secs > 0).then(|| snapshot.clone());
    }
    let mut tree = write(&shared.subscriptions);
    for subscription in &*subscriptions {
        let subscriber = Subscriber { session: Arc::clone(core), subscription: Arc::clone(subscription) };
        tree.subscribe(subscription.filter.as_filter(), core.key, subscriber);
    }
    drop(tree);
    let shared_subscriptions = snapshot.subscriptions.iter().filter(is_shared);
    let shares: Vec<_> = shared_subscriptions
        .map(|one| (shared.join_group(&one.filter, core, one.terms), one.terms))
        .collect();
    let mut left = shared.groups_of(snapshot);
    left.retain(|group| !shares.iter().any(|(share, _)| Arc::ptr_eq(share, group)));
    let mut state = lock(&core.state);
    state.shares = shares;
    state.left = left;
}

/// The exchanges that were under way.
fn restore(shared: &Shared, snapshot: &Snapshot) -> State<Delivery> {
    let outgoing =
        snapshot.outgoing.iter().filter_map(|record| restore_one(shared, snapshot, record.clone())).collect();
    let incoming = snapshot
        .incoming
        .iter()
        .map(|record| Incoming { packet_id: record.packet_id, receipt: None })
        .collect();
    let mut state = State::new(outgoing, incoming);
    state.last_packet_id = snapshot.last_packet_id;
    state.avoided_packet_ids.clone_from(&snapshot.avoided_packet_ids);
    state
}

fn restore_one(
    shared: &Shared,
    snapshot: &Snapshot,
    mut record: OutgoingRecord,
) -> Option<InFlight<Delivery>> {
    let source = record.source;
    let share = snapshot.share(&record).and_then(|text| shared.groups.find(text.as_str())).map(Share);
    let among_all = |(partition, offset): (u32, u64)| {
        shared.lane(partition).and_then(|lane| read_one(&lane.partition, offset))
    };
    let message = match source.origin {
        Origin::Messages => among_all((source.partition, source.offset)),
        // Compaction may have removed one that another has replaced; it has to be sent again all the same [MQTT-4.4.0-1].
        Origin::Retained => shared.retained.read(source.offset).or_else(|| record.first.and_then(among_all)),
    };
    if message.is_none() && record.stage != Stage::PubComp {
        Counters::add(&shared.counters.fell_behind, 1);
    }
    // Of a message that was received only the identifier is needed, for PUBREL.
    let message = message.or_else(|| record.close().then(Message::gone).flatten());
    let qos = match record.stage {
        Stage::PubAck => QoS::AtLeastOnce,
        Stage::PubRec | Stage::PubComp => QoS::ExactlyOnce,
    };
    let delivery = Delivery {
        message: Arc::new(message?),
        qos,
        retain: record.retain,
        subscription_ids: record.subscription_ids,
        source,
        first: record.first,
        share,
    };
    Some(InFlight { packet_id: record.packet_id, stage: record.stage, sent: record.sent, message: delivery })
}
