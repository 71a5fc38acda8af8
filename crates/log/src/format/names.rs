//! Names of topics, directories and files, by Kafka's rules.

use crate::error::InvalidTopicName;

/// The longest name of a topic.
pub(crate) const TOPIC_NAME_BYTES_MAX: usize = 249;
/// The digits of a base offset in a file name.
pub(crate) const BASE_OFFSET_DIGITS: usize = 20;

pub(crate) const LOG: &str = "log";
pub(crate) const INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const DURABLE: &str = "durable";
/// The producers that were known before an offset.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// The checksums of the batch heads of a segment whose offsets have gaps.
pub(crate) const HEADS: &str = "heads";
/// All files that this crate keeps for a segment, the one that makes it a segment first.
pub(crate) const SEGMENT_SUFFIXES: [&str; 6] = [LOG, INDEX, TIME_INDEX, DURABLE, SNAPSHOT, HEADS];
/// Files that Kafka may keep for a segment besides.
pub(crate) const FOREIGN_SUFFIXES: [&str; 1] = [TRANSACTION_INDEX];
/// Kafka's: the transactions that were aborted.
pub(crate) const TRANSACTION_INDEX: &str = "txnindex";
/// The bytes of a damaged segment that were set aside.
pub(crate) const DAMAGED: &str = "damaged";
/// What holds of a damaged segment, while it is written.
pub(crate) const KEPT: &str = "kept";

pub(crate) const LOCK: &str = ".lock";
pub(crate) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// The next producer id that was not given out, at the log's root.
pub(crate) const PRODUCER_IDS: &str = ".headwater_producer_ids";
/// Kafka's own: records before these were compacted.
pub(crate) const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
pub(crate) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";
/// In the directory of partition 0 while the topic is being deleted.
pub(crate) const DELETING: &str = ".headwater_deleting";

/// In the directory of the first partition while a topic is being created, or partitions are added to one.
pub(crate) const CREATING: &str = ".headwater_creating";
/// In a partition's directory that Kafka has led, until each of its segments has a mark of ours.
pub(crate) const TAKING_OVER: &str = ".headwater_taking_over";

/// Behind the name of a file of a segment that is being made in the place of others.
pub(crate) const CLEANED: &str = ".cleaned";
/// The same, once it is whole and durable: from then on it counts, and those that it replaces do not.
pub(crate) const SWAP: &str = ".swap";
/// Behind the name of a file that somebody was about to remove.
pub(crate) const DELETED: &str = ".deleted";

/// Whether a name in a partition's directory is one that the log, or Kafka, gives to its files.
pub(crate) fn is_ours(name: &str) -> bool {
    let is_swap = || name.strip_suffix(SWAP).is_some_and(is_of_segment);
    [LEADER_EPOCHS, PARTITION_METADATA, TAKING_OVER].contains(&name)
        || is_note(name)
        || is_of_segment(name)
        || is_temporary(name)
        || is_swap()
}

/// Whether a name in a partition's directory says that something is not whole.
pub(crate) fn is_note(name: &str) -> bool {
    [CREATING, DELETING].contains(&name)
}

/// Whether a name is one of a file that an interrupted operation left behind and that means nothing.
pub(crate) fn is_temporary(name: &str) -> bool {
    // What is replaced whole is written beside first.
    let is_replaced = |name| {
        let suffix = parse_segment_file(name).map(|(_, suffix)| suffix);
        [LEADER_EPOCHS, PARTITION_METADATA].contains(&name)
            || suffix
                .is_some_and(|suffix| [INDEX, TIME_INDEX, HEADS, DAMAGED, KEPT, SNAPSHOT].contains(&suffix))
    };
    name.strip_suffix(".tmp").is_some_and(is_replaced)
        || [DELETED, CLEANED].iter().any(|end| name.strip_suffix(end).is_some_and(is_of_segment))
}

fn is_of_segment(name: &str) -> bool {
    parse_segment_file(name).is_some_and(|(_, suffix)| {
        SEGMENT_SUFFIXES.contains(&suffix) || FOREIGN_SUFFIXES.contains(&suffix) || is_damaged(suffix)
    })
}

/// Whether a suffix is that of bytes that were set aside.
pub(crate) fn is_damaged(suffix: &str) -> bool {
    suffix.strip_prefix(DAMAGED).is_some_and(|rest| match rest.strip_prefix('.') {
        Some(number) => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
        None => rest.is_empty(),
    })
}

/// Names the file in which the bytes of a damaged segment are set aside, the first time, the second time, and so on.
pub(crate) fn damaged_file(base_offset: u64, number: u32) -> String {
    let first = segment_file(base_offset, DAMAGED);
    if number <= 1 { first } else { format!("{first}.{number}") }
}

