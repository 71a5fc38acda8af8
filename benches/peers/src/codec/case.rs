//! What is timed.

use headwater_codec::{
    Connect, Delivery, Packet, PacketId, Properties, Property, PubAck, Publish, QoS, Subscribe,
    SubscribeFilter, TopicFilter, TopicName, Version, Will,
};

use super::answer::Answer;

const TOPIC: &str = "site/7/line/3/sensor/42/te";
const WILL_TOPIC: &str = "site/7/line/3/gone";
const FILTERS: [&str; 8] =
    ["a/b/c", "site/+/line/+/temp", "#", "a/#", "+/+/+", "site/7/line/3", "x/y/z", "$SYS/broker/load"];

/// One case: the packets as a sender has them, their bytes, and what they say.
pub struct Case {
    /// Its name in the tables.
    pub name: &'static str,
    /// The revision.
    pub version: Version,
    /// The packets, built and not decoded: a list of properties is a list, as a sender has it.
    pub packets: &'static [Packet<'static>],
    /// The packets one behind the other.
    pub bytes: &'static [u8],
    /// What the packets say.
    pub answers: Vec<Answer>,
    /// Whether it has properties or filters, which we hand out by iterator and peers as lists.
    pub lists: bool,
    /// Whether it has properties.
    pub properties: bool,
    /// Whether encoding it is timed.
    pub encode: bool,
    /// Whether encoding all but the payload is timed.
    pub vectored: bool,
}

impl Case {
    fn new(name: &'static str, version: Version, says: Vec<(Packet<'static>, Answer)>) -> Self {
        let (packets, answers): (Vec<_>, Vec<_>) = says.into_iter().unzip();
        let mut bytes = Vec::new();
        for packet in &packets {
            packet.encode(version, &mut bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        Self {
            name,
            version,
            packets: packets.leak(),
            bytes: bytes.leak(),
            answers,
            lists: false,
            properties: false,
            encode: false,
            vectored: false,
        }
    }

    /// True for 5.0, which some peers do not speak.
    pub fn is_v5(&self) -> bool {
        self.version == Version::V5
    }
}

/// All cases.
pub fn all() -> Vec<Case> {
    let v4 = Version::V3_1_1;
    let v5 = Version::V5;
    let kib_64: &[u8] = vec![0x5A; 64 * 1024].leak();
    let kib: &[u8] = vec![0x5A; 1024].leak();
    let filters: &[_] = FILTERS
        .map(|name| SubscribeFilter::new(known(TopicFilter::parse(name).ok()), QoS::AtLeastOnce))
        .to_vec()
        .leak();
    let subscribe = || {
        let answer = Answer::new("subscribe").fact("packet identifier", 7).filters(FILTERS.map(|f| (f, 1)));
        vec![(Subscribe::new(id(7), filters).into(), answer)]
    };
    vec![
        Case { encode: true, ..Case::new("v4 PUBLISH QoS 0, 16 B", v4, vec![publish(&[0x5A; 16], None)]) },
        Case {
            vectored: true,
            encode: true,
            ..Case::new("v4 PUBLISH QoS 1, 64 KiB", v4, vec![publish(kib_64, Some(7))])
        },
        Case::new("v4 CONNECT, will + user + password", v4, vec![connect(v4)]),
        Case { lists: true, ..Case::new("v4 SUBSCRIBE, 8 filters", v4, subscribe()) },
        Case::new("v4 PUBACK", v4, vec![puback(7)]),
        Case { encode: true, ..Case::new("v4 stream of 1000", v4, stream(v4)) },
        Case {
            lists: true,
            properties: true,
            encode: true,
            ..Case::new("v5 PUBLISH QoS 1, 4 properties, 1 KiB", v5, vec![publish_v5(kib)])
        },
        Case { vectored: true, ..Case::new("v5 PUBLISH QoS 1, 64 KiB", v5, vec![publish(kib_64, Some(7))]) },
        Case {
            lists: true,
            properties: true,
            ..Case::new("v5 CONNECT, 5 properties + user + password", v5, vec![connect(v5)])
        },
        Case { lists: true, ..Case::new("v5 SUBSCRIBE, 8 filters", v5, subscribe()) },
        Case {
            lists: true,
            properties: true,
            encode: true,
            ..Case::new("v5 stream of 1000", v5, stream(v5))
        },
    ]
}

fn known<T>(value: Option<T>) -> T {
    value.unwrap_or_else(|| panic!("the constants of the cases are right"))
}

fn id(id: u16) -> PacketId {
    known(PacketId::new(id))
}

fn topic() -> TopicName<'static> {
    known(TopicName::parse(TOPIC).ok())
}

