//! Sessions as bytes, and their changes.

use headwater_codec::{
    ConnAck, Connect, Delivery, Packet, PacketId, Properties, Property, PubAck, PubComp, PubRec, PubRel, QoS,
    ReasonCode, Version,
};
use headwater_session::persist::{Change, ChangesLost, DecodeError, EncodeError, decode, encode};
use headwater_session::{InFlight, Incoming, Millis, Receipt, Stage, State, client, server};
use headwater_topic::TopicFilter;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::server::{at_least_once, exactly_once, id, open, publish, receipt};

fn write(message: &u32, out: &mut Vec<u8>) {
    // Of different lengths, none among them.
    out.extend(message.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

fn read(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > 4 || bytes.first() == Some(&0) {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn bytes(state: &State<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(state, &mut bytes, write).unwrap();
    bytes
}

fn state_of(bytes: &[u8]) -> Result<State<u32>, DecodeError> {
    decode(bytes, read)
}

prop_compose! {
    fn any_state()(
        outgoing in btree_map(1_u16.., (0_u8..5, any::<u32>()), 0..6),
        rotated in any::<prop::sample::Index>(),
        incoming in btree_set(1_u16.., 0..6),
        last in any::<u16>(),
        avoided in vec((1_u16.., 1_u16..), 0..3),
    ) -> State<u32> {
        let mut outgoing: Vec<_> = outgoing.into_iter().map(|(number, (stage, message))| {
            let (stage, sent) = [
                (Stage::PubAck, false), (Stage::PubAck, true), (Stage::PubRec, false), (Stage::PubRec, true),
                (Stage::PubComp, true),
            ][usize::from(stage)];
            InFlight { packet_id: id(number), stage, sent, message }
        }).collect();
        if !outgoing.is_empty() {
            let by = rotated.index(outgoing.len());
            outgoing.rotate_left(by);
        }
        let incoming = incoming.into_iter().map(|number| Incoming { packet_id: id(number), receipt: None });
        let mut state = State::new(outgoing, incoming.collect());
        state.last_packet_id = PacketId::new(last);
        state.avoided_packet_ids = avoided.into_iter().map(|(one, other)| (id(one.min(other)), id(one.max(other)))).collect();
        state
    }
}

/// What may happen to a client, well-formed or not.
#[derive(Clone, Debug)]
enum Step {
    Publish(QoS),
    Discard(u16),
    Subscribe,
    Transmit,
    Acknowledge(usize, bool),
    Incoming(u8, u16),
    Reconnect { clean: bool, present: bool },
    Tell(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let qos = prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    prop_oneof![
        3 => qos.prop_map(Step::Publish),
        1 => (1_u16..6).prop_map(Step::Discard),
        1 => Just(Step::Subscribe),
        3 => Just(Step::Transmit),
        3 => (0_usize..4, any::<bool>()).prop_map(|(which, refused)| Step::Acknowledge(which, refused)),
        8 => (0_u8..6, 1_u16..6).prop_map(|(kind, number)| Step::Incoming(kind, number)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(clean, present)| Step::Reconnect { clean, present }),
        2 => (0_usize..4).prop_map(Step::Tell),
    ]
}

/// A client of which everything is kept.
struct Kept {
    client: client::Session<u32>,
    receipts: Vec<Receipt>,
    next: u32,
    state: State<u32>,
}

impl Kept {
    fn step(&mut self, step: &Step) {
        let now = Millis(0);
        match *step {
            Step::Publish(qos) => {
                self.next += 1;
                _ = self.client.publish(self.next, qos);
            }
            Step::Discard(number) => _ = self.client.discard(id(number)),
            Step::Subscribe => {
                _ = self.client.unsubscribe(&[TopicFilter::parse("a").unwrap()], Properties::default());
            }
            Step::Transmit => while self.client.poll_transmit(now).is_some() {},
            Step::Acknowledge(which, refused) => {
                let reason = if refused { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
                // Some twice, with another reason.
                if let Some(receipt) = self.receipts.get(which) {
                    self.client.acknowledge(*receipt, reason).unwrap();
                }
            }
            Step::Incoming(kind, number) => {
                let packet_id = id(number);
                let packet = match kind {
                    0 => Packet::PubAck(PubAck::new(packet_id)),
                    1 => Packet::PubRec(PubRec::new(packet_id)),
                    2 => Packet::PubRel(PubRel::new(packet_id)),
                    3 => Packet::PubComp(PubComp::new(packet_id)),
                    4 => publish(at_least_once(number)),
                    _ => publish(Delivery::ExactlyOnce { packet_id, dup: false }),
                };
                if let Ok(Some(client::Event::Publish { receipt, .. })) = self.client.handle(packet, now) {
                    self.receipts.extend(receipt);
                }
            }
            Step::Reconnect { clean, present } => {
                self.client.connection_lost();
                let properties = [Property::SessionExpiryInterval(100)];
                let mut connect = Connect::new(Version::V5, "client");
                connect.properties = Properties::from(&properties[..]);
                connect.clean_start = clean;
                self.client.connect(&connect, now).unwrap();
                _ = self.client.handle(Packet::ConnAck(ConnAck::accepted(present)), now);
            }
            Step::Tell(count) => {
                for _ in 0..count {
                    self.tell();
                }
            }
        }
    }

    fn tell(&mut self) -> bool {
        let Some(change) = self.client.poll_change().unwrap() else { return false };
        let mut bytes = Vec::new();
        change.encode(&mut bytes, |message, out| write(message, out)).unwrap();
        for length in 0..bytes.len() {
            let short = Change::decode(&bytes[..length], read).unwrap_err();
            assert!(
                matches!(short, DecodeError::Truncated { position, .. } if position == length),
                "{short}"
            );
        }
        bytes.push(0xff);
        let (read, length) = Change::decode(&bytes, read).unwrap();
        assert_eq!((read, length), (change.cloned(), bytes.len() - 1), "what is behind it is another's");
        self.state.apply(read);
        true
    }
}

proptest! {
    #[test]
    fn a_state_reads_as_it_was_written_and_every_beginning_of_it_is_too_short(state in any_state()) {
        let bytes = bytes(&state);
        prop_assert_eq!(state_of(&bytes), Ok(state));
        for length in 0..bytes.len() {
            let short = state_of(&bytes[..length]).unwrap_err();
            prop_assert!(matches!(short, DecodeError::Truncated { position, .. } if position == length), "{short}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        prop_assert_eq!(state_of(&longer), Err(DecodeError::Trailing { position: bytes.len() }));
    }

    #[test]
    fn damaged_bytes_are_an_error_within_them_or_another_state_that_is_written_like_that(
        state in any_state(), at in any::<prop::sample::Index>(), bits in 1_u8..,
    ) {
        let mut damaged = bytes(&state);
        let at = at.index(damaged.len());
        damaged[at] ^= bits;
        match state_of(&damaged) {
            Ok(other) => prop_assert_eq!(bytes(&other), damaged),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_state_that_is_written_like_that(
        mut any in vec(prop_oneof![4 => 0_u8..4, 1 => any::<u8>()], 0..40),
    ) {
        if let Some(first) = any.first_mut() {
            *first = 1;
        }
        if let Ok(state) = state_of(&any) {
            prop_assert_eq!(bytes(&state), any);
        }
    }

    #[test]
    fn a_state_and_its_changes_are_the_state_of_the_session(
        before in vec(any_step(), 0..30), after in vec(any_step(), 0..60),
    ) {
        let client = client::Session::new(client::Config { window: 4, ..client::Config::default() });
        let mut kept = Kept { client, receipts: Vec::new(), next: 0, state: State::default() };
        kept.step(&Step::Reconnect { clean: true, present: false });
        for step in &before {
            kept.step(step);
        }
        kept.client.record_changes(1_000);
        kept.state = state_of(&bytes(&kept.client.state())).unwrap();
        for step in &after {
            kept.step(step);
        }
        while kept.tell() {}
        prop_assert_eq!(bytes(&kept.state), bytes(&kept.client.state()));
        prop_assert_eq!(bytes(&kept.client.state()), bytes(&kept.client.into_state()), "as if it ended now");
    }
}

#[test]
fn every_wrong_value_is_an_error_with_its_place() {
    let value = |position, field, value| DecodeError::Value { position, field, value };
    let misplaced =
        |position, field, number| DecodeError::Misplaced { position, field, packet_id: id(number) };
    let (avoided, incoming) = ("avoided packet identifiers", "incoming packet identifiers");
    let outgoing = "outgoing messages";
    let rows: &[(&[u8], DecodeError)] = &[
        (b"\x02", DecodeError::Version { found: 2 }),
        (b"\x01\0\0\0\x01\0\0\0\x01", value(5, avoided, 0)),
        (b"\x01\0\0\0\x01\0\x02\0\x01\0\0\0\0", misplaced(7, avoided, 1)),
        (b"\x01\0\0\0\0\0\x01\0\0\0\0", value(7, incoming, 0)),
        (b"\x01\0\0\0\0\0\x02\0\x03\0\x03\0\0", misplaced(9, incoming, 3)),
        (b"\x01\0\0\0\0\0\0\0\x01\0\0\x01\0\0\0\0", value(9, outgoing, 0)),
        (b"\x01\0\0\0\0\0\0\0\x01\0\x01\x06\0\0\0\0", value(11, "stage", 6)),
        (b"\x01\0\0\0\0\0\0\0\x02\0\x01\x01\0\0\0\0\0\x01\x02\0\0\0\0", misplaced(16, outgoing, 1)),
        (b"\x01\0\0\0\0\0\0\0\x01\0\x01\x01\0\0\0\x01\0", DecodeError::Message { position: 16 }),
        (b"\x01\0\0\0\0\0\0\xff\xff", DecodeError::Truncated { position: 9, field: outgoing }),
    ];
    for (bytes, error) in rows {
        assert_eq!(state_of(bytes), Err(*error), "{bytes:?}");
    }
    for kind in [0, 10, 255] {
        assert_eq!(Change::decode(&[kind, 0, 1], read), Err(value(0, "kind of a change", u16::from(kind))));
    }
    let zero = value(1, "packet identifier of a change", 0);
    assert_eq!(Change::decode(&[5, 0, 0], read), Err(zero));
    assert_eq!(Change::decode(b"\x01\0\x01\0\0\0\x01\0", read), Err(DecodeError::Message { position: 7 }));
}

#[test]
fn a_state_that_no_session_has_is_not_written() {
    let mut out = Vec::new();
    let twice = InFlight { packet_id: id(1), stage: Stage::PubAck, sent: true, message: 1 };
    let state = State::new(vec![twice.clone(), twice], Vec::new());
    let misplaced = |field, number| Err(EncodeError::Misplaced { field, packet_id: id(number) });
    assert_eq!(encode(&state, &mut out, write), misplaced("outgoing messages", 1));
    let mut state = State::default();
    state.avoided_packet_ids = vec![(id(5), id(4))];
    assert_eq!(encode(&state, &mut out, write), misplaced("avoided packet identifiers", 4));
    state.avoided_packet_ids = vec![(id(1), id(1)); 65_536];
    let many = EncodeError::TooMany { count: 65_536, field: "avoided packet identifiers" };
    assert_eq!(encode(&state, &mut out, write), Err(many));
}

#[test]
fn more_changes_than_may_wait_are_lost_and_that_is_told_once() {
    let mut session = open(Version::V5, server::Config::default(), None);
    session.record_changes(2);
    for message in 0..3 {
        session.publish(message, QoS::AtLeastOnce).unwrap();
    }
    assert_eq!(session.poll_change(), Err(ChangesLost { limit: 2 }));
    assert_eq!(session.poll_change(), Ok(None));
    session.publish(3, QoS::AtLeastOnce).unwrap();
    let taken = Change::Taken { packet_id: id(4), exactly_once: false, message: &3 };
    assert_eq!(session.poll_change(), Ok(Some(taken)));
}

#[test]
fn a_message_that_was_acknowledged_out_of_turn_is_kept_like_any_other() {
    let mut session = open(Version::V5, server::Config::default(), None);
    session.record_changes(10);
    let _first = receipt(&mut session, exactly_once(1));
    let second = receipt(&mut session, exactly_once(2));
    let third = receipt(&mut session, exactly_once(3));
    session.acknowledge(second, ReasonCode::SUCCESS).unwrap();
    session.acknowledge(third, ReasonCode::QUOTA_EXCEEDED).unwrap();
    let state = session.state();
    // PUBREC of the second waits for that of the first; but the message is safe, and must not be taken again after a crash.
    let held: Vec<_> = state.incoming.iter().map(|kept| (kept.packet_id, kept.receipt.is_none())).collect();
    assert_eq!(held, [(id(1), false), (id(2), true)]);
    assert_eq!(session.poll_change(), Ok(Some(Change::Held { packet_id: id(2) })));
    assert_eq!(session.poll_change(), Ok(Some(Change::Released { packet_id: id(3) })));
    assert_eq!(session.poll_change(), Ok(None));
    assert_eq!(session.into_state(), Some(state), "as if it ended now");
}

#[test]
fn a_change_never_has_the_message_of_a_later_one_under_its_identifier() {
    let mut state = State::default();
    // Only two are left.
    state.avoided_packet_ids = vec![(id(3), PacketId::new(u16::MAX).unwrap())];
    let mut session = open(Version::V5, server::Config::default(), Some(state));
    session.record_changes(100);
    for message in 0_u16..2 {
        session.publish(u32::from(message), QoS::AtLeastOnce).unwrap();
        while session.poll_transmit().is_some() {}
        let done = session.handle(Packet::PubAck(PubAck::new(id(message + 1))), Millis(1));
        assert!(matches!(done, Ok(Some(server::Event::Delivered { .. }))));
    }
    assert_eq!(session.publish(2, QoS::ExactlyOnce), Ok(Some(id(1))));
    assert_eq!(
        session.poll_change(),
        Ok(Some(Change::Skipped { packet_id: id(1) })),
        "not the message under it now"
    );
    let mut last = None;
    while let Some(change) = session.poll_change().unwrap() {
        last = Some(change.cloned());
    }
    assert_eq!(last, Some(Change::Taken { packet_id: id(1), exactly_once: true, message: 2 }));
}
