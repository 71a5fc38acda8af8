//! What the dispatcher and the connection of a session share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use headwater_codec::QoS;

use super::follow::{Follow, Follows};
use super::inbox::Inbox;
use super::incoming::Held;
use super::replay::Replay;
use super::snapshot::Snapshot;
use crate::delivery::{Delivery, Share, Source};
use crate::group::Group;
use crate::lock::lock;
use crate::options::StoreOptions;
use crate::subscription::{Subscription, Terms};

/// Called when something came for a session; must be quick and must not call the store.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// One session, attached or away.
#[derive(Debug)]
pub(crate) struct Core {
    /// Orders the subscriptions of sessions; unique while the store is open.
    pub(crate) key: u64,
    pub(crate) client_id: Box<str>,
    pub(crate) state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    /// What wakes the connection; `None` while the client is away.
    pub(crate) wake: Option<Wake>,
    /// Whether the dispatcher has put something into the inbox and will wake the connection.
    pub(crate) is_to_be_woken: bool,
    /// Whether a connection has the session, be it that it is about to let go of it.
    pub(crate) in_use: bool,
    /// How far each partition has come.
    pub(crate) follow: Follows,
    /// The end of each partition when the client came: what is older was missed while away.
    pub(crate) came_at: Box<[u64]>,
    /// What came while the client was here and waits to be sent.
    pub(crate) inbox: Inbox,
    /// What the session has read by itself and waits to be sent: of a partition in which it is behind.
    pub(crate) caught: VecDeque<Delivery>,
    /// Retained messages that still have to be sent.
    pub(crate) replays: VecDeque<Replay>,
    /// Those that are not shared.
    pub(crate) subscriptions: Arc<[Arc<Subscription>]>,
    /// The groups that the session is a member of, and its terms.
    pub(crate) shares: Vec<(Arc<Group>, Terms)>,
    /// Groups that it is not a member of, and of which it may have messages under way.
    pub(crate) left: Vec<Arc<Group>>,
    /// Groups that have ended with it, and of which the log does not say so.
    pub(crate) ended: Vec<Arc<Group>>,
    /// Groups of its own that are behind.
    pub(crate) to_read: VecDeque<Arc<Group>>,
    pub(crate) held: Held,
    /// Where what was saved last is in the log.
    pub(super) saved_at: Option<u64>,
    /// What was saved last; for a session that is away, all there is.
    pub(crate) saved: Option<Snapshot>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("attached", &self.wake.is_some())
            .field("follow", &self.follow)
            .field("inbox", &self.inbox.iter().count())
            .field("caught", &self.caught.len())
            .field("replays", &self.replays)
            .field("subscriptions", &self.subscriptions)
            .field("shares", &self.shares)
            .field("held", &self.held)
            .field("saved", &self.saved)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(key: u64, client_id: &str, saved: Option<Snapshot>) -> Self {
        let state = State {
            wake: None,
            is_to_be_woken: false,
            in_use: false,
            follow: Follows::default(),
            came_at: Box::default(),
            inbox: Inbox::default(),
            caught: VecDeque::new(),
            replays: VecDeque::new(),
            subscriptions: Arc::default(),
            shares: Vec::new(),
            left: Vec::new(),
            ended: Vec::new(),
            to_read: VecDeque::new(),
            held: Held::default(),
            saved_at: None,
            saved,
        };
        Self { key, client_id: client_id.into(), state: Mutex::new(state) }
    }

    /// The dispatcher has a durable message. If there is no room, the session reads it from the log later. `true` if the session is to be
    /// [woken](Self::wake) for it, and for what is pushed until then.
    pub(crate) fn push(&self, delivery: Delivery, options: &StoreOptions) -> bool {
        let mut state = lock(&self.state);
        if state.wake.is_none() {
            return false;
        }
        let Source { partition, offset, .. } = delivery.source;
        let Some(Follow::Live { .. }) = state.follow.of(partition) else { return false };
        if state.inbox.is_full(&delivery, options) {
            state.follow.set(partition, Follow::Behind { next: offset });
            return false;
        }
        state.follow.set(partition, Follow::Live { pushed: offset + 1 });
        state.inbox.push(delivery);
        !std::mem::replace(&mut state.is_to_be_woken, true)
    }

    /// Wakes the connection for what was pushed.
    pub(crate) fn wake(&self) {
        let wake = {
            let mut state = lock(&self.state);
            state.is_to_be_woken = false;
            state.wake.clone()
        };
        if let Some(wake) = wake {
            wake();
        }
    }

