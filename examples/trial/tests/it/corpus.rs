//! Replays the corpus of the fuzz target: what once was found stays found.

use std::fs;
use std::path::Path;

#[test]
fn broker_connection() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/broker_connection");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is in the repository") {
        headwater_trial::broker_connection(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}
