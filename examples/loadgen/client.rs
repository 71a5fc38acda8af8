//! A client of the broker: a socket around a session.

use std::future::pending;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use headwater::codec::{
    Connect, FrameReader, Limits, Properties, Publish, QoS, ReasonCode, SubscribeFilter, Version,
};
use headwater::session::client::{Config, Event, Session};
use headwater::session::{Millis, Transmit};
use headwater::topic::{TopicFilterBuf, TopicNameBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::options::Options;
use crate::payload::{self, Stamp};

/// How long the broker may take to let a client in, or to answer a SUBSCRIBE.
const ANSWER: Duration = Duration::from_secs(10);
/// How much is read at a time.
const READ_BYTES: usize = 32 * 1024;
/// With so many bytes waiting to be written, no more messages are published.
const OUT_BYTES_MAX: usize = 32 * 1024;

/// The time of the program: one clock for those who send and those who receive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start; they last for 584 years.
    pub(crate) fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment that is so many nanoseconds after the start.
    pub(crate) fn moment(self, ns: u64) -> Instant {
        self.0 + Duration::from_nanos(ns)
    }

    fn millis(self) -> Millis {
        Millis(self.now_ns() / 1_000_000)
    }
}

/// One connection. What is sent is a [`Stamp`]; the payload around it is made when it is written.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session<Stamp>,
    clock: Clock,
    version: Version,
    topic: TopicNameBuf,
    payload: Vec<u8>,
    frames: FrameReader,
    out: BytesMut,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects with a clean start, and without keep alive: who measures does not fall silent.
    pub(crate) async fn connect(options: &Options, clock: Clock, role: &str, number: u32) -> Result<Self> {
        let address = &options.address;
        let stream = TcpStream::connect(address).await.with_context(|| format!("no broker at {address}"))?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let config = Config { window: usize::from(options.window), ..Config::default() };
        let mut client = Self {
            session: Session::new(config),
            clock,
            version: options.version,
            topic: options.topic(number)?,
            payload: payload::filled(options.size),
            frames: FrameReader::new(Limits::PROTOCOL),
            out: BytesMut::new(),
            reader,
            writer,
        };
        let id = format!("loadgen-{}-{role}{number}", std::process::id());
        client.session.connect(&Connect::new(options.version, &id), clock.millis())?;
        client.answered("CONNECT", |event| matches!(event, Event::Connected { .. })).await?;
        Ok(client)
    }

    /// Subscribes, and waits until the broker says that it has.
    pub(crate) async fn subscribe(&mut self, filters: &[TopicFilterBuf], qos: QoS) -> Result<()> {
        // So many fit into a packet of 64 KiB, whatever their names.
        for some in filters.chunks(100) {
            let filters: Vec<_> =
                some.iter().map(|filter| SubscribeFilter::new(filter.as_filter(), qos)).collect();
            self.session.subscribe(&filters, Properties::default())?;
            let mut granted = true;
            self.answered("SUBSCRIBE", |event| {
                let Event::Subscribed(suback) = event else { return false };
                granted = suback.reasons.iter().all(|reason| reason == ReasonCode::from(qos));
                true
            })
            .await?;
            if !granted {
                bail!("the broker does not grant subscriptions of {qos}");
            }
        }
        Ok(())
    }

    async fn answered(
        &mut self,
        to: &str,
        mut is_answer: impl FnMut(&Event<'_, Stamp>) -> bool,
    ) -> Result<()> {
        let answer = async {
            let mut answered = false;
            while !answered {
                self.transmit()?;
                self.turn(pending()).await?;
                self.handle(|_, event| answered |= is_answer(event))?;
            }
            Ok(())
        };
        timeout(ANSWER, answer).await.with_context(|| format!("the broker does not answer {to}"))?
    }

    /// Waits until something was read or written, or `other` ends.
    pub(crate) async fn turn(&mut self, other: impl Future<Output = ()>) -> Result<()> {
        let Self { session, frames, out, reader, writer, .. } = self;
        let buffer = frames.buffer_mut();
        buffer.reserve(READ_BYTES);
        tokio::select! {
            // What can be written is, before anything else is looked at.
            biased;
            written = writer.write_buf(out), if !out.is_empty() => {
                written.context("the broker takes nothing more")?;
            }
            read = reader.read_buf(buffer), if session.wants_packet() => {
                if read.context("the broker is gone")? == 0 {
                    bail!("the broker closed the connection");
                }
            }
            () = other => {}
        }
        // Where everything is ready at once the runtime lets one client go on for hundreds of turns, and the others fall behind.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Hands in the packets that have come, with the time at which they had.
    pub(crate) fn handle(&mut self, mut handle: impl FnMut(u64, &Event<'_, Stamp>)) -> Result<()> {
        let now_ns = self.clock.now_ns();
        while let Some(frame) = self.frames.next_frame()? {
            let Some(event) = self.session.handle(frame.packet(self.version)?, Millis(now_ns / 1_000_000))?
            else {
                continue;
            };
            handle(now_ns, &event);
            match event {
                Event::Refused(connack) => bail!("the broker refuses the client: {:?}", connack.reason),
                Event::Disconnect(disconnect) => {
                    bail!("the broker closes the connection: {:?}", disconnect.reason)
                }
                // It is counted, so it is as safe as it will be.
                Event::Publish { receipt: Some(receipt), .. } => {
                    self.session.acknowledge(receipt, ReasonCode::SUCCESS)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Encodes what the session wants to be written.
    pub(crate) fn transmit(&mut self) -> Result<()> {
        let now = self.clock.millis();
        while let Some(transmit) = self.session.poll_transmit(now) {
            match transmit {
                Transmit::Control(bytes) => self.out.extend_from_slice(bytes),
                Transmit::Publish { message, delivery, .. } => {
                    message.write(&mut self.payload);
                    let publish = Publish::new(self.topic.as_name(), &self.payload);
                    publish.with_delivery(delivery).encode(self.version, &mut self.out)?;
                }
            }
        }
        Ok(())
    }

    /// Whether another message can be published.
    pub(crate) fn has_room(&self, qos: QoS) -> bool {
        self.out.len() < OUT_BYTES_MAX && self.session.room(qos) > 0
    }

    /// Whether everything was written, and all messages have been acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.out.is_empty() && self.session.in_flight() == 0
    }

    /// Takes leave of the broker, which need not listen any more.
    pub(crate) async fn leave(mut self) -> Result<()> {
        self.session.disconnect(ReasonCode::SUCCESS);
        self.transmit()?;
        let _ = timeout(ANSWER, self.writer.write_all_buf(&mut self.out)).await;
        Ok(())
    }
}
