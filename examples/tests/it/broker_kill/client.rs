//! A client of the session crate in a thread: it connects as often as the broker comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use headwater::codec::{
    Connect, FrameReader, Limits, Properties, Property, Publish, QoS, ReasonCode, Version,
};
use headwater::session::client::{Config, Event, Session};
use headwater::session::{Millis, Transmit};
use headwater::topic::TopicName;

use super::message::Message;
use super::stage::Stages;

/// So often it looks at what it has to do.
const TURN: Duration = Duration::from_millis(5);

/// What a client is there for.
pub(super) trait Work {
    /// The first connection is open.
    fn opened(&mut self, session: &mut Session<Message>);
    /// The broker has answered SUBSCRIBE.
    fn subscribed(&mut self) {}
    /// A message came, with the QoS of its PUBLISH.
    fn arrived(&mut self, _message: Message, _qos: QoS) {}
    /// A message was acknowledged: PUBACK, or PUBCOMP.
    fn delivered(&mut self, _message: Message) {}
    /// The broker was killed under the connection.
    fn broken(&mut self, _session: &Session<Message>) {}
    /// What to do now that all is read.
    fn turn(&mut self, session: &mut Session<Message>) -> Turn;
}

pub(super) enum Turn {
    GoOn,
    /// Without DISCONNECT.
    Cut {
        away: Duration,
    },
    /// With DISCONNECT.
    Leave {
        away: Duration,
    },
    End,
}

enum Ended {
    Broken,
    Away(Duration),
    Done,
}

pub(super) struct Client<'a> {
    stages: &'a Stages,
    name: String,
    version: Version,
    session: Session<Message>,
    /// Whether the broker has let it in, and has to know it from then on.
    known: bool,
}

impl<'a> Client<'a> {
    pub(super) fn new(stages: &'a Stages, name: &str, version: Version) -> Self {
        Self {
            stages,
            name: name.to_owned(),
            version,
            session: Session::new(Config::default()),
            known: false,
        }
    }

    pub(super) fn run(mut self, work: &mut impl Work) {
        loop {
            self.stages.wait(&self.name, || self.stages.is_up());
            let ended = self.connection(work);
            self.session.connection_lost();
            match ended {
                Ended::Broken => work.broken(&self.session),
                Ended::Away(time) => thread::sleep(time),
                Ended::Done => return,
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(self.stages.start.elapsed().as_millis().try_into().unwrap())
    }

    fn connection(&mut self, work: &mut impl Work) -> Ended {
        let Ok(mut socket) = TcpStream::connect(self.stages.address) else { return Ended::Broken };
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(TURN)).unwrap();
        let properties = [Property::SessionExpiryInterval(3_600)];
        let mut connect = Connect::new(self.version, &self.name);
        (connect.clean_start, connect.keep_alive_secs) = (false, 60);
        if self.version == Version::V5 {
            connect.properties = Properties::new(&properties);
        }
        self.session.connect(&connect, self.now()).unwrap();
        let (mut frames, mut buffer) = (FrameReader::new(Limits::PROTOCOL), vec![0; 65_536]);
        let mut ended = Ended::Broken;
        loop {
            if socket.write_all(&self.output()).is_err() {
                return Ended::Broken;
            }
            if self.session.is_closed() {
                return ended;
            }
            match socket.read(&mut buffer) {
                Ok(0) => return Ended::Broken,
                Ok(count) => frames.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Ended::Broken,
            }
            while let Some(frame) = frames.next_frame().unwrap() {
                self.handle(&frame, work);
            }
            self.session.handle_timeout(self.now()).unwrap();
            self.stages.check(&self.name);
            if !self.session.is_open() {
                continue;
            }
            match work.turn(&mut self.session) {
                Turn::GoOn => continue,
                Turn::Cut { away } => return Ended::Away(away),
                Turn::Leave { away } => ended = Ended::Away(away),
                Turn::End => ended = Ended::Done,
            }
            self.session.disconnect(ReasonCode::SUCCESS);
        }
    }

    fn output(&mut self) -> Vec<u8> {
        let (now, mut out) = (self.now(), Vec::new());
        while let Some(transmit) = self.session.poll_transmit(now) {
            match transmit {
                Transmit::Control(bytes) => out.extend_from_slice(bytes),
                Transmit::Publish { message, delivery, .. } => {
                    let (topic, payload) = (message.line.topic(), message.payload());
                    let publish = Publish::new(TopicName::parse(&topic).unwrap(), payload.as_bytes());
                    publish.with_delivery(delivery).encode(self.version, &mut out).unwrap();
                }
            }
        }
        out
    }

    fn handle(&mut self, frame: &headwater::codec::Frame, work: &mut impl Work) {
        let (now, name) = (self.now(), &self.name);
        let packet = frame.packet(self.version).unwrap();
        match self.session.handle(packet, now).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Some(Event::Connected { connack, .. }) => {
                assert!(connack.session_present || !self.known, "{name}: the broker has lost the session");
                if !self.known {
                    self.known = true;
                    work.opened(&mut self.session);
                }
            }
            Some(Event::Publish { publish, topic, receipt }) => {
                let payload = std::str::from_utf8(publish.payload).unwrap();
                work.arrived(Message::read(topic.name().as_str(), payload), publish.qos());
                if let Some(receipt) = receipt {
                    self.session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
                }
            }
            Some(Event::Delivered { message, reason }) => {
                assert!(!reason.is_error(), "{name}: {message:?} is refused: {reason:?}");
                work.delivered(message);
            }
            Some(Event::Subscribed(suback)) => {
                assert!(suback.reasons.iter().all(|reason| !reason.is_error()), "{name}: {suback:?}");
                work.subscribed();
            }
            None => {}
            Some(other) => panic!("{name}: {other:?}"),
        }
    }
}
