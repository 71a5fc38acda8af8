//! `--route`: messages in several log topics.

use std::process::Stdio;

use headwater::codec::{QoS, Version};

use crate::program::{Broker, example, replay};
use crate::raw::Raw;

const RULES: [&str; 4] = [
    "--route",
    "factory/+/+/temperature=telemetry;key={2}/{3};header=site:{1}",
    "--route",
    "factory/#=telemetry",
];

#[test]
fn messages_go_where_the_rules_say_and_to_every_subscriber() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &RULES);
    for part in [
        "log topics `mqtt` in 4, `telemetry` in 4 partitions",
        "routes      factory/+/+/temperature to log topic `telemetry`\n  routes      factory/# to log topic `telemetry`\n",
    ] {
        assert!(broker.welcome.contains(part), "no {part} in\n{}", broker.welcome);
    }
    let mut live = Raw::connect(&broker, Version::V5, "live", 0);
    live.subscribe("#", QoS::AtLeastOnce);
    let mut away = Raw::connect(&broker, Version::V3_1_1, "away", 3_600);
    away.subscribe("factory/#", QoS::AtLeastOnce);
    drop(away);
    let mut publisher = Raw::connect(&broker, Version::V5, "press", 0);
    for (topic, payload) in [
        ("factory/line-1/press-4/temperature", b"21.5"),
        ("factory/line-1/state", b"runs"),
        ("office", b"none"),
    ] {
        publisher.publish(topic, payload);
        assert_eq!(live.receive(), payload);
    }
    broker.kill();
    broker.restart();
    let mut away = Raw::connect(&broker, Version::V3_1_1, "away", 3_600);
    let mut got = [away.receive(), away.receive()];
    got.sort();
    assert_eq!(got, [&b"21.5"[..], b"runs"]);
    assert!(broker.stop().0.success());

    let records = replay(folder.path(), &["--topic", "telemetry"]);
    let filter = ["--topic", "telemetry", "--filter", "factory/+/+/temperature"];
    assert_eq!(replay(folder.path(), &filter).len(), 1, "its key is another one");
    let temperature = records.iter().find(|record| record["value"] == "21.5").unwrap();
    assert_eq!(temperature["key"], "line-1/press-4");
    let headers = temperature["headers"].to_string();
    for part in ["factory/line-1/press-4/temperature", "site", "\"factory\""] {
        assert!(headers.contains(part), "{headers}");
    }
    assert!(records.iter().any(|record| record["key"] == "factory/line-1/state"));
    assert_eq!(replay(folder.path(), &[]).len(), 1);

    // Without the rules, what is in the topic counts and reaches who asks for it.
    let broker = Broker::start(folder.path(), &[]);
    assert!(broker.welcome.contains("`telemetry` in 4"), "{}", broker.welcome);
    assert!(broker.welcome.contains("holds       3 messages"), "{}", broker.welcome);
    assert!(!broker.welcome.contains("routes"), "{}", broker.welcome);
}

#[test]
fn a_rule_that_cannot_be_is_told_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = std::process::Command::new(example("broker"))
        .arg("--data")
        .arg(&data)
        .args(["--route", "factory/#=__consumer_offsets"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("begin with __"), "{said}");
    assert!(!data.exists());
}
