//! What the client sends.

use bytes::Bytes;
use headwater::codec::{
    Connect, DecodeError, Frame, PacketType, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter,
    Unsubscribe, Version,
};
use headwater::log::AppendError;
use headwater::session::server::{Event, Request};
use headwater::session::{Millis, Receipt};
use headwater::store::session::Subscribed;
use headwater::store::{Placement, PublishError, SubscribeError};
use headwater_examples::show::now_ms;

use super::end::End;
use super::{Connection, history};
use crate::hub::count;
use crate::sys;

/// How many packets are handled before others have their turn: fewer than the messages that may wait for one of them.
const PACKETS_A_TURN: usize = 128;
/// A payload of at least so many bytes is not copied out of what was read.
const APART_BYTES: usize = 16 * 1024;

/// When packets came.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// As sessions know it.
    millis: Millis,
    /// Since 1970-01-01 UTC.
    unix_ms: i64,
}

impl Connection {
    /// Handles the whole packets that are there, as many as are one client's turn; tells whether there may be more.
    pub(super) async fn handle_frames(&mut self) -> Result<bool, End> {
        let mut moment = None;
        for _ in 0..PACKETS_A_TURN {
            if !self.may_read() || self.session.is_closed() {
                return Ok(false);
            }
            let frame = match self.frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(false),
                Err(error) => return Err(self.reject(None, error)),
            };
            // The next packet has a time of its own, even if it has begun already.
            self.partial_since = None;
            let now = *moment.get_or_insert_with(|| Moment { millis: self.hub.now(), unix_ms: now_ms() });
            self.handle_frame(&frame, now).await?;
            // What the client is owed for this packet may already be there.
            self.acknowledge()?;
            self.transmit();
            // These may have taken their time.
            if let PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe = frame.packet_type()
            {
                moment = None;
            }
        }
        Ok(true)
    }

    async fn handle_frame(&mut self, frame: &Frame, now: Moment) -> Result<(), End> {
        let packet = match frame.packet(self.session.version()) {
            Ok(packet) => packet,
            Err(error) => return Err(self.reject(Some(frame), error)),
        };
        match self.session.handle(packet, now.millis).map_err(End::Protocol)? {
            None => {}
            Some(Event::Connect(connect)) => Box::pin(self.admit(&connect)).await?,
            Some(Event::Publish { publish, topic, receipt }) => {
                let publish = Publish { topic: Some(topic.name()), ..publish };
                self.publish(frame, &publish, receipt, now.unix_ms)?;
            }
            Some(Event::Subscribe { subscribe, request }) => {
                Box::pin(self.subscribe(&subscribe, request)).await?
            }
            Some(Event::Unsubscribe { unsubscribe, request }) => {
                Box::pin(self.unsubscribe(&unsubscribe, request)).await?
            }
            Some(Event::Disconnect(disconnect)) => {
                // [MQTT-3.1.2-8] [MQTT-3.14.4-3]; before 5.0 there is no other reason than success.
                return Err(End::Disconnected { with_will: disconnect.reason != ReasonCode::SUCCESS });
            }
            // Also one that was refused: nobody else gets it [MQTT-4.8.2-6].
            Some(Event::Delivered { message, .. }) => self.finish_delivery(&message),
            // `Event` may grow; what is not known here asks for nothing.
            Some(_) => {}
        }
        Ok(())
    }

    /// Bytes that are no packet. A client that asked for a version that is not spoken here is told so [MQTT-3.1.2-2].
    fn reject(&mut self, frame: Option<&Frame>, error: DecodeError) -> End {
        let connect =
            frame.filter(|frame| self.client.is_none() && frame.packet_type() == PacketType::Connect);
        if let Some(frame) = connect {
            let reason = error.reason_code();
            // Before 5.0 a malformed CONNECT has no answer [MQTT-3.1.4-1], but for a version that is not known [MQTT-3.1.2-2].
            let version = match Connect::peek_version(frame.bytes()) {
                Some(Version::V5) => Some(Version::V5),
                None if reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => Some(Version::V3_1_1),
                _ => None,
            };
            if let Some(version) = version {
                self.refuse_unread(version, reason);
            }
        }
        self.session.disconnect(error.reason_code());
        End::Malformed(error)
    }

    fn publish(
        &mut self,
        frame: &Frame,
        publish: &Publish<'_>,
        receipt: Option<Receipt>,
        now_ms: i64,
    ) -> Result<(), End> {
        let Some(client) = &mut self.client else { return Ok(()) };
        count(&self.hub.counters.received);
        if publish.topic.is_some_and(sys::is_reserved) {
            count(&self.hub.counters.reserved);
            // Before 5.0 it cannot be told [MQTT-3.3.5-2].
            let answer = |receipt| self.session.acknowledge(receipt, ReasonCode::NOT_AUTHORIZED);
            return receipt.map_or(Ok(()), answer).map_err(End::Misuse);
        }
        let payload = || match publish.payload {
            // What was read with it is not kept for it.
            small if small.len() < APART_BYTES => Bytes::copy_from_slice(small),
            large => frame.slice(large),
        };
        match client.attached.publish(publish, payload, now_ms) {
            Ok(placement) => self.pending.extend(receipt.map(|receipt| (receipt, placement))),
            Err(error) => self.not_stored(receipt, &error)?,
        }
        Ok(())
    }

    /// The log did not take a message: it is not acknowledged as safe, and the broker lives on.
    fn not_stored(&mut self, receipt: Option<Receipt>, error: &PublishError) -> Result<(), End> {
        count(&self.hub.counters.failed);
        if let PublishError::Refused { reason } = error {
            // Before 5.0 it cannot be told [MQTT-3.3.5-2], and one that comes again would be refused again.
            let answer = |receipt| self.session.acknowledge(receipt, *reason);
            return receipt.map_or(Ok(()), answer).map_err(End::Misuse);
        }
        if let PublishError::RetainedFull { .. } = error {
            tracing::warn!(peer = %self.peer, %error, "a message was refused; --retained-max and --retained-bytes-max allow more");
        } else {
            tracing::error!(peer = %self.peer, %error, "a message was not stored");
        }
        let Some(receipt) = receipt else { return Ok(()) };
        if self.session.version() == Version::V5 {
            let reason = match error {
                PublishError::RetainedFull { .. } => ReasonCode::QUOTA_EXCEEDED,
                PublishError::Append(AppendError::NoSpace(_)) => ReasonCode::QUOTA_EXCEEDED,
                PublishError::Append(AppendError::BatchTooLarge { .. }) => ReasonCode::QUOTA_EXCEEDED,
                _ => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
            };
            return self.session.acknowledge(receipt, reason).map_err(End::Misuse);
        }
        // Before 5.0 PUBACK cannot refuse: without a connection the client keeps the message and sends it again.
        Err(End::NotStored)
    }

    async fn subscribe(&mut self, subscribe: &Subscribe<'_>, request: Request) -> Result<(), End> {
        let subscriptions_max = usize::try_from(self.hub.options.subscriptions_max).unwrap_or(usize::MAX);
        let id = subscribe.properties.subscription_identifiers().next();
        let Some(client) = &mut self.client else { return Ok(()) };
        let since = match history::since(&subscribe.properties, now_ms()) {
            Ok(since) => since,
            Err(error) => {
                tracing::info!(client = client.attached.client_id(), error, "subscriptions are refused");
                let refused = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
                let reasons = vec![refused; subscribe.filters.iter().count()];
                let answered = self.session.answer_explained(request, &reasons, Some(&error), &[]);
                return answered.map_err(End::Misuse);
            }
        };
        let (mut reasons, mut new, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        let mut why = None;
        for SubscribeFilter { filter, options } in subscribe.filters.iter() {
            let reason = if client.attached.subscriptions() >= subscriptions_max
                && !client.attached.is_subscribed(filter)
            {
                ReasonCode::QUOTA_EXCEEDED
            } else {
                let subscribed = match since {
                    None => Ok(client.attached.subscribe(filter, options, id)),
                    Some(since) => client.attached.subscribe_since(filter, options, id, since),
                };
                match subscribed {
                    Ok(Subscribed { existed }) => {
                        if !existed {
                            new.push((filter, reasons.len()));
                        }
                        taken.push((filter, options, existed));
                        granted(options.qos)
                    }
                    Err(SubscribeError::Read(error)) => return Err(End::Read(error)),
                    Err(error) => {
                        tracing::info!(client = client.attached.client_id(), %error, "a subscription is refused");
                        why = Some(error.to_string());
                        ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
                    }
                }
            };
            reasons.push(reason);
        }
        match self.keep().await {
            // The session has become larger than the log takes: it stays without them.
            Err(End::Append(AppendError::BatchTooLarge { .. })) => {
                let Some(client) = &mut self.client else { return Ok(()) };
                for (filter, index) in new {
                    client.attached.unsubscribe(filter);
                    if let Some(reason) = reasons.get_mut(index) {
                        *reason = ReasonCode::QUOTA_EXCEEDED;
                    }
                }
                self.keep().await?;
            }
            kept => kept?,
        }
        for (filter, options, existed) in taken {
            self.asks(filter, options, existed);
        }
        self.session.answer_explained(request, &reasons, why.as_deref(), &[]).map_err(End::Misuse)
    }

    async fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, request: Request) -> Result<(), End> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let mut reasons = Vec::new();
        for filter in unsubscribe.filters.iter() {
            // [MQTT-3.11.3-2]
            let existed = client.attached.unsubscribe(filter);
            reasons.push(if existed { ReasonCode::SUCCESS } else { ReasonCode::NO_SUBSCRIPTION_EXISTED });
        }
        self.keep().await?;
        self.asks_no_more();
        self.session.answer(request, &reasons).map_err(End::Misuse)
    }

    /// Saves the session and waits until that is durable: what is acknowledged after it survives a crash.
    async fn keep(&mut self) -> Result<(), End> {
        let Some(client) = &mut self.client else { return Ok(()) };
        client.unsaved_since = None;
        client.saved_revision = self.session.revision();
        let expiry_secs = self.session.session_expiry_secs();
        let placement: Placement =
            client.attached.save(&self.session.state(), expiry_secs).map_err(End::Append)?;
        self.hub.store.durable(&placement).await.map_err(End::Store)
    }
}

/// [MQTT-3.9.3-1]
fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::GRANTED_QOS_0,
        QoS::AtLeastOnce => ReasonCode::GRANTED_QOS_1,
        QoS::ExactlyOnce => ReasonCode::GRANTED_QOS_2,
    }
}
