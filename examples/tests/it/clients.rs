//! rumqttc against the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS};

use crate::program::Broker;

fn client(broker: &Broker, name: &str) -> (Client, Connection) {
    let mut options = MqttOptions::new(name, broker.address.ip().to_string(), broker.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    Client::new(options, 1_000)
}

/// Runs the connection until `done` is satisfied with what came.
fn until(connection: &mut Connection, mut done: impl FnMut(Packet) -> bool) {
    for event in connection.iter() {
        if let Event::Incoming(packet) = event.unwrap()
            && done(packet)
        {
            return;
        }
    }
}

#[test]
fn rumqttc_publishes_and_subscribes_at_every_qos() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let (reader, mut reading) = client(&broker, "reader");
    reader.subscribe("factory/#", QoS::ExactlyOnce).unwrap();
    until(&mut reading, |packet| matches!(packet, Packet::SubAck(_)));

    let (writer, mut writing) = client(&broker, "writer");
    let work = std::thread::spawn(move || {
        // Ends with an error when the writer is done and disconnects.
        for event in writing.iter() {
            if event.is_err() {
                return;
            }
        }
    });
    for number in 0..300_u32 {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][number as usize % 3];
        writer.publish(format!("factory/{}", number % 3), qos, false, number.to_string()).unwrap();
    }
    let mut received: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut count = 0;
    until(&mut reading, |packet| {
        if let Packet::Publish(publish) = packet {
            let payload = std::str::from_utf8(&publish.payload).unwrap();
            received.entry(publish.topic).or_default().push(payload.parse().unwrap());
            count += 1;
        }
        count == 300
    });
    for (topic, numbers) in received {
        let first: u32 = topic.rsplit('/').next().unwrap().parse().unwrap();
        let expected: Vec<u32> = (first..300).step_by(3).collect();
        assert_eq!(numbers, expected, "{topic}: each once, in order");
    }
    writer.disconnect().unwrap();
    work.join().unwrap();
}
