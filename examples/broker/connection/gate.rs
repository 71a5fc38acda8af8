//! Packets of QoS 2 that wait until the session is durable.
//!
//! ```text
//!   outbox   [ may be written ][ waits: the session was saved as it was here ][ depends on what is not saved yet ]
//!                              ^ saved                                        ^ unsaved
//! ```
//!
//! A crash must find in the session what the client was told: under which identifier it has a message, that its PUBREC came, that an
//! identifier of its own is free again. Everything behind such a packet waits with it, for order. One save does for all that came until then, and the next
//! one is made when that is durable: however many packets there are, the log takes one record of the session each time it is synced.

use headwater::session::persist::Change;
use headwater::store::Placement;

use super::end::End;
use super::{Connection, SETTLE};

/// So many changes may wait to be looked at; of more, it is known that there were some.
pub(super) const CHANGES_MAX: usize = 1_000;

/// Where in the outbox something waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// From here on until this is durable.
    saved: Option<(u64, Placement)>,
    /// From here on until the session is saved.
    unsaved: Option<u64>,
}

impl Gate {
    /// What is waited for.
    pub(super) fn placement(&self) -> Option<&Placement> {
        self.saved.as_ref().map(|(_, placement)| placement)
    }

    /// From where on nothing may be written.
    fn closed_from(&self) -> Option<u64> {
        self.saved.as_ref().map(|(from, _)| *from).or(self.unsaved)
    }
}

/// Whether a packet depends on it that must not be written before it is durable. That an incoming message is held is in the message's
/// record, and that an exchange is complete comes again from the client.
fn is_told<T>(change: &Change<T>) -> bool {
    matches!(
        change,
        Change::Taken { exactly_once: true, .. } | Change::Received { .. } | Change::Released { .. }
    )
}

impl Connection {
    /// Closes the gate behind what is in the outbox, if what comes next depends on changes that are not saved. To be called before
    /// anything is put there.
    pub(super) fn look_at_changes(&mut self) {
        let mut told = false;
        loop {
            match self.session.poll_change() {
                Ok(Some(change)) => told |= is_told(&change),
                Ok(None) => break,
                // There were too many to know.
                Err(_) => told = true,
            }
        }
        if told && self.gate.unsaved.is_none() {
            self.gate.unsaved = Some(self.outbox.end());
            self.outbox.close_from(self.gate.closed_from());
        }
    }

    /// Opens the gate for what is durable, and saves the session for what waits next.
    pub(super) fn pass_gate(&mut self) -> Result<(), End> {
        if self.gate.placement().is_some_and(|placement| self.hub.store.is_durable(placement)) {
            self.gate.saved = None;
        }
        if self.gate.saved.is_none()
            && let Some(from) = self.gate.unsaved
        {
            let placement = self.save_now().map_err(End::Append)?;
            self.gate.unsaved = None;
            self.gate.saved = (!placement.is_empty()).then_some((from, placement));
        }
        self.outbox.close_from(self.gate.closed_from());
        Ok(())
    }

    /// Waits until the gate is open. What cannot be made durable is not written.
    pub(super) async fn leave_gate(&mut self) {
        let wait = async {
            while self.pass_gate().is_ok() {
                let Some(placement) = self.gate.placement() else { break };
                if self.hub.store.durable(placement).await.is_err() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(SETTLE, wait).await;
    }
}
