//! A whole state.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use headwater_codec::PacketId;

use super::reader::{Reader, write_count, write_message, write_packet_id};
use super::{DecodeError, EncodeError};
use crate::state::{InFlight, Incoming, Stage, State};

/// The first byte of a snapshot. Changes that follow it are of the same version.
pub const VERSION: u8 = 1;

const AVOIDED: &str = "avoided packet identifiers";
const INCOMING: &str = "incoming packet identifiers";
const OUTGOING: &str = "outgoing messages";
const STAGE: &str = "stage";

/// Adds a state to `out`; `write` adds a message. O(state).
///
/// Left out are incoming messages that were not acknowledged, see [`persist`](crate::persist).
///
/// # Errors
///
/// [`EncodeError`] for what no session gives: more entries than there are packet identifiers, one identifier twice, a range that goes
/// backwards, a message of 4 GiB.
pub fn encode<T>(
    state: &State<T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(&T, &mut Vec<u8>),
) -> Result<(), EncodeError> {
    out.push(VERSION);
    out.extend_from_slice(&state.last_packet_id.map_or(0, PacketId::get).to_be_bytes());
    write_count(state.avoided_packet_ids.len(), AVOIDED, out)?;
    for (first, last) in &state.avoided_packet_ids {
        if first > last {
            return Err(EncodeError::Misplaced { field: AVOIDED, packet_id: *last });
        }
        write_packet_id(*first, out);
        write_packet_id(*last, out);
    }
    let held = state.incoming.iter().filter(|kept| kept.receipt.is_none()).map(|kept| kept.packet_id);
    let held: BTreeSet<PacketId> = held.collect();
    write_count(held.len(), INCOMING, out)?;
    for packet_id in held {
        write_packet_id(packet_id, out);
    }
    write_count(state.outgoing.len(), OUTGOING, out)?;
    let mut used = BTreeSet::new();
    for InFlight { packet_id, stage, sent, message } in &state.outgoing {
        if !used.insert(*packet_id) {
            return Err(EncodeError::Misplaced { field: OUTGOING, packet_id: *packet_id });
        }
        write_packet_id(*packet_id, out);
        out.push(match (stage, sent) {
            (Stage::PubAck, false) => 1,
            (Stage::PubAck, true) => 2,
            (Stage::PubRec, false) => 3,
            (Stage::PubRec, true) => 4,
            // What was received was sent.
            (Stage::PubComp, _) => 5,
        });
        write_message(message, out, &mut write)?;
    }
    Ok(())
}

/// Reads a state that [`encode`] wrote; `read` makes a message of its bytes. Takes memory in proportion to the bytes that are there.
///
/// # Errors
///
/// [`DecodeError`] for anything that is not a whole snapshot and nothing else, with the place of what is wrong.
pub fn decode<T>(bytes: &[u8], mut read: impl FnMut(&[u8]) -> Option<T>) -> Result<State<T>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let found = reader.u8("version")?;
    if found != VERSION {
        return Err(DecodeError::Version { found });
    }
    let last_packet_id = PacketId::new(reader.u16("last packet identifier")?);
    let avoided_packet_ids = read_avoided(&mut reader)?;
    let incoming = read_incoming(&mut reader)?;
    let count = reader.count(7, OUTGOING)?;
    let mut outgoing = Vec::with_capacity(count.min(bytes.len() / size_of::<InFlight<T>>().max(1)));
    let mut used = BTreeSet::new();
    for _ in 0..count {
        let position = reader.position;
        let packet_id = reader.packet_id(OUTGOING)?;
        if !used.insert(packet_id) {
            return Err(DecodeError::Misplaced { position, field: OUTGOING, packet_id });
        }
        let position = reader.position;
        let (stage, sent) = match reader.u8(STAGE)? {
            1 => (Stage::PubAck, false),
            2 => (Stage::PubAck, true),
            3 => (Stage::PubRec, false),
            4 => (Stage::PubRec, true),
            5 => (Stage::PubComp, true),
            value => return Err(DecodeError::Value { position, field: STAGE, value: value.into() }),
        };
        outgoing.push(InFlight { packet_id, stage, sent, message: reader.message(&mut read)? });
    }
    if !reader.is_at_end() {
        return Err(DecodeError::Trailing { position: reader.position });
    }
    let mut state = State::new(outgoing, incoming);
    state.last_packet_id = last_packet_id;
    state.avoided_packet_ids = avoided_packet_ids;
    Ok(state)
}

fn read_avoided(reader: &mut Reader<'_>) -> Result<Vec<(PacketId, PacketId)>, DecodeError> {
    let count = reader.count(4, AVOIDED)?;
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        let first = reader.packet_id(AVOIDED)?;
        let position = reader.position;
        let last = reader.packet_id(AVOIDED)?;
        if first > last {
            return Err(DecodeError::Misplaced { position, field: AVOIDED, packet_id: last });
        }
        ranges.push((first, last));
    }
    Ok(ranges)
}

fn read_incoming(reader: &mut Reader<'_>) -> Result<Vec<Incoming>, DecodeError> {
    let count = reader.count(2, INCOMING)?;
    let mut incoming: Vec<Incoming> = Vec::with_capacity(count);
    for _ in 0..count {
        let position = reader.position;
        let packet_id = reader.packet_id(INCOMING)?;
        if incoming.last().is_some_and(|before| before.packet_id >= packet_id) {
            return Err(DecodeError::Misplaced { position, field: INCOMING, packet_id });
        }
        incoming.push(Incoming { packet_id, receipt: None });
    }
    Ok(incoming)
}
