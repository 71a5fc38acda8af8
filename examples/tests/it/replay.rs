//! Replay as its users meet it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use headwater::codec::Version;
use headwater::log::{Ack, Log, LogOptions, Record, TopicOptions};

use crate::program::{Broker, example, run};
use crate::raw::Raw;

/// A folder with three messages, and no broker.
fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--partitions", "1"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    for topic in ["factory/1", "factory/2", "office"] {
        client.publish(topic, b"x");
    }
    assert!(broker.stop().0.success());
    folder
}

/// What replay prints, and what it says beside that.
fn replayed(folder: &tempfile::TempDir, arguments: &[&str]) -> (Vec<String>, String) {
    let data = folder.path().to_str().unwrap();
    let output = run("replay", &[&["--data", data], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(), said)
}

#[test]
fn an_offset_behind_every_end_is_told_and_milliseconds_have_a_form_of_their_own() {
    let folder = written();
    let (records, said) = replayed(&folder, &["--json"]);
    assert_eq!((records.len(), said.as_str()), (3, ""));
    let record: serde_json::Value = serde_json::from_str(&records[1]).unwrap();
    let timestamp = record["timestamp"].to_string();
    let (records, said) = replayed(&folder, &["--from", &timestamp]);
    assert!(records.is_empty());
    assert!(said.contains(&format!("ms:{timestamp}")) && said.contains("offset 3"), "{said}");
    let (records, said) = replayed(&folder, &["--from", &format!("ms:{timestamp}")]);
    assert!((2..=3).contains(&records.len()), "{records:?}");
    assert_eq!(said, "");
    // The end itself is what comes next.
    assert_eq!(replayed(&folder, &["--from", "3"]), (Vec::new(), String::new()));
}

#[test]
fn a_moment_may_be_written_as_a_distance_with_a_minus() {
    let folder = written();
    assert_eq!(replayed(&folder, &["--from", "-5min"]).0.len(), 3);
    let data = folder.path().to_str().unwrap();
    let output = run("replay", &["--data", data, "--from", "-1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("earliest, latest, or an offset"), "{said}");
}

#[test]
fn the_filter_of_a_shared_subscription_is_refused_with_the_one_that_is_meant() {
    let output = run("replay", &["--filter", "$share/g/factory/#"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("'factory/#'"), "{said}");
}

#[test]
fn the_fields_of_a_record_come_in_the_order_of_the_documents() {
    let folder = written();
    let (records, _) = replayed(&folder, &["--json"]);
    let places: Vec<usize> = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"]
        .iter()
        .map(|name| records[0].find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{}", records[0]);
}

#[test]
fn what_retention_deletes_under_a_replay_is_passed_over_and_the_rest_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let topic = TopicOptions::default().partitions(1).segment_bytes(256 * 1024);
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let partition = log.create_topic("mqtt", topic).unwrap().partition(0).unwrap();
    let value = "x".repeat(1_000);
    for _ in 0..2_000 {
        partition.append(&Record::new(&value).key("t"), Ack::Appended).unwrap();
    }
    partition.sync().unwrap();
    let mut command = Command::new(example("replay"));
    let mut replay =
        command.arg("--data").arg(folder.path()).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(replay.stdout.take().unwrap()).lines();
    let offset = |line: std::io::Result<String>| -> u64 {
        serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap()["offset"].as_u64().unwrap()
    };
    // It has read a quarter of a megabyte at the most beyond what the pipe holds, and waits for us.
    assert_eq!(offset(lines.next().unwrap()), 0);
    assert_eq!(partition.delete_records_before(1_500).unwrap(), 1_500);
    let offsets: Vec<u64> = lines.map(offset).collect();
    assert!(replay.wait().unwrap().success());
    assert!(offsets.is_sorted() && offsets.ends_with(&(1_500..2_000).collect::<Vec<_>>()), "{offsets:?}");
    assert!(offsets.len() < 1_999, "nothing was deleted under it");
}
