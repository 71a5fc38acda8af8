//! Replays the corpus of the differential target, and holds the list of deviations to the truth.

use std::fs;
use std::path::Path;

use headwater_differential::{DEVIATIONS, compared, differential};

#[test]
fn codec_differential() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/codec_differential");
    let mut compared = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is in the repository") {
        compared += differential(&fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(compared >= 100, "only {compared} answers in {} could be compared", folder.display());
}

#[test]
fn every_listed_deviation_is_still_one() {
    for known in DEVIATIONS {
        let (wire, version) = known.shown_by;
        let (ours, theirs) = compared(known.peer, wire, version, |_| false).expect("both accept it");
        assert_ne!(ours, theirs, "{:?} does so no longer: {}", known.peer, known.what);
        let (ours, theirs) = compared(known.peer, wire, version, known.facts).unwrap();
        assert_eq!(ours, theirs, "{:?}: {} is not all of it", known.peer, known.what);
    }
}
