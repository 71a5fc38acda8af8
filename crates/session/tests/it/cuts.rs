//! One message, and a connection that is cut at every packet, and again at every packet of what resumes it.

use headwater_codec::{QoS, ReasonCode, Version};
use headwater_session::server;

use crate::pair::Pair;
use crate::side::Message;

/// No exchange of one message takes more packets: CONNECT, CONNACK, four of QoS 2, and those that repeat one of them.
const PACKETS: usize = 9;

/// One way for the exchange to go.
#[derive(Clone, Copy, Debug)]
struct Case {
    version: Version,
    qos: QoS,
    to_server: bool,
    /// When the application acknowledges.
    acknowledged: Acknowledged,
    ends: Ends,
    /// Whether both programs crash with the connection, and go on from the bytes that they kept.
    crash: bool,
    /// So many packets arrive on the first connection, and so many on the second. The third stays.
    cuts: [usize; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acknowledged {
    /// Before the next packet.
    AtOnce,
    /// Behind the next packet.
    Later,
    /// While there is no connection.
    Between,
    /// Only on the third connection.
    AtLast,
}

/// Who hears of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Both,
    /// The server keeps the connection until the client comes again.
    Client,
    /// The server finds the end behind what was under way.
    ClientFirst,
}

#[test]
fn one_message_survives_two_cuts_at_every_packet() {
    let mut cases = 0;
    let mut arrived = [0; PACKETS + 1];
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for to_server in [true, false] {
                for acknowledged in
                    [Acknowledged::AtOnce, Acknowledged::Later, Acknowledged::Between, Acknowledged::AtLast]
                {
                    for ends in [Ends::Both, Ends::Client, Ends::ClientFirst] {
                        for crash in [false, true] {
                            for cuts in (0..=PACKETS).flat_map(|one| (0..=PACKETS).map(move |two| [one, two]))
                            {
                                let case = Case { version, qos, to_server, acknowledged, ends, crash, cuts };
                                arrived[run(case)] += 1;
                                cases += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    println!("{cases} cases; packets of the first two connections, the more of either: {arrived:?}");
    assert_eq!(arrived[PACKETS], 0, "every exchange was cut behind its last packet, too");
}

/// Returns how many packets arrived on the first two connections, the more of either.
fn run(case: Case) -> usize {
    let _named = Named(case);
    let mut pair = Pair::new(case.version, 4, server::Config::default());
    if case.crash {
        pair.keep();
    }
    let mut message = Some(Message { number: 0, qos: case.qos });
    let mut most = 0;
    for packets in case.cuts {
        pair.connect();
        publish(&mut pair, &mut message, case.to_server);
        let mut count = 0;
        while count < packets && step(&mut pair) {
            count += 1;
            publish(&mut pair, &mut message, case.to_server);
            match case.acknowledged {
                Acknowledged::AtOnce => acknowledge(&mut pair),
                Acknowledged::Later if count % 2 == 0 => acknowledge(&mut pair),
                _ => {}
            }
        }
        most = most.max(count);
        match case.ends {
            Ends::Both => pair.cut(),
            Ends::Client => {
                pair.wire.to_server.vanish();
                pair.lose_client();
            }
            Ends::ClientFirst => {
                pair.lose_client();
                while pair.deliver_to_server() {}
            }
        }
        if case.crash {
            pair.restart_client();
            pair.restart_server();
        }
        if case.acknowledged == Acknowledged::Between {
            acknowledge(&mut pair);
        }
    }
    pair.connect();
    while pair.deliver_to_server() | pair.deliver_to_client() {}
    publish(&mut pair, &mut message, case.to_server);
    pair.settle();
    assert_eq!(message, None);
    check(&pair, case);
    most
}

/// One packet arrives, the server's turn first.
fn step(pair: &mut Pair) -> bool {
    pair.deliver_to_server() || pair.deliver_to_client()
}

fn publish(pair: &mut Pair, message: &mut Option<Message>, to_server: bool) {
    let Some(one) = *message else { return };
    let taken = if to_server {
        pair.client.publish(one, one.qos).is_ok()
    } else {
        pair.serving().is_some_and(|server| server.publish(one, one.qos).is_ok())
    };
    if taken {
        *message = None;
    }
    pair.flush();
}

fn acknowledge(pair: &mut Pair) {
    pair.acknowledge_at_server(0, ReasonCode::SUCCESS);
    pair.acknowledge_at_client(0, ReasonCode::SUCCESS);
}

fn check(pair: &Pair, case: Case) {
    let (receiver, sender) = match case.to_server {
        true => (&pair.server_side, &pair.client_side),
        false => (&pair.client_side, &pair.server_side),
    };
    let times = receiver.received.len();
    match case.qos {
        QoS::AtMostOnce => assert!(times <= 1),
        QoS::AtLeastOnce => assert!(times >= 1),
        // What a program had not acknowledged when it crashed comes again.
        QoS::ExactlyOnce => assert!((1..=1 + receiver.forgotten.len()).contains(&times)),
    }
    let told = usize::from(case.qos != QoS::AtMostOnce);
    assert_eq!(sender.delivered.len(), told, "the sender is told once");
    assert!(pair.client.state().is_empty(), "no identifier is left behind");
    assert!(pair.server.as_ref().unwrap().state().is_empty(), "no identifier is left behind");
}

/// Names the case when it fails.
struct Named(Case);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: {:?}", self.0);
        }
    }
}
