mod bytes;
mod packets;
mod role;

use core::num::NonZeroU16;
use std::collections::{BTreeMap, BTreeSet};

use headwater_codec::{Delivery, Packet, PacketId, PacketType, Properties, QoS, ReasonCode, Version};
use headwater_session::persist::Change;
use headwater_session::{Millis, Receipt, State, Transmit, client, server};
use headwater_topic::{TopicFilter, TopicName};

use self::bytes::{bytes, read, read_control, through_bytes, write};
use self::packets::{id, with_packet};
use self::role::{Role, Said, small, with_connect};

/// A longer walk finds little that two shorter ones do not.
const STEPS_MAX: usize = 300;
/// A packet, or a call, makes no more bytes wait than this: SUBACK for four filters, PUBREL, CONNACK with its properties.
const QUEUED_BYTES_EACH: usize = 64;
/// More than any receive maximum here, which 5.0 raises it to.
const HELD_MAX: u16 = 5;

/// A walk of a session of either role: packets right and wrong, calls of the caller, time, connections that end and programs that crash,
/// three bytes a step behind the first one, which has role, version and sizes.
///
/// # Panics
///
/// When an identifier is in flight twice, or a QoS 2 message comes twice; when there is more in flight than the window or the peer's
/// receive maximum, more QoS 2 identifiers are held than allowed, or more waits to be written than was asked for; when an AUTH has not the
/// method of CONNECT, or is not asked for, or anything but AUTH and DISCONNECT comes between CONNECT and CONNACK; when anything but a farewell comes after an error; when
/// what is written cannot be read; when a deadline that has passed stays; when a state and its changes are not the state of the session.
pub fn session_walk(input: &[u8]) {
    let Some((first, steps)) = input.split_first() else { return };
    let mut walk = Walk::new(*first);
    let mut rest = steps;
    for _ in 0..STEPS_MAX {
        let Some((&[kind, one, two], behind)) = rest.split_first_chunk::<3>() else { break };
        rest = behind;
        if kind % 16 == 15 {
            // The bytes themselves.
            let (packet, behind) = rest.split_at(usize::from(one % 32).min(rest.len()));
            rest = behind;
            if let Ok(packet) = Packet::decode(packet, walk.role.version()) {
                walk.handle(packet);
            }
        } else {
            walk.step(kind, one, two);
        }
        walk.check();
    }
    walk.transmit();
    walk.compare();
}

/// The session, and what is known of it without looking inside.
struct Walk {
    role: Role,
    version: Version,
    client_config: client::Config,
    server_config: server::Config,
    now: Millis,
    next: u32,
    /// Messages in flight, and whether they were written.
    out: BTreeMap<PacketId, (u32, bool)>,
    /// Those of a session that was given up, until the caller is told.
    given_up: BTreeSet<u32>,
    /// Identifiers of messages that were written on this connection and are not complete.
    here: BTreeSet<PacketId>,
    /// Identifiers of requests of a client.
    requests: BTreeSet<PacketId>,
    /// Whether CONNECT has an authentication method, most of the time; and that of the last one.
    method: bool,
    agreed: Option<String>,
    /// How many steps of an authentication were made, and not written yet.
    steps: usize,
    receive_maximum: usize,
    /// QoS 2 identifiers of messages that came, until PUBREL.
    held: BTreeSet<PacketId>,
    receipts: Vec<(Receipt, PacketId)>,
    answers: Vec<server::Request>,
    clean_start: bool,
    /// What a server keeps while its client is away, and the state with its changes.
    kept: Option<State<u32>>,
    shadow: State<u32>,
    is_recorded: bool,
    /// How many bytes may wait.
    queued_bytes_max: usize,
}

impl Walk {
    fn new(first: u8) -> Self {
        let window = usize::from(1 + (first >> 3 & 7));
        let server_config = server::Config {
            window,
            receive_maximum: small(first >> 6),
            held_max: HELD_MAX.try_into().unwrap_or(NonZeroU16::MIN),
            topic_alias_maximum: 2,
            ..server::Config::default()
        };
        let client_config = client::Config {
            window,
            held_max: server_config.held_max,
            topic_aliases_out: 2,
            ..client::Config::default()
        };
        let is_client = first & 1 == 0;
        let role = if is_client {
            Role::Client(client::Session::new(client_config))
        } else {
            Role::Server(server::Session::new(server_config, Millis(0)))
        };
        let mut walk = Self {
            role,
            version: super::version(first >> 1 & 3),
            client_config,
            server_config,
            now: Millis(0),
            next: 0,
            out: BTreeMap::new(),
            given_up: BTreeSet::new(),
            here: BTreeSet::new(),
            requests: BTreeSet::new(),
            method: first >> 1 & 3 == 3,
            agreed: None,
            steps: 0,
            receive_maximum: usize::from(u16::MAX),
            held: BTreeSet::new(),
            receipts: Vec::new(),
            answers: Vec::new(),
            clean_start: false,
            kept: None,
            shadow: State::default(),
            is_recorded: is_client,
            queued_bytes_max: QUEUED_BYTES_EACH * (window + 1),
        };
        if is_client {
            walk.role.record_changes();
        }
        walk
    }

