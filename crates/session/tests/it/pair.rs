//! A client and a server of one session, a wire that can be cut or fall silent, and a clock.
//!
//! ```text
//!   client  ===== wire =====  server            the connection that both ends know of, or one of them
//!                             lingering         an earlier one, whose end the server has not noticed
//!                             kept              no connection at all
//! ```

use headwater_codec::{Connect, Packet, Properties, Property, ReasonCode, Version};
use headwater_session::{Millis, State, client, server};
use headwater_testkit::wire::{Direction, Wire};

use crate::shadow::{Shadows, keep_change, through_bytes};
use crate::side::{ALIASES, Message, Side, write};

/// How often a deadline ended something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeOuts {
    pub(crate) client: u64,
    pub(crate) server: u64,
    pub(crate) lingering: u64,
}

/// Both sides and what is between them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) version: Version,
    pub(crate) now: Millis,
    pub(crate) keep_alive_secs: u16,
    pub(crate) wire: Wire,
    pub(crate) client: client::Session<Message>,
    pub(crate) client_side: Side,
    /// Whether the client has a connection, so far as it knows.
    pub(crate) is_client_connected: bool,
    pub(crate) server: Option<server::Session<Message>>,
    pub(crate) server_side: Side,
    pub(crate) server_config: server::Config,
    pub(crate) time_outs: TimeOuts,
    client_config: client::Config,
    shadows: Option<Shadows>,
    lingering: Option<server::Session<Message>>,
    kept: Option<State<Message>>,
    connected_before: bool,
    scratch: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(version: Version, client_window: usize, server_config: server::Config) -> Self {
        let config =
            client::Config { window: client_window, topic_aliases_out: ALIASES, ..client::Config::default() };
        let server_config =
            server::Config { topic_alias_maximum: ALIASES, topic_aliases_out: ALIASES, ..server_config };
        Self {
            version,
            now: Millis(0),
            keep_alive_secs: 60,
            wire: Wire::new(),
            client: client::Session::new(config),
            client_side: Side::default(),
            is_client_connected: false,
            server: None,
            server_side: Side::default(),
            server_config,
            time_outs: TimeOuts::default(),
            client_config: config,
            shadows: None,
            lingering: None,
            kept: None,
            connected_before: false,
            scratch: Vec::new(),
        }
    }

    /// Both programs keep their sessions where a crash does not reach them. For a pair that has done nothing yet.
    pub(crate) fn keep(&mut self) {
        self.client.record_changes(1_000);
        self.shadows = Some(Shadows::default());
    }

    /// The client's program crashes, and goes on from what it kept.
    pub(crate) fn restart_client(&mut self) {
        self.keep_changes();
        self.lose_client();
        let Some(shadows) = &mut self.shadows else { return };
        self.client_side.forget_receipts();
        self.client = client::Session::resumed(self.client_config, shadows.client.clone());
        self.client.record_changes(1_000);
    }

    /// The server's program does.
    pub(crate) fn restart_server(&mut self) {
        self.keep_changes();
        self.lose_server();
        let Some(shadows) = &mut self.shadows else { return };
        self.lingering = None;
        self.server_side.forget_receipts();
        self.kept.clone_from(&shadows.server);
    }

    /// Both keep what has changed; with it they have what the sessions have.
    fn keep_changes(&mut self) {
        let Some(shadows) = &mut self.shadows else { return };
        while let Some(change) = self.client.poll_change().unwrap() {
            keep_change(change, &mut shadows.client, &mut shadows.bytes);
        }
        // To compare them each time would take most of the time.
        shadows.turn += 1;
        let compared = shadows.turn % 16 == 0;
        if compared {
            shadows.check_client(&self.client.state());
        }
        let Some(shadow) = &mut shadows.server else { return };
        let server = self.server.as_mut().filter(|server| server.is_open()).or(self.lingering.as_mut());
        let Some(server) = server else { return };
        while let Some(change) = server.poll_change().unwrap() {
            keep_change(change, shadow, &mut shadows.bytes);
        }
        if compared {
            shadows.check_server(&server.state());
        }
    }

    /// A server's session has ended with this state.
    fn keep_state(&mut self, state: Option<State<Message>>) {
        let Some(state) = state else { return };
        if let Some(shadows) = &mut self.shadows {
            shadows.check_server(&state);
        }
        self.kept = Some(state);
    }

    /// A new network connection: CONNECT is on its way. The server may not know that the one before is gone.
    pub(crate) fn connect(&mut self) {
        assert!(!self.is_client_connected);
        // One that was never let in has nothing of the session.
        if let Some(unnoticed) = self.server.take().filter(server::Session::is_open) {
            assert!(self.lingering.is_none(), "it was taken over when its successor was let in");
            self.lingering = Some(unnoticed);
        }
        self.wire.reset();
        let mut connect = Connect::new(self.version, "client");
        connect.keep_alive_secs = self.keep_alive_secs;
        connect.clean_start = false;
        let properties = [Property::SessionExpiryInterval(3_600), Property::TopicAliasMaximum(ALIASES)];
        if self.version == Version::V5 {
            connect.properties = Properties::from(&properties);
        }
        self.client.connect(&connect, self.now).unwrap();
        self.is_client_connected = true;
        self.server = Some(server::Session::new(self.server_config, self.now));
        self.flush();
    }

    /// The connection breaks, and both ends are told.
    pub(crate) fn cut(&mut self) {
        self.wire.reset();
        self.lose_client();
        self.lose_server();
        self.wire.reset();
    }

    /// The client is gone from its connection; what comes there is read by nobody.
    pub(crate) fn lose_client(&mut self) {
        if self.is_client_connected {
            self.client.connection_lost();
            self.is_client_connected = false;
            self.wire.to_server.end();
            self.wire.to_client.vanish();
        }
    }

    /// The server is gone from its connection.
    pub(crate) fn lose_server(&mut self) {
        self.keep_changes();
        if let Some(server) = self.server.take() {
            // A server that never let the client in has nothing of the session.
            self.keep_state(server.into_state());
            self.wire.to_client.end();
            self.wire.to_server.vanish();
        }
    }

    /// The session of the server that messages to the client go to.
    pub(crate) fn serving(&mut self) -> Option<&mut server::Session<Message>> {
        self.server.as_mut().filter(|server| server.is_open()).or(self.lingering.as_mut())
    }

    /// Writes whatever either side wants written.
    pub(crate) fn flush(&mut self) {
        self.keep_changes();
        let Self { version, scratch, .. } = self;
        if self.is_client_connected {
            while let Some(transmit) = self.client.poll_transmit(self.now) {
                write(transmit, *version, &mut self.wire.to_server, &mut self.client_side, scratch);
            }
        }
        if let Some(server) = &mut self.server {
            while let Some(transmit) = server.poll_transmit() {
                write(transmit, *version, &mut self.wire.to_client, &mut self.server_side, scratch);
            }
        }
        if let Some(lingering) = &mut self.lingering {
            let mut nowhere = Direction::default();
            nowhere.vanish();
            while let Some(transmit) = lingering.poll_transmit() {
                write(transmit, *version, &mut nowhere, &mut self.server_side, scratch);
            }
        }
        self.keep_changes();
        // Who has closed, and said so, leaves.
        if self.is_client_connected && self.client.is_closed() {
            self.lose_client();
        }
        if self.server.as_ref().is_some_and(server::Session::is_closed) {
            self.lose_server();
        }
    }

    /// One packet, or the end, arrives at the server, if one is under way.
    pub(crate) fn deliver_to_server(&mut self) -> bool {
        let Some(server) = self.server.as_mut().filter(|server| server.wants_packet()) else { return false };
        if self.wire.to_server.is_at_end() {
            self.lose_server();
            return true;
        }
        let Some(bytes) = self.wire.to_server.receive() else { return false };
        let packet = Packet::decode(bytes, self.version).unwrap();
        match server.handle(packet, self.now).unwrap() {
            Some(server::Event::Connect(connect)) => {
                if let Some(lingering) = self.lingering.take() {
                    // [MQTT-3.1.4-3]: a client that comes again takes its session over.
                    self.kept = lingering.into_state();
                    if let (Some(shadows), Some(kept)) = (&mut self.shadows, &self.kept) {
                        shadows.check_server(kept);
                    }
                }
                let resumed = self.kept.take().filter(|_| !connect.clean_start);
                if let Some(shadows) = &mut self.shadows {
                    server.record_changes(1_000);
                    shadows.server = Some(resumed.as_ref().map_or_else(State::default, through_bytes));
                }
                server.accept(resumed, &server::Accept::default(), self.now).unwrap();
            }
            Some(server::Event::Publish { publish, topic, receipt }) => {
                self.server_side.take(&publish, &topic, receipt)
            }
            Some(server::Event::Delivered { message, reason }) => {
                assert!(!reason.is_error() || self.client_side.refused.contains(&message.number));
                self.server_side.delivered.push(message);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        self.flush();
        true
    }

    /// One packet, or the end, arrives at the client, if one is under way.
    pub(crate) fn deliver_to_client(&mut self) -> bool {
        if !self.is_client_connected || !self.client.wants_packet() {
            return false;
        }
        if self.wire.to_client.is_at_end() {
            self.lose_client();
            return true;
        }
        let Some(bytes) = self.wire.to_client.receive() else { return false };
        let packet = Packet::decode(bytes, self.version).unwrap();
        match self.client.handle(packet, self.now).unwrap() {
            Some(client::Event::Connected { connack, unfinished }) => {
                assert_eq!(unfinished, [], "the server kept the session");
                assert!(connack.session_present || !self.connected_before || self.version == Version::V3_1);
                self.connected_before = true;
            }
            Some(client::Event::Publish { publish, topic, receipt }) => {
                self.client_side.take(&publish, &topic, receipt)
            }
            Some(client::Event::Delivered { message, reason }) => {
                assert!(!reason.is_error() || self.server_side.refused.contains(&message.number));
                self.client_side.delivered.push(message);
            }
            // Why a server of 5.0 closes.
            Some(client::Event::Disconnect(_)) => {}
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        self.flush();
        true
    }

    /// The server's application acknowledges the oldest, or some other, message; or refuses it.
    pub(crate) fn acknowledge_at_server(&mut self, which: usize, reason: ReasonCode) {
        let Some(receipt) = self.server_side.take_receipt(which, reason) else { return };
        let now = self.now;
        if let Some(server) = self.serving() {
            let stopped = !server.wants_packet();
            server.acknowledge(receipt, reason).unwrap();
            if stopped && server.wants_packet() {
                server.read_again(now);
            }
        } else if let Some(kept) = &mut self.kept {
            kept.acknowledge(receipt, reason);
            if let Some(shadows) = &mut self.shadows {
                shadows.server = Some(through_bytes(kept));
            }
        }
        self.flush();
    }

    /// The client's application does.
    pub(crate) fn acknowledge_at_client(&mut self, which: usize, reason: ReasonCode) {
        if let Some(receipt) = self.client_side.take_receipt(which, reason) {
            self.client.acknowledge(receipt, reason).unwrap();
        }
        self.flush();
    }

    /// The first moment at which somebody has to look at the clock.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let client = self.client.next_deadline().filter(|_| self.is_client_connected);
        let server = self.server.as_ref().and_then(server::Session::next_deadline);
        let lingering = self.lingering.as_ref().and_then(server::Session::next_deadline);
        client.into_iter().chain(server).chain(lingering).min()
    }

    /// Time passes, and everybody looks at the clock.
    pub(crate) fn pass(&mut self, until: Millis) {
        self.now = self.now.max(until);
        let now = self.now;
        let is_due = |deadline: Option<Millis>| deadline.is_some_and(|deadline| deadline <= now);
        if self.is_client_connected {
            let due = is_due(self.client.next_deadline());
            if self.client.handle_timeout(now).is_err() {
                assert!(due, "before its time");
                self.time_outs.client += 1;
            } else {
                assert!(!is_due(self.client.next_deadline()), "a deadline that has passed is dealt with");
            }
        }
        if let Some(server) = &mut self.server {
            let waits = !server.is_open();
            assert!(
                !waits || server.next_deadline().is_some(),
                "who does not come is not waited for without end"
            );
            let due = is_due(server.next_deadline());
            assert_eq!(server.handle_timeout(now).is_err(), due);
            self.time_outs.server += u64::from(due);
        }
        if let Some(lingering) = &mut self.lingering {
            let due = is_due(lingering.next_deadline());
            assert_eq!(lingering.handle_timeout(now).is_err(), due);
            if due {
                self.time_outs.lingering += 1;
                self.keep_changes();
                let state = self.lingering.take().and_then(server::Session::into_state);
                self.keep_state(state);
            }
        }
        self.flush();
    }

    /// Whether both ends know of the same connection, and what they send arrives.
    pub(crate) fn is_joined(&self) -> bool {
        let is_open = self.server.as_ref().is_some_and(server::Session::is_open);
        is_open && self.is_client_connected && self.client.is_open() && self.wire.is_sound()
    }

    /// Goes on without further faults until nothing happens any more. Whoever waits for a connection that is dead must find that out from
    /// the clock, or, where there is no keep alive, be told.
    ///
    /// # Panics
    ///
    /// If a sound connection stands still before everything is complete, or it takes too many steps.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000 {
            if !self.is_client_connected {
                self.connect();
            }
            let moved = self.deliver_to_server() | self.deliver_to_client();
            let acknowledged = !self.server_side.receipts.is_empty() || !self.client_side.receipts.is_empty();
            self.acknowledge_at_server(0, ReasonCode::SUCCESS);
            self.acknowledge_at_client(0, ReasonCode::SUCCESS);
            if moved || acknowledged {
                continue;
            }
            if self.is_joined() {
                assert!(self.wire.is_idle(), "nothing is under way");
                assert_eq!(self.client.in_flight(), 0, "nothing of the client is stuck");
                assert_eq!(self.server.as_ref().unwrap().in_flight(), 0, "nothing of the server is stuck");
                return;
            }
            match self.next_deadline() {
                Some(deadline) => self.pass(deadline),
                None => self.cut(),
            }
        }
        panic!("it takes too many steps: {self:?}");
    }

    /// A sound connection with nothing to say stays: pings keep it.
    pub(crate) fn rest(&mut self) {
        assert!(self.is_joined());
        for _ in 0..4 {
            let Some(deadline) = self.next_deadline() else { return };
            self.pass(deadline);
            while self.deliver_to_server() | self.deliver_to_client() {}
            assert!(self.is_joined(), "a sound connection does not time out");
        }
    }
}
