//! Handing a message to one member.

use std::sync::Arc;

use headwater_codec::QoS;

use super::{Group, Member, State};
use crate::delivery::{Delivery, Share, Source};
use crate::lock::lock;
use crate::message::Message;
use crate::options::StoreOptions;
use crate::subscription::Terms;

impl Group {
    /// The dispatcher has a durable message. If nobody has room, a member reads it from the log later.
    pub(crate) fn deliver(self: &Arc<Self>, message: &Arc<Message>, source: Source, options: &StoreOptions) {
        let Source { partition, offset, .. } = source;
        let mut state = lock(&self.state);
        if !state.cursor_mut(partition).is_some_and(|cursor| cursor.takes(offset)) {
            return;
        }
        // Who is told looks for itself until nothing is left to read.
        let were_told = state.is_behind();
        let handed = self.hand(&mut state, message, source, options, None);
        if let Some(cursor) = state.cursor_mut(partition) {
            if handed {
                return cursor.advance(offset + 1);
            }
            cursor.fall_behind(offset);
        }
        if !were_told {
            state.tell(self);
        }
    }

    /// A QoS 0 message came; `false` if there are members and none of them has room.
    pub(crate) fn offer(&self, message: &Arc<Message>, source: Source, options: &StoreOptions) -> bool {
        let mut state = lock(&self.state);
        let State { here, turn, cursors, .. } = &mut *state;
        let index = usize::try_from(source.partition).unwrap_or(usize::MAX);
        if here.is_empty() || cursors.get(index).is_none_or(|cursor| cursor.begins_after(source.offset)) {
            return true;
        }
        turn.offer(here, |member| {
            member.core.take_in(member.terms.deliver(message, source, None), options, false)
        })
    }

    /// Hands a message of QoS 1 or 2 to a member; `reader` is the one who asks for it. `false` if there is no room.
    pub(super) fn hand(
        self: &Arc<Self>,
        state: &mut State,
        message: &Arc<Message>,
        source: Source,
        options: &StoreOptions,
        reader: Option<u64>,
    ) -> bool {
        let State { here, turn, held, changes, ended, .. } = state;
        if *ended {
            return false;
        }
        let mut takes = |member: &Member| {
            let share = Some(Share(Arc::clone(self)));
            let delivery = member.terms.deliver(message, source, share);
            let taken = member.core.take_in(delivery, options, Some(member.core.key) == reader);
            if taken {
                held.insert((member.core.key, source.partition, source.offset));
            }
            taken
        };
        // There may be many, and only the one who asks be known to have room.
        let handed = turn.offer(here, &mut takes)
            || here.iter().find(|member| Some(member.core.key) == reader).is_some_and(&mut takes);
        *changes += usize::from(handed);
        handed
    }
}

impl Terms {
    /// How a member gets a message of its group [MQTT-4.8.2-3].
    fn deliver(self, message: &Arc<Message>, source: Source, share: Option<Share>) -> Delivery {
        Delivery {
            message: Arc::clone(message),
            // [MQTT-3.8.4-8]
            qos: self.options.qos.min(message.qos),
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            retain: self.options.retain_as_published && message.retain,
            subscription_ids: self.id.into_iter().collect(),
            source,
            first: None,
            share: share.filter(|_| message.qos != QoS::AtMostOnce),
        }
    }
}

impl State {
    /// Tells the members that there is something to read.
    pub(super) fn tell(&self, group: &Arc<Group>) {
        for member in &self.here {
            member.core.wants_read(group);
        }
    }
}
