//! A session as bytes: the value of a record in `__headwater_sessions`.
//!
//! ```text
//! version u8 = 5
//! expiry_secs u32 | disconnected_at i64 (-1: connected) | last packet identifier u16 (0: none) |
//!     avoided u32, then for each range: first u16 | last u16
//! partitions u32, then for each: position u64
//! subscriptions u32, then for each:
//!     filter: length u16, UTF-8 | terms | starts: offsets |
//!     earlier u32, then for each: terms | until: offsets
//! owed u32, then for each:
//!     subscription u32 (its place above) | ends: offsets | 1, topic: length u16, UTF-8; or 0
//! shared filters u32, then for each: length u16, UTF-8
//! outgoing u32, then for each:
//!     packet identifier u16 | stage u8 | flags u8 (1: sent, 2: RETAIN, 4: shared, 8: first) | topic u8 (0: messages, 1: retained) |
//!     partition u32 | offset u64 | if first, where the retained message is among all: partition u32 | offset u64 |
//!     identifiers u32, then for each: u32 | if shared, its filter u32 (its place above)
//! incoming u32, then for each: packet identifier u16 | 0; or 1, partition u32 | offset u64
//! 1, where records of the client begin that are not in it: offsets; or 0, of one whose client is away
//!
//! terms: options u8, as in SUBSCRIBE | identifier u32 (0: none)
//! offsets: count u32, then for each partition that is not at 0: partition u32 | offset u64
//! ```
//!
//! All integers are big-endian, as everywhere in Kafka's files. Version 4 has, behind the last packet identifier, the last one that was
//! reserved, u16 (0: none), and ends with the incoming identifiers, which have no places; version 3 is the same without first places, version 2
//! without shared filters too.

pub(crate) mod fields;
mod incoming;
mod outgoing;
mod owed;
mod reserved;

use bytes::BufMut;
use headwater_codec::PacketId;
use headwater_topic::TopicFilterBuf;

use self::fields::{
    put_count, put_offsets, put_terms, put_text, take_all, take_offsets, take_packet_id, take_terms,
    take_text, take_u8, take_u16, take_u32, take_u64, take_version,
};
pub use self::incoming::IncomingRecord;
pub use self::outgoing::OutgoingRecord;
pub use self::owed::OwedRecord;
use crate::offsets::Offsets;
use crate::subscription::{Earlier, Past, Subscription};

/// The version that this code writes.
const VERSION: u8 = 5;
/// The oldest one that it reads.
const VERSION_MIN: u8 = 2;

/// All that is kept of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How long the session outlives its connection, in seconds; `u32::MAX` is for ever.
    pub expiry_secs: u32,
    /// When its connection ended, in milliseconds since 1970; `None` while it is connected.
    pub disconnected_at: Option<i64>,
    /// The last packet identifier that was given out when this was saved.
    pub last_packet_id: Option<PacketId>,
    /// Identifiers that the client may hold since a crash before version 5, first and last of each range: they are not given out.
    pub avoided_packet_ids: Vec<(PacketId, PacketId)>,
    /// The first offset that has not been examined for it, a partition each.
    pub positions: Vec<u64>,
    /// What it asked for; of shared subscriptions only filter and terms mean something.
    pub subscriptions: Vec<Subscription>,
    /// Retained messages that its subscriptions have not been sent yet.
    pub owed: Vec<OwedRecord>,
    /// The shared filters that messages under way came by.
    pub shares: Vec<TopicFilterBuf>,
    /// Messages below the positions whose exchange is not complete, in the order of sending.
    pub outgoing: Vec<OutgoingRecord>,
    /// QoS 2 messages of the client that wait for PUBREL.
    pub incoming: Vec<IncomingRecord>,
    /// While the session is connected: records of the client from here on, in `mqtt`, are not in it. `None` before version 5 too: then
    /// nothing is known of what was released since.
    pub incoming_from: Option<Offsets>,
}

