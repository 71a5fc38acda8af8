//! A run from the first connection to the last message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use headwater::codec::QoS;
use headwater_examples::show;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::bystander::Bystanders;
use crate::client::{Client, Clock};
use crate::options::Options;
use crate::pace::Bell;
use crate::plan::Plan;
use crate::processor;
use crate::publisher::{Publisher, Sent};
use crate::report::Report;
use crate::subscriber::{Received, Subscriber};

/// How often it is looked at how far the run has come.
const TICK: Duration = Duration::from_millis(100);
/// When nothing happens for so long, nothing more will.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages of QoS 0 that come so long after the last was sent are of no use: a broker may have queued them for minutes.
const LATE: Duration = Duration::from_secs(10);

/// Connects, publishes, waits for what is on its way, and gives the figures.
pub(crate) async fn run(options: Options) -> Result<Report> {
    let (options, clock) = (Arc::new(options), Clock::start());
    let bystanders = Bystanders::connect(&options, clock).await?;
    let mut subscribers = Vec::new();
    for number in 0..options.subscribers {
        let client = Client::connect(&options, clock, "s", number).await?;
        subscribers.push(Subscriber::start(client, number, &options).await?);
    }
    let mut clients = Vec::new();
    for number in 0..options.publishers {
        clients.push((number, Client::connect(&options, clock, "p", number).await?));
    }

    let mut watched = Watched::new(Plan::new(&options, clock))?;
    let (stop, stopped) = watch::channel(false);
    let bells: Vec<Arc<Notify>> = clients.iter().map(|_| Arc::default()).collect();
    for subscriber in subscribers {
        watched.receiving.spawn(subscriber.run(Arc::clone(&watched.plan), stopped.clone()));
    }
    for ((number, client), bell) in clients.into_iter().zip(&bells) {
        let publisher = Publisher::new(client, number, &watched.plan, Arc::clone(bell));
        watched.sending.spawn(publisher.run(stopped.clone()));
    }
    let bell = watched.plan.pace().map(|pace| Bell::start(pace, clock, bells)).transpose()?;

    while !watched.sending.is_empty() && watched.wait().await? {}
    // Publishers that wait for what does not come give up.
    if !watched.sending.is_empty() {
        stop.send_replace(true);
    }
    while !watched.sending.is_empty() {
        watched.wait().await?;
    }
    if let Some(bell) = bell {
        bell.stop();
    }
    let expected: u64 =
        watched.sent.iter().map(|sent| u64::from(sent.count) * options.receivers(sent.publisher)).sum();
    let (over, waits) = (Instant::now(), options.qos != QoS::AtMostOnce);
    while watched.plan.received.load(Ordering::Relaxed) < expected
        && (waits || over.elapsed() < LATE)
        && watched.wait().await?
    {}
    let processor = watched.processor()?;
    stop.send_replace(true);
    while !watched.receiving.is_empty() {
        watched.wait().await?;
    }
    watched.bar.finish_and_clear();
    Ok(Report::new(&watched.plan, &watched.sent, &watched.received, processor, bystanders.idle_bytes))
}

/// The clients at work, and whether something still happens.
struct Watched {
    plan: Arc<Plan>,
    sending: JoinSet<Result<Sent>>,
    receiving: JoinSet<Result<Received>>,
    sent: Vec<Sent>,
    received: Vec<Received>,
    /// The broker's processor time at the beginning and at the end of what is measured.
    used: [Option<Duration>; 2],
    bar: ProgressBar,
    progress: u64,
    moved: Instant,
    patience: Duration,
}

impl Watched {
    fn new(plan: Plan) -> Result<Self> {
        let bar = ProgressBar::new(plan.way().1);
        bar.set_style(ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %")?);
        let gap = plan
            .options
            .rate
            .map_or(Duration::ZERO, |rate| Duration::from_secs(2) / u32::try_from(rate).unwrap_or(1));
        // Without a warm-up it begins with the first message.
        let used =
            plan.options.broker_pid.filter(|_| plan.options.warmup == 0).map(processor::used).transpose()?;
        Ok(Self {
            plan: Arc::new(plan),
            sending: JoinSet::new(),
            receiving: JoinSet::new(),
            sent: Vec::new(),
            received: Vec::new(),
            used: [used, None],
            bar,
            progress: 0,
            moved: Instant::now(),
            patience: PATIENCE + gap,
        })
    }

    /// Waits a while, or until a client is done; tells whether something still happens.
    async fn wait(&mut self) -> Result<bool> {
        let (plan, used) = (Arc::clone(&self.plan), &mut self.used);
        let next = match used {
            [None, _] => Some(plan.begin_ns),
            [Some(_), None] => plan.end_ns,
            _ => None,
        };
        let moment = plan.clock.moment(next.unwrap_or(u64::MAX / 2));
        let pid = plan.options.broker_pid.filter(|_| next.is_some());
        tokio::select! {
            Some(sent) = self.sending.join_next() => self.sent.push(sent??),
            Some(received) = self.receiving.join_next() => self.received.push(received??),
            () = tokio::time::sleep_until(moment.into()), if pid.is_some() => {
                let place = used.iter_mut().find(|used| used.is_none());
                if let (Some(place), Some(pid)) = (place, pid) {
                    *place = Some(processor::used(pid)?);
                }
            }
            () = tokio::time::sleep(TICK) => {}
        }
        let progress = self.plan.progress();
        if progress != self.progress {
            (self.progress, self.moved) = (progress, Instant::now());
        }
        let count = |count: &std::sync::atomic::AtomicU64| show::count(count.load(Ordering::Relaxed));
        self.bar.set_message(format!(
            "{} sent, {} received",
            count(&self.plan.sent),
            count(&self.plan.received)
        ));
        self.bar.set_position(self.plan.way().0);
        Ok(self.moved.elapsed() < self.patience)
    }

    /// The processor time that the broker has used while it was measured.
    fn processor(&self) -> Result<Option<Duration>> {
        let [before, after] = self.used;
        let Some((pid, before)) = self.plan.options.broker_pid.zip(before) else { return Ok(None) };
        let after = after.map_or_else(|| processor::used(pid), Ok)?;
        Ok(Some(after.saturating_sub(before)))
    }
}
