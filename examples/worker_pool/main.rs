//! A group of threads that share the partitions of a topic. One of them stops in the middle of its work, one goes for good; the
//! others take over, and no record is lost.
//!
//! ```text
//!   jobs-0 .. jobs-5 --> worker 1     hangs: it is put out, its commit is fenced, and it comes back
//!                    --> worker 2     is killed with records that it has not committed
//!                    --> worker 3     takes over
//! ```
//!
//! Run `cargo run --release --example worker_pool`. It needs no options, and leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use headwater::log::{
    Ack, CommitError, Consumer, ConsumerEvent, ConsumerOptions, ConsumerRecords, Log, LogOptions,
    OffsetReset, Record, TopicOptions,
};

const PARTITIONS: u32 = 6;
const JOBS: u64 = 6000;
/// Who does not poll for so long is put out of the group.
const LATE_MS: u64 = 200;
/// A worker gives up when nothing came for so long.
const IDLE: Duration = Duration::from_secs(2);

/// What the workers do together.
struct Pool {
    log: Log,
    began: Instant,
    /// How often each job was done.
    done: Mutex<BTreeMap<u64, u32>>,
    count: AtomicU64,
    all_sent: AtomicBool,
}

/// What happens to a worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It works until all is done.
    Works,
    /// It hangs once, for longer than it may.
    Hangs,
    /// It ends without a word, with records in its hands.
    IsKilled,
}

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("headwater-worker-pool-{}", std::process::id()));
    let log = Log::open(&folder, LogOptions::default())?;
    log.create_topic("jobs", TopicOptions::default().partitions(PARTITIONS))?;
    let pool = Pool {
        log,
        began: Instant::now(),
        done: Mutex::default(),
        count: AtomicU64::new(0),
        all_sent: AtomicBool::new(false),
    };
    let outcome = run(&pool);
    drop(pool);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn run(pool: &Pool) -> Result<()> {
    let fates = [(1, Fate::Hangs), (2, Fate::IsKilled), (3, Fate::Works)];
    let outcomes = std::thread::scope(|scope| {
        let workers = fates.map(|(name, fate)| scope.spawn(move || work(pool, name, fate)));
        let sent = send(pool);
        pool.all_sent.store(true, Ordering::SeqCst);
        workers
            .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked"))))
            .into_iter()
            .chain([sent])
            .collect::<Vec<_>>()
    });
    outcomes.into_iter().collect::<Result<()>>()?;
    let described = pool.log.describe_group("workers")?;
    let done = pool.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let again = done.values().filter(|times| **times > 1).count();
    println!(
        "{} of {JOBS} jobs were done, {again} of them twice; the group is {} behind",
        done.len(),
        described.lag()
    );
    ensure!(done.len() as u64 == JOBS && described.lag() == 0, "jobs were lost");
    Ok(())
}

/// Sends the jobs, a few at a time.
fn send(pool: &Pool) -> Result<()> {
    let topic = pool.log.topic("jobs").ok_or_else(|| anyhow::anyhow!("the topic is gone"))?;
    for job in 0..JOBS {
        let (key, value) = (job.to_be_bytes(), job.to_be_bytes());
        let ack = if job % 100 == 99 { Ack::Durable } else { Ack::Appended };
        topic.append(&Record::new(&value).key(&key), ack)?;
        if job % 100 == 99 {
            pool.log.sync()?;
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    pool.log.sync()?;
    Ok(())
}

fn work(pool: &Pool, name: u32, fate: Fate) -> Result<()> {
    let options =
        ConsumerOptions::default().auto_offset_reset(OffsetReset::Earliest).max_poll_interval_ms(LATE_MS);
    let mut member = pool.log.consumer_with("workers", ["jobs"], options)?;
    let mut trouble = fate != Fate::Works;
    let mut idle_since = Instant::now();
    while idle_since.elapsed() < IDLE {
        let Some(event) = member.poll_event(Duration::from_millis(50))? else {
            if pool.all_sent.load(Ordering::SeqCst) && pool.log.describe_group("workers")?.lag() == 0 {
                break;
            }
            continue;
        };
        idle_since = Instant::now();
        let ConsumerEvent::Records(records) = event else {
            tell(pool, name, &event);
            continue;
        };
        do_jobs(pool, &records)?;
        if trouble && pool.count.load(Ordering::SeqCst) > JOBS / 4 {
            trouble = false;
            if fate == Fate::IsKilled {
                say(
                    pool,
                    name,
                    &format!(
                        "is killed; it has not committed {} up to {}",
                        records.partition(),
                        records.next_offset()
                    ),
                );
                return Ok(());
            }
            say(pool, name, "hangs");
            std::thread::sleep(Duration::from_millis(3 * LATE_MS));
        }
        commit(pool, name, &member, &records)?;
    }
    say(pool, name, "has nothing left to do");
    Ok(())
}

fn do_jobs(pool: &Pool, records: &ConsumerRecords) -> Result<()> {
    let mut done = pool.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for record in records {
        let job: [u8; 8] = record?.value.as_deref().unwrap_or_default().try_into()?;
        *done.entry(u64::from_be_bytes(job)).or_default() += 1;
        pool.count.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

fn commit(pool: &Pool, name: u32, member: &Consumer, records: &ConsumerRecords) -> Result<()> {
    match member.commit(records) {
        // Another one has these records: they are done twice, not lost.
        Err(CommitError::Fenced { since, generation, .. }) => {
            say(
                pool,
                name,
                &format!("is fenced: its records are of generation {since}, the group is in {generation}"),
            );
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

fn tell(pool: &Pool, name: u32, event: &ConsumerEvent) {
    let (what, partitions) = match event {
        ConsumerEvent::Assigned(partitions) => ("gets", partitions),
        ConsumerEvent::Revoked(partitions) => ("gives up", partitions),
        ConsumerEvent::Lost(partitions) => ("has lost", partitions),
        _ => return,
    };
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    say(pool, name, &format!("{what} {}", names.join(" ")));
}

fn say(pool: &Pool, name: u32, what: &str) {
    println!("{:>5} ms  worker {name} {what}", pool.began.elapsed().as_millis());
}
