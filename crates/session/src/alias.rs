//! Topic aliases: numbers that stand for topic names on one network connection (5.0, section 3.3.2.3.4).
//!
//! ```text
//!  PUBLISH a/b, alias 1  -->  1 = a/b        the receiver keeps the name, until another one is set or the connection ends
//!  PUBLISH "",  alias 1  -->  a/b
//! ```

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use headwater_codec::{Property, Publish};
use headwater_topic::{TopicName, TopicNameBuf};

use crate::error::ProtocolError;

/// A name of so many bytes is shorter than the property that names its alias.
const ALIAS_BYTES: usize = 3;

/// The topic of a message that came: from its packet, or what its topic alias stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic<'p> {
    /// Borrowed from the packet.
    Named(TopicName<'p>),
    /// A copy of the name that the alias stood for when the packet came.
    Aliased(TopicNameBuf),
}

impl Topic<'_> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> TopicName<'_> {
        match self {
            Self::Named(name) => *name,
            Self::Aliased(name) => name.as_name(),
        }
    }
}

/// The aliases that the peer has set on this connection.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// What was announced to the peer.
    maximum: u16,
    names: BTreeMap<NonZeroU16, TopicNameBuf>,
}

impl Incoming {
    /// A connection on which this maximum is announced begins: no alias holds any more [MQTT-3.3.2-7].
    pub(crate) fn begin(&mut self, maximum: u16) {
        self.maximum = maximum;
        self.names.clear();
    }

    /// The topic of a PUBLISH. One with a name and an alias sets the alias.
    pub(crate) fn resolve<'p>(&mut self, publish: &Publish<'p>) -> Result<Topic<'p>, ProtocolError> {
        let alias = publish.properties.topic_alias();
        if let Some(alias) = alias
            && alias.get() > self.maximum
        {
            // [MQTT-3.3.2-9] [MQTT-3.3.2-11]
            return Err(ProtocolError::TopicAliasInvalid { alias: alias.get(), maximum: self.maximum });
        }
        match (publish.topic, alias) {
            (Some(name), None) => Ok(Topic::Named(name)),
            (Some(name), Some(alias)) => {
                // What is said again is not copied again.
                if self.names.get(&alias).is_none_or(|kept| kept.as_name() != name) {
                    self.names.insert(alias, TopicNameBuf::from(name));
                }
                Ok(Topic::Named(name))
            }
            (None, alias) => {
                let kept = alias.and_then(|alias| self.names.get(&alias));
                let unknown = || ProtocolError::TopicAliasUnknown { alias: alias.map_or(0, NonZeroU16::get) };
                // 5.0, section 3.3.4: an alias that was not set is a protocol error.
                kept.cloned().map(Topic::Aliased).ok_or_else(unknown)
            }
        }
    }
}

/// The aliases that were set for the peer on this connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// The lower of what the peer takes and what the caller wants to keep.
    maximum: u16,
    /// Alias 1 first.
    slots: Vec<Slot>,
    by_name: BTreeMap<TopicNameBuf, NonZeroU16>,
    by_turn: BTreeMap<u64, NonZeroU16>,
    next_turn: u64,
}

#[derive(Debug)]
struct Slot {
    name: TopicNameBuf,
    /// When it was used last: its key in `by_turn`.
    turn: u64,
    /// Whether the peer was told the name.
    told: bool,
}

impl Outgoing {
    /// A connection begins: no alias holds any more [MQTT-3.3.2-7]. Neither limit is ever passed [MQTT-3.1.2-26] [MQTT-3.2.2-17].
    pub(crate) fn begin(&mut self, peer_maximum: u16, own_maximum: u16) {
        *self = Self { maximum: peer_maximum.min(own_maximum), ..Self::default() };
    }

    /// What PUBLISH may use; nothing for one that is sent again, which must stand for itself.
    pub(crate) fn lend(&mut self, dup: bool) -> Aliases<'_> {
        Aliases((self.maximum > 0 && !dup).then_some(self))
    }

    /// The alias of this name: the one it has, a new one, or that of the name whose use is longest ago. O(log aliases).
    fn choose(&mut self, name: TopicName<'_>) -> Option<(NonZeroU16, &mut Slot)> {
        let turn = self.next_turn;
        self.next_turn += 1;
        let number = match self.by_name.get(name.as_str()) {
            Some(number) => *number,
            None => self.give(name, turn)?,
        };
        let slot = self.slots.get_mut(usize::from(number.get() - 1))?;
        self.by_turn.remove(&slot.turn);
        slot.turn = turn;
        self.by_turn.insert(turn, number);
        Some((number, slot))
    }

    fn give(&mut self, name: TopicName<'_>, turn: u64) -> Option<NonZeroU16> {
        let slot = Slot { name: TopicNameBuf::from(name), turn, told: false };
        let number = if self.slots.len() < usize::from(self.maximum) {
            let number = u16::try_from(self.slots.len() + 1).ok().and_then(NonZeroU16::new)?;
            self.by_name.insert(slot.name.clone(), number);
            self.slots.push(slot);
            number
        } else {
            let (_, number) = self.by_turn.pop_first()?;
            let oldest = self.slots.get_mut(usize::from(number.get() - 1))?;
            self.by_name.remove(oldest.name.as_str());
            self.by_name.insert(slot.name.clone(), number);
            *oldest = slot;
            number
        };
        Some(number)
    }
}

