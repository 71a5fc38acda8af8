//! One packet into every sink.

use bytes::BytesMut;
use headwater_codec::framed::PacketCodec;
use headwater_codec::sink::{BufSink, Limited};
use headwater_codec::{EncodeError, Packet, Sink, SliceSink, Version};
use tokio_util::codec::Encoder;

/// What stands in a sink before, and in memory that is not to be written to.
const BEFORE: &[u8] = &[0xA5; 3];

/// The bytes of a packet, or why there are none. All sinks agree, the length is what was announced, and a sink that gets no
/// packet gets nothing.
///
/// # Panics
///
/// When one of this does not hold.
pub(super) fn encode(packet: &Packet<'_>, version: Version) -> Result<Vec<u8>, EncodeError> {
    let measured = packet.encoded_len(version);
    let done = measured.map(|_| ());

    let mut vec = BEFORE.to_vec();
    assert_eq!(packet.encode(version, &mut vec), done);
    let mut shared = BytesMut::from(BEFORE);
    assert_eq!(packet.encode(version, &mut shared), done);
    assert_eq!(shared, vec);
    let mut any = BufSink(BytesMut::from(BEFORE));
    assert_eq!(packet.encode(version, &mut any), done);
    assert_eq!(any.0, vec);
    let mut framed = BytesMut::from(BEFORE);
    let by_codec = PacketCodec::new(version, headwater_codec::Limits::PROTOCOL).encode(*packet, &mut framed);
    assert_eq!(by_codec.is_ok(), done.is_ok());
    assert_eq!(framed, vec);
    let bytes = vec.strip_prefix(BEFORE).expect("what was there is there");

    let size = match measured {
        Ok(size) => size,
        Err(error) => {
            assert!(bytes.is_empty(), "an error and {} bytes", bytes.len());
            assert_eq!(into_slice(packet, version, 64), (Err(error), vec![]));
            return Err(error);
        }
    };
    assert_eq!(bytes.len(), size);
    assert_eq!(into_slice(packet, version, size), (Ok(()), bytes.to_vec()));
    let (needed, room) = (size, size - 1);
    assert_eq!(into_slice(packet, version, room), (Err(EncodeError::NoRoom { needed, room }), vec![]));

    let mut limited = Limited::new(Vec::new(), size);
    assert_eq!(packet.encode(version, &mut limited), Ok(()));
    assert_eq!(limited.into_inner(), bytes);
    let limit = size - 1;
    let mut limited = Limited::new(Vec::new(), limit);
    assert_eq!(packet.encode(version, &mut limited), Err(EncodeError::PacketTooLarge { size, limit }));
    assert!(limited.into_inner().is_empty());

    if let Packet::Publish(publish) = packet {
        let mut head = Vec::new();
        assert_eq!(publish.encode_head(version, &mut head), Ok(()));
        assert_eq!([&head, publish.payload].concat(), bytes);
    }
    Ok(bytes.to_vec())
}

/// What became of a packet in a slice of so many bytes, and what was written; the memory behind is as it was.
fn into_slice(packet: &Packet<'_>, version: Version, room: usize) -> (Result<(), EncodeError>, Vec<u8>) {
    let mut memory = vec![0xA5; room + BEFORE.len()];
    let (slice, behind) = memory.split_at_mut(room);
    let mut sink = SliceSink::new(slice);
    let done = packet.encode(version, &mut sink);
    let written = sink.written().to_vec();
    assert_eq!(sink.room(), room - written.len());
    assert_eq!(behind, BEFORE);
    if done.is_err() {
        assert_eq!(slice, vec![0xA5; room], "nothing is written on an error");
    }
    (done, written)
}