    /// A QoS 0 message came; `false` if there is no room.
    pub(crate) fn offer(&self, delivery: Delivery, options: &StoreOptions) -> bool {
        debug_assert_eq!(delivery.qos, QoS::AtMostOnce);
        self.put(lock(&self.state), delivery, options).unwrap_or(true)
    }

    /// A group has a message for the session, `is_reader` if it is the one that has read it; `false` if the client is away
    /// or there is no room.
    pub(crate) fn take_in(&self, delivery: Delivery, options: &StoreOptions, is_reader: bool) -> bool {
        let state = lock(&self.state);
        if !is_reader && state.keeps_room_from(&delivery) {
            return false;
        }
        self.put(state, delivery, options).unwrap_or(false)
    }

    /// Puts it into the inbox; `false` if there is no room, `None` if the client is away.
    fn put(
        &self,
        mut state: MutexGuard<'_, State>,
        delivery: Delivery,
        options: &StoreOptions,
    ) -> Option<bool> {
        let wake = state.wake.clone()?;
        if state.inbox.is_full(&delivery, options) {
            return Some(false);
        }
        state.inbox.push(delivery);
        drop(state);
        wake();
        Some(true)
    }

    /// A group of the session is behind.
    pub(crate) fn wants_read(&self, group: &Arc<Group>) {
        let mut state = lock(&self.state);
        let Some(wake) = state.wake.clone() else { return };
        state.wants_read(group);
        // Who has messages of groups looks again when they are sent.
        let sleeps = !state.inbox.holds_shared();
        drop(state);
        if sleeps {
            wake();
        }
    }

    /// Takes out what waits and comes from one group: partitions and offsets.
    pub(crate) fn take_unsent(&self, group: &Group) -> impl Iterator<Item = (u32, u64)> + use<> {
        let taken = lock(&self.state).inbox.take_shared(group);
        taken.into_iter().map(|Delivery { source, .. }| (source.partition, source.offset))
    }
}

impl State {
    /// Whether the session has something to read by itself.
    pub(super) fn can_read(&self, turn: usize) -> bool {
        !self.replays.is_empty() || self.next_behind(turn).is_some() || self.can_read_for_group()
    }

    /// A group of the session is behind.
    pub(super) fn wants_read(&mut self, group: &Arc<Group>) {
        if !self.to_read.iter().any(|other| Arc::ptr_eq(other, group)) {
            self.to_read.push_back(Arc::clone(group));
        }
    }

    /// Whether another group waits to be read for, which is done when nothing of any group waits here: one that is busy would keep it
    /// from that for ever.
    fn keeps_room_from(&self, delivery: &Delivery) -> bool {
        let is_other = |share: &Share| self.to_read.iter().any(|group| !share.is_of(group));
        delivery.share.as_ref().is_some_and(is_other)
    }

    /// Whether a group is behind and nothing of any waits here, so that what is read comes after it and is worth a read.
    pub(super) fn can_read_for_group(&self) -> bool {
        !self.to_read.is_empty() && !self.inbox.holds_shared()
    }

    /// The next partition in which the session is behind, and where. What the dispatcher has put into the inbox comes before what is read
    /// after it.
    pub(super) fn next_behind(&self, turn: usize) -> Option<(usize, u64)> {
        self.follow.next_behind(turn, |index| !self.inbox.holds(index))
    }

    /// Retained messages that were looked up, or what was read from the log.
    pub(super) fn take_own(&mut self) -> Option<Delivery> {
        self.take_owed().or_else(|| self.caught.pop_front())
    }

    /// The first offset of each partition that was not examined for this session, or is examined and waits to be sent. `dispatched`
    /// must have been read before the state was locked.
    pub(crate) fn positions(&self, dispatched: &[u64]) -> Vec<u64> {
        let mut positions = self.follow.positions(dispatched);
        for delivery in self.inbox.iter().chain(&self.caught) {
            // What is shared waits for the group.
            let waits = delivery.qos != QoS::AtMostOnce && delivery.share.is_none();
            let index = usize::try_from(delivery.source.partition).unwrap_or(usize::MAX);
            if let Some(position) = positions.get_mut(index).filter(|_| waits) {
                *position = (*position).min(delivery.source.offset);
            }
        }
        positions
    }
}
