//! The fuzz target `broker_connection`.

mod honest;
mod packets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use headwater::codec::{Connect, Frame, Packet, PacketId, PacketType, ReasonCode, Version};
use tokio::time::sleep;

use self::honest::Honest;
use self::packets::{Made, connect, packet};
use crate::{Bed, Peer, in_no_time};

/// A longer walk finds little that two shorter ones do not.
const STEPS_MAX: usize = 200;
/// In so much time everything has happened that waits for nothing but another task, and for a sync.
const A_WHILE: Duration = Duration::from_millis(20);

/// Small enough that a walk comes to each bound. The inbox is not: an honest client may lose what is of QoS 0 when it is flooded.
const OPTIONS: [&str; 18] = [
    "--packet-bytes-max=1KiB",
    "--packet-timeout=5s",
    "--inflight-max=4",
    "--topic-alias-max=2",
    "--subscriptions-max=4",
    "--sessions-max=4",
    "--session-expiry-max=1h",
    "--retained-max=3",
    "--wills-bytes-max=4KiB",
    "--sys-interval=never",
    "--inbox-max=1000",
    "--inbox-bytes-max=64KiB",
    "--connections-max=100",
    "--retention=7days",
    "--retention-bytes=1GiB",
    "--retained-bytes-max=64KiB",
    "--segment-bytes=1MiB",
    "--partitions=1",
];

/// A client that sends what it likes, three bytes a step behind the first one, and an honest one beside it that has to be served.
///
/// # Panics
///
/// When anything panics or hangs; when a message of the honest client is late, lost, doubled or out of order, or one that
/// was acknowledged to the other does not come; when what is written to either is no packet, or one that only clients send.
pub fn broker_connection(input: &[u8]) {
    let Some((first, steps)) = input.split_first() else { return };
    // Client identifiers are made up by chance.
    fastrand::seed(7);
    in_no_time(async {
        let mut walk = Walk::new(*first).await;
        let mut rest = steps;
        for _ in 0..STEPS_MAX {
            let Some((&[kind, one, two], behind)) = rest.split_first_chunk::<3>() else { break };
            rest = behind;
            if kind % 16 == 8 {
                let (bytes, behind) = rest.split_at(usize::from(one % 64).min(rest.len()));
                rest = behind;
                walk.bytes(bytes).await;
            } else {
                walk.step(kind % 16, one, two).await;
            }
        }
        walk.finish().await;
    });
}

struct Walk {
    bed: Bed,
    honest: Honest,
    /// The client, while it is connected.
    peer: Option<Peer>,
    /// Connections that it was given up for a newer one, which the broker has to end.
    old: Vec<Peer>,
    version: Version,
    flags: u8,
    reads: bool,
    /// Whether the connection has seen nothing but whole packets, so that it is known what each answer is for.
    is_exact: bool,
    /// Messages of QoS 1 on this connection that were not acknowledged; none for those that need not reach anybody.
    sent: BTreeMap<PacketId, VecDeque<Option<u32>>>,
    /// What was acknowledged, and so has to come to the honest client.
    stored: BTreeSet<u32>,
    next: u32,
}

impl Walk {
    async fn new(first: u8) -> Self {
        let mut bed = Bed::new(&OPTIONS, u64::from(first >> 4 & 7));
        let version = [Version::V5, Version::V3_1_1, Version::V3_1, Version::V5];
        let version = version.into_iter().nth(usize::from(first & 3)).unwrap_or(Version::V5);
        let peer = Peer::connect(&mut bed, version, "honest", 0).await;
        Self {
            honest: Honest::start(peer).await,
            peer: None,
            old: Vec::new(),
            version: if first & 4 == 0 { Version::V5 } else { Version::V3_1_1 },
            flags: 0,
            reads: true,
            is_exact: true,
            sent: BTreeMap::new(),
            stored: BTreeSet::new(),
            next: 0,
            bed,
        }
    }

    async fn step(&mut self, kind: u8, one: u8, two: u8) {
        match kind {
            0..=7 | 9 => {
                let made = self.make(one, two);
                self.write(kind, two, &made).await;
            }
            10 => sleep(Duration::from_millis(u64::from(one) * 100)).await,
            11 => sleep(Duration::from_secs(u64::from(one))).await,
            12 => self.forget(),
            13 => self.reads = !self.reads,
            14 => self.honest.round().await,
            _ => {
                self.old.extend(self.peer.take());
                let version = if two & 1 == 0 { Version::V5 } else { Version::V3_1_1 };
                (self.flags, self.version) = (one, version);
                self.open().await;
            }
        }
        self.read().await;
    }

