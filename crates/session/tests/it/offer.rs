//! What CONNACK says that there is, and who asks for more.

use headwater_codec::{
    ConnAck, Connect, Delivery, Packet, Properties, Property, Publish, QoS, ReasonCode, Subscribe,
    SubscribeFilter, SubscriptionId, Version,
};
use headwater_session::server::{Config, Event};
use headwater_session::{Millis, Misuse, ProtocolError, client};
use headwater_topic::{TopicFilter, TopicName};

use crate::server::{control, exactly_once, id, open};

const ALL: Config = Config { maximum_qos: QoS::ExactlyOnce, shared_subscription_available: true, ..DEFAULT };
const DEFAULT: Config = Config {
    receive_maximum: std::num::NonZeroU16::MAX,
    held_max: std::num::NonZeroU16::MAX,
    window: 9,
    topic_alias_maximum: 0,
    topic_aliases_out: 0,
    packet_size_max: std::num::NonZeroU32::MAX,
    maximum_qos: QoS::ExactlyOnce,
    retain_available: true,
    wildcard_subscription_available: true,
    subscription_identifier_available: true,
    shared_subscription_available: true,
    keep_alive_secs_max: None,
    session_expiry_secs_max: u32::MAX,
    connect_timeout_millis: 10_000,
};

/// The four kinds of SUBSCRIBE: plain, with a wildcard, shared, with an identifier.
const FILTERS: [(&str, bool); 4] = [("a", false), ("a/+", false), ("$share/g/a", false), ("a", true)];

/// A client whose server said this.
fn connected(properties: &[Property<'_>]) -> client::Session<u32> {
    let mut session = client::Session::new(client::Config::default());
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    session.poll_transmit(Millis(0));
    let connack = ConnAck { properties: Properties::from(properties), ..ConnAck::accepted(false) };
    session.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
    session
}

#[test]
fn a_subscription_that_the_server_announced_not_to_serve_is_neither_asked_for_nor_taken() {
    // 5.0, sections 3.2.2.3.11 to 3.2.2.3.13
    let offers = [
        (ALL, None),
        (
            Config { wildcard_subscription_available: false, ..ALL },
            Some((
                1,
                Misuse::WildcardSubscriptionsNotAvailable,
                ProtocolError::WildcardSubscriptionsNotSupported,
                0xA2,
            )),
        ),
        (
            Config { shared_subscription_available: false, ..ALL },
            Some((
                2,
                Misuse::SharedSubscriptionsNotAvailable,
                ProtocolError::SharedSubscriptionsNotSupported,
                0x9E,
            )),
        ),
        (
            Config { subscription_identifier_available: false, ..ALL },
            Some((
                3,
                Misuse::SubscriptionIdentifiersNotAvailable,
                ProtocolError::SubscriptionIdentifiersNotSupported,
                0xA1,
            )),
        ),
    ];
    for (config, refused) in offers {
        for (index, (filter, identified)) in FILTERS.into_iter().enumerate() {
            let refused = refused.filter(|(which, ..)| *which == index);
            let filters = [SubscribeFilter::new(TopicFilter::parse(filter).unwrap(), QoS::AtMostOnce)];
            let identifier = [Property::SubscriptionIdentifier(SubscriptionId::new(1).unwrap())];
            let properties = Properties::from(&identifier[..usize::from(identified)]);

            let mut server = crate::server::asked(Version::V5, config);
            server.accept(None, &Default::default(), Millis(0)).unwrap();
            let mut client = client::Session::<u32>::new(client::Config::default());
            client.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
            client.poll_transmit(Millis(0));
            let said = control(&mut server);
            client.handle(Packet::decode(&said, Version::V5).unwrap(), Millis(0)).unwrap();
            let asked = client.subscribe(&filters, properties);
            assert_eq!(asked.err(), refused.map(|(_, misuse, ..)| misuse));
            assert_eq!(client.poll_transmit(Millis(0)).is_some(), refused.is_none());

            let subscribe = Packet::Subscribe(Subscribe { properties, ..Subscribe::new(id(1), &filters) });
            let event = server.handle(subscribe, Millis(1));
            match refused {
                None => assert!(matches!(event, Ok(Some(Event::Subscribe { .. })))),
                Some((_, _, error, reason)) => {
                    assert_eq!(event, Err(error));
                    assert_eq!(control(&mut server), [0xE0, 2, reason, 0]);
                }
            }
        }
    }
}

#[test]
fn a_client_that_could_not_be_told_is_refused_filter_by_filter() {
    let config =
        Config { wildcard_subscription_available: false, shared_subscription_available: false, ..ALL };
    let mut session = open(Version::V3_1_1, config, None);
    let filters = [SubscribeFilter::new(TopicFilter::parse("a/+").unwrap(), QoS::AtMostOnce)];
    let event = session.handle(Packet::Subscribe(Subscribe::new(id(1), &filters)), Millis(1)).unwrap();
    assert!(matches!(event, Some(Event::Subscribe { .. })));
    for (filter, reason) in [
        ("a", None),
        ("a/+", Some(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)),
        ("$share/g/a", Some(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)),
    ] {
        assert_eq!(session.filter_refusal(TopicFilter::parse(filter).unwrap()), reason);
    }
}

#[test]
fn a_publish_that_the_server_does_not_take_is_told_apart_before_it_is_sent() {
    // [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15] [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9] [MQTT-3.3.4-6]
    let plain = Publish::new(TopicName::parse("topic").unwrap(), b"0123456789");
    let alias = |number: u16| [Property::TopicAlias(number.try_into().unwrap())];
    let (first, second) = (alias(1), alias(2));
    let identifier = [Property::SubscriptionIdentifier(SubscriptionId::new(1).unwrap())];

    let everything = connected(&[]);
    assert_eq!(everything.check(&plain.with_retain(true).with_delivery(exactly_once(1))), Ok(()));
    assert_eq!(
        everything.check(&plain.with_properties(Properties::from(&first))),
        Err(Misuse::TopicAliasInvalid { alias: 1, maximum: 0 })
    );
    assert_eq!(
        everything.check(&plain.with_properties(Properties::from(&identifier))),
        Err(Misuse::SubscriptionIdentifier)
    );

    let length = plain.encoded_len(Version::V5).unwrap();
    let size = |bytes: usize| Property::MaximumPacketSize(u32::try_from(bytes).unwrap().try_into().unwrap());
    let little = connected(&[
        Property::MaximumQoS(QoS::AtMostOnce),
        Property::RetainAvailable(false),
        Property::TopicAliasMaximum(1),
    ]);
    let delivery = Delivery::AtLeastOnce { packet_id: id(1), dup: true };
    assert_eq!(little.check(&plain), Ok(()));
    assert_eq!(little.check(&plain.with_delivery(delivery)), Err(Misuse::QosNotSupported));
    assert_eq!(little.check(&plain.with_retain(true)), Err(Misuse::RetainNotAvailable));
    assert_eq!(little.check(&plain.with_properties(Properties::from(&first))), Ok(()));
    assert_eq!(
        little.check(&plain.with_properties(Properties::from(&second))),
        Err(Misuse::TopicAliasInvalid { alias: 2, maximum: 1 })
    );
    assert_eq!(connected(&[size(length)]).check(&plain), Ok(()));
    assert!(matches!(connected(&[size(length - 1)]).check(&plain), Err(Misuse::Encode(_))));
}