    fn step(&mut self, kind: u8, one: u8, two: u8) {
        self.queued_bytes_max += QUEUED_BYTES_EACH;
        match kind % 16 {
            0 | 1 => self.publish(one),
            // While a client is away its server's session is in nobody's hands.
            2 if self.is_recorded => {
                let given_back = self.role.discard(id(one));
                assert_eq!(given_back, self.complete(id(one)), "what is in flight is known");
            }
            2..=4 => self.transmit(),
            5 | 6 => self.acknowledge(one, two),
            7..=9 => with_packet(one, two, self.packet_version(), self.method, |packet| self.handle(packet)),
            10 => self.open(one),
            11 => self.pass(self.now.after(u64::from(one) * 100)),
            12 => self.pass(self.role.next_deadline().unwrap_or(self.now)),
            13 => self.lose(one & 1 != 0),
            14 if one & 7 == 0 => self.role.disconnect(ReasonCode::UNSPECIFIED_ERROR),
            _ => self.request(one),
        }
    }

    /// Before CONNECT any version may come.
    fn packet_version(&self) -> Version {
        let fresh = matches!(&self.role, Role::Server(_)) && !self.role.is_open();
        if fresh { self.version } else { self.role.version() }
    }

    fn publish(&mut self, one: u8) {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce];
        let qos = qos.into_iter().nth(usize::from(one & 3)).unwrap_or(QoS::AtMostOnce);
        self.next += 1;
        if let Some(packet_id) = self.role.publish(self.next, qos) {
            assert!(!self.requests.contains(&packet_id), "an identifier names one thing");
            let before = self.out.insert(packet_id, (self.next, false));
            assert_eq!(before, None, "an identifier is in flight once");
        }
    }

    fn complete(&mut self, packet_id: PacketId) -> Option<u32> {
        self.here.remove(&packet_id);
        self.out.remove(&packet_id).map(|(number, _)| number)
    }

    fn complete_number(&mut self, number: u32) {
        let packet_id = self.out.iter().find(|(_, message)| message.0 == number).map(|(id, _)| *id);
        assert!(packet_id.is_some(), "message {number} was in flight");
        packet_id.and_then(|packet_id| self.complete(packet_id));
    }

    fn acknowledge(&mut self, one: u8, two: u8) {
        let Some((receipt, packet_id)) = self.receipts.get(usize::from(one & 7)).copied() else { return };
        let refused = two & 3 == 0;
        let reason = if refused { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
        // Some are used again.
        if two & 4 == 0 {
            self.receipts.remove(usize::from(one & 7));
        }
        if refused {
            self.held.remove(&packet_id);
        }
        match (&self.role, &mut self.kept) {
            (Role::Server(_), Some(kept)) => {
                kept.acknowledge(receipt, reason);
                self.shadow = through_bytes(kept);
            }
            (Role::Server(_), None) if !self.is_recorded => {}
            _ => self.role.acknowledge(receipt, reason),
        }
    }

    fn handle(&mut self, packet: Packet<'_>) {
        let was_closed = self.role.is_closed();
        let receive_maximum = match &packet {
            Packet::Connect(connect) => connect.properties.receive_maximum(),
            Packet::ConnAck(connack) => connack.properties.receive_maximum(),
            _ => None,
        };
        let receive_maximum = receive_maximum.map_or(usize::from(u16::MAX), |most| usize::from(most.get()));
        let agrees = match &packet {
            Packet::Connect(connect) => connect.properties.authentication_method().map(String::from),
            _ => None,
        };
        let delivery =
            if let Packet::Publish(publish) = &packet { publish.delivery } else { Delivery::AtMostOnce };
        let released = if let Packet::PubRel(pubrel) = &packet { Some(pubrel.packet_id) } else { None };
        let said = match self.role.handle(packet, self.now) {
            Ok(said) => said,
            Err(error) => {
                assert!(self.role.is_closed() && !self.role.is_open(), "an error is the end: {error}");
                return;
            }
        };
        assert!(!was_closed || matches!(said, Said::Nothing), "what comes after the end is not looked at");
        if let Some(packet_id) = released {
            self.held.remove(&packet_id);
        }
        match said {
            Said::Nothing | Said::Other => {}
            Said::Auth => assert!(self.agreed.is_some(), "there is a method"),
            Said::Asked { clean_start } => {
                self.agreed = agrees;
                self.clean_start = clean_start;
                self.receive_maximum = receive_maximum;
            }
            Said::Connected { unfinished, session_present } => {
                self.receive_maximum = receive_maximum;
                for number in unfinished {
                    if !self.given_up.remove(&number) {
                        self.complete_number(number);
                    }
                }
                assert!(self.given_up.is_empty(), "the caller is told of all of them");
                if !session_present {
                    self.held.clear();
                }
            }
            Said::Message(receipt) => {
                let packet_id = delivery.packet_id();
                assert_eq!(receipt.is_some(), packet_id.is_some());
                self.receipts.extend(receipt.zip(packet_id));
                if let Delivery::ExactlyOnce { packet_id, .. } = delivery {
                    assert!(self.held.insert(packet_id), "a QoS 2 message comes once");
                }
            }
            Said::Delivered(number) => self.complete_number(number),
            Said::Requested(request) => self.answers.push(request),
            Said::Answered(packet_id) => assert!(self.requests.remove(&packet_id), "it was asked for"),
        }
    }

    /// How many messages the peer may have under way.
    fn receive_maximum_here(&self) -> usize {
        match &self.role {
            // Each of its CONNECT says 1 to 4.
            Role::Client(_) => 4,
            Role::Server(_) => usize::from(self.server_config.receive_maximum.get()),
        }
    }

    /// The next step towards a connection: a client connects, a server lets its client in or does not.
    fn open(&mut self, flags: u8) {
        // A step of an authentication, perhaps several, and perhaps the last one.
        if self.method && flags & 3 != 0 && self.role.authenticate(flags & 4 == 0, self.now) {
            self.steps += 1;
            return;
        }
        self.queued_bytes_max += QUEUED_BYTES_EACH * self.out.len();
        match &mut self.role {
            Role::Client(session) => {
                let connected = with_connect(self.version, flags, self.method, |connect| {
                    let connected = session.connect(connect, self.now);
                    if connected.is_ok() {
                        self.agreed = connect.properties.authentication_method().map(String::from);
                        self.steps = 0;
                    }
                    connected
                });
                if connected.is_ok() && flags & 1 != 0 {
                    let written = self.out.iter().filter(|(_, message)| message.1);
                    let written: Vec<PacketId> = written.map(|(packet_id, _)| *packet_id).collect();
                    let given_up: Vec<u32> = written.into_iter().filter_map(|id| self.complete(id)).collect();
                    self.given_up.extend(given_up);
                    self.held.clear();
                }
            }
            Role::Server(session) if flags & 0x3f == 0x3f => _ = session.refuse(ReasonCode::BANNED),
            Role::Server(session) => {
                let mut accept = server::Accept::default().assigned_client_id(Some("walk"));
                if self.agreed.is_some() {
                    accept = accept.authenticated(Some(b"data"));
                }
                if session.check_accept(&accept).is_err() {
                    return;
                }
                let kept = self.kept.take().filter(|_| !self.clean_start);
                self.shadow = kept.as_ref().map(through_bytes).unwrap_or_default();
                if kept.is_none() {
                    self.out.clear();
                    self.held.clear();
                }
                session.record_changes(10_000);
                session.accept(kept, &accept, self.now).expect("it was checked");
                self.is_recorded = true;
            }
        }
    }

    fn request(&mut self, one: u8) {
        match &mut self.role {
            Role::Client(session) => {
                let filters = [TopicFilter::parse("a/#").expect("it is one")];
                if let Ok(packet_id) = session.unsubscribe(&filters, Properties::default()) {
                    assert!(
                        self.requests.insert(packet_id) && !self.out.contains_key(&packet_id),
                        "it is free"
                    );
                }
            }
            Role::Server(session) => {
                let Some(request) = self.answers.pop() else { return };
                let reasons = vec![ReasonCode::SUCCESS; usize::from(one >> 3 & 3) + 1];
                _ = session.answer(request, &reasons);
            }
        }
    }

    fn pass(&mut self, until: Millis) {
        self.now = self.now.max(until);
        let was_closed = self.role.is_closed();
        match self.role.handle_timeout(self.now) {
            Ok(()) => {
                let deadline = self.role.next_deadline();
                assert!(deadline.is_none_or(|deadline| deadline > self.now), "{deadline:?} has passed");
            }
            Err(_) => assert!(self.role.is_closed() && !was_closed, "an error is the end, and comes once"),
        }
    }

    /// Everything that is to be written is.
    fn transmit(&mut self) {
        let version = self.role.version();
        let closed = self.role.is_closed();
        let (is_open, agreed) = (self.role.is_open(), self.agreed.as_deref());
        let is_client = matches!(self.role, Role::Client(_));
        let steps = &mut self.steps;
        let mut messages = 0;
        while let Some(transmit) = self.role.poll_transmit(self.now) {
            match transmit {
                Transmit::Control(bytes) => read_control(bytes, version, |packet| {
                    if let Packet::Auth(auth) = &packet {
                        assert!(agreed.is_some(), "there is a method");
                        assert_eq!(auth.properties.authentication_method(), agreed);
                        *steps = steps.checked_sub(1).expect("it was asked for");
                    }
                    // [MQTT-3.1.2-30]
                    let is_early = is_client && agreed.is_some() && !is_open && !closed;
                    let may_be_early =
                        [PacketType::Connect, PacketType::Auth].contains(&packet.packet_type());
                    assert!(!is_early || may_be_early, "{packet:?} before CONNACK");
                }),
                Transmit::Publish { message, delivery, aliases } => {
                    assert!(!closed, "only a farewell comes after the end");
                    if let Some(alias) = aliases.alias(TopicName::parse("topic/of/walk").expect("it is one"))
                    {
                        alias.written();
                    }
                    messages += 1;
                    let Some(packet_id) = delivery.packet_id() else { continue };
                    let known = self.out.get_mut(&packet_id).expect("it is in flight");
                    assert_eq!(*message, known.0, "under its identifier");
                    assert_eq!(delivery.dup(), known.1, "DUP says whether it was written before");
                    known.1 = true;
                    assert!(self.here.insert(packet_id), "it is written once on a connection");
                    assert!(self.here.len() <= self.receive_maximum, "as many as the peer takes");
                }
            }
        }
        assert!(messages <= 2 * 8, "as many wait as the window has room for");
        assert_eq!(self.role.queued_bytes(), 0, "nothing is left");
    }

    /// The connection ends; perhaps the program crashes, and goes on from what it kept.
    fn lose(&mut self, crashes: bool) {
        self.keep_changes();
        self.steps = 0;
        self.agreed = None;
        self.here.clear();
        self.requests.clear();
        self.answers.clear();
        self.queued_bytes_max = QUEUED_BYTES_EACH * (self.out.len() + 16);
        let fresh = Role::Server(server::Session::new(self.server_config, self.now));
        match &mut self.role {
            Role::Client(session) => session.connection_lost(),
            Role::Server(_) => {
                if let Role::Server(session) = std::mem::replace(&mut self.role, fresh)
                    && let Some(state) = session.into_state()
                {
                    assert_eq!(bytes(&state), bytes(&self.shadow), "what ends is what was kept");
                    self.kept = Some(state);
                }
                self.is_recorded = false;
            }
        }
        if !crashes {
            return;
        }
        let state = through_bytes(&self.shadow);
        self.receipts.clear();
        self.given_up.clear();
        self.held = state.incoming.iter().map(|kept| kept.packet_id).collect();
        match &mut self.role {
            Role::Client(session) => {
                *session = client::Session::resumed(self.client_config, state);
                session.record_changes(10_000);
            }
            Role::Server(_) => self.kept = self.kept.take().map(|_| state),
        }
    }

    fn keep_changes(&mut self) {
        if !self.is_recorded {
            return;
        }
        while let Some(change) = self.role.poll_change().expect("they are polled in time") {
            let mut bytes = Vec::new();
            change.encode(&mut bytes, |message, out| write(message, out)).expect("it is small");
            let (read, length) = Change::decode(&bytes, read).expect("it was just written");
            assert_eq!((read, length), (change.cloned(), bytes.len()));
            self.shadow.apply(read);
        }
    }

    fn compare(&mut self) {
        self.keep_changes();
        if self.is_recorded {
            assert_eq!(bytes(&self.role.state()), bytes(&self.shadow), "a state and its changes");
        }
    }

    fn check(&mut self) {
        let is_away = matches!(self.role, Role::Server(_)) && !self.is_recorded;
        if !is_away {
            assert_eq!(self.role.in_flight(), self.out.len(), "what is in flight is known");
        }
        assert!(self.out.len() <= self.client_config.window, "no more than the window");
        let held_max = usize::from(HELD_MAX);
        assert!(self.held.len() <= held_max, "what was delivered is held, and no more than may be");
        // Those that are being refused wait for their turn, within the receive maximum.
        assert!(self.role.held() <= held_max + self.receive_maximum_here(), "no more than may be");
        assert!(self.role.queued_bytes() <= self.queued_bytes_max, "no more than was asked for");
        self.compare();
    }
}
