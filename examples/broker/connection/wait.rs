//! What a connection waits for: its socket, its bell, the disk, the clock, and what others have to say to it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use headwater::log::SyncError;
use headwater::session::Millis;
use headwater::store::Placement;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bell::{Bell, Watched};
use super::end::End;
use super::{Connection, OUTBOX_BYTES_MAX};

/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// How many pieces are written at a time.
const PIECES: usize = 32;

thread_local! {
    /// Where it is read to. Connections have memory of their own only for bytes that are there: most of them are idle.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// What there is to do already.
#[derive(Debug, Clone, Copy)]
pub(super) struct More {
    /// Whole packets that came: they are handled before more is read.
    pub(super) has_packets: bool,
    /// Messages for the client, or a log to look for them. It is read meanwhile: that may take long, and the client may want to go.
    pub(super) has_messages: bool,
}

/// What is waited for beside the socket and the bell.
pub(super) struct Waits {
    durable: Watched<Result<(), SyncError>>,
    /// What that is about: a message, and what the gate waits for.
    durable_of: [Option<Placement>; 2],
    sleep: Watched<()>,
    /// Until when that is.
    sleeps_until: Option<Millis>,
    stopping: Watched<()>,
    /// Another connection asks for the client's identifier.
    pub(super) taken_over: Watched<()>,
    /// There are new statistics, and the client wants them.
    statistics: Watched<()>,
}

impl Waits {
    pub(super) fn new(bell: &Arc<Bell>) -> Self {
        Self {
            durable: Watched::new(bell),
            durable_of: [None; 2],
            sleep: Watched::new(bell),
            sleeps_until: None,
            stopping: Watched::new(bell),
            taken_over: Watched::new(bell),
            statistics: Watched::new(bell),
        }
    }
}

impl Connection {
    /// Waits until there is something to do. It reads and writes what there is meanwhile, once at least. If there is `more` to do already
    /// it does not wait, but gives others a turn.
    pub(super) async fn wait(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        more: More,
    ) -> Result<(), End> {
        let mut has_waited = false;
        poll_fn(|context| {
            let polled = self.poll(context, reader, writer, more);
            has_waited |= polled.is_pending();
            polled
        })
        .await?;
        if !has_waited {
            // Those who get these messages may wait for this thread, which the runtime would leave to a client that always has more for
            // hundreds of turns: their inboxes would overflow meanwhile.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Watches for what the connection wants to know as it is now.
    pub(super) fn watch_others(&mut self, now: Millis) {
        // Ready when the oldest message that is not acknowledged is durable, or what the gate waits for.
        let message = self.pending.front().map(|(_, placement)| *placement);
        let gate = self.gate.placement().copied();
        if [message, gate] != self.waits.durable_of {
            self.waits.durable_of = [message, gate];
            let [message, gate] = [message, gate].map(|one| one.map(|one| self.hub.store.durable(&one)));
            match (message, gate) {
                (None, None) => self.waits.durable.clear(),
                (Some(one), None) | (None, Some(one)) => self.waits.durable.set(one),
                (Some(message), Some(gate)) => self.waits.durable.set(async move {
                    tokio::select! {
                        result = message => result,
                        result = gate => result,
                    }
                }),
            }
        }
        // One that is too early is not set anew: most deadlines move on with every packet.
        let deadline = self.deadline();
        if deadline.is_some_and(|deadline| self.waits.sleeps_until.is_none_or(|until| deadline < until)) {
            let millis = deadline.map_or(0, |deadline| deadline.0.saturating_sub(now.0));
            self.waits.sleep.set(tokio::time::sleep(Duration::from_millis(millis)));
            self.waits.sleeps_until = deadline;
        }
        match self.client.as_ref().and_then(|client| client.asked.as_ref()) {
            None => self.waits.statistics.clear(),
            Some(_) if self.waits.statistics.is_set() => {}
            Some(asked) => {
                let mut values = asked.values.clone();
                // The sender lives as long as the broker.
                self.waits.statistics.set(async move { _ = values.changed().await });
            }
        }
    }

    /// Watches for the end of the broker.
    pub(super) fn watch_stopping(&mut self) {
        let mut stopping = self.hub.stopping.subscribe();
        self.waits.stopping.set(async move { _ = stopping.wait_for(|stopping| *stopping).await });
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        more: More,
    ) -> Poll<Result<(), End>> {
        let mut is_ready = more.has_packets || more.has_messages;
        let written = self.poll_write(context, writer);
        let has_read = self.reads && !more.has_packets && self.poll_read(context, reader)?;
        if has_read || more.has_packets {
            // It may take nothing any more: its last words count, DISCONNECT among them [MQTT-3.14.4-3].
            is_ready = true;
        } else {
            is_ready |= written?;
        }
        is_ready |= self.bell.poll_rung(context).is_ready();
        is_ready |= self.poll_others()?;
        if is_ready {
            return Poll::Ready(Ok(()));
        }
        // For how long nobody knows: memory is kept only for what is there.
        if self.frames.buffered() == 0 {
            *self.frames.buffer_mut() = BytesMut::new();
        }
        self.outbox.release();
        Poll::Pending
    }

    /// Writes what there is; tells whether there is room again for more.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<bool, End> {
        let before = self.outbox.len();
        while self.outbox.has_remaining() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = self.outbox.chunks_vectored(&mut pieces);
            let pieces = pieces.get(..count).unwrap_or_default();
            match Pin::new(&mut *writer).poll_write_vectored(context, pieces) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(End::Lost),
                Poll::Ready(Ok(written)) => self.outbox.advance(written),
                Poll::Pending => break,
            }
        }
        if self.outbox.len() < before {
            self.stalled_since = self.outbox.has_remaining().then(|| self.hub.now());
        }
        Ok(before > OUTBOX_BYTES_MAX && self.outbox.len() <= OUTBOX_BYTES_MAX)
    }

    /// Reads what there is; tells whether there was anything.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
    ) -> Result<bool, End> {
        READ.with_borrow_mut(|space| {
            let mut read = ReadBuf::new(space);
            match Pin::new(reader).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    self.frames.extend(read.filled());
                    Ok(true)
                }
                Poll::Ready(_) => Err(End::Lost),
                Poll::Pending => Ok(false),
            }
        })
    }

    /// Looks at those that have rung; tells whether there is something to do.
    fn poll_others(&mut self) -> Result<bool, End> {
        let waits = &mut self.waits;
        if waits.stopping.poll_once().is_ready() {
            return Err(End::Stopping);
        }
        if waits.taken_over.poll_once().is_ready() {
            return Err(End::TakenOver);
        }
        let mut is_ready = false;
        if let Poll::Ready(result) = waits.durable.poll_once() {
            result.map_err(End::Store)?;
            waits.durable_of = [None; 2];
            is_ready = true;
        }
        if waits.statistics.poll_once().is_ready() {
            // They are sent in the next turn.
            if let Some(asked) = self.client.as_mut().and_then(|client| client.asked.as_mut()) {
                _ = asked.values.borrow_and_update();
            }
            is_ready = true;
        }
        if waits.sleep.poll_once().is_ready() {
            waits.sleeps_until = None;
            self.time_out()?;
            is_ready = true;
        }
        Ok(is_ready)
    }
}
