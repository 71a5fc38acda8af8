//! Who is in a group, and what is taken back from those who go.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Group, Member, State};
use crate::lock::lock;
use crate::session::Core;
use crate::subscription::Terms;

/// What becomes of a message that a session was handed and has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays with the session.
    Held,
    /// Nobody gets it any more.
    Over,
    /// Another member gets it.
    Returned,
}

impl Group {
    /// A session is a member and connected, on these terms from now on.
    pub(super) fn enter(self: &Arc<Self>, core: &Arc<Core>, terms: Terms) {
        let mut state = lock(&self.state);
        state.away.remove(&core.key);
        match state.here.iter_mut().find(|member| member.core.key == core.key) {
            Some(member) => member.terms = terms,
            None => state.here.push(Member { core: Arc::clone(core), terms }),
        }
        if state.is_behind() {
            core.wants_read(self);
        }
    }

    /// A member goes: for a while, or for good. Nothing more is handed to it. `dispatched` must have been read before.
    pub(super) fn exit(&self, key: u64, comes_back: bool, dispatched: &[u64]) {
        let mut state = lock(&self.state);
        state.here.retain(|member| member.core.key != key);
        if comes_back {
            state.away.insert(key);
        } else {
            state.away.remove(&key);
        }
        state.ended |= state.here.is_empty() && state.away.is_empty();
        if state.here.is_empty() {
            // What comes meanwhile waits in the log.
            for (cursor, dispatched) in state.cursors.iter_mut().zip(dispatched) {
                cursor.fall_behind(*dispatched);
            }
        }
    }

    /// Decides about what a session was handed and has not finished; returns how much of it goes to others. `dispatched` must have been
    /// read before.
    pub(super) fn settle(
        self: &Arc<Self>,
        key: u64,
        dispatched: &[u64],
        fate: impl Fn(u32, u64) -> Fate,
    ) -> usize {
        let mut state = lock(&self.state);
        // Who is told looks for itself until nothing is left to read.
        let were_told = state.is_behind();
        let of_it = state.held.range((key, 0, 0)..=(key, u32::MAX, u64::MAX));
        let leaving: Vec<_> = of_it
            .map(|(_, partition, offset)| (*partition, *offset, fate(*partition, *offset)))
            .filter(|(_, _, fate)| *fate != Fate::Held)
            .collect();
        let mut returned = 0;
        for (partition, offset, fate) in leaving {
            state.held.remove(&(key, partition, offset));
            state.changes += 1;
            if fate == Fate::Returned && !state.ended {
                let end = usize::try_from(partition).ok().and_then(|index| dispatched.get(index));
                if let Some(cursor) = state.cursor_mut(partition) {
                    cursor.give_back(offset, end.copied().unwrap_or(0));
                    returned += 1;
                }
            }
        }
        if returned > 0 && !were_told {
            state.tell(self);
        }
        returned
    }

    /// Of what a session was handed, this was not sent and goes to others.
    pub(super) fn give_back(
        self: &Arc<Self>,
        key: u64,
        unsent: &HashSet<(u32, u64)>,
        dispatched: &[u64],
    ) -> usize {
        let fate = |partition, offset| {
            if unsent.contains(&(partition, offset)) { Fate::Returned } else { Fate::Held }
        };
        self.settle(key, dispatched, fate)
    }

    /// A session has finished with a message; `true` if that was news.
    pub(crate) fn finish(&self, key: u64, partition: u32, offset: u64) -> bool {
        let mut state = lock(&self.state);
        let was_held = state.held.remove(&(key, partition, offset));
        state.changes += usize::from(was_held);
        was_held
    }

    /// How many members are connected, and whether the last member has gone.
    pub(super) fn presence(&self) -> (usize, bool) {
        let state = lock(&self.state);
        (state.here.len(), state.ended)
    }

    /// Whether the session has anything in its hands.
    pub(super) fn is_holder(&self, key: u64) -> bool {
        let state: &State = &lock(&self.state);
        state.held.range((key, 0, 0)..=(key, u32::MAX, u64::MAX)).next().is_some()
    }
}
