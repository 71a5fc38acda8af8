//! One network connection: bytes in, bytes out, and what the client, the store and the clock want in between.
//!
//! ```text
//!   socket -> frames -> session -> store.publish() -> pending -- durable --> session -> outbox -> socket
//!                          ^                                                    ^
//!                          '---- acknowledgements               attached.next() '   what is for the client
//!
//!   of QoS 2, in a session that outlives the connection: outbox -- session saved, durable --> socket
//! ```

mod bell;
mod connect;
mod deliver;
mod end;
mod gate;
mod history;
mod outbox;
mod packet;
mod statistics;
mod wait;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use headwater::codec::{FrameReader, Limits, ReasonCode};
use headwater::log::AppendError;
use headwater::session::{Millis, Receipt, server};
use headwater::store::{Attached, Delivery, Placement};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use self::bell::Bell;
use self::end::End;
use self::gate::Gate;
use self::outbox::Outbox;
use self::statistics::Asked;
use self::wait::{More, Waits};
use crate::hub::Hub;
use crate::options::Ack;
use crate::registry::Seat;
use crate::wills::Will;

/// With so many bytes waiting to be written, nothing more is read and no more messages are taken from the store.
const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT_MILLIS: u64 = 30_000;
/// How often a session that outlives its connection is saved while messages are delivered: a crash sends those of QoS 1 since again.
const SAVE_MILLIS: u64 = 1_000;
/// How long the end of a connection waits for what was received, and for the session, to become durable.
const SETTLE: Duration = Duration::from_secs(10);

/// One network connection.
pub struct Connection {
    hub: Arc<Hub>,
    peer: SocketAddr,
    /// `None` for one connection too many: it is told so, and closed.
    permit: Option<OwnedSemaphorePermit>,
    frames: FrameReader,
    session: server::Session<Delivery>,
    client: Option<Client>,
    /// Messages that are in the log and not known to be durable, in the order in which they came.
    pending: VecDeque<(Receipt, Placement)>,
    outbox: Outbox,
    gate: Gate,
    /// Rung when something came for the client.
    bell: Arc<Bell>,
    waits: Waits,
    /// Since when something waits to be written without anything having been.
    stalled_since: Option<Millis>,
    /// Since when the packet that comes now is incomplete.
    partial_since: Option<Millis>,
    /// Whether it is read, or held back.
    reads: bool,
}

/// The client, once CONNECT has come and was accepted.
struct Client {
    attached: Attached,
    will: Option<Will>,
    /// What it is told of the broker, if it has asked for that.
    asked: Option<Asked>,
    /// What of the session was saved last, and since when it is not all.
    saved_revision: u64,
    unsaved_since: Option<Millis>,
    // Last, so that it is given back last.
    seat: Seat,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection that has just been made. Without a permit it is one too many, is told so when it sends CONNECT, and ends.
    #[must_use]
    pub fn new(hub: Arc<Hub>, peer: SocketAddr, permit: Option<OwnedSemaphorePermit>) -> Self {
        let session = server::Session::new(hub.session, hub.now());
        let bell = Arc::default();
        Self {
            frames: FrameReader::new(Limits::new(hub.options.packet_bytes_max)),
            session,
            hub,
            peer,
            permit,
            client: None,
            pending: VecDeque::new(),
            outbox: Outbox::default(),
            waits: Waits::new(&bell),
            bell,
            gate: Gate::default(),
            stalled_since: None,
            partial_since: None,
            reads: true,
        }
    }

    /// Serves the connection to its end.
    pub fn run(
        self,
        reader: impl AsyncRead + Unpin + Send,
        writer: impl AsyncWrite + Unpin + Send,
    ) -> impl Future<Output = ()> + Send {
        // A future has room for what it was given once more: ten thousand that are idle would have it for nothing.
        Box::new(self).serve(reader, writer)
    }

