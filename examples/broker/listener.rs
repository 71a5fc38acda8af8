//! Connections come.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::hub::Hub;

/// Accepts connections until a signal says to stop; gives those that are still open.
pub(crate) async fn accept(hub: &Arc<Hub>, socket: TcpListener) -> TaskTracker {
    let connections = TaskTracker::new();
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: those that are open go on, and some will close.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let permit = Arc::clone(&hub.connections).try_acquire_owned().ok();
        let refusal = match permit {
            Some(_) => None,
            None => match Arc::clone(&hub.refusals).try_acquire_owned() {
                Ok(refusal) => Some(refusal),
                Err(_) => continue,
            },
        };
        // Small packets must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "TCP_NODELAY");
        }
        let connection = Connection::new(Arc::clone(hub), peer, permit);
        connections.spawn(async move {
            let (reader, writer) = stream.into_split();
            connection.run(reader, writer).await;
            drop(refusal);
        });
    }
    hub.stop();
    connections
}

/// SIGTERM or SIGINT.
async fn stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be caught: the broker stops only when it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
