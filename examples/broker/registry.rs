//! One connection a client identifier: who comes later takes over [MQTT-3.1.4-3].
//!
//! ```text
//!   take("a") -- alone --> Seat ------------------ dropped --> free
//!   take("a") -- tells the one before to go, waits --> Seat
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Gate, OwnedMutexGuard, watch};

/// The client identifiers in use.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    /// Held by the connection that has the identifier.
    gate: Arc<Gate<()>>,
    /// How many connections have asked for the identifier: the last one to ask shall have it.
    arrivals: watch::Sender<u64>,
}

/// The right to a client identifier, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    registry: Arc<Registry>,
    client_id: String,
    slot: Arc<Slot>,
    ticket: u64,
    arrivals: watch::Receiver<u64>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Registry {
    /// How many identifiers are in use.
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until the identifier is free, telling whoever has it to go.
    pub(crate) async fn take(self: &Arc<Self>, client_id: &str) -> Seat {
        let (slot, ticket) = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = slots
                .entry(client_id.to_owned())
                .or_insert_with(|| Arc::new(Slot { gate: Arc::default(), arrivals: watch::Sender::new(0) }));
            let mut ticket = 0;
            slot.arrivals.send_modify(|count| {
                *count += 1;
                ticket = *count;
            });
            (Arc::clone(slot), ticket)
        };
        // Before the wait: whoever is dropped while it waits gives the slot back too.
        let mut seat = Seat {
            registry: Arc::clone(self),
            client_id: client_id.to_owned(),
            arrivals: slot.arrivals.subscribe(),
            ticket,
            slot,
            guard: None,
        };
        seat.guard = Some(Arc::clone(&seat.slot.gate).lock_owned().await);
        seat
    }
}

impl Seat {
    /// Ends when somebody else has asked for the identifier.
    pub(crate) fn taken(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut arrivals, ticket) = (self.arrivals.clone(), self.ticket);
        async move {
            if arrivals.wait_for(|count| *count > ticket).await.is_err() {
                // The sender lives as long as the seat.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether somebody else has asked for it already.
    pub(crate) fn is_taken(&self) -> bool {
        *self.arrivals.borrow() > self.ticket
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guard = None;
        let mut slots = self.registry.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else waits. New ones come through the map, whose lock we hold.
        if Arc::strong_count(&self.slot) == 2 {
            slots.remove(&self.client_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_last_to_ask_gets_it_and_the_ones_before_are_told() {
        let registry = Arc::new(Registry::default());
        let first = registry.take("a").await;
        assert!(!first.is_taken());
        let others: Vec<_> = (0..2)
            .map(|_| {
                tokio::spawn({
                    let registry = Arc::clone(&registry);
                    async move { registry.take("a").await }
                })
            })
            .collect();
        first.taken().await;
        drop(first);
        let mut seats = Vec::new();
        for other in others {
            let seat = tokio::time::timeout(Duration::from_secs(10), other).await.unwrap().unwrap();
            // Whoever is not the last one leaves at once.
            seats.push(seat.is_taken());
        }
        seats.sort_unstable();
        assert_eq!(seats, [false, true]);
        assert!(registry.slots.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_that_gives_up_waiting_leaves_nothing_behind() {
        let registry = Arc::new(Registry::default());
        let first = registry.take("a").await;
        let waiting = registry.take("a");
        assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
        drop(first);
        assert!(registry.slots.lock().unwrap().is_empty());
        let again = registry.take("a").await;
        assert!(!again.is_taken());
    }
}