/// A message of QoS 0, or with an identifier of QoS 1.
fn publish(payload: &'static [u8], packet_id: Option<u16>) -> (Packet<'static>, Answer) {
    let delivery = match packet_id {
        Some(number) => Delivery::AtLeastOnce { packet_id: id(number), dup: false },
        None => Delivery::AtMostOnce,
    };
    let answer = Answer::new("publish")
        .fact("topic", TOPIC)
        .fact("QoS", u8::from(packet_id.is_some()))
        .maybe("packet identifier", packet_id)
        .bytes("payload", Some(payload));
    (Publish::new(topic(), payload).with_delivery(delivery).into(), answer)
}

fn publish_v5(payload: &'static [u8]) -> (Packet<'static>, Answer) {
    let (packet, answer) = publish(payload, Some(7));
    let properties = Properties::new(&[
        Property::MessageExpiryInterval(3600),
        Property::ContentType("application/json"),
        Property::CorrelationData(&[0xC0; 16]),
        Property::UserProperty("trace", "00-4bf92f3577b34da6"),
    ]);
    let answer = answer
        .fact("message expiry interval", 3600)
        .fact("content type", "application/json")
        .bytes("correlation data", Some(&[0xC0; 16]))
        .user([("trace", "00-4bf92f3577b34da6")]);
    (with(packet, properties), answer)
}

fn with(packet: Packet<'static>, properties: Properties<'static>) -> Packet<'static> {
    match packet {
        Packet::Publish(publish) => publish.with_properties(properties).into(),
        other => other,
    }
}

fn puback(number: u16) -> (Packet<'static>, Answer) {
    (PubAck::new(id(number)).into(), Answer::new("puback").fact("packet identifier", number))
}

/// 3.1.1: will, user name and password. 5.0: properties, user name and password.
fn connect(version: Version) -> (Packet<'static>, Answer) {
    let mut connect = Connect::new(version, "device-0123456789");
    connect.keep_alive_secs = 60;
    connect.user_name = Some("operator");
    connect.password = Some(b"correct horse");
    let answer = Answer::new("connect")
        .fact("client identifier", "device-0123456789")
        .fact("keep alive", 60)
        .fact("clean", true)
        .fact("user name", "operator")
        .bytes("password", Some(b"correct horse"));
    if version == Version::V5 {
        let list = vec![
            Property::SessionExpiryInterval(7200),
            Property::ReceiveMaximum(known(100.try_into().ok())),
            Property::MaximumPacketSize(known(65_536.try_into().ok())),
            Property::TopicAliasMaximum(10),
            Property::UserProperty("region", "eu-1"),
        ];
        connect.properties = Properties::new(list.leak());
        let answer = answer
            .fact("session expiry interval", 7200)
            .fact("receive maximum", 100)
            .fact("maximum packet size", 65_536)
            .fact("topic alias maximum", 10)
            .user([("region", "eu-1")]);
        return (connect.into(), answer);
    }
    let mut will = Will::new(known(TopicName::parse(WILL_TOPIC).ok()), b"offline");
    will.qos = QoS::AtLeastOnce;
    connect.will = Some(will);
    let answer =
        answer.fact("will topic", WILL_TOPIC).fact("will QoS", 1).bytes("will payload", Some(b"offline"));
    (connect.into(), answer)
}

/// A thousand packets: four messages of QoS 0, one of QoS 1 and an acknowledgement, over and over. In 5.0 one of the
/// messages of QoS 0 has two properties.
fn stream(version: Version) -> Vec<(Packet<'static>, Answer)> {
    let payload = &[0x5A; 16];
    (0..1000)
        .map(|number: u16| match number % 6 {
            3 if version == Version::V5 => {
                let (packet, answer) = publish(payload, None);
                let properties = Properties::new(&[
                    Property::MessageExpiryInterval(3600),
                    Property::ContentType("application/json"),
                ]);
                let answer =
                    answer.fact("message expiry interval", 3600).fact("content type", "application/json");
                (with(packet, properties), answer)
            }
            0..4 => publish(payload, None),
            4 => publish(payload, Some(number + 1)),
            _ => puback(number + 1),
        })
        .collect()
}