    fn make(&mut self, one: u8, two: u8) -> Made {
        self.next += 1;
        packet(one, two, self.version, self.next)
    }

    /// Bytes as they are, on a connection on which nothing else need have been said.
    async fn bytes(&mut self, bytes: &[u8]) {
        if self.peer.is_none() {
            self.peer = Some(Peer::open(&mut self.bed, self.version));
        }
        self.is_exact = false;
        self.send(bytes).await;
        self.read().await;
    }

    async fn write(&mut self, kind: u8, two: u8, made: &Made) {
        if self.peer.is_none() {
            self.open().await;
        }
        let mut bytes = made.bytes.clone();
        match kind {
            7 => {
                self.is_exact = false;
                let place = usize::from(two) % bytes.len();
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << (two & 7);
                }
            }
            9 => {
                let rest = bytes.split_off(bytes.len() / 2);
                self.send(&bytes).await;
                sleep(Duration::from_millis(u64::from(two) * 50)).await;
                bytes = rest;
            }
            _ => {}
        }
        if let Some((packet_id, number)) = made.at_least_once {
            let queue = self.sent.entry(packet_id).or_default();
            // Who uses an identifier that is in use need not have a second message stored.
            queue.push_back(number.filter(|_| queue.is_empty()));
        }
        self.send(&bytes).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        let Some(peer) = &mut self.peer else { return };
        // What the broker says before it closes is read all the same.
        peer.send_bytes(bytes).await;
    }

    /// A new connection, with a CONNECT that is right.
    async fn open(&mut self) {
        self.forget();
        let mut peer = Peer::open(&mut self.bed, self.version);
        let connect = connect(self.flags, self.version, |connect: &Connect<'_>| {
            let mut bytes = Vec::new();
            connect.encode(&mut bytes).expect("a CONNECT that is right");
            bytes
        });
        peer.send_bytes(&connect).await;
        self.peer = Some(peer);
        self.is_exact = true;
    }

    /// The connection is gone, without a word.
    fn forget(&mut self) {
        self.peer = None;
        self.sent.clear();
    }

    /// Takes what the broker has to say.
    async fn read(&mut self) {
        while let Some(peer) = self.peer.as_mut().filter(|_| self.reads) {
            match peer.read_within(A_WHILE).await {
                None => return,
                Some(None) => return self.forget(),
                Some(Some(frame)) => self.check(&frame),
            }
        }
        sleep(A_WHILE).await;
    }

    fn check(&mut self, frame: &Frame) {
        let versions = [self.version, Version::V3_1_1, Version::V5, Version::V3_1];
        // What a CONNECT of other bytes has made of the version is not known.
        let versions = versions.get(..if self.is_exact { 1 } else { 4 }).unwrap_or_default();
        let packet = versions.iter().find_map(|version| frame.packet(*version).ok());
        let packet = packet.unwrap_or_else(|| panic!("{frame:?} is no packet of {versions:?}"));
        assert!(
            !matches!(
                packet.packet_type(),
                PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq
            ),
            "{packet:?} comes from clients only"
        );
        if let Packet::PubAck(ack) = packet {
            let number = self.sent.get_mut(&ack.packet_id).and_then(VecDeque::pop_front);
            assert!(number.is_some() || !self.is_exact, "{ack:?} is for nothing that was sent");
            let stored = ack.reason == ReasonCode::SUCCESS && self.is_exact;
            self.stored.extend(number.flatten().filter(|_| stored));
        }
    }

    async fn finish(mut self) {
        self.reads = true;
        self.read().await;
        for _ in 0..3 {
            self.honest.round().await;
        }
        let came = self.honest.finish().await;
        let lost: Vec<_> = self.stored.difference(&came).collect();
        assert!(lost.is_empty(), "{lost:?} were acknowledged and did not come");
        self.bed.finish().await;
        for mut peer in self.old {
            while peer.read().await.is_some() {}
        }
    }
}
