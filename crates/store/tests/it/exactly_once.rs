//! QoS 2 over crashes: in the log once, at each subscriber once, whatever is lost and whenever.

use std::collections::BTreeSet;

use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, options};
use crate::exactly_once_world::{Step, World};

const RUNS: u64 = 120;
const STEPS: usize = 700;

/// The disk after the process has died: what was written is seen, or some of what was not synced is lost.
fn image(disk: &SimDisk, rng: &mut fastrand::Rng) -> SimDisk {
    if rng.u32(0..3) == 0 { disk.kill() } else { disk.crash(rng.u64(..)) }
}

#[test]
fn a_message_of_qos_2_comes_once_whenever_the_broker_dies() {
    let mut crashes = 0;
    for seed in 0..RUNS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let small = options().inbox_max(rng.usize(1..8)).catch_up_bytes(rng.usize(1..2_000));
        let topics = ["t/1", "t/2", "refused", "t/3", "t/4"];
        let mut world = World::new(Bed::with(small), &["a", "b"], 20, &topics);
        for _ in 0..STEPS {
            let at = rng.usize(0..2);
            world.step(match rng.u32(0..200) {
                0..30 => Step::Send(at),
                30..70 => Step::Read(at),
                70..110 => Step::Turn(at),
                110..150 => Step::Take(at),
                150..180 => Step::Lane(rng.usize(0..world.lanes())),
                180..184 => Step::Save(at),
                184..187 => Step::Checkpoint,
                187..188 => Step::Maintain,
                188..190 => Step::Lose(at),
                190..192 => Step::Hasten(at),
                192..194 => Step::Abandon(at),
                _ => {
                    let disk = image(&world.bed.disk, &mut rng);
                    world = world.restart(disk);
                    crashes += 1;
                    continue;
                }
            });
        }
        world.finish();
        world.judge(&format!("seed {seed}"));
    }
    assert!(crashes > 10 * RUNS, "more than ten a run on average, not {crashes}");
}

/// One turn of everything, the lanes in this order.
fn round(lanes: &[usize]) -> Vec<Step> {
    let of_peer = |at| [Step::Send(at), Step::Read(at), Step::Turn(at), Step::Take(at)];
    (0..2).flat_map(of_peer).chain(lanes.iter().map(|lane| Step::Lane(*lane))).collect()
}

#[test]
fn a_short_history_survives_a_crash_at_each_step_with_each_thing_lost_and_kept() {
    let (mut images, mut different) = (0, BTreeSet::new());
    let one_partition = options().messages(crate::bed::messages().partitions(1));
    // The lanes: messages, retained messages, sessions. What is synced before what decides what a power failure leaves of one
    // without the other.
    for (history, lanes) in [[0, 2].as_slice(), &[2, 0], &[0, 0, 2], &[2]].into_iter().enumerate() {
        let mut world = World::new(Bed::with(one_partition), &["a", "b"], 2, &["t/1"]);
        for step in (0..14).flat_map(|turn| {
            // Where only sessions are synced, messages are now and then.
            let mut steps = round(lanes);
            steps.extend((turn % 4 == 3).then_some(Step::Lane(0)));
            steps.extend((turn % 5 == 4).then_some(Step::Checkpoint));
            steps
        }) {
            world.step(step);
            let bounds = Bounds { images: 12, torn: 1, seed: 7 };
            let mut disks = vec![world.bed.disk.snapshot()];
            world.bed.disk.crash_images(bounds, |disk| disks.push(disk));
            for (number, disk) in disks.into_iter().enumerate() {
                images += 1;
                if !different.insert((disk.fingerprint(), history)) {
                    continue;
                }
                let mut rng = fastrand::Rng::with_seed(number as u64);
                let mut after = World::on(Bed::on(disk, one_partition, world.bed.now_ms), world.peers.clone());
                // In a third of them it dies again, somewhere on the way.
                if number % 3 == 1 {
                    let steps: Vec<Step> = (0..3).flat_map(|_| round(lanes)).collect();
                    steps.iter().take(rng.usize(0..steps.len())).for_each(|step| after.step(*step));
                    let disk = image(&after.bed.disk, &mut rng);
                    after = after.restart(disk);
                }
                after.finish();
                after.judge(&format!("history {history}, {step:?}, image {number}"));
            }
        }
        world.finish();
        world.judge("without a crash");
    }
    println!("{} different images of {images}", different.len());
    assert!(different.len() > 300, "{}", different.len());
}
