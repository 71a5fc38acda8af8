//! Open files: connections and the log draw on one limit of the process, and the log must never find it used up.

use anyhow::{Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files of the process itself: the standard streams, the runtime, the listener, the lock of the log, with some to spare.
const FILES_OF_THE_PROCESS: u64 = 40;
/// Open files of a partition: the segment that takes appends, those that were rolled and wait for a sync, what is opened for a moment.
const FILES_A_PARTITION: u64 = 4;
/// Partitions beside those of messages: retained messages, sessions, and the log topics of routing rules.
const PARTITIONS_OF_STATE: u64 = 3;
/// With less for connections than this there is no use in starting.
const CONNECTIONS_MIN: u64 = 8;
/// So many connections beyond the limit are told so at a time; more are closed without a word.
const REFUSED_AT_A_TIME: u64 = 128;
/// Of the files for connections, one in so many is for those who are told that they are one too many.
const CONNECTIONS_A_REFUSAL: u64 = 8;

/// Who may have how many open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What the process may have open.
    pub limit: u64,
    /// What of it is kept for the log.
    pub log: u64,
    /// Connections that are served at a time.
    pub connections: u64,
    /// Connections beyond them that are told so at a time.
    pub refusals: u64,
}

/// Raises the limit of open files as far as that is allowed, and tells what it is then.
pub(crate) fn raise_limit() -> u64 {
    // Where there is no such limit, or it cannot be asked, the first accept that fails will tell.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}

impl Share {
    /// Divides the limit between the log with its partitions and at most so many connections.
    pub(crate) fn of(limit: u64, partitions: u64, connections_max: u64) -> Result<Self> {
        let partitions = partitions.saturating_add(PARTITIONS_OF_STATE);
        let log = partitions.saturating_mul(FILES_A_PARTITION).saturating_add(FILES_OF_THE_PROCESS);
        let left = limit.saturating_sub(log);
        if left < CONNECTIONS_MIN {
            bail!(
                "only {limit} open files are allowed, and the log needs {log} of them: allow more, as with `ulimit -n {}`",
                log.saturating_add(1_024)
            );
        }
        let refusals = (left / CONNECTIONS_A_REFUSAL).min(REFUSED_AT_A_TIME);
        let connections = connections_max.min(left.saturating_sub(refusals));
        Ok(Self { limit, log, connections, refusals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_what_the_log_leaves() {
        let share =
            |limit, partitions, connections_max| Share::of(limit, partitions, connections_max).unwrap();
        assert_eq!(
            share(1 << 20, 4, 10_000),
            Share { limit: 1 << 20, log: 68, connections: 10_000, refusals: 128 }
        );
        assert_eq!(share(120, 4, 10_000), Share { limit: 120, log: 68, connections: 46, refusals: 6 });
        assert_eq!(share(120, 4, 20), Share { limit: 120, log: 68, connections: 20, refusals: 6 });
        assert_eq!(share(u64::MAX, 1_000, 1).connections, 1);
        let refusal = Share::of(70, 4, 1).unwrap_err().to_string();
        assert!(refusal.contains("70 open files") && refusal.contains("ulimit -n"), "{refusal}");
    }
}
