//! Accounts whose bookings are in a log, and whose balances are nowhere else: they are folded from the bookings at each start.
//!
//! ```text
//!   a line --> is there enough? --> append, durable --> topic `accounts`, by account --> Table of who prints
//!                   '----------- Table of who books <----------'
//! ```
//!
//! Run `cargo run --release --example event_sourcing -- --help` for its options.

mod options;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use headwater::log::{Ack, Fold, Log, LogOptions, Record, RecordView, Table, Topic, TopicOptions};

use crate::options::{Command, Options};

const TOPIC: &str = "accounts";
/// Within this time the follower looks whether it is over; a record wakes it at once.
const NAP: Duration = Duration::from_millis(100);

/// A text is not a booking.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a booking; write it like 'deposit 10' or 'withdraw 3'")]
struct NotABooking(String);

/// What a booking changes.
fn change(text: &str) -> Result<i64, NotABooking> {
    let (kind, amount) = text.split_once(' ').unwrap_or((text, ""));
    match (kind, amount.parse::<u32>()) {
        ("deposit", Ok(amount)) => Ok(amount.into()),
        ("withdraw", Ok(amount)) => Ok(-i64::from(amount)),
        _ => Err(NotABooking(text.to_owned())),
    }
}

/// The balance of each account.
#[derive(Debug, Default)]
struct Balances(BTreeMap<String, i64>);

impl Fold for Balances {
    type Error = NotABooking;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), NotABooking> {
        let change = change(&String::from_utf8_lossy(record.value.unwrap_or_default()))?;
        let account = String::from_utf8_lossy(record.key.unwrap_or_default());
        let balance = self.0.entry(account.into_owned()).or_default();
        *balance = balance.saturating_add(change);
        Ok(())
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "event_sourcing: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Options { data, command }: &Options) -> Result<()> {
    let log = Log::open(data, LogOptions::default())
        .with_context(|| format!("{} cannot be opened", data.display()))?;
    let topic = log.open_or_create_topic(TOPIC, TopicOptions::default())?;
    match command {
        Command::Sample { count } => sample(&topic, *count)?,
        Command::Balances { follow } => balances(&topic, *follow)?,
    }
    Ok(log.close()?)
}

fn sample(topic: &Topic, count: u32) -> Result<()> {
    for number in 0..count {
        let account = fastrand::choice(["alice", "bob", "carol", "dave"]).unwrap_or_default();
        // Four deposits, then a withdrawal that they cover.
        let booking = if number % 5 == 4 { "withdraw 1" } else { "deposit 2" };
        topic.append(&Record::new(booking).key(account), Ack::Appended)?;
    }
    topic.partitions().try_for_each(|partition| partition.sync().map(drop))?;
    Ok(writeln!(io::stdout(), "{count} bookings, all of them durable")?)
}

fn balances(topic: &Topic, follow: bool) -> Result<()> {
    let mut table = Table::new(topic, Balances::default());
    let bookings = table.catch_up()?;
    let mut shown = BTreeMap::new();
    show(&table, &mut shown)?;
    writeln!(io::stdout(), "{bookings} bookings")?;
    if !follow {
        return Ok(());
    }
    let topic = topic.clone();
    let booking = thread::spawn(move || book(&topic));
    loop {
        // Before the records: what was booked until then is shown.
        let is_last = booking.is_finished();
        table.follow(NAP)?;
        show(&table, &mut shown)?;
        if is_last {
            return booking.join().map_err(|_| anyhow!("the booking thread has panicked"))?;
        }
    }
}

/// Prints the balances that are not as they were shown.
fn show(table: &Table<Balances>, shown: &mut BTreeMap<String, i64>) -> Result<()> {
    for (account, balance) in &table.state().0 {
        if shown.insert(account.clone(), *balance) != Some(*balance) {
            writeln!(io::stdout(), "{account} {balance}")?;
        }
    }
    Ok(())
}

fn book(topic: &Topic) -> Result<()> {
    let mut table = Table::new(topic, Balances::default());
    table.catch_up()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (account, booking) = line.split_once(' ').unwrap_or(("", &line));
        let balance = table.state().0.get(account).copied().unwrap_or_default();
        match change(booking) {
            Err(error) => writeln!(io::stderr(), "{error}, after an account")?,
            Ok(change) if balance.saturating_add(change) < 0 => {
                writeln!(io::stderr(), "'{booking}' is refused: {account} has {balance}")?;
            }
            Ok(_) => {
                let at = topic.append(&Record::new(booking).key(account), Ack::Durable)?;
                // What was booked is in the balance that the next line is compared with.
                table.wait_for(at, Duration::MAX)?;
            }
        }
    }
    Ok(())
}