/// A value of `__headwater_sessions` cannot be read: a session, or the group of a shared subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It was written by a later version of this crate.
    #[error("version {version} is not known here")]
    Version {
        /// What it says.
        version: u8,
    },
    /// It ends too early.
    #[error("it ends inside {field}")]
    Truncated {
        /// Where.
        field: &'static str,
    },
    /// A field has a value that does not exist.
    #[error("it has no valid {field}")]
    Invalid {
        /// Which.
        field: &'static str,
    },
}

impl Snapshot {
    /// A session that has just begun, at these positions.
    pub(super) fn new(positions: Vec<u64>) -> Self {
        Self {
            expiry_secs: 0,
            disconnected_at: None,
            last_packet_id: None,
            avoided_packet_ids: Vec::new(),
            positions,
            subscriptions: Vec::new(),
            owed: Vec::new(),
            shares: Vec::new(),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            incoming_from: None,
        }
    }

    /// Whether the time of a session whose client is away is over [MQTT-3.1.2-23].
    #[must_use]
    pub fn is_expired(&self, now_ms: i64) -> bool {
        is_over(self.expiry_secs, self.disconnected_at, now_ms)
    }

    /// The same, of its bytes.
    pub(super) fn is_expired_as_bytes(mut bytes: &[u8], now_ms: i64) -> bool {
        take_head(&mut bytes).is_ok_and(|head| is_over(head.expiry_secs, head.disconnected_at, now_ms))
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 16 * self.positions.len() + 64 * self.subscriptions.len());
        out.put_u8(VERSION);
        out.put_u32(self.expiry_secs);
        out.put_i64(self.disconnected_at.unwrap_or(-1));
        out.put_u16(self.last_packet_id.map_or(0, PacketId::get));
        put_count(&mut out, self.avoided_packet_ids.len());
        for (first, last) in &self.avoided_packet_ids {
            out.put_u16(first.get());
            out.put_u16(last.get());
        }
        put_count(&mut out, self.positions.len());
        for position in &self.positions {
            out.put_u64(*position);
        }
        put_count(&mut out, self.subscriptions.len());
        for subscription in &self.subscriptions {
            put_text(&mut out, subscription.filter.as_str());
            put_terms(&mut out, subscription.terms);
            put_offsets(&mut out, &subscription.starts);
            put_count(&mut out, subscription.earlier.len());
            for earlier in &subscription.earlier {
                put_terms(&mut out, earlier.terms);
                put_offsets(&mut out, &earlier.until);
            }
        }
        put_count(&mut out, self.owed.len());
        for record in &self.owed {
            record.encode(&mut out);
        }
        put_count(&mut out, self.shares.len());
        for share in &self.shares {
            put_text(&mut out, share.as_str());
        }
        put_count(&mut out, self.outgoing.len());
        for record in &self.outgoing {
            record.encode(&mut out);
        }
        put_count(&mut out, self.incoming.len());
        for record in &self.incoming {
            record.encode(&mut out);
        }
        out.put_u8(u8::from(self.incoming_from.is_some()));
        if let Some(from) = &self.incoming_from {
            put_offsets(&mut out, from);
        }
        out
    }

    /// From bytes.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] with the field. Nothing is allocated beyond the length of the input.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, SnapshotError> {
        let input = &mut bytes;
        let Head { version, expiry_secs, disconnected_at } = take_head(input)?;
        let mut last_packet_id = PacketId::new(take_u16(input, "last packet identifier")?);
        let reserved = match version {
            2..=4 => PacketId::new(take_u16(input, "reserved packet identifier")?),
            _ => None,
        };
        let mut avoided_packet_ids = take_all(input, "avoided", 4, |input| {
            let range = (take_packet_id(input)?, take_packet_id(input)?);
            (range.0 <= range.1).then_some(range).ok_or(SnapshotError::Invalid { field: "avoided" })
        })?;
        if let Some(reserved) = reserved {
            reserved::avoid(&mut last_packet_id, reserved, &mut avoided_packet_ids);
        }
        let positions = take_all(input, "positions", 8, |input| take_u64(input, "positions"))?;
        let subscriptions = take_all(input, "subscriptions", 16, decode_subscription)?;
        let owed = take_all(input, "owed", 9, OwedRecord::decode)?;
        let shares =
            if version == 2 { Vec::new() } else { take_all(input, "shared filters", 3, take_filter)? };
        let outgoing = |input: &mut &[u8]| OutgoingRecord::decode(input, shares.len());
        let outgoing = take_all(input, "outgoing", 21, outgoing)?;
        let incoming = match version {
            2..=4 => take_all(input, "incoming", 2, IncomingRecord::decode_4)?,
            _ => take_all(input, "incoming", 3, IncomingRecord::decode)?,
        };
        let incoming_from = match version {
            2..=4 => None,
            _ => match take_u8(input, "incoming flag")? {
                0 => None,
                1 => Some(take_offsets(input, "incoming from")?),
                _ => return Err(SnapshotError::Invalid { field: "incoming flag" }),
            },
        };
        if !input.is_empty() {
            return Err(SnapshotError::Invalid { field: "end" });
        }
        Ok(Self {
            expiry_secs,
            disconnected_at,
            last_packet_id,
            avoided_packet_ids,
            positions,
            subscriptions,
            owed,
            shares,
            outgoing,
            incoming,
            incoming_from,
        })
    }
}