/// The topic aliases that one PUBLISH may use; part of [`Transmit::Publish`](crate::Transmit::Publish).
///
/// Which alias a topic gets is the session's affair: it never gives one above the peer's maximum, none to a message that is sent again,
/// and the one whose use is longest ago when all are taken. Who does not want aliases lets it fall.
///
/// # Examples
///
/// ```
/// use headwater_codec::{EncodeError, Properties, Property, Publish, Version};
/// use headwater_session::Aliases;
/// use headwater_topic::TopicName;
///
/// fn write(topic: TopicName<'_>, payload: &[u8], aliases: Aliases<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
///     let alias = aliases.alias(topic);
///     let properties: Vec<Property> = alias.iter().map(|alias| alias.property()).collect();
///     let mut publish = Publish::new(topic, payload).with_properties(Properties::from(&properties[..]));
///     if alias.as_ref().is_some_and(|alias| alias.is_known()) {
///         publish.topic = None;
///     }
///     publish.encode(Version::V5, out)?;
///     if let Some(alias) = alias {
///         alias.written();
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Aliases<'a>(Option<&'a mut Outgoing>);

impl<'a> Aliases<'a> {
    /// The alias for the topic of the message; `None` if it has to do without one. O(log aliases), and two copies of a name that has none.
    #[must_use]
    pub fn alias(self, topic: TopicName<'_>) -> Option<Alias<'a>> {
        if topic.as_str().len() <= ALIAS_BYTES {
            return None;
        }
        let (number, slot) = self.0?.choose(topic)?;
        Some(Alias { number, slot })
    }
}

/// A topic alias for one PUBLISH.
///
/// It has to be sent with [`property`](Self::property), and with the topic unless the peer [knows](Self::is_known) it. Then the session
/// is told that it was [`written`](Self::written); until that happens, the peer is told the topic each time.
#[derive(Debug)]
#[must_use = "the peer must be told, and the session that it was"]
pub struct Alias<'a> {
    number: NonZeroU16,
    slot: &'a mut Slot,
}

impl Alias<'_> {
    /// The property of PUBLISH.
    #[must_use]
    pub fn property(&self) -> Property<'static> {
        Property::TopicAlias(self.number)
    }

    /// Whether the peer knows what it stands for: the topic may be left out.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.slot.told
    }

    /// The packet is on its way, with the topic if the alias was not known.
    pub fn written(self) {
        self.slot.told = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(outgoing: &mut Outgoing, name: &str) -> Option<(u16, bool)> {
        let alias = outgoing.lend(false).alias(TopicName::parse(name).unwrap())?;
        let said = (alias.number.get(), alias.is_known());
        alias.written();
        Some(said)
    }

    #[test]
    fn the_alias_whose_use_is_longest_ago_is_given_to_the_next_topic() {
        let mut outgoing = Outgoing::default();
        outgoing.begin(2, 9);
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, false)));
        assert_eq!(send(&mut outgoing, "topic/b"), Some((2, false)));
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, true)));
        assert_eq!(send(&mut outgoing, "topic/c"), Some((2, false)));
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, true)));
        assert_eq!(send(&mut outgoing, "topic/b"), Some((2, false)));
        assert_eq!(send(&mut outgoing, "topic/c"), Some((1, false)));
        assert_eq!((outgoing.by_name.len(), outgoing.by_turn.len()), (2, 2));
    }

    #[test]
    fn an_alias_that_was_not_written_is_told_again() {
        let mut outgoing = Outgoing::default();
        outgoing.begin(9, 9);
        let name = TopicName::parse("topic/a").unwrap();
        for _ in 0..2 {
            assert!(!outgoing.lend(false).alias(name).unwrap().is_known());
        }
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, false)));
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, true)));
    }

    #[test]
    fn there_is_none_for_a_resend_for_a_short_name_or_beyond_either_maximum() {
        let name = TopicName::parse("topic/a").unwrap();
        for (peer, own) in [(0, 9), (9, 0)] {
            let mut outgoing = Outgoing::default();
            outgoing.begin(peer, own);
            assert!(outgoing.lend(false).alias(name).is_none());
        }
        let mut outgoing = Outgoing::default();
        outgoing.begin(9, 9);
        assert_eq!(send(&mut outgoing, "a/b"), None);
        assert_eq!(send(&mut outgoing, "topic/a"), Some((1, false)));
        assert!(outgoing.lend(true).alias(name).is_none());
    }
}
