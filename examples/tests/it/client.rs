//! The client over a blocking socket, against the broker.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use headwater::codec::{QoS, Version};

use crate::program::{Broker, example};
use crate::raw::Raw;

fn client(broker: &Broker, arguments: &[&str]) -> Child {
    let address = broker.connect().peer_addr().unwrap().to_string();
    let mut command = Command::new(example("client"));
    command.args(["--address", &address]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn lines_are_published_and_printed_when_the_broker_was_killed_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &["--sys-interval", "50ms"]);
    let mut prints = client(&broker, &["--id", "prints", "--subscribe", "factory/#"]);
    // Its subscription, and the one that this is heard by.
    let mut probe = Raw::connect(&broker, Version::V5, "probe", 0);
    probe.subscribe("$SYS/broker/subscriptions/count", QoS::AtMostOnce);
    while probe.receive() != b"2" {}

    let mut publishes = client(&broker, &["--id", "publishes"]);
    let mut lines = publishes.stdin.take().unwrap();
    let mut printed = BufReader::new(prints.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.write_all(b"factory/a 1\n").unwrap();
    assert_eq!(printed.next().unwrap(), "factory/a 1");
    broker.kill();
    lines.write_all(b"no/+/topic\nfactory/b two words\n").unwrap();
    broker.restart();
    // What was not acknowledged for good comes again.
    assert_eq!(printed.find(|line| line != "factory/a 1").unwrap(), "factory/b two words");
    drop(lines);
    assert!(publishes.wait().unwrap().success(), "it ends when all lines are acknowledged");
    prints.kill().unwrap();
    prints.wait().unwrap();
}
