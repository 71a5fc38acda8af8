//! The end of a connection: the farewell, the will, and what stays of the session.

use std::time::Duration;

use headwater::codec::{DecodeError, ReasonCode};
use headwater::log::{AppendError, ReadError, SyncError};
use headwater::session::{Misuse, ProtocolError};
use headwater_examples::show::now_ms;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Client, Connection, SETTLE};

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the client was turned away or has broken the protocol")]
    Closed,
    #[error("the client took its leave")]
    Disconnected { with_will: bool },
    #[error("the network connection is gone")]
    Lost,
    #[error("another connection took over")]
    TakenOver,
    #[error("the broker stops")]
    Stopping,
    #[error("malformed packet: {0}")]
    Malformed(DecodeError),
    #[error("protocol error: {0}")]
    Protocol(ProtocolError),
    #[error("a message was not stored")]
    NotStored,
    #[error("what was stored cannot be made durable: {0}")]
    Store(SyncError),
    #[error("the session was not stored: {0}")]
    Append(AppendError),
    #[error("the log cannot be read: {0}")]
    Read(ReadError),
    #[error("a call out of turn: {0}")]
    Misuse(Misuse),
}

impl End {
    /// What a 5.0 client is told; `None` where the session has said it, or where there is nobody to tell.
    fn farewell(&self) -> Option<ReasonCode> {
        match self {
            Self::Closed
            | Self::Disconnected { .. }
            | Self::Lost
            | Self::Malformed(_)
            | Self::Protocol(_) => None,
            Self::TakenOver => Some(ReasonCode::SESSION_TAKEN_OVER),
            Self::Stopping => Some(ReasonCode::SERVER_SHUTTING_DOWN),
            Self::NotStored | Self::Store(_) | Self::Append(_) | Self::Read(_) => {
                Some(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR)
            }
            Self::Misuse(_) => Some(ReasonCode::UNSPECIFIED_ERROR),
        }
    }

    /// Whether the will is published [MQTT-3.1.2-8]. Not when the broker stops: clients come back to it, and a will that says
    /// they are gone would be wrong when it starts again.
    fn publishes_will(&self) -> bool {
        !matches!(self, Self::Disconnected { with_will: false } | Self::Stopping)
    }
}

impl Connection {
    /// Says farewell, publishes the will if there is reason to, and keeps of the session what outlives the connection.
    pub(super) async fn finish(mut self: Box<Self>, end: End, mut writer: impl AsyncWrite + Unpin) {
        tracing::debug!(peer = %self.peer, client = self.client_id(), %end, "connection ends");
        if let End::Store(_) | End::Append(_) | End::Read(_) | End::Misuse(_) = end {
            tracing::error!(peer = %self.peer, client = self.client_id(), %end, "connection ends");
        }
        self.settle().await;
        if let Some(reason) = end.farewell() {
            self.session.disconnect(reason);
        }
        // What was not sent goes to other members of a group: nothing is written that has nowhere to go.
        if self.session.is_closed() {
            self.transmit();
        }
        if !matches!(end, End::Lost) {
            self.leave_gate().await;
        }
        // A client that does not read does not hold its successor up.
        let _ = tokio::time::timeout(FAREWELL, writer.write_all_buf(&mut self.outbox)).await;
        let _ = tokio::time::timeout(FAREWELL, writer.shutdown()).await;

        let expiry_secs = self.session.session_expiry_secs();
        let Some(client) = self.client.take() else { return };
        let Client { attached, will, seat, .. } = client;
        let client_id = attached.client_id().to_owned();
        // If the client was never let in, what was saved before holds, and its will is none [MQTT-3.1.2-8].
        if let Some(state) = self.session.into_state() {
            let detached = attached.detach(&state, expiry_secs, now_ms()).map_err(End::Append);
            let kept = match detached {
                Ok(placement) => self.hub.store.durable(&placement).await.map_err(End::Store),
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                tracing::warn!(client = client_id, %error, "the end of the session may not be kept");
            }
            if let Some(will) = will.filter(|_| end.publishes_will()) {
                self.hub.wills.publish(&self.hub, &client_id, will, expiry_secs);
            }
        }
        drop(seat);
    }

    fn client_id(&self) -> &str {
        self.client.as_ref().map_or("", |client| client.attached.client_id())
    }

    /// Waits until what was received is durable, so that the session is kept with every identifier settled.
    async fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let store = self.hub.store.clone();
        let session = &mut self.session;
        let settle = async move {
            for (receipt, placement) in pending {
                if store.durable(&placement).await.is_err() {
                    break;
                }
                let acknowledged = session.acknowledge(receipt, ReasonCode::SUCCESS);
                debug_assert!(acknowledged.is_ok(), "success can be said");
            }
        };
        let _ = tokio::time::timeout(SETTLE, settle).await;
    }
}
