//! What a packet says, in a form that does not depend on who read it.

use headwater_codec::{PropertyId, PropertyPlace};

/// What a packet says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    facts: Vec<(Key, Value<'a>)>,
    in_will: bool,
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A field of the packet.
    Field(&'static str),
    /// A property of the packet.
    Property(PropertyId),
    /// A property of the will.
    OfWill(PropertyId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u32),
    Bytes(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

impl<'a> Facts<'a> {
    /// Nothing but the kind of the packet.
    pub(crate) fn of(kind: headwater_codec::PacketType) -> Self {
        let mut facts = Self::default();
        facts.number("packet type", kind.as_u8());
        facts
    }

    /// From here on, properties are those of the will.
    pub(crate) fn will(&mut self) {
        self.in_will = true;
    }

    pub(crate) fn number(&mut self, field: &'static str, value: impl Into<u32>) {
        self.facts.push((Key::Field(field), Value::Number(value.into())));
    }

    pub(crate) fn bytes(&mut self, field: &'static str, value: &'a (impl AsRef<[u8]> + ?Sized)) {
        self.facts.push((Key::Field(field), Value::Bytes(value.as_ref())));
    }

    pub(crate) fn maybe(&mut self, field: &'static str, value: Option<&'a (impl AsRef<[u8]> + ?Sized)>) {
        if let Some(value) = value {
            self.bytes(field, value);
        }
    }

    /// A filter of SUBSCRIBE with its options as they are on the wire.
    pub(crate) fn subscription(
        &mut self,
        filter: &'a (impl AsRef<[u8]> + ?Sized),
        qos: u8,
        (no_local, retain_as_published, retain_handling): (bool, bool, u8),
    ) {
        self.bytes("filter", filter);
        let flags = u8::from(no_local) << 2 | u8::from(retain_as_published) << 3;
        self.number("options", qos | flags | retain_handling << 4);
    }

    /// A property that is a number.
    pub(crate) fn count(&mut self, id: PropertyId, value: Option<impl Into<u32>>) {
        if let Some(value) = value {
            self.facts.push((self.key(id), Value::Number(value.into())));
        }
    }

    /// A property that is a text or bytes.
    pub(crate) fn text(&mut self, id: PropertyId, value: Option<&'a (impl AsRef<[u8]> + ?Sized)>) {
        if let Some(value) = value {
            self.facts.push((self.key(id), Value::Bytes(value.as_ref())));
        }
    }

    /// A user property.
    pub(crate) fn user(&mut self, name: &'a str, value: &'a str) {
        let key = self.key(PropertyId::UserProperty);
        self.facts.push((key, Value::Pair(name.as_bytes(), value.as_bytes())));
    }

    const fn key(&self, id: PropertyId) -> Key {
        if self.in_will { Key::OfWill(id) } else { Key::Property(id) }
    }

    /// The same with facts of one kind together, and in the order in which they came: a peer keeps no more of the order of
    /// properties. None of those that are not compared.
    #[must_use]
    pub fn sorted(mut self, left_out: impl Fn(Key) -> bool) -> Self {
        self.facts.retain(|(key, _)| !left_out(*key));
        self.facts.sort_by_key(|(key, _)| *key);
        self.in_will = false;
        self
    }

    /// The same without properties that say what holds anyway, for peers that do not tell them from properties left out.
    #[must_use]
    pub(crate) fn without_defaults(mut self, place: PropertyPlace) -> Self {
        self.facts.retain(|(key, value)| match (key, value) {
            (Key::Property(id), Value::Number(value)) => Some(*value) != default(*id, place),
            _ => true,
        });
        self
    }
}

/// What a property says that is not there.
const fn default(id: PropertyId, place: PropertyPlace) -> Option<u32> {
    use PropertyId as P;
    match (place, id) {
        // Sections 3.1.2.11.2, 3.1.2.11.5, 3.1.2.11.6 and 3.3.2.3.2.
        (PropertyPlace::Connect, P::SessionExpiryInterval)
        | (_, P::TopicAliasMaximum | P::RequestResponseInformation | P::PayloadFormatIndicator) => Some(0),
        // Sections 3.1.2.11.7, 3.2.2.3.5, 3.2.2.3.11, 3.2.2.3.12 and 3.2.2.3.13.
        (
            _,
            P::RequestProblemInformation
            | P::RetainAvailable
            | P::WildcardSubscriptionAvailable
            | P::SubscriptionIdentifierAvailable
            | P::SharedSubscriptionAvailable,
        ) => Some(1),
        // Section 3.2.2.3.4.
        (_, P::MaximumQoS) => Some(2),
        // Section 3.2.2.3.3.
        (PropertyPlace::ConnAck, P::ReceiveMaximum) => Some(65_535),
        _ => None,
    }
}
