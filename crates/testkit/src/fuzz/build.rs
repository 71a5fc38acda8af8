//! Packets of any shape, right and wrong, out of a fuzzer's bytes.
//!
//! Texts and payloads are parts of the input. Lists are read first and lie in [`Lists`], from which a packet borrows.

use std::num::{NonZeroU16, NonZeroU32};

use headwater_codec::{
    Auth, ConnAck, Connect, DecodeOptions, Delivery, Disconnect, Filters, Packet, PacketId, PacketType,
    Properties, Property, PropertyId, PropertyPlace, PubAck, PubComp, PubRec, PubRel, Publish, QoS,
    ReasonCode, ReasonCodes, RetainHandling, SubAck, Subscribe, SubscribeFilter, SubscribeOptions,
    SubscriptionId, TopicFilter, TopicFilters, TopicName, UnsubAck, Unsubscribe, Version, Will,
};
use headwater_topic::Limits as TopicLimits;

use super::places::place;

/// One byte more than a string can have.
static LONG: [u8; 65_536] = [b'x'; 65_536];

/// The bytes that are left; when there are none, zeros.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn long(&mut self) -> u32 {
        u32::from(self.short()) << 16 | u32::from(self.short())
    }

    /// A length and as many bytes, or, rarely, as many as a string can just have, or can not.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let length = match (self.byte(), self.0) {
            (0xFF, [0xFF, ..]) => return &LONG,
            (0xFF, [0xFE, ..]) => return LONG.split_last().map_or(&[], |(_, rest)| rest),
            (length, rest) => usize::from(length).min(rest.len()),
        };
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    /// Bytes as far as they are a text. It may be a text that MQTT forbids.
    fn text(&mut self) -> &'a str {
        let bytes = self.bytes();
        str::from_utf8(bytes).unwrap_or_else(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            str::from_utf8(valid).unwrap_or_default()
        })
    }

    fn topic(&mut self) -> Option<TopicName<'a>> {
        let text = self.text();
        TopicName::parse_with(text, TopicLimits::SPECIFICATION).or_else(|_| TopicName::parse("t")).ok()
    }

    fn filter(&mut self) -> Option<TopicFilter<'a>> {
        let text = self.text();
        TopicFilter::parse_with(text, TopicLimits::SPECIFICATION)
            .or_else(|_| TopicFilter::parse("$share/g/+/#"))
            .ok()
    }

    fn qos(&mut self) -> QoS {
        QoS::from_u8(self.byte() % 3).unwrap_or_default()
    }

    fn packet_id(&mut self) -> PacketId {
        PacketId::new(self.short()).unwrap_or(PacketId::MIN)
    }

    pub(super) fn delivery(&mut self) -> Delivery {
        match self.qos() {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce { packet_id: self.packet_id(), dup: self.flag() },
            QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id: self.packet_id(), dup: self.flag() },
        }
    }

    pub(super) fn subscription_id(&mut self) -> Option<SubscriptionId> {
        let number = self.long();
        SubscriptionId::new(number >> (number % 32))
    }

    /// A code that the packet may have, or any.
    fn reason(&mut self, packet: PacketType) -> ReasonCode {
        let code = ReasonCode(self.byte());
        let number = usize::from(code.0);
        let mut allowed = ReasonCode::ALL.iter().filter(|code| code.allowed_in(packet));
        allowed.nth(number).copied().unwrap_or(code)
    }

    /// So many of them.
    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Vec<T> {
        let count = self.byte() % 10;
        (0..count).filter_map(|_| one(self)).collect()
    }

    /// A property that may stand in the place, or any.
    fn property(&mut self, place: PropertyPlace) -> Option<Property<'a>> {
        use Property as P;
        let number = usize::from(self.byte());
        let mut allowed = PropertyId::ALL.iter().filter(|id| id.allowed_in(place));
        let id = allowed.nth(number).or_else(|| PropertyId::ALL.get(number % PropertyId::ALL.len()))?;
        Some(match id {
            PropertyId::PayloadFormatIndicator => P::PayloadFormatIndicator(self.flag()),
            PropertyId::MessageExpiryInterval => P::MessageExpiryInterval(self.long()),
            PropertyId::ContentType => P::ContentType(self.text()),
            PropertyId::ResponseTopic => P::ResponseTopic(self.topic()?),
            PropertyId::CorrelationData => P::CorrelationData(self.bytes()),
            PropertyId::SubscriptionIdentifier => P::SubscriptionIdentifier(self.subscription_id()?),
            PropertyId::SessionExpiryInterval => P::SessionExpiryInterval(self.long()),
            PropertyId::AssignedClientIdentifier => P::AssignedClientIdentifier(self.text()),
            PropertyId::ServerKeepAlive => P::ServerKeepAlive(self.short()),
            PropertyId::AuthenticationMethod => P::AuthenticationMethod(self.text()),
            PropertyId::AuthenticationData => P::AuthenticationData(self.bytes()),
            PropertyId::RequestProblemInformation => P::RequestProblemInformation(self.flag()),
            PropertyId::WillDelayInterval => P::WillDelayInterval(self.long()),
            PropertyId::RequestResponseInformation => P::RequestResponseInformation(self.flag()),
            PropertyId::ResponseInformation => P::ResponseInformation(self.text()),
            PropertyId::ServerReference => P::ServerReference(self.text()),
            PropertyId::ReasonString => P::ReasonString(self.text()),
            PropertyId::ReceiveMaximum => P::ReceiveMaximum(NonZeroU16::new(self.short())?),
            PropertyId::TopicAliasMaximum => P::TopicAliasMaximum(self.short()),
            PropertyId::TopicAlias => P::TopicAlias(NonZeroU16::new(self.short())?),
            PropertyId::MaximumQoS => P::MaximumQoS(self.qos()),
            PropertyId::RetainAvailable => P::RetainAvailable(self.flag()),
            PropertyId::UserProperty => P::UserProperty(self.text(), self.text()),
            PropertyId::MaximumPacketSize => P::MaximumPacketSize(NonZeroU32::new(self.long())?),
            PropertyId::WildcardSubscriptionAvailable => P::WildcardSubscriptionAvailable(self.flag()),
            PropertyId::SubscriptionIdentifierAvailable => P::SubscriptionIdentifierAvailable(self.flag()),
            PropertyId::SharedSubscriptionAvailable => P::SharedSubscriptionAvailable(self.flag()),
        })
    }
}

