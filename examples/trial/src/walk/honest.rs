//! A client that keeps every rule, and reads all the time.

use std::collections::BTreeSet;

use headwater::codec::{Delivery, Frame, Packet, PacketId, PubAck, PubComp, PubRec, PubRel, QoS};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::packets::number;
use crate::Peer;

/// What it publishes to, and nobody else does.
const TOPIC: &str = "honest/topic";

/// What is done with it.
pub(super) struct Honest {
    rounds: mpsc::Sender<oneshot::Sender<()>>,
    work: JoinHandle<BTreeSet<u32>>,
}

impl Honest {
    pub(super) async fn start(mut peer: Peer) -> Self {
        peer.subscribe(&[TOPIC, "walk/#"], QoS::ExactlyOnce).await;
        let (rounds, receiver) = mpsc::channel(1);
        let client = Client { peer, next: 0, round: None, held: BTreeSet::new(), others: BTreeSet::new() };
        Self { rounds, work: tokio::spawn(client.run(receiver)) }
    }

    /// It publishes a message, which is acknowledged and comes back.
    pub(super) async fn round(&mut self) {
        let (done, ended) = oneshot::channel();
        assert!(self.rounds.send(done).await.is_ok(), "it lives until it is told");
        ended.await.expect("its message is acknowledged and comes back");
    }

    /// The messages of the other client that it got.
    pub(super) async fn finish(self) -> BTreeSet<u32> {
        drop(self.rounds);
        self.work.await.expect("it was served")
    }
}

struct Client {
    peer: Peer,
    next: u32,
    round: Option<Round>,
    /// QoS 2 identifiers until PUBREL.
    held: BTreeSet<PacketId>,
    others: BTreeSet<u32>,
}

struct Round {
    acknowledged: bool,
    came: bool,
    done: oneshot::Sender<()>,
}

impl Client {
    async fn run(mut self, mut rounds: mpsc::Receiver<oneshot::Sender<()>>) -> BTreeSet<u32> {
        loop {
            tokio::select! {
                done = rounds.recv(), if self.round.is_none() => match done {
                    Some(done) => self.publish(done).await,
                    None => return self.others,
                },
                // It waits as long as it has to: nobody keeps it alive but what comes.
                frame = self.peer.read_within(std::time::Duration::from_secs(3_600)) => match frame {
                    Some(frame) => self.take(&frame.expect("it has done nothing wrong")).await,
                    None => assert!(self.round.is_none(), "its message is late"),
                },
            }
        }
    }

    async fn publish(&mut self, done: oneshot::Sender<()>) {
        self.next += 1;
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let qos = qos.into_iter().nth(self.next as usize % 3).unwrap_or(QoS::AtMostOnce);
        self.round = Some(Round { acknowledged: qos == QoS::AtMostOnce, came: false, done });
        self.peer.publish(TOPIC, &self.next.to_be_bytes(), qos).await;
    }

    async fn take(&mut self, frame: &Frame) {
        let packet = frame.packet(self.peer.version).unwrap_or_else(|error| panic!("{frame:?}: {error}"));
        match packet {
            Packet::Publish(publish) => {
                let is_first = match publish.delivery {
                    Delivery::AtMostOnce => true,
                    Delivery::AtLeastOnce { packet_id, .. } => {
                        self.peer.send(&Packet::PubAck(PubAck::new(packet_id))).await;
                        true
                    }
                    Delivery::ExactlyOnce { packet_id, .. } => {
                        self.peer.send(&Packet::PubRec(PubRec::new(packet_id))).await;
                        self.held.insert(packet_id)
                    }
                };
                let topic = publish.topic.expect("it takes no aliases");
                if topic.as_str() != TOPIC {
                    self.others.extend(number(publish.payload));
                } else {
                    let expected = is_first && publish.payload == self.next.to_be_bytes();
                    let round = self.round.as_mut().filter(|round| expected && !round.came);
                    round.unwrap_or_else(|| panic!("{publish:?} comes once, after it was sent")).came = true;
                }
            }
            Packet::PubRel(pubrel) => {
                self.held.remove(&pubrel.packet_id);
                self.peer.send(&Packet::PubComp(PubComp::new(pubrel.packet_id))).await;
            }
            Packet::PubRec(pubrec) if !pubrec.reason.is_error() => {
                self.peer.send(&Packet::PubRel(PubRel::new(pubrec.packet_id))).await;
            }
            Packet::PubAck(PubAck { reason, .. }) | Packet::PubComp(PubComp { reason, .. })
                if !reason.is_error() =>
            {
                self.round.as_mut().expect("it has sent something").acknowledged = true;
            }
            other => panic!("{other:?}"),
        }
        if let Some(round) = self.round.take_if(|round| round.acknowledged && round.came) {
            // Who waits may have gone with the walk.
            _ = round.done.send(());
        }
    }
}
