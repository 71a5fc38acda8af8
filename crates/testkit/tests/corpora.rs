//! Replays the corpora of the fuzz targets: what once was found stays found.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests assert")]

use std::fs;
use std::path::Path;

use headwater_testkit::fuzz;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is in the repository") {
        body(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn codec_packet() {
    replay("codec_packet", fuzz::packet);
}

#[test]
fn codec_stream() {
    replay("codec_stream", fuzz::stream);
}

#[test]
fn codec_round_trip() {
    replay("codec_round_trip", fuzz::round_trip);
}

#[test]
fn codec_encode() {
    replay("codec_encode", fuzz::encode);
}

#[test]
fn session_walk() {
    replay("session_walk", fuzz::session_walk);
}

#[test]
fn topic_match() {
    replay("topic_match", fuzz::topic);
}

#[test]
fn topic_retained() {
    replay("topic_retained", fuzz::retained);
}

#[test]
fn log_compressed() {
    replay("log_compressed", fuzz::log_compressed);
}

#[test]
fn log_directory() {
    replay("log_directory", fuzz::log_directory);
}

#[test]
fn log_producers() {
    replay("log_producers", fuzz::log_producers);
}

#[test]
fn log_operations() {
    replay("log_operations", fuzz::log_operations);
}
