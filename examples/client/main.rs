//! An MQTT client over a plain blocking socket: `headwater::session` alone, without a runtime, a thread for the network or a store.
//!
//! Run `cargo run --example client -- --help` for its options.

mod options;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use headwater::codec::{
    Connect, FrameReader, Limits, Properties, Property, Publish, QoS, ReasonCode, SubscribeFilter, Version,
};
use headwater::session::client::{Config, Event, Session};
use headwater::session::{Millis, Transmit};
use headwater::topic::TopicFilter;

use crate::options::{Message, Options};

fn main() -> Result<()> {
    let options = Options::parse();
    let lines = options::lines();
    // What is under way outlives each connection: nothing of QoS 1 and 2 is lost, and QoS 2 comes once.
    let (mut session, start) = (Session::new(Config::default()), Instant::now());
    loop {
        match connection(&options, &mut session, &lines, start) {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<std::io::Error>() => eprintln!("{error}; connects again in a second"),
            Err(error) => return Err(error),
        }
        session.connection_lost();
        thread::sleep(Duration::from_secs(1));
    }
}

fn connection(
    options: &Options,
    session: &mut Session<Message>,
    lines: &Receiver<Message>,
    start: Instant,
) -> Result<()> {
    let now = || Millis(start.elapsed().as_millis().try_into().unwrap_or(u64::MAX));
    let mut socket = TcpStream::connect(&options.address)?;
    // So often it looks at the lines and the clock.
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let properties = [Property::SessionExpiryInterval(3_600)];
    let mut connect = Connect::new(Version::V5, &options.id);
    (connect.clean_start, connect.keep_alive_secs) = (false, 30);
    connect.properties = Properties::new(&properties);
    session.connect(&connect, now())?;
    let (mut frames, mut buffer, mut out) = (FrameReader::new(Limits::PROTOCOL), [0; 4096], Vec::new());
    loop {
        while let Some(transmit) = session.poll_transmit(now()) {
            match transmit {
                Transmit::Control(bytes) => out.extend_from_slice(bytes),
                Transmit::Publish { message, delivery, .. } => {
                    let publish = Publish::new(message.topic.as_name(), message.payload.as_bytes());
                    publish.with_delivery(delivery).encode(Version::V5, &mut out)?;
                }
            }
        }
        socket.write_all(&out)?;
        out.clear();
        if session.is_closed() {
            return Ok(());
        }
        match socket.read(&mut buffer) {
            Ok(0) => return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(count) => frames.extend(buffer.get(..count).unwrap_or_default()),
            // Nothing came in time, or the process was stopped and goes on.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(frame) = frames.next_frame()? {
            match session.handle(frame.packet(Version::V5)?, now())? {
                Some(Event::Connected { connack, .. }) if !connack.session_present => {
                    if let Some(filter) = &options.subscribe {
                        let filter = SubscribeFilter::new(TopicFilter::from(filter), QoS::ExactlyOnce);
                        session.subscribe(&[filter], Properties::default())?;
                    }
                }
                Some(Event::Refused(connack)) => bail!("the broker says {:?}", connack.reason),
                Some(Event::Publish { publish, topic, receipt }) => {
                    println!("{} {}", topic.name(), String::from_utf8_lossy(publish.payload));
                    // Printed is safe enough here; who stores it acknowledges when it is stored.
                    if let Some(receipt) = receipt {
                        session.acknowledge(receipt, ReasonCode::SUCCESS)?;
                    }
                }
                Some(Event::Disconnect(disconnect)) => bail!("the broker says {:?}", disconnect.reason),
                _ => {}
            }
        }
        session.handle_timeout(now())?;
        while session.is_open() && session.room(QoS::AtLeastOnce) > 0 {
            match lines.try_recv() {
                Ok(message) => {
                    session.publish(message, QoS::AtLeastOnce).map(drop).ok().context("there is room")?
                }
                Err(TryRecvError::Disconnected)
                    if options.subscribe.is_none() && session.in_flight() == 0 =>
                {
                    session.disconnect(ReasonCode::SUCCESS);
                }
                Err(_) => break,
            }
        }
    }
}