/// Properties in one of their two forms.
enum Given<'a> {
    List(Vec<Property<'a>>),
    /// From the wire, where they stood in this place or another.
    Wire(Properties<'a>),
}

impl<'a> Given<'a> {
    fn read(input: &mut Input<'a>, place: PropertyPlace) -> Self {
        let form = input.byte();
        if form & 0b11 == 0b11 {
            let came_in = if form & 0b100 == 0 { place } else { PropertyPlace::Publish };
            let wire = Properties::decode(input.bytes(), came_in, DecodeOptions::default());
            return Self::Wire(wire.unwrap_or_default());
        }
        Self::List(input.list(|input| input.property(place)))
    }

    fn properties(&self) -> Properties<'_> {
        match self {
            Self::List(list) => Properties::new(list),
            Self::Wire(properties) => *properties,
        }
    }
}

/// What a packet borrows from, but texts and payloads.
pub(super) struct Lists<'a> {
    properties: Given<'a>,
    of_will: Given<'a>,
    subscriptions: Vec<SubscribeFilter<'a>>,
    filters: Vec<TopicFilter<'a>>,
    reasons: Vec<ReasonCode>,
}

impl<'a> Lists<'a> {
    /// Reads the lists that a packet of this kind has.
    pub(super) fn read(input: &mut Input<'a>, kind: PacketType) -> Self {
        let mut lists = Self {
            properties: Given::read(input, place(kind)),
            of_will: Given::List(Vec::new()),
            subscriptions: Vec::new(),
            filters: Vec::new(),
            reasons: Vec::new(),
        };
        match kind {
            PacketType::Connect => lists.of_will = Given::read(input, PropertyPlace::Will),
            PacketType::Subscribe => lists.subscriptions = input.list(subscription),
            PacketType::Unsubscribe => lists.filters = input.list(Input::filter),
            PacketType::SubAck | PacketType::UnsubAck => {
                lists.reasons = input.list(|input| Some(input.reason(kind)));
            }
            _ => {}
        }
        lists
    }
}

