use proptest::prelude::*;

use super::*;

/// Every way to compress that is built in.
fn all() -> Vec<Compression> {
    let all = [
        Compression::None,
        Compression::Lz4,
        Compression::Snappy,
        Compression::GZIP,
        Compression::Gzip { level: 1 },
        Compression::Gzip { level: 9 },
        Compression::ZSTD,
        Compression::Zstd { level: 1 },
        Compression::Zstd { level: 22 },
    ];
    all.into_iter().filter(|compression| is_supported(compression.codec().0)).collect()
}

fn compressed(compression: Compression, records: &[u8]) -> Vec<u8> {
    let mut into = b"before".to_vec();
    compress(compression, records, &mut into).unwrap();
    assert!(into.starts_with(b"before"), "{compression:?}");
    into.split_off(6)
}

/// Bytes that compress somewhat, longer than a block of any codec.
fn some_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(at) >> 7).to_le_bytes()[0] & 0x3f).collect()
}

#[test]
fn what_is_compressed_comes_back_at_the_edges_of_blocks() {
    let lengths = [0, 1, 12, 13, 100, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000];
    for compression in all() {
        for len in lengths {
            for bytes in [some_bytes(len), vec![7; len], (0..len).map(|_| fastrand::u8(..)).collect()] {
                let stream = compressed(compression, &bytes);
                let again = decompress(compression.codec().0, &stream, len);
                assert!(again.as_ref() == Ok(&bytes), "{compression:?} of {len} bytes");
                if len > 0 {
                    let outcome = decompress(compression.codec().0, &stream, len - 1);
                    assert_eq!(outcome, Err(Failure::TooLarge), "{compression:?} of {len} bytes");
                }
            }
        }
    }
}

/// gzip, Snappy, LZ4 and Zstandard each make some kilobytes of many megabytes of nothing.
#[test]
fn a_bomb_is_refused_before_it_takes_memory() {
    let (limit, bytes) = (10_000, vec![0; 32 << 20]);
    for compression in all().into_iter().filter(|compression| *compression != Compression::None) {
        let stream = compressed(compression, &bytes);
        assert!(stream.len() * 20 < bytes.len(), "{compression:?}: {}", stream.len());
        assert_eq!(
            decompress(compression.codec().0, &stream, limit),
            Err(Failure::TooLarge),
            "{compression:?}"
        );
    }
}

#[test]
fn every_prefix_of_a_stream_and_a_stream_with_more_behind_it_are_malformed() {
    let bytes = some_bytes(70_000);
    for compression in all().into_iter().filter(|compression| *compression != Compression::None) {
        let stream = compressed(compression, &bytes);
        let codec = compression.codec().0;
        for cut in (0..stream.len()).filter(|cut| cut % 97 == 0 || *cut < 200 || cut + 50 > stream.len()) {
            let outcome = decompress(codec, &stream[..cut], 1 << 20);
            // Blocks of Snappy in their framing are a stream at the end of each.
            let at_block = compression == Compression::Snappy
                && outcome.as_ref().is_ok_and(|found| bytes.starts_with(found) && found.len() % 32_768 == 0);
            assert!(
                outcome == Err(Failure::Malformed) || at_block,
                "{compression:?} cut at {cut}: {:?}",
                outcome.map(|found| found.len())
            );
        }
        let longer = [stream.as_slice(), b"more"].concat();
        assert_eq!(decompress(codec, &longer, 1 << 20), Err(Failure::Malformed), "{compression:?}");
    }
}

#[test]
fn a_codec_that_there_is_not_is_unsupported() {
    for codec in [5, 6, 7, 255] {
        assert!(!is_supported(codec));
        assert_eq!(decompress(codec, b"", 10), Err(Failure::Unsupported));
    }
    for codec in 0..5 {
        assert_eq!(decompress(codec, b"", 10) == Err(Failure::Unsupported), !is_supported(codec));
    }
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..3000), times in 1..40_usize) {
        let bytes = bytes.repeat(times);
        for compression in all() {
            let stream = compressed(compression, &bytes);
            prop_assert_eq!(decompress(compression.codec().0, &stream, bytes.len()), Ok(bytes.clone()));
        }
    }

    #[test]
    fn any_bytes_are_decompressed_within_the_limit_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), limit in 0..500_usize
    ) {
        for compression in all() {
            if let Ok(found) = decompress(compression.codec().0, &bytes, limit) {
                prop_assert!(found.len() <= limit);
            }
        }
    }

    /// Where random bytes hardly get behind the first field, those of a stream with some changed do.
    #[test]
    fn streams_that_were_damaged_are_decompressed_within_the_limit_or_refused(
        len in 0..3000_usize, limit in 0..4000_usize, changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..4)
    ) {
        for compression in all() {
            let mut stream = compressed(compression, &some_bytes(len));
            for (at, byte) in &changes {
                let at = usize::from(*at) % stream.len().max(1);
                stream.iter_mut().skip(at).take(1).for_each(|place| *place = *byte);
            }
            if let Ok(found) = decompress(compression.codec().0, &stream, limit) {
                prop_assert!(found.len() <= limit);
            }
        }
    }
}
