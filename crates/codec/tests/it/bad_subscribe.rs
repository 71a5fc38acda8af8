//! Bad input: SUBSCRIBE, UNSUBSCRIBE and their acknowledgements.

use headwater_codec::{Field, Packet, ReasonCode, RetainHandling, Rule, Version};
use headwater_topic::{InvalidFilter, Limits};

use crate::build::{field, frame, refused, right, wrong};

const V3_1_1: Version = Version::V3_1_1;
const V5: Version = Version::V5;

/// Properties of length 0 in 5.0, nothing before.
fn no_properties(version: Version) -> &'static [u8] {
    if version == V5 { &[0] } else { &[] }
}

/// A SUBSCRIBE of one filter.
fn subscribe(version: Version, filter: &[u8], options: u8) -> Vec<u8> {
    frame(0x82, &[&[0, 1], no_properties(version), &field(filter), &[options]].concat())
}

/// An UNSUBSCRIBE of one filter.
fn unsubscribe(version: Version, filter: &[u8]) -> Vec<u8> {
    frame(0xA2, &[&[0, 1], no_properties(version), &field(filter)].concat())
}

#[test]
fn rejects_subscribe_and_unsubscribe_without_a_filter() {
    for version in Version::ALL {
        for first in [0x82, 0xA2] {
            let frame = frame(first, &[&[0, 1], no_properties(version)].concat());
            refused(&frame, version, Rule::NoFilters, Field::TopicFilter, frame.len(), 0x82);
        }
    }
}

#[test]
fn rejects_reserved_bits_of_the_subscription_options() {
    for options in 0..=u8::MAX {
        let rule = Rule::SubscriptionOptionsReserved { options };
        if options & 0b1100_0000 != 0 {
            refused(&subscribe(V5, b"a", options), V5, rule, Field::SubscriptionOptions, 8, 0x81);
        }
        if options & 0b1111_1100 != 0 {
            for version in [Version::V3_1, V3_1_1] {
                let frame = subscribe(version, b"a", options);
                refused(&frame, version, rule, Field::SubscriptionOptions, 7, 0x81);
            }
        }
    }
}

#[test]
fn rejects_maximum_qos_3() {
    let rule = Rule::MaximumQosReserved;
    refused(&subscribe(V5, b"a", 3), V5, rule, Field::SubscriptionOptions, 8, 0x82);
    refused(&subscribe(V3_1_1, b"a", 3), V3_1_1, rule, Field::SubscriptionOptions, 7, 0x82);
}

#[test]
fn rejects_retain_handling_3() {
    let rule = Rule::RetainHandlingReserved;
    refused(&subscribe(V5, b"a", 0x30), V5, rule, Field::SubscriptionOptions, 8, 0x82);
    let frame = subscribe(V5, b"a", 0x2D);
    let Packet::Subscribe(packet) = right(&frame, V5) else { panic!("a SUBSCRIBE") };
    let options = packet.filters.iter().next().expect("one filter").options;
    assert_eq!(options.retain_handling, RetainHandling::DoNotSend);
    assert!(options.no_local && options.retain_as_published);
    assert_eq!(options.qos.as_u8(), 1);
}

#[test]
fn rejects_no_local_on_a_shared_subscription() {
    let frame = subscribe(V5, b"$share/g/a", 4);
    refused(&frame, V5, Rule::NoLocalShared, Field::SubscriptionOptions, frame.len() - 1, 0x82);
    right(&subscribe(V5, b"$share/g/a", 0), V5);
    right(&subscribe(V5, b"a", 4), V5);
}

#[test]
fn rejects_every_filter_that_breaks_a_rule_of_filters() {
    let bad: [&[u8]; 11] = [
        b"",
        b"a#",
        b"#/a",
        b"a+",
        b"+a",
        b"a/#/b",
        b"##",
        b"$share//t",
        b"$share/g",
        b"$share/g+/t",
        b"$share/g/",
    ];
    for version in Version::ALL {
        for filter in bad {
            for frame in [subscribe(version, filter, 0), unsubscribe(version, filter)] {
                let error = wrong(&frame, version);
                assert!(matches!(error.rule, Rule::TopicFilter(_)), "{error}");
                assert_eq!((error.field, error.reason_code().0), (Field::TopicFilter, 0x8F));
                assert_eq!(error.position, 6 + no_properties(version).len());
            }
        }
    }
}

#[test]
fn rejects_ill_formed_utf8_surrogates_and_nul_in_a_filter() {
    for version in Version::ALL {
        let at = 7 + no_properties(version).len();
        for (bad, rule) in [
            (&b"a\xED\xA0\x80"[..], Rule::IllFormedUtf8),
            (b"a\xFF", Rule::IllFormedUtf8),
            (b"a\0", Rule::NullCharacter),
        ] {
            refused(&subscribe(version, bad, 0), version, rule, Field::TopicFilter, at, 0x81);
            refused(&unsubscribe(version, bad), version, rule, Field::TopicFilter, at, 0x81);
        }
    }
}

#[test]
fn a_bad_filter_behind_good_ones_is_found_when_decoding() {
    let body = [&[0, 1][..], &field(b"a"), &[0], &field(b"b/+"), &[1], &field(b"c#"), &[2]].concat();
    let frame = frame(0x82, &body);
    let rule = Rule::TopicFilter(InvalidFilter::HashNotAlone { position: 1 });
    refused(&frame, V3_1_1, rule, Field::TopicFilter, 16, 0x8F);
}

#[test]
fn filters_beyond_the_default_level_limit_are_all_read_when_options_allow_them() {
    let deep = "+/".repeat(200) + "#";
    let body = [&[0, 1][..], &field(deep.as_bytes()), &[1], &field(b"b"), &[2]].concat();
    let frame = frame(0x82, &body);
    assert_eq!(wrong(&frame, V3_1_1).reason_code(), ReasonCode::TOPIC_FILTER_INVALID);
    let options = headwater_codec::DecodeOptions::default().topic_limits(Limits::SPECIFICATION);
    let Ok(Packet::Subscribe(packet)) = Packet::decode_with(&frame, V3_1_1, options) else {
        panic!("two filters")
    };
    let read: Vec<_> = packet.filters.iter().map(|item| item.filter.as_str()).collect();
    assert_eq!(read, [&deep[..], "b"]);
}

#[test]
fn rejects_an_acknowledgement_without_a_reason_code() {
    let rule = Rule::NoReasonCodes;
    refused(&[0x90, 2, 0, 1], V3_1_1, rule, Field::ReasonCode, 4, 0x82);
    refused(&[0x90, 3, 0, 1, 0], V5, rule, Field::ReasonCode, 5, 0x82);
    refused(&[0xB0, 3, 0, 1, 0], V5, rule, Field::ReasonCode, 5, 0x82);
}
