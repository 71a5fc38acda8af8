//! A small MQTT broker: no message is acknowledged before it is in the log, and no session is lost with its connection.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater::codec::sink::Limited;
use headwater::codec::{
    Connect, Frame, FrameReader, Limits, Publish, QoS, ReasonCode, SubscribeFilter, Version,
};
use headwater::log::{Log, LogOptions};
use headwater::session::persist::Change;
use headwater::session::server::{Accept, Config, Event, Session};
use headwater::session::{Millis, Receipt, Transmit};
use headwater::store::{Attach, AttachError, Attached, Delivery, Next, Placement, Store, StoreOptions};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What all connections share.
struct Broker {
    store: Store,
    /// The connection of each client identifier: its number, and how to reach it.
    clients: Mutex<HashMap<String, (u64, SyncSender<Input>)>>,
    connections: AtomicU64,
    stopping: AtomicBool,
    start: Instant,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "data".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:1883".to_owned());
    let log = Log::open(&folder, LogOptions::default())?;
    let broker = Broker {
        store: Store::open(&log, StoreOptions::default(), now_ms())?,
        clients: Mutex::default(),
        connections: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        start: Instant::now(),
    };
    let upkeep = log.start_maintenance(Duration::from_secs(10), |done| {
        if let Err(error) = done {
            eprintln!("upkeep: {error}");
        }
    })?;
    let listener = TcpListener::bind(&address)?;
    println!("listens on {address}, keeps its log in {folder}; Enter stops it");
    thread::scope(|scope| {
        for lane in broker.store.lanes() {
            let broker = &broker;
            scope.spawn(move || {
                while !broker.is_stopping() {
                    if let Err(error) = lane.run(Duration::from_millis(100)) {
                        eprintln!("{}: {error}", lane.name());
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            });
        }
        scope.spawn(|| {
            for stream in listener.incoming().take_while(|_| !broker.is_stopping()) {
                let broker = &broker;
                scope.spawn(move || {
                    if let Err(error) = stream.map_err(Into::into).and_then(|stream| serve(broker, &stream)) {
                        eprintln!("{error}");
                    }
                });
            }
        });
        // Until a line comes, or there is nobody to type one.
        let _ = std::io::stdin().read_line(&mut String::new());
        broker.stopping.store(true, Ordering::Relaxed);
        // The listener waits for a connection: here is one.
        let _ = TcpStream::connect(&address);
    });
    upkeep.stop();
    drop(broker);
    log.close()?;
    println!("stopped");
    Ok(())
}

impl Broker {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The time as sessions know it.
    fn now(&self) -> Millis {
        Millis(self.start.elapsed().as_millis().try_into().unwrap_or(u64::MAX))
    }
}

/// The time as the log knows it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

/// What a connection waits for.
enum Input {
    Bytes(Vec<u8>),
    /// The other end is gone.
    Lost,
    /// The store has something for the client.
    Wake,
    /// Another connection asks for the client's identifier.
    TakenOver,
}

/// One connection, to its end.
fn serve(broker: &Broker, mut stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    // A client that takes nothing for so long is gone.
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let (sender, inputs) = sync_channel(16);
    let (reader, bytes) = (stream.try_clone()?, sender.clone());
    thread::spawn(move || read(reader, &bytes));
    let mut connection = Connection {
        broker,
        number: broker.connections.fetch_add(1, Ordering::Relaxed),
        sender,
        session: Session::new(Config::default(), broker.now()),
        attached: None,
        pending: Vec::new(),
        saved_at: Instant::now(),
    };
    let served = connection.run(&mut stream, &inputs);
    // The thread that reads ends with it.
    let _ = stream.shutdown(Shutdown::Both);
    served.and(connection.finish())
}

fn read(mut stream: TcpStream, inputs: &SyncSender<Input>) {
    loop {
        let mut bytes = vec![0; 4096];
        let input = match stream.read(&mut bytes) {
            Ok(count @ 1..) => {
                bytes.truncate(count);
                Input::Bytes(bytes)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => Input::Lost,
        };
        let is_last = matches!(input, Input::Lost);
        if inputs.send(input).is_err() || is_last {
            return;
        }
    }
}

struct Connection<'b> {
    broker: &'b Broker,
    number: u64,
    /// What the store and other connections call it by.
    sender: SyncSender<Input>,
    session: Session<Delivery>,
    /// The client's session in the store, once it was let in.
    attached: Option<Attached>,
    /// Messages that were appended to the log and not acknowledged.
    pending: Vec<(Receipt, Placement)>,
    saved_at: Instant,
}

impl Connection<'_> {
    fn run(&mut self, stream: &mut &TcpStream, inputs: &Receiver<Input>) -> Result<()> {
        let (mut frames, mut out) = (FrameReader::new(Limits::default()), Vec::new());
        while !self.session.is_closed() {
            match inputs.recv_timeout(Duration::from_secs(1)) {
                Ok(Input::Bytes(bytes)) => frames.extend(&bytes),
                Ok(Input::Wake) => {}
                Ok(Input::TakenOver) => self.session.disconnect(ReasonCode::SESSION_TAKEN_OVER),
                Ok(Input::Lost) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.receive(&mut frames)?;
            if self.broker.is_stopping() {
                self.session.disconnect(ReasonCode::SERVER_SHUTTING_DOWN);
            }
            // What was delivered of QoS 1 since the session was last saved comes again after a crash. Nobody waits for this one.
            if self.saved_at.elapsed() > Duration::from_secs(1) {
                let _ = self.save()?;
            }
            // Keep alive. An error is the end, and the session has what is to be said about it.
            if let Err(error) = self.session.handle_timeout(self.broker.now()) {
                eprintln!("connection {}: {error}", self.number);
            }
            loop {
                self.send(&mut out)?;
                if out.is_empty() {
                    break;
                }
                self.keep_exchanges()?;
                stream.write_all(&out)?;
                out.clear();
            }
        }
        Ok(())
    }

    /// Handles the packets that have come, and acknowledges them when all of them are on disk: one sync for all.
    fn receive(&mut self, frames: &mut FrameReader) -> Result<()> {
        loop {
            while self.session.wants_packet() && !self.session.is_closed() {
                match frames.next_frame() {
                    Ok(Some(frame)) => self.handle(&frame)?,
                    Ok(None) => break,
                    Err(error) => self.session.disconnect(error.reason_code()),
                }
            }
            if self.pending.is_empty() {
                return Ok(());
            }
            for (receipt, placement) in self.pending.drain(..) {
                self.broker.store.wait_durable(&placement)?;
                self.session.acknowledge(receipt, ReasonCode::SUCCESS)?;
            }
        }
    }

    fn handle(&mut self, frame: &Frame) -> Result<()> {
        let packet = match frame.packet(self.session.version()) {
            Ok(packet) => packet,
            Err(error) => {
                self.session.disconnect(error.reason_code());
                return Ok(());
            }
        };
        let event = match self.session.handle(packet, self.broker.now()) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(error) => {
                eprintln!("connection {}: {error}", self.number);
                return Ok(());
            }
        };
        if let Event::Connect(connect) = event {
            return self.admit(&connect);
        }
        let Some(attached) = &mut self.attached else { return Ok(()) };
        match event {
            Event::Publish { publish, topic, receipt } => {
                let publish = Publish { topic: Some(topic.name()), ..publish };
                let payload = || frame.slice(publish.payload);
                let placement = attached.publish(&publish, payload, now_ms())?;
                self.pending.extend(receipt.map(|receipt| (receipt, placement)));
            }
            Event::Subscribe { subscribe, request } => {
                let id = subscribe.properties.subscription_identifiers().next();
                let mut reasons = Vec::new();
                for SubscribeFilter { filter, options } in subscribe.filters.iter() {
                    reasons.push(match self.session.filter_refusal(filter) {
                        Some(refusal) => refusal,
                        None => {
                            attached.subscribe(filter, options, id);
                            ReasonCode(options.qos as u8)
                        }
                    });
                }
                self.keep()?;
                self.session.answer(request, &reasons)?;
            }
            Event::Unsubscribe { unsubscribe, request } => {
                let mut reasons = Vec::new();
                for filter in unsubscribe.filters.iter() {
                    let existed = attached.unsubscribe(filter);
                    reasons.push(if existed {
                        ReasonCode::SUCCESS
                    } else {
                        ReasonCode::NO_SUBSCRIPTION_EXISTED
                    });
                }
                self.keep()?;
                self.session.answer(request, &reasons)?;
            }
            Event::Delivered { message, .. } => attached.finish(&message)?,
            // After DISCONNECT the session is closed.
            _ => {}
        }
        Ok(())
    }

    /// CONNECT came: the client gets its session, and an earlier connection of the same client its leave.
    fn admit(&mut self, connect: &Connect<'_>) -> Result<()> {
        let assigned = connect.client_id.is_empty().then(|| format!("auto-{}-{}", now_ms(), self.number));
        let client_id = assigned.as_deref().unwrap_or(connect.client_id);
        let entry = (self.number, self.sender.clone());
        let earlier = lock(&self.broker.clients).insert(client_id.to_owned(), entry);
        if let Some((_, earlier)) = earlier {
            let _ = earlier.send(Input::TakenOver);
        }
        let wake = self.sender.clone();
        let attach = Attach {
            client_id,
            clean_start: connect.clean_start,
            expiry_secs: self.session.session_expiry_secs(),
            // If there is no room for it, the connection has something to do, and looks at the store after that.
            wake: Arc::new(move || _ = wake.try_send(Input::Wake)),
            now_ms: now_ms(),
        };
        let (attached, resumed, placement) = loop {
            match self.broker.store.attach(&attach) {
                Err(AttachError::InUse) => thread::sleep(Duration::from_millis(5)),
                attached => break attached?,
            }
        };
        self.attached = Some(attached);
        self.broker.store.wait_durable(&placement)?;
        if self.session.session_expiry_secs() > 0 {
            self.session.record_changes(1_000);
        }
        let accept = Accept::default().assigned_client_id(assigned.as_deref());
        Ok(self.session.accept(resumed, &accept, self.broker.now())?)
    }

    /// Puts what is for the client into `out`, as far as it may be sent.
    fn send(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let (version, limit) = (self.session.version(), self.session.peer_packet_size_max() as usize);
        loop {
            let has_room = self.session.is_open()
                && self.session.room(QoS::AtMostOnce) > 0
                && self.session.room(QoS::ExactlyOnce) > 0;
            let next = match &mut self.attached {
                Some(attached) if has_room => attached.next(now_ms())?,
                _ => Next::Idle,
            };
            let is_last = matches!(next, Next::Idle);
            if let Next::Delivery(delivery) = next {
                let qos = delivery.qos;
                self.session.publish(delivery, qos).map_err(|refused| refused.misuse)?;
            }
            while let Some(transmit) = self.session.poll_transmit() {
                match transmit {
                    Transmit::Control(bytes) => out.extend_from_slice(bytes),
                    Transmit::Publish { message: sent, delivery, .. } => {
                        let mut properties = Vec::new();
                        if version == Version::V5 {
                            sent.message.fill(&sent.subscription_ids, now_ms(), &mut properties);
                        }
                        let publish = sent.message.publish(delivery, sent.retain, &properties);
                        // One that is larger than the client takes is done with.
                        if publish.encode(version, &mut Limited::new(&mut *out, limit)).is_err() {
                            delivery.packet_id().and_then(|packet_id| self.session.discard(packet_id));
                        }
                    }
                }
            }
            if is_last || out.len() > 256 * 1024 {
                return Ok(());
            }
        }
    }

    /// Saves what has changed of the session.
    fn save(&mut self) -> Result<Placement> {
        self.saved_at = Instant::now();
        let Some(attached) = &self.attached else { return Ok(Placement::default()) };
        Ok(attached.save(&self.session.state(), self.session.session_expiry_secs())?)
    }

    /// Saves it, and waits until it is on disk.
    fn keep(&mut self) -> Result<()> {
        let placement = self.save()?;
        Ok(self.broker.store.wait_durable(&placement)?)
    }

    /// What packets of QoS 2 are about to tell the client is on disk before they are written.
    fn keep_exchanges(&mut self) -> Result<()> {
        let mut is_told = false;
        loop {
            is_told |= match self.session.poll_change() {
                Ok(None) => break,
                Ok(Some(Change::Taken { exactly_once, .. })) => exactly_once,
                Ok(Some(change)) => matches!(change, Change::Received { .. } | Change::Released { .. }),
                // There were too many to know.
                Err(_) => true,
            };
        }
        if is_told { self.keep() } else { Ok(()) }
    }

    /// The connection has ended: what outlives it is kept, and the client identifier is free.
    fn finish(mut self) -> Result<()> {
        let Some(attached) = self.attached.take() else { return Ok(()) };
        let client_id = attached.client_id().to_owned();
        let expiry_secs = self.session.session_expiry_secs();
        if let Some(state) = self.session.into_state() {
            let placement = attached.detach(&state, expiry_secs, now_ms())?;
            self.broker.store.wait_durable(&placement)?;
        }
        let mut clients = lock(&self.broker.clients);
        if clients.get(&client_id).is_some_and(|(number, _)| *number == self.number) {
            clients.remove(&client_id);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
