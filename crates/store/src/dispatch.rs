//! Who gets a message, and gets it now.

use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::{ReadError, ReadUpTo};
use headwater_topic::TopicName;

use crate::counters::Counters;
use crate::delivery::{Origin, Source};
use crate::lane::MessageLane;
use crate::lock::{lock, read};
use crate::message::{Message, NotAMessage};
use crate::scan::Passed;
use crate::select::Selection;
use crate::session::Core;
use crate::store::Shared;
use crate::subscription::Subscription;

/// How many bytes of the log are dispatched before others may have the lane.
const CHUNK_BYTES: usize = 256 * 1024;

/// Sessions are woken after so many records, or when there are no more: each time costs a switch to another thread, and what has
/// gathered is written at once. Fewer than fit into an inbox.
const WAKE_RECORDS: u64 = 64;

/// Sessions that have got messages and do not know it yet. Whatever ends the dispatch, they are told.
#[derive(Debug, Default)]
struct Unwoken(Vec<Arc<Core>>);

impl Unwoken {
    fn wake(&mut self) {
        self.0.drain(..).for_each(|session| session.wake());
    }
}

impl Drop for Unwoken {
    fn drop(&mut self) {
        self.wake();
    }
}

/// A subscription of a connected session, in the tree.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    pub(crate) session: Arc<Core>,
    pub(crate) subscription: Arc<Subscription>,
}

/// Hands a QoS 0 message to all who subscribed and have room, and to one member of each group. `message` is made only if there is anybody.
pub(crate) fn forward(
    shared: &Shared,
    topic: TopicName<'_>,
    message: impl FnOnce() -> Option<Message>,
    source: Source,
) {
    let mut subscribers = matching(shared, topic);
    // Who has asked for the past since it was appended reads it from the log.
    subscribers.retain(|one| source.offset >= one.subscription.past.until.of(source.partition));
    let groups = shared.groups.matching(topic);
    if subscribers.is_empty() && groups.is_empty() {
        return;
    }
    let Some(message) = message().map(Arc::new) else { return };
    for (session, selection) in select(&mut subscribers, &message, source) {
        if !session.offer(selection.deliver(&message, source), &shared.options) {
            Counters::add(&shared.counters.dropped, 1);
        }
    }
    for group in groups {
        if !group.offer(&message, source, &shared.options) {
            Counters::add(&shared.counters.dropped, 1);
        }
    }
}

/// Dispatches what is durable and was not dispatched; returns how many records that were.
pub(crate) fn dispatch(shared: &Shared, partition: u32, lane: &MessageLane) -> Result<u64, ReadError> {
    let mut count = 0;
    while lane.position() < lane.partition.durable_end() {
        let (records, passed) = dispatch_chunk(shared, partition, lane)?;
        count += records;
        if let Some(passed) = passed {
            lane.scans.write(passed, &shared.counters);
        }
    }
    Ok(count)
}

fn dispatch_chunk(
    shared: &Shared,
    partition: u32,
    lane: &MessageLane,
) -> Result<(u64, Option<Passed>), ReadError> {
    let _alone = lock(&lane.dispatching);
    let mut position = lane.position();
    let begin = position;
    let mut unwoken = Unwoken::default();
    let fetched = match lane.partition.read_up_to(ReadUpTo::Durable, position, CHUNK_BYTES) {
        Ok(fetched) => fetched,
        // Retention was faster. Nobody is live that far behind but by a burst; those who are catch up by themselves.
        Err(ReadError::OffsetOutOfRange { start, .. }) if start > position => {
            Counters::add(&shared.counters.fell_behind, start - position);
            lane.scans.passed_over(start);
            lane.advance(start);
            return Ok((0, None));
        }
        Err(error) => return Err(error),
    };
    for record in fetched.views() {
        let record = match record {
            Ok(record) => record,
            Err(ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. }) => {
                Counters::add(&shared.counters.not_messages, 1);
                lane.scans.pass_unreadable();
                continue;
            }
            Err(error) => return Err(error),
        };
        let source = Source { origin: Origin::Messages, partition, offset: record.offset };
        position = record.offset + 1;
        let message = Message::from_record(&record, fetched.bytes());
        if let Ok(message) = &message {
            lane.scans.pass(message.topic());
        }
        match message {
            // Forwarded when it came.
            Ok(message) if message.qos == QoS::AtMostOnce => {}
            Ok(message) => deliver(shared, Arc::new(message), source, &mut unwoken),
            Err(NotAMessage) => Counters::add(&shared.counters.not_messages, 1),
        }
        // After the delivery: a session that looks at the position and then at its inbox misses nothing.
        lane.advance(position);
        if (position - begin).is_multiple_of(WAKE_RECORDS) {
            unwoken.wake();
        }
    }
    // Batches may hold no record that is for readers.
    lane.advance(fetched.next_offset());
    let (bytes, range_bytes) = (fetched.bytes().len(), shared.options.catch_up_bytes);
    let log_start = lane.partition.start_offset();
    let passed = lane.scans.passed(fetched.next_offset(), bytes, range_bytes, log_start);
    Ok((position - begin, passed))
}

fn deliver(shared: &Shared, message: Arc<Message>, source: Source, unwoken: &mut Unwoken) {
    let mut subscribers = matching(shared, message.topic());
    for (session, selection) in select(&mut subscribers, &message, source) {
        if session.push(selection.deliver(&message, source), &shared.options) {
            unwoken.0.push(Arc::clone(session));
        }
    }
    for group in shared.groups.matching(message.topic()) {
        group.deliver(&message, source, &shared.options);
    }
}

/// The subscriptions that match, those of one session side by side.
fn matching(shared: &Shared, topic: TopicName<'_>) -> Vec<Subscriber> {
    let mut found = Vec::new();
    read(&shared.subscriptions).matches(topic, |_, subscriber| found.push(subscriber.clone()));
    found.sort_unstable_by_key(|subscriber| subscriber.session.key);
    found
}

/// One selection a session.
fn select<'a>(
    subscribers: &'a mut [Subscriber],
    message: &'a Message,
    source: Source,
) -> impl Iterator<Item = (&'a Arc<Core>, Selection)> {
    subscribers.chunk_by(|a, b| a.session.key == b.session.key).filter_map(move |of_one| {
        let session = &of_one.first()?.session;
        let subscriptions = of_one.iter().map(|subscriber| &*subscriber.subscription);
        let selection =
            Selection::over(subscriptions, message, &session.client_id, source.partition, source.offset)?;
        Some((session, selection))
    })
}
