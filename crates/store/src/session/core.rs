//! What the dispatcher and the connection of a session share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use headwater_codec::QoS;

use super::packet_ids::PacketIds;
use super::replay::Replay;
use super::snapshot::Snapshot;
use crate::delivery::Delivery;
use crate::lock::lock;
use crate::subscription::Subscription;

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
    /// How far each partition has come.
    pub(crate) follow: Box<[Follow]>,
    /// The end of each partition when the client came: what is older was missed while away.
    pub(crate) came_at: Box<[u64]>,
    /// What waits to be sent.
    pub(crate) inbox: VecDeque<Delivery>,
    /// Retained messages that still have to be sent.
    pub(crate) replays: VecDeque<Replay>,
    pub(crate) subscriptions: Arc<[Arc<Subscription>]>,
    pub(crate) packet_ids: PacketIds,
    /// What was saved last; for a session that is away, all there is.
    pub(crate) saved: Option<Snapshot>,
}

/// How one session follows one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// The dispatcher puts what is for the session into its inbox.
    Live {
        /// It has handed out everything before this: known here before the lane says so to all.
        pushed: u64,
    },
    /// The session reads by itself.
    Behind {
        /// The next offset to look at.
        next: u64,
    },
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("attached", &self.wake.is_some())
            .field("follow", &self.follow)
            .field("inbox", &self.inbox.len())
            .field("replays", &self.replays)
            .field("subscriptions", &self.subscriptions)
            .field("packet_ids", &self.packet_ids)
            .field("saved", &self.saved)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(key: u64, client_id: &str, saved: Option<Snapshot>) -> Self {
        let state = State {
            wake: None,
            follow: Box::default(),
            came_at: Box::default(),
            inbox: VecDeque::new(),
            replays: VecDeque::new(),
            subscriptions: Arc::default(),
            packet_ids: PacketIds::default(),
            saved,
        };
        Self { key, client_id: client_id.into(), state: Mutex::new(state) }
    }

    /// The dispatcher has a durable message. If there is no room, the session reads it from the log later.
    pub(crate) fn push(&self, delivery: Delivery, inbox_max: usize) {
        let mut state = lock(&self.state);
        let Some(wake) = state.wake.clone() else { return };
        let full = state.inbox.len() >= inbox_max;
        let Some(follow) = state.follow_mut(delivery.source.partition) else { return };
        let Follow::Live { pushed } = follow else { return };
        if full {
            *follow = Follow::Behind { next: delivery.source.offset };
            return;
        }
        *pushed = delivery.source.offset + 1;
        state.inbox.push_back(delivery);
        drop(state);
        wake();
    }

    /// A QoS 0 message came; `false` if there is no room.
    pub(crate) fn offer(&self, delivery: Delivery, inbox_max: usize) -> bool {
        debug_assert_eq!(delivery.qos, QoS::AtMostOnce);
        let mut state = lock(&self.state);
        let Some(wake) = state.wake.clone() else { return true };
        if state.inbox.len() >= inbox_max {
            return false;
        }
        state.inbox.push_back(delivery);
        drop(state);
        wake();
        true
    }
}

impl State {
    pub(crate) fn follow_mut(&mut self, partition: u32) -> Option<&mut Follow> {
        self.follow.get_mut(usize::try_from(partition).ok()?)
    }

    /// The first offset of each partition that was not examined for this session, or is examined and waits in the inbox. `dispatched`
    /// must have been read before the state was locked.
    pub(crate) fn positions(&self, dispatched: &[u64]) -> Vec<u64> {
        let mut positions: Vec<u64> = self
            .follow
            .iter()
            .zip(dispatched)
            .map(|(follow, dispatched)| match follow {
                Follow::Live { pushed } => *dispatched.max(pushed),
                Follow::Behind { next } => *next,
            })
            .collect();
        for delivery in &self.inbox {
            let waits = delivery.qos != QoS::AtMostOnce;
            let index = usize::try_from(delivery.source.partition).unwrap_or(usize::MAX);
            if let Some(position) = positions.get_mut(index).filter(|_| waits) {
                *position = (*position).min(delivery.source.offset);
            }
        }
        positions
    }
}
