//! Letting a client in.

use std::sync::Arc;

use headwater::codec::{ConnAck, Connect, ReasonCode, Version};
use headwater::session::Misuse;
use headwater::session::server::Accept;
use headwater::store::{Attach, AttachError};
use headwater_examples::show::now_ms;

use super::end::End;
use super::gate::CHANGES_MAX;
use super::statistics::Asked;
use super::{Client, Connection};
use crate::wills::Will;

impl Connection {
    /// CONNECT came: takes the identifier, attaches the session, answers.
    pub(super) async fn admit(&mut self, connect: &Connect<'_>) -> Result<(), End> {
        if self.permit.is_none() {
            return self.refuse(ReasonCode::CONNECTION_RATE_EXCEEDED);
        }
        if connect.properties.authentication_method().is_some() {
            return self.refuse(ReasonCode::BAD_AUTHENTICATION_METHOD);
        }
        let assigned = connect.client_id.is_empty().then(made_up_client_id);
        let client_id = assigned.as_deref().unwrap_or(connect.client_id);
        let accept = Accept::default().assigned_client_id(assigned.as_deref());
        // Before an earlier connection of the client is told to go, or its session touched: a client that has no room for CONNACK is
        // not let in.
        if self.session.check_accept(&accept).is_err() {
            return self.refuse(ReasonCode::PACKET_TOO_LARGE);
        }
        let mut stopping = self.hub.stopping.subscribe();
        let seat = tokio::select! {
            seat = self.hub.registry.take(client_id) => seat,
            _ = stopping.wait_for(|stopping| *stopping) => return Err(End::Stopping),
        };
        if seat.is_taken() {
            return Err(End::TakenOver);
        }
        let bell = Arc::clone(&self.bell);
        let attach = Attach {
            client_id,
            clean_start: connect.clean_start,
            expiry_secs: self.session.session_expiry_secs(),
            wake: Arc::new(move || bell.ring()),
            now_ms: now_ms(),
        };
        let (attached, resumed, placement) = match self.hub.store.attach(&attach) {
            Ok(attached) => attached,
            Err(error @ AttachError::Full { .. }) => {
                tracing::warn!(peer = %self.peer, client = client_id, %error, "a client is turned away; --sessions-max lets more in");
                return self.refuse(ReasonCode::QUOTA_EXCEEDED);
            }
            Err(error) => {
                tracing::error!(peer = %self.peer, client = client_id, %error, "a session cannot be attached");
                return self.refuse(ReasonCode::SERVER_UNAVAILABLE);
            }
        };
        // The will of an earlier connection waits for its delay or for the end of its session [MQTT-3.1.3-9].
        self.hub.wills.client_is_back(&self.hub, client_id, resumed.is_some());
        let saved_revision = self.session.revision();
        self.waits.taken_over.set(seat.taken());
        self.client = Some(Client {
            asked: Asked::of(&attached, &self.hub.sys),
            attached,
            will: Will::of(connect, client_id),
            saved_revision,
            unsaved_since: None,
            seat,
        });
        self.hub.store.durable(&placement).await.map_err(End::Store)?;
        tracing::debug!(peer = %self.peer, client = client_id, version = ?connect.version, resumed = resumed.is_some(), "connected");
        if self.session.session_expiry_secs() > 0 {
            self.session.record_changes(CHANGES_MAX);
        }
        self.session.accept(resumed, &accept, self.hub.now()).map_err(End::Misuse)
    }

    fn refuse(&mut self, reason: ReasonCode) -> Result<(), End> {
        match self.session.refuse(reason) {
            // A client that takes not even that is closed without a word.
            Err(Misuse::Encode(_)) => Err(End::Closed),
            refused => refused.map_err(End::Misuse),
        }
    }

    /// Answers a CONNECT that could not be decoded.
    pub(super) fn refuse_unread(&mut self, version: Version, reason: ReasonCode) {
        let encoded = self.outbox.write(|buffer| ConnAck::refused(reason).encode(version, buffer));
        debug_assert!(encoded.is_ok(), "a refusal without properties can be encoded");
    }
}

/// An identifier for a client that brought none: random enough that no other client has it.
fn made_up_client_id() -> String {
    format!("auto-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