/// Checks a topic's name. Source: Apache Kafka, `Topic.validate`.
pub(crate) fn check_topic(name: &str) -> Result<(), InvalidTopicName> {
    if name.is_empty() {
        return Err(InvalidTopicName::Empty);
    }
    if name == "." || name == ".." {
        return Err(InvalidTopicName::Dots);
    }
    if name.len() > TOPIC_NAME_BYTES_MAX {
        return Err(InvalidTopicName::TooLong { len: name.len() });
    }
    match name.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"._-".contains(&byte))) {
        Some(at) => Err(InvalidTopicName::Character { at }),
        None => Ok(()),
    }
}

/// Names the directory of a partition.
pub(crate) fn partition_dir(topic: &str, partition: u32) -> String {
    format!("{topic}-{partition}")
}

/// Reads the name of a partition's directory; `None` for anything else, Kafka's metadata log included.
pub(crate) fn parse_partition_dir(name: &str) -> Option<(&str, u32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let number: i32 = partition.parse().ok()?;
    let number = u32::try_from(number).ok()?;
    // "+1" and "01" parse as numbers, but nobody writes them.
    let canonical = partition_dir(topic, number) == name;
    (canonical && check_topic(topic).is_ok() && topic != "__cluster_metadata").then_some((topic, number))
}

/// Names a file of a segment.
pub(crate) fn segment_file(base_offset: u64, suffix: &str) -> String {
    format!("{base_offset:020}.{suffix}")
}

/// Reads the name of a segment's file: base offset and suffix.
pub(crate) fn parse_segment_file(name: &str) -> Option<(u64, &str)> {
    let (digits, suffix) = name.split_once('.')?;
    if digits.len() != BASE_OFFSET_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let base_offset: i64 = digits.parse().ok()?;
    Some((base_offset.cast_unsigned(), suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_follow_kafkas_rules() {
        let longest = "a".repeat(249);
        for name in ["mqtt", "a.b_c-D9", "-", "...", "__headwater_sessions", &longest] {
            assert_eq!(check_topic(name), Ok(()), "{name}");
        }
        assert_eq!(check_topic(""), Err(InvalidTopicName::Empty));
        assert_eq!(check_topic(".."), Err(InvalidTopicName::Dots));
        assert_eq!(check_topic("a/b"), Err(InvalidTopicName::Character { at: 1 }));
        assert_eq!(check_topic("ä"), Err(InvalidTopicName::Character { at: 0 }));
        assert_eq!(check_topic(&"a".repeat(250)), Err(InvalidTopicName::TooLong { len: 250 }));
    }

    #[test]
    fn partition_directories_come_back() {
        assert_eq!(parse_partition_dir("a-b-12"), Some(("a-b", 12)));
        assert_eq!(parse_partition_dir(&partition_dir("-", 0)), Some(("-", 0)));
        for name in ["mqtt", "mqtt-", "mqtt-01", "mqtt-+1", "-1", "mqtt-0.4f-delete", "__cluster_metadata-0"]
        {
            assert_eq!(parse_partition_dir(name), None, "{name}");
        }
    }

    #[test]
    fn files_of_the_log_are_told_from_those_of_others() {
        for name in ["leader-epoch-checkpoint", "partition.metadata.tmp", ".headwater_creating"] {
            assert!(is_ours(name), "{name}");
        }
        for suffix in [
            "log",
            "durable",
            "snapshot",
            "index.tmp",
            "snapshot.tmp",
            "log.deleted",
            "timeindex.cleaned",
            "log.swap",
            "heads",
            "durable.swap",
            "damaged",
            "damaged.2",
            "damaged.tmp",
            "kept.tmp",
        ] {
            assert!(is_ours(&segment_file(42, suffix)), "{suffix}");
        }
        for name in [
            "notes.tmp",
            "00000000000000000042.damaged.goods",
            "holiday.jpg",
            "42.log",
            "00000000000000000042.log.tmp",
            "partition.metadata.bak",
        ] {
            assert!(!is_ours(name), "{name}");
        }
        assert!(
            is_temporary("00000000000000000042.index.tmp") && !is_temporary("00000000000000000042.index")
        );
    }

    #[test]
    fn segment_files_come_back() {
        assert_eq!(segment_file(42, LOG), "00000000000000000042.log");
        assert_eq!(parse_segment_file("00000000000000000042.log"), Some((42, "log")));
        assert_eq!(parse_segment_file("00000000000000000042.index.deleted"), Some((42, "index.deleted")));
        for name in
            ["42.log", "leader-epoch-checkpoint", "0000000000000000004x.log", "99999999999999999999.log"]
        {
            assert_eq!(parse_segment_file(name), None, "{name}");
        }
    }
}