/// What every version begins with.
struct Head {
    version: u8,
    expiry_secs: u32,
    disconnected_at: Option<i64>,
}

fn take_head(input: &mut &[u8]) -> Result<Head, SnapshotError> {
    let version = take_version(input, VERSION_MIN..=VERSION)?;
    let expiry_secs = take_u32(input, "expiry")?;
    let disconnected_at = Some(take_u64(input, "time")?.cast_signed()).filter(|at| *at >= 0);
    Ok(Head { version, expiry_secs, disconnected_at })
}

fn is_over(expiry_secs: u32, disconnected_at: Option<i64>, now_ms: i64) -> bool {
    let away_ms = disconnected_at.map_or(0, |at| now_ms.saturating_sub(at));
    expiry_secs != u32::MAX && away_ms >= i64::from(expiry_secs) * 1_000
}

fn take_filter(input: &mut &[u8]) -> Result<TopicFilterBuf, SnapshotError> {
    let filter = TopicFilterBuf::parse(take_text(input, "filter")?);
    filter.map_err(|_| SnapshotError::Invalid { field: "filter" })
}

fn decode_subscription(input: &mut &[u8]) -> Result<Subscription, SnapshotError> {
    let filter = take_filter(input)?;
    let terms = take_terms(input)?;
    let starts = take_offsets(input, "starts")?;
    let earlier = take_all(input, "earlier", 9, |input| {
        Ok(Earlier { terms: take_terms(input)?, until: take_offsets(input, "until")? })
    })?;
    Ok(Subscription { filter, terms, starts, earlier, past: Past::default() })
}

#[cfg(test)]
mod tests {
    use headwater_codec::{QoS, SubscribeOptions, SubscriptionId};
    use headwater_session::Stage;
    use headwater_topic::{TopicFilter, TopicNameBuf};

    use super::*;
    use crate::delivery::{Origin, Source};
    use crate::subscription::Terms;

