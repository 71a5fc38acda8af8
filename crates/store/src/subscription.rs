//! What a session asked for.

use headwater_codec::{SubscribeOptions, SubscriptionId};
use headwater_topic::TopicFilterBuf;

use crate::offsets::Offsets;

/// So many replacements are told apart while messages from before them are unread.
const EARLIER_MAX: usize = 8;

/// One subscription of one session.
///
/// It begins at an offset of each partition: what was appended before is not for it, whatever the session still has to read. What was
/// appended before it was replaced by another one with the same filter is sent as the earlier one asked [MQTT-3.8.4-4].
///
/// ```text
///             starts              until               until
///   not for it | earlier[0].terms  | earlier[1].terms  | terms
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What it matches.
    pub filter: TopicFilterBuf,
    /// What holds for what comes from now on.
    pub terms: Terms,
    /// The first offset that is for it.
    pub starts: Offsets,
    /// What held before, oldest first, as long as messages from then are unread.
    pub earlier: Vec<Earlier>,
    /// The messages of QoS 0 that it gets from the log. It is not kept with the session.
    pub past: Past,
}

/// What of the log a subscription asks for that begins in the past: messages of QoS 0 too, which otherwise come when they are published or
/// not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The first offset that was not read.
    pub from: Offsets,
    /// The first offset that was not there when the subscription was made. What is before is not forwarded, even if it was about to be.
    pub until: Offsets,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// QoS and the other options of SUBSCRIBE.
    pub options: SubscribeOptions,
    /// Sent along with each message (5.0).
    pub id: Option<SubscriptionId>,
}

/// What held until a subscription was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What held.
    pub terms: Terms,
    /// The first offset for which it does not hold any more.
    pub until: Offsets,
}

impl Subscription {
    /// What holds for a record; `None` if it was appended before the subscription was made.
    #[must_use]
    pub fn terms_at(&self, partition: u32, offset: u64) -> Option<Terms> {
        if offset < self.starts.of(partition) {
            return None;
        }
        let earlier = self.earlier.iter().find(|earlier| offset < earlier.until.of(partition));
        Some(earlier.map_or(self.terms, |earlier| earlier.terms))
    }

    /// Whether a record is of the past that the subscription has asked for.
    #[must_use]
    pub fn asks_for_past(&self, partition: u32, offset: u64) -> bool {
        let Past { from, until } = &self.past;
        offset >= self.starts.of(partition).max(from.of(partition)) && offset < until.of(partition)
    }

    /// One that begins at these offsets, and takes the place of `self`. What that one still has to get from before them, it gets on its
    /// own terms [MQTT-3.8.4-4].
    pub(crate) fn begun_again(&self, terms: Terms, begins: &[u64], ends: &[u64]) -> Self {
        let mut old = self.clone();
        for earlier in &mut old.earlier {
            earlier.until = earlier.until.each(begins, u64::min);
        }
        let from = Offsets::new(begins.iter().copied());
        let starts = self.starts.each(begins, u64::min);
        let past = Past { from: from.clone(), until: Offsets::new(ends.iter().copied()) };
        Self { starts, past, ..old.replaced(terms, from) }
    }

    /// The same without what is before these offsets.
    pub(crate) fn not_before(&self, offsets: &[u64]) -> Self {
        let past = Past { from: self.past.from.each(offsets, u64::max), until: self.past.until.clone() };
        Self { starts: self.starts.each(offsets, u64::max), past, ..self.clone() }
    }

    /// The same, when the past that it has asked for was read to its end.
    pub(crate) fn past_read(&self, partition: u32) -> Self {
        let until = self.past.until.of(partition);
        let from = self.past.from.with(partition, until.max(self.past.from.of(partition)));
        Self { past: Past { from, until: self.past.until.clone() }, ..self.clone() }
    }

    /// The same on other terms from `ends` on. No message is lost by that.
    pub(crate) fn replaced(&self, terms: Terms, ends: Offsets) -> Self {
        let mut new = Self { terms, ..self.clone() };
        if terms == self.terms {
            return new;
        }
        new.earlier.push(Earlier { terms: self.terms, until: ends });
        // What must not be lost is told apart from what may be; when that was too often, more is kept rather than less.
        if new.earlier.len() > EARLIER_MAX {
            let oldest = new.earlier.remove(0);
            if let Some(next) = new.earlier.first_mut()
                && oldest.terms.options.qos > next.terms.options.qos
            {
                next.terms = oldest.terms;
            }
        }
        new
    }

    /// The same without what does not matter any more for a session that has come so far.
    pub(crate) fn behind(&self, positions: &[u64]) -> Self {
        let earlier = self.earlier.iter();
        let earlier = earlier.map(|one| Earlier { terms: one.terms, until: one.until.behind(positions) });
        Self {
            filter: self.filter.clone(),
            terms: self.terms,
            starts: self.starts.behind(positions),
            earlier: earlier.filter(|earlier| !earlier.until.is_empty()).collect(),
            past: Past { from: self.past.from.behind(positions), until: self.past.until.behind(positions) },
        }
    }
}