    async fn serve(
        mut self: Box<Self>,
        mut reader: impl AsyncRead + Unpin + Send,
        mut writer: impl AsyncWrite + Unpin + Send,
    ) {
        self.watch_stopping();
        let end = loop {
            match self.turn(&mut reader, &mut writer).await {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
        Box::pin(self.finish(end, writer)).await;
    }

    /// Does what can be done, then waits for something to happen.
    async fn turn(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), End> {
        let mut has_packets = self.handle_frames().await?;
        let is_held_back = !self.may_read();
        self.acknowledge()?;
        // Before messages that wait at the gate.
        self.transmit();
        let has_messages = self.deliver()?;
        self.transmit();
        self.tell();
        self.pass_gate()?;
        if self.session.is_closed() {
            return Err(End::Closed);
        }
        // What came before there was room is here whole: nobody rings for it.
        has_packets |= is_held_back && self.may_read();
        let now = self.hub.now();
        self.watch(now);
        self.watch_others(now);
        self.wait(reader, writer, More { has_packets, has_messages }).await
    }

    fn may_read(&self) -> bool {
        self.session.wants_packet() && self.outbox.len() <= OUTBOX_BYTES_MAX
    }

    /// Hands in the receipts of messages that are durable, or need not be.
    fn acknowledge(&mut self) -> Result<(), End> {
        while let Some((receipt, placement)) = self.pending.front() {
            if self.hub.options.ack == Ack::Durable && !self.hub.store.is_durable(placement) {
                break;
            }
            self.session.acknowledge(*receipt, ReasonCode::SUCCESS).map_err(End::Misuse)?;
            self.pending.pop_front();
        }
        Ok(())
    }

    /// Notes since when the peer takes nothing, owes the rest of a packet, or has not been saved, and whether it is read.
    fn watch(&mut self, now: Millis) {
        let may_read = self.may_read();
        if may_read && !self.reads {
            self.session.read_again(now);
        }
        self.reads = may_read;
        self.stalled_since = self.outbox.has_remaining().then(|| self.stalled_since.unwrap_or(now));
        let partial = may_read && self.frames.buffered() > 0;
        self.partial_since = partial.then(|| self.partial_since.unwrap_or(now));
        if let Some(client) = &mut self.client
            && client.saved_revision != self.session.revision()
        {
            client.unsaved_since.get_or_insert(now);
        }
    }

    /// When something must be done though nothing happens.
    fn deadline(&self) -> Option<Millis> {
        let save = self.client.as_ref().and_then(|client| client.unsaved_since);
        [
            // The silence of one that is not read is not its own.
            self.session.next_deadline().filter(|_| self.reads || !self.session.is_open()),
            self.stalled_since.map(|since| since.after(WRITE_TIMEOUT_MILLIS)),
            self.partial_since.map(|since| since.after(self.hub.packet_timeout_millis)),
            save.map(|since| since.after(SAVE_MILLIS)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn time_out(&mut self) -> Result<(), End> {
        let now = self.hub.now();
        // It has moved on since the sleep began.
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        let is_over = |since: Option<Millis>, millis| since.is_some_and(|since| now >= since.after(millis));
        if is_over(self.stalled_since, WRITE_TIMEOUT_MILLIS)
            || is_over(self.partial_since, self.hub.packet_timeout_millis)
        {
            return Err(End::Lost);
        }
        if self.reads || !self.session.is_open() {
            self.session.handle_timeout(now).map_err(End::Protocol)?;
        }
        let unsaved = self.client.as_ref().and_then(|client| client.unsaved_since);
        if is_over(unsaved, SAVE_MILLIS) {
            self.save();
        }
        Ok(())
    }

    /// Saves the session as it is. It is made durable by its lane; nobody waits for it.
    fn save(&mut self) {
        let now = self.hub.now();
        if let Err(error) = self.save_now()
            && let Some(client) = &mut self.client
        {
            tracing::warn!(client = client.attached.client_id(), %error, "the session was not saved");
            client.unsaved_since = Some(now);
        }
    }

    /// Saves the session as it is; gives what has to be durable before that holds.
    fn save_now(&mut self) -> Result<Placement, AppendError> {
        let Some(client) = &mut self.client else { return Ok(Placement::default()) };
        client.unsaved_since = None;
        let expiry_secs = self.session.session_expiry_secs();
        let mut placement = Placement::default();
        if expiry_secs > 0 {
            placement = client.attached.save(&self.session.state(), expiry_secs)?;
        }
        client.saved_revision = self.session.revision();
        Ok(placement)
    }
}
