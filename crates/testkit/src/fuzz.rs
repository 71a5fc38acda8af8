//! The bodies of the fuzz targets, so that plain `cargo test` replays the corpora without a fuzzer.
//!
//! Each has an oracle: it panics when the code is wrong, not only when it panics by itself.

use headwater_codec::{FrameReader, Limits, Packet, Version};
use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// Any bytes as one packet: what decodes is encoded and decoded again to the same.
///
/// # Panics
///
/// When it is not the same.
pub fn packet(input: &[u8]) {
    for version in VERSIONS {
        let Ok(packet) = Packet::decode(input, version) else { continue };
        let mut again = Vec::new();
        assert_eq!(packet.encode(version, &mut again), Ok(()), "what was decoded can be encoded: {packet:?}");
        assert_eq!(packet.encoded_len(version), Ok(again.len()));
        // A CONNECT brings its own version.
        assert_eq!(Packet::decode(&again, version), Ok(packet));
    }
}

/// Any bytes as a stream: any split of it gives the same packets, and the same error at the end.
///
/// The first byte chooses the split.
///
/// # Panics
///
/// When the split makes a difference.
pub fn stream(input: &[u8]) {
    let Some((&seed, bytes)) = input.split_first() else { return };
    let whole = frames(&[bytes]);
    let size = usize::from(seed % 16) + 1;
    let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
    assert_eq!(frames(&pieces), whole, "in pieces of {size}");
}

/// The frames of a stream that comes in pieces, and whether it ended in an error.
fn frames(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut reader = FrameReader::new(Limits::new(1 << 16));
    let mut found = Vec::new();
    for piece in pieces {
        reader.extend(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => found.push(frame.bytes().to_vec()),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// Lines of text: the first is a topic name, the others are filters. The one-off match, both trees and a naive matcher agree.
///
/// # Panics
///
/// When they do not.
pub fn topic(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let Some(name) = lines.next().and_then(|line| TopicName::parse(line).ok()) else { return };
    let filters: Vec<TopicFilter<'_>> = lines.filter_map(|line| TopicFilter::parse(line).ok()).collect();

    let mut tree = SubscriptionTree::new();
    for (key, filter) in (0_usize..).zip(&filters) {
        tree.subscribe(*filter, key, ());
    }
    let mut matched = Vec::new();
    tree.matches(name, |key, ()| matched.push(*key));
    matched.sort_unstable();

    let mut retained = RetainedTree::new();
    retained.insert(name, ());
    for (key, filter) in (0..).zip(&filters) {
        let expected = naive(filter.as_str(), name.as_str());
        assert_eq!(filter.matches(name), expected, "{filter} against {name}");
        assert_eq!(matched.binary_search(&key).is_ok(), expected, "{filter} in the tree against {name}");
        assert_eq!(
            retained.matching(*filter).count(),
            usize::from(expected),
            "{filter} against retained {name}"
        );
    }
    for (key, filter) in (0..).zip(&filters) {
        assert_eq!(tree.unsubscribe(*filter, &key), Some(()));
    }
    assert_eq!((tree.len(), tree.node_count()), (0, SubscriptionTree::<usize, ()>::new().node_count()));
}

/// The specification, word for word and slow.
fn naive(filter: &str, name: &str) -> bool {
    // [MQTT-4.7.2-1]
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let names: Vec<&str> = name.split('/').collect();
    let mut filters: Vec<&str> = filter.split('/').collect();
    let rest = filters.last() == Some(&"#");
    if rest {
        filters.pop();
    }
    // [MQTT-4.7.1-2]: the multi-level wildcard stands for the parent and any number of children.
    let long_enough = if rest { names.len() >= filters.len() } else { names.len() == filters.len() };
    long_enough && filters.iter().zip(&names).all(|(filter, name)| *filter == "+" || filter == name)
}
