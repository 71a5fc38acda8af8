//! The load generator against the broker, and against one that loses messages.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use headwater::codec::{
    Connect, Delivery, Frame, FrameReader, Limits, Packet, PacketId, PubAck, Publish, QoS, ReasonCode,
    SubAck, Version,
};
use serde_json::Value;

use crate::program::{Broker, run};

fn loadgen(address: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let all = [&["--address", address, "--warmup", "0", "--json"], arguments].concat();
    let output = run("loadgen", &all);
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}")))
}

fn counts(result: &Value) -> [u64; 5] {
    ["sent", "expected", "lost", "duplicated", "out_of_order"].map(|name| result[name].as_u64().unwrap())
}

#[test]
fn everything_arrives_once_and_in_order_whatever_the_shape() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let address = broker.address.to_string();
    for (shape, messages, expected) in [
        (["--publishers", "3", "--subscribers", "3"], 100, 100),
        (["--publishers", "1", "--subscribers", "10"], 50, 500),
        (["--publishers", "4", "--subscribers", "2"], 101, 101),
    ] {
        for qos in ["0", "1", "2"] {
            for version in ["3.1.1", "5.0"] {
                let count = messages.to_string();
                let more = ["--messages", &count, "--qos", qos, "--version", version, "--size", "16"];
                let (status, result) = loadgen(&address, &[&shape[..], &more].concat());
                assert_eq!(counts(&result), [messages, expected, 0, 0, 0], "{shape:?} {more:?}: {result}");
                assert_eq!((status, &result["kept"]), (Some(0), &Value::Bool(true)));
                let told = |name: &str| result["end_to_end"][name].as_f64().unwrap();
                assert!(told("p50_us") > 0.0 && told("p50_us") <= told("max_us"), "{result}");
            }
        }
    }
    // All publish to one topic: each gets all.
    let shared =
        ["--publishers", "2", "--subscribers", "2", "--topics", "one", "--messages", "20", "--rate", "1000"];
    assert_eq!(counts(&loadgen(&address, &shared).1), [20, 40, 0, 0, 0]);
    let (status, result) = loadgen(&address, &["--subscribers", "0", "--messages", "20"]);
    assert_eq!((status, counts(&result), result["end_to_end"].is_null()), (Some(0), [20, 0, 0, 0, 0], true));
    let (status, said) = broker.stop();
    assert!(status.success() && said.contains("0 dropped"), "{said}");
}

#[test]
fn a_rate_is_kept_and_the_picture_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let svg = folder.path().join("latency.svg");
    let picture = svg.to_str().unwrap();
    let pid = std::process::id().to_string();
    let rate =
        ["--rate", "200", "--publishers", "4", "--messages", "100", "--svg", picture, "--broker-pid", &pid];
    let (status, result) = loadgen(&broker.address.to_string(), &rate);
    assert_eq!((status, counts(&result)[0]), (Some(0), 100));
    // A slow machine may be behind, but never ahead.
    let rate = result["sent_per_sec"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 210.0, "{rate}");
    assert!(result["processor_us"].is_number(), "{result}");
    assert!(std::fs::read_to_string(svg).unwrap().contains("<polyline"));
}

#[test]
fn no_broker_is_no_result() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run("loadgen", &["--address", &address]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no broker at"));
    let output = run("loadgen", &["--topics", "a/+"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--topics a/+"));
}

#[test]
fn what_a_broker_loses_repeats_and_mixes_up_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || bad_broker(&listener));
    let (status, result) = loadgen(&address, &["--messages", "10"]);
    assert_eq!((status, &result["kept"]), (Some(1), &Value::Bool(false)));
    assert_eq!(counts(&result), [10, 10, 1, 1, 1], "{result}");
}

/// Acknowledges all ten messages, loses the third, sends the fifth twice, and the eighth after the ninth.
fn bad_broker(listener: &TcpListener) {
    let mut subscriber = Peer::accept(listener);
    let frame = subscriber.next();
    let Packet::Subscribe(subscribe) = frame.packet(Version::V5).unwrap() else { panic!("it subscribes") };
    let suback = SubAck::new(subscribe.packet_id, &[ReasonCode::GRANTED_QOS_1]);
    subscriber.send(&Packet::SubAck(suback));
    let mut publisher = Peer::accept(listener);
    let mut kept = Vec::new();
    for id in 1..=10 {
        let frame = publisher.next();
        let Packet::Publish(publish) = frame.packet(Version::V5).unwrap() else { panic!("it publishes") };
        assert_eq!(publish.delivery.qos(), QoS::AtLeastOnce);
        publisher.send(&Packet::PubAck(PubAck::new(publish.delivery.packet_id().unwrap())));
        match id {
            3 => {}
            8 => kept.extend_from_slice(publish.payload),
            _ => subscriber.forward(&publish, publish.payload, id),
        }
        match id {
            5 => subscriber.forward(&publish, publish.payload, 15),
            9 => subscriber.forward(&publish, &kept, 8),
            _ => {}
        }
    }
    // Until they take leave.
    drop((publisher.next(), subscriber.drain()));
}

struct Peer {
    stream: TcpStream,
    frames: FrameReader,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Self {
        let mut peer =
            Self { stream: listener.accept().unwrap().0, frames: FrameReader::new(Limits::PROTOCOL) };
        let connect = peer.next();
        let Packet::Connect(Connect { clean_start: true, .. }) = connect.packet(Version::V5).unwrap() else {
            panic!("it connects")
        };
        peer.send(&Packet::ConnAck(headwater::codec::ConnAck::accepted(false)));
        peer
    }

    fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return frame;
            }
            let mut buffer = [0; 4_096];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "it is gone");
            self.frames.extend(&buffer[..count]);
        }
    }

    fn drain(&mut self) {
        _ = self.stream.read_to_end(&mut Vec::new());
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn forward(&mut self, publish: &Publish<'_>, payload: &[u8], id: u16) {
        let delivery = Delivery::AtLeastOnce { packet_id: PacketId::new(id).unwrap(), dup: false };
        self.send(&Packet::Publish(Publish { payload, delivery, ..*publish }));
    }
}