    fn example() -> Snapshot {
        let filter = |text| TopicFilterBuf::from(TopicFilter::parse(text).unwrap());
        Snapshot {
            expiry_secs: 3_600,
            disconnected_at: Some(1_700_000_000_000),
            last_packet_id: PacketId::new(4_096),
            avoided_packet_ids: vec![(PacketId::MIN, PacketId::MIN)],
            positions: vec![7, 0, u64::MAX],
            subscriptions: vec![
                Subscription {
                    filter: filter("factory/#"),
                    terms: Terms {
                        options: SubscribeOptions::new(QoS::ExactlyOnce),
                        id: SubscriptionId::new(268_435_455),
                    },
                    starts: Offsets::new([1, 2, 3]),
                    earlier: Vec::new(),
                    past: Past::default(),
                },
                Subscription {
                    filter: filter("+"),
                    terms: Terms { options: SubscribeOptions::new(QoS::AtMostOnce), id: None },
                    starts: Offsets::new([0, 0, 9]),
                    earlier: vec![Earlier {
                        terms: Terms { options: SubscribeOptions::new(QoS::AtLeastOnce), id: None },
                        until: Offsets::new([0, 4, 10]),
                    }],
                    past: Past::default(),
                },
            ],
            owed: vec![
                OwedRecord {
                    subscription: 0,
                    ends: Offsets::new([5, 6, 7]),
                    after: TopicNameBuf::parse("a").ok(),
                },
                OwedRecord { subscription: 1, ends: Offsets::default(), after: None },
            ],
            shares: Vec::new(),
            outgoing: vec![OutgoingRecord {
                packet_id: PacketId::new(65_535).unwrap(),
                stage: Stage::PubComp,
                sent: true,
                retain: false,
                source: Source { origin: Origin::Retained, partition: 0, offset: 12 },
                first: None,
                subscription_ids: vec![SubscriptionId::new(1).unwrap()],
                share: None,
            }],
            incoming: vec![IncomingRecord { packet_id: PacketId::new(1).unwrap(), place: None }],
            incoming_from: None,
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let mut snapshot = example();
        assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot.clone()));
        snapshot.disconnected_at = None;
        snapshot.outgoing[0].stage = Stage::PubRec;
        snapshot.outgoing[0].retain = true;
        snapshot.shares = vec![TopicFilterBuf::parse("$share/g/t/#").unwrap()];
        snapshot.outgoing[0].share = Some(0);
        snapshot.outgoing[0].first = Some((1, u64::MAX));
        snapshot.incoming[0].place = Some((3, 9));
        snapshot.incoming_from = Some(Offsets::new([0, 4]));
        assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot));
    }

    #[test]
    fn every_prefix_is_an_error_and_so_is_a_later_version() {
        let bytes = example().encode();
        for length in 0..bytes.len() {
            assert!(Snapshot::decode(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Snapshot::decode(&longer), Err(SnapshotError::Invalid { field: "end" }));
        let mut later = bytes;
        later[0] = VERSION + 1;
        assert_eq!(Snapshot::decode(&later), Err(SnapshotError::Version { version: VERSION + 1 }));
    }

    #[test]
    fn a_session_of_version_2_to_4_is_read_and_one_of_version_1_is_not() {
        let mut bytes = example().encode();
        // That the incoming identifier has no place, and that there is no beginning of what is not in it.
        assert_eq!(bytes.split_off(bytes.len() - 2), [0, 0]);
        // The last identifier that was reserved: none, for the client is away.
        bytes.splice(15..15, [0, 0]);
        for version in [4, 3] {
            bytes[0] = version;
            assert_eq!(Snapshot::decode(&bytes), Ok(example()));
        }
        bytes[15..17].copy_from_slice(&8_192_u16.to_be_bytes());
        let connected = Snapshot::decode(&bytes).unwrap();
        assert_eq!(connected.last_packet_id, PacketId::new(8_192));
        assert_eq!(
            connected.avoided_packet_ids[1..],
            [(PacketId::new(4_097).unwrap(), PacketId::new(8_192).unwrap())]
        );
        bytes[15..17].copy_from_slice(&[0, 0]);
        // The number of shared filters, before one exchange with one identifier, and one incoming identifier.
        let place = bytes.len() - (4 + 4 + 21 + 4 + 4 + 2);
        assert_eq!(bytes.drain(place..place + 4).collect::<Vec<u8>>(), [0; 4]);
        bytes[0] = 2;
        assert_eq!(Snapshot::decode(&bytes), Ok(example()));
        bytes[0] = 1;
        assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Version { version: 1 }));
    }

    #[test]
    fn a_message_of_a_shared_filter_that_is_not_there_is_refused() {
        let mut snapshot = example();
        snapshot.outgoing[0].share = Some(0);
        let refused = SnapshotError::Invalid { field: "shared filter" };
        assert_eq!(Snapshot::decode(&snapshot.encode()), Err(refused));
    }

    #[test]
    fn a_count_that_cannot_be_true_is_refused_before_anything_is_allocated() {
        let mut bytes = example().encode();
        // The number of positions.
        bytes[23..27].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Truncated { field: "positions" }));
    }
}
