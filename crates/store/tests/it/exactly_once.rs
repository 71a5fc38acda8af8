//! QoS 2 over crashes: in the log once, at each subscriber once, whatever is lost and whenever.

use std::collections::BTreeSet;

use headwater_store::Route;
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, options};
use crate::exactly_once_world::{Step, World};

const RUNS: u64 = 120;
const STEPS: usize = 600;

/// The disk after the process has died: what was written is seen, or some of what was not synced is lost.
fn image(disk: &SimDisk, rng: &mut fastrand::Rng) -> SimDisk {
    if rng.u32(0..3) == 0 { disk.kill() } else { disk.crash(rng.u64(..)) }
}

#[test]
fn a_message_of_qos_2_comes_once_whenever_the_broker_dies() {
    let mut crashes = 0;
    for seed in 0..RUNS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut small = options().inbox_max(rng.usize(1..8)).catch_up_bytes(rng.usize(1..2_000));
        if rng.bool() {
            small = small.route(Route::new("t/2").unwrap().topic("others").unwrap());
        }
        let topics = ["t/1", "t/2", "refused", "t/3", "t/4"];
        let mut world = World::new(Bed::with(small), &["a", "b"], 200, &topics);
        // Lives from a few packets to hundreds.
        let (life, haste) = (rng.u32(10..300), rng.u32(0..60));
        for _ in 0..STEPS {
            let at = rng.usize(0..2);
            if rng.u32(0..life) == 0 {
                let disk = image(&world.bed.disk, &mut rng);
                world = world.restart(disk);
                crashes += 1;
            } else if rng.u32(0..100) < haste {
                // All goes on: identifiers are used again and again.
                let steps = [
                    Step::Send(at),
                    Step::Read(at),
                    Step::Read(at),
                    Step::Turn(at),
                    Step::Take(at),
                    Step::Take(at),
                ];
                steps.into_iter().for_each(|step| world.step(step));
                if rng.bool() {
                    world.bed.run();
                }
            } else {
                world.step(match rng.u32(0..100) {
                    0..15 => Step::Send(at),
                    15..35 => Step::Read(at),
                    35..55 => Step::Turn(at),
                    55..75 => Step::Take(at),
                    75..91 => Step::Lane(rng.usize(0..world.lanes())),
                    91..93 => Step::Save(at),
                    93..95 => Step::Checkpoint,
                    95..96 => Step::Maintain,
                    96..98 => Step::Lose(at),
                    98..99 => Step::Hasten(at),
                    _ => Step::Abandon(at),
                });
            }
        }
        world.stop();
        world.finish();
        world.judge(&format!("seed {seed}"));
    }
    assert!(crashes > 5 * RUNS, "more than five a run on average, not {crashes}");
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
        let mut world = World::new(Bed::with(one_partition.clone()), &["a", "b"], 2, &["t/1"]);
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
                let mut after =
                    World::on(Bed::on(disk, one_partition.clone(), world.bed.now_ms), world.peers.clone());
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

#[test]
fn a_retained_message_of_qos_2_comes_once_whenever_the_broker_dies() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let bed = Bed::with(options().inbox_max(rng.usize(1..8)));
        let mut expected: Vec<String> = (0..12).map(|number| format!("retained {number:02}")).collect();
        for (number, payload) in expected.iter().enumerate() {
            bed.retain(&format!("t/{number}"), payload, 2);
        }
        bed.run();
        let mut world = World::new(bed, &["a", "b"], 0, &["t/1"]);
        for _ in 0..120 {
            let at = rng.usize(0..2);
            world.step(match rng.u32(0..20) {
                0..5 => Step::Read(at),
                5..10 => Step::Turn(at),
                10..15 => Step::Take(at),
                15..18 => Step::Lane(rng.usize(0..world.lanes())),
                18 => Step::Lose(at),
                _ => {
                    let disk = image(&world.bed.disk, &mut rng);
                    world = world.restart(disk);
                    continue;
                }
            });
        }
        world.finish();
        expected.sort_unstable();
        for at in 0..2 {
            assert_eq!(world.retained(at), expected, "seed {seed}");
        }
    }
}
