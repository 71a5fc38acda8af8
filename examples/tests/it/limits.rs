//! What the broker bounds: time, sizes, numbers, open files.

use headwater::codec::{ReasonCode, Version};

use crate::program::{Broker, replay};
use crate::raw::Raw;

#[test]
fn nothing_that_it_says_need_be_written_for_the_broker_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_mute(folder.path());
    let mut client = Raw::connect(&broker, Version::V5, "c", 3_600);
    assert_eq!(client.publish("t", b"x"), ReasonCode::SUCCESS);
    let (status, _) = broker.stop();
    assert!(status.success(), "{status}");
    assert_eq!(replay(folder.path(), &[]).len(), 1);
}
