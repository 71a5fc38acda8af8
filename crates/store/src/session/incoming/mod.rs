//! Packet identifiers of the client: which of its QoS 2 messages the store has, before and after a crash.
//!
//! ```text
//!   PUBLISH I --> record in `mqtt`, with client and I -- durable --> PUBREC      PUBREL I --> session saved without I -- durable --> PUBCOMP
//!                 '-------- I is held: by the record, until a session is saved that says so or does not ----------------------------'
//!
//!   after a crash:   saved session  +  records of its client since it was saved  =  identifiers that are held
//! ```
//!
//! A saved session says from which offset of each partition on records are not in it. Only a release that nothing tells of would be
//! dangerous, for the next message under that identifier would be taken for one that the store has; so the session is saved, durably, before
//! the client learns that an identifier is free.

mod checkpoint;
mod fold;

use std::collections::BTreeMap;

use headwater_codec::PacketId;
use headwater_session as session;

use super::core::State;
use super::snapshot::{IncomingRecord, Snapshot};
use crate::offsets::Offsets;

pub(crate) use self::checkpoint::{Checkpoint, KEY};
pub(super) use self::fold::fold;

/// What a connected client has published with QoS 2 since its session was saved.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Where the message is that came under each identifier: those that were not known to be durable when the session was saved, and later
    /// ones.
    places: BTreeMap<PacketId, (u32, u64)>,
    /// Partitions that have records which no saved session tells of, and a bound below the first.
    unsaved: Vec<(u32, u64)>,
}

impl Held {
    /// A message is about to be appended to a partition that ends there.
    pub(crate) fn begin(&mut self, partition: u32, end: u64) {
        if !self.unsaved.iter().any(|(other, _)| *other == partition) {
            self.unsaved.push((partition, end));
        }
    }

    /// It was appended.
    pub(crate) fn put(&mut self, packet_id: PacketId, place: (u32, u64)) {
        self.places.insert(packet_id, place);
    }

    /// The identifiers that are held, as they are saved. One whose message the caller has not acknowledged is held if its record
    /// survives, which is not known yet.
    pub(super) fn records(&self, incoming: &[session::Incoming]) -> Vec<IncomingRecord> {
        let record = |kept: &session::Incoming| {
            let place = self.places.get(&kept.packet_id).copied();
            match kept.receipt {
                None => Some(IncomingRecord { packet_id: kept.packet_id, place: None }),
                // One that was not stored is not held.
                Some(_) => {
                    place.map(|place| IncomingRecord { packet_id: kept.packet_id, place: Some(place) })
                }
            }
        };
        incoming.iter().filter_map(record).collect()
    }

    /// The session was saved.
    pub(super) fn saved(&mut self, snapshot: &Snapshot) {
        let open = snapshot.incoming.iter();
        self.places = open.filter_map(|record| Some((record.packet_id, record.place?))).collect();
        self.unsaved.clear();
    }

    /// Whether there may be records that no saved session tells of.
    pub(super) fn has_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }
}

impl State {
    /// From where on records of the client are not in the snapshot that is made now. `ends` are those of the partitions.
    pub(super) fn incoming_from(&self, ends: impl Iterator<Item = u64>) -> Offsets {
        // What others publish is no reason to save the session.
        match self.saved.as_ref().and_then(|saved| saved.incoming_from.as_ref()) {
            Some(from) if !self.held.has_unsaved() => from.clone(),
            _ => Offsets::new(ends),
        }
    }
}

impl Snapshot {
    /// The connection has ended without a word: what came since the session was saved is held too.
    pub(super) fn hold(&mut self, held: &Held) {
        for (packet_id, place) in &held.places {
            self.hold_one(IncomingRecord { packet_id: *packet_id, place: Some(*place) });
        }
    }

    /// `true` if it was not held.
    fn hold_one(&mut self, record: IncomingRecord) -> bool {
        let is_new = !self.incoming.iter().any(|other| other.packet_id == record.packet_id);
        if is_new {
            self.incoming.push(record);
        }
        is_new
    }
}
