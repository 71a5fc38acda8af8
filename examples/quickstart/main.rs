//! A packet is decoded, matched, appended to a log, and read back.

use headwater::codec::{FrameReader, Limits, Packet, Version};
use headwater::log::{Ack, Log, LogOptions, Record, TopicOptions};
use headwater::topic::{SubscriptionTree, TopicFilter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The bytes of a PUBLISH as they come from a socket: the topic factory/line-1/temperature, the payload 21.5.
    let mut frames = FrameReader::new(Limits::default());
    frames.extend(b"\x30\x20\x00\x1afactory/line-1/temperature21.5");
    let frame = frames.next_frame()?.ok_or("not a whole packet yet")?;
    let Packet::Publish(publish) = frame.packet(Version::V3_1_1)? else { return Err("not a PUBLISH".into()) };
    let topic = publish.topic.ok_or("no topic name")?;

    // Who gets it?
    let mut subscriptions = SubscriptionTree::new();
    subscriptions.subscribe(TopicFilter::parse("factory/+/temperature")?, "dashboard", ());
    subscriptions.matches(topic, |who, ()| println!("for {who}"));

    // Keep it: on disk when append returns, in files that Kafka's tools can read.
    let folder = std::env::temp_dir().join(format!("headwater-quickstart-{}", std::process::id()));
    let log = Log::open(&folder, LogOptions::default())?;
    let telemetry = log.create_topic("telemetry", TopicOptions::default().partitions(4))?;
    let at = telemetry.append(&Record::new(publish.payload).key(topic.as_str()), Ack::Durable)?;

    // Read it back: the bytes are the file's own, mapped.
    let partition = telemetry.partition(at.partition).ok_or("no such partition")?;
    for record in partition.read(at.offset, 64 * 1024)?.views() {
        let record = record?;
        println!("partition {}, offset {}: {:?}", at.partition, record.offset, record.value);
        assert_eq!(record.value, Some(b"21.5".as_slice()));
    }
    log.close()?;
    Ok(std::fs::remove_dir_all(folder)?)
}