fn subscription<'a>(input: &mut Input<'a>) -> Option<SubscribeFilter<'a>> {
    let filter = input.filter()?;
    let bits = input.byte();
    let retain_handling = match bits >> 4 & 0b11 {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        _ => RetainHandling::DoNotSend,
    };
    let options = SubscribeOptions {
        qos: QoS::from_u8(bits & 0b11).unwrap_or_default(),
        no_local: bits & 0b0100 != 0,
        retain_as_published: bits & 0b1000 != 0,
        retain_handling,
    };
    Some(SubscribeFilter { filter, options })
}

/// A packet of this kind, right or wrong.
pub(super) fn packet<'s, 'a: 's>(
    input: &mut Input<'a>,
    kind: PacketType,
    version: Version,
    lists: &'s Lists<'a>,
) -> Packet<'s> {
    let properties = lists.properties.properties();
    macro_rules! acknowledgement {
        ($name:ident) => {
            $name { packet_id: input.packet_id(), reason: input.reason(kind), properties }.into()
        };
    }
    match kind {
        PacketType::Connect => connect(input, version, lists).into(),
        PacketType::ConnAck => {
            ConnAck { session_present: input.flag(), reason: input.reason(kind), properties }.into()
        }
        PacketType::Publish => publish(input, lists).into(),
        PacketType::PubAck => acknowledgement!(PubAck),
        PacketType::PubRec => acknowledgement!(PubRec),
        PacketType::PubRel => acknowledgement!(PubRel),
        PacketType::PubComp => acknowledgement!(PubComp),
        PacketType::Subscribe => {
            let filters = Filters::new(&lists.subscriptions);
            Subscribe { packet_id: input.packet_id(), properties, filters }.into()
        }
        PacketType::SubAck => {
            let reasons = ReasonCodes::new(&lists.reasons);
            SubAck { packet_id: input.packet_id(), properties, reasons }.into()
        }
        PacketType::Unsubscribe => {
            let filters = TopicFilters::new(&lists.filters);
            Unsubscribe { packet_id: input.packet_id(), properties, filters }.into()
        }
        PacketType::UnsubAck => {
            let reasons = ReasonCodes::new(&lists.reasons);
            UnsubAck { packet_id: input.packet_id(), properties, reasons }.into()
        }
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Disconnect { reason: input.reason(kind), properties }.into(),
        PacketType::Auth => Auth { reason: input.reason(kind), properties }.into(),
    }
}

/// A message, right or wrong.
pub(super) fn publish<'s, 'a: 's>(input: &mut Input<'a>, lists: &'s Lists<'a>) -> Publish<'s> {
    let delivery = input.delivery();
    let flags = input.byte();
    let topic = if flags & 0b10 == 0 { input.topic() } else { None };
    let properties = lists.properties.properties();
    Publish { delivery, retain: flags & 1 == 1, topic, properties, payload: input.bytes() }
}

fn connect<'s, 'a: 's>(input: &mut Input<'a>, version: Version, lists: &'s Lists<'a>) -> Connect<'s> {
    let flags = input.byte();
    let mut connect = Connect::new(version, input.text());
    connect.clean_start = flags & 0b0001 != 0;
    connect.keep_alive_secs = input.short();
    connect.properties = lists.properties.properties();
    if flags & 0b0010 != 0
        && let Some(topic) = input.topic()
    {
        connect.will = Some(Will {
            qos: input.qos(),
            retain: input.flag(),
            topic,
            payload: input.bytes(),
            properties: lists.of_will.properties(),
        });
    }
    connect.user_name = (flags & 0b0100 != 0).then(|| input.text());
    connect.password = (flags & 0b1000 != 0).then(|| input.bytes());
    connect
}
