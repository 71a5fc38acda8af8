use headwater_log::TopicOptions;

use crate::log_model::{Op, Run};
use crate::sim_disk::SimDisk;

/// A longer history finds nothing that two shorter ones do not, and costs more than both.
const OPERATIONS_MAX: usize = 48;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// The topics of both log targets: segments of some pages, little space ahead.
pub(super) fn small(pages: u8) -> TopicOptions {
    TopicOptions::default()
        .segment_bytes(4096 * u64::from(1 + pages % 3))
        .index_interval_bytes(256)
        .segment_index_bytes(4096)
        .allocate_ahead_bytes_max(4096)
}

/// A history of a log, two bytes a step, against the model, with crashes, kills and syncs that fail.
///
/// The first byte has the size of segments, whether old ones are deleted, and the seed of the disk. A step is its kind, with
/// a look at what a crash would leave if the highest bit is set, and its argument.
///
/// # Panics
///
/// When the log is not what the model is.
pub fn log_operations(input: &[u8]) {
    let Some((options, steps)) = input.split_first() else { return };
    let retention = (options & 4 != 0).then_some(9 * DAY_MS);
    let mut run = Run::new(SimDisk::new(u64::from(*options)), small(*options & 3).retention_ms(retention));
    for step in steps.chunks_exact(2).take(OPERATIONS_MAX) {
        let [kind, argument] = *step else { return };
        run.step(match kind & 0x0f {
            0..=4 => Op::Append(1 + argument % 8, argument & 0x80 != 0),
            5 => Op::Fill,
            6 | 7 => Op::Sync,
            8 => Op::Maintain,
            9 => Op::Delete(argument),
            10 => Op::Reopen,
            11 => Op::Kill,
            12 | 13 => Op::Crash(u64::from(argument)),
            14 => Op::FailSync(argument % 4),
            _ => Op::DropIndexes,
        });
        if kind & 0x80 != 0 {
            run.check_crash(run.disk().crash(u64::from(argument)));
        }
    }
}
