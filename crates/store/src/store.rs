//! The store: messages in, and what makes them safe.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use headwater_codec::{PacketId, Publish, QoS};
use headwater_log::{
    Ack, CleanupPolicy, Fold, Log, Partition, ReadError, ReadUpTo, Record, SyncError, Table, TableError,
    Topic, TopicError, TopicOptions,
};
use headwater_topic::SubscriptionTree;

use crate::counters::{Counters, Statistics};
use crate::delivery::{Origin, Source};
use crate::dispatch::{self, Subscriber};
use crate::error::{OpenError, PublishError};
use crate::group::Groups;
use crate::hook::{Incoming, Verdict};
use crate::lane::{Lane, MessageLane};
use crate::lock::{lock, read};
use crate::message::{Beside, Message, with_record};
use crate::options::StoreOptions;
use crate::placement::Placement;
use crate::retained::{self, Retained};
use crate::scan::Scans;
use crate::session::{self, Checkpoint, Core, Loaded, Sessions};
use crate::topics::Topics;

/// The log topic of all messages that no rule sends elsewhere.
pub const MESSAGES_TOPIC: &str = "mqtt";

/// MQTT messages, retained messages and sessions, kept in a log.
///
/// A handle: clones share one store. Nothing in it starts a thread or needs a runtime; somebody has to run each
/// [`Lane`](crate::Lane), which makes appended records durable and hands them to those who subscribed.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) topics: Topics,
    /// The log topic `mqtt`.
    messages: Topic,
    pub(crate) lanes: Box<[MessageLane]>,
    pub(crate) retained: Retained,
    /// Snapshots of sessions, keyed by client identifier.
    pub(crate) session_log: Partition,
    pub(crate) checkpoint: Checkpoint,
    next_session_key: AtomicU64,
    pub(crate) sessions: Mutex<Sessions>,
    /// Subscriptions of connected sessions.
    pub(crate) subscriptions: RwLock<SubscriptionTree<u64, Subscriber>>,
    pub(crate) groups: Groups,
    pub(crate) counters: Counters,
}

impl Store {
    /// Opens the store in a log, creating its topics where they are missing, and reads retained messages and sessions back. A session
    /// that was connected when the log was last written counts as away since `now_ms`, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: a topic cannot be opened, or what it holds cannot be read. A damaged record is an error here, never skipped.
    pub fn open(log: &Log, options: StoreOptions, now_ms: i64) -> Result<Self, OpenError> {
        let (topics, beginnings) = Topics::open(log, &options)?;
        let not_found = || TopicError::NotFound { topic: MESSAGES_TOPIC.to_owned() };
        let messages = topics.messages().cloned().ok_or_else(not_found)?;
        let partitions = topics.partitions().into_iter().zip(Scans::open(log, &topics, &options)?);
        let lanes: Box<[MessageLane]> =
            partitions.map(|(partition, scans)| MessageLane::new(partition, scans)).collect();
        let ends: Vec<u64> = lanes.iter().map(|lane| lane.partition.appended_end()).collect();
        let retained = Retained::open(&single(log, retained::TOPIC, options.retained())?, &topics, &ends)?;
        // A session grows with its subscriptions: it may fill a segment.
        let session_options = options.state.batch_bytes_max(options.state.segment_bytes);
        let session_topic = single(log, session::TOPIC, session_options)?;
        let session_log = only_partition(&session_topic)?;
        let ends = session::Ends { messages: &ends, retained: retained.partition.appended_end() };
        let Loaded { sessions, groups, checkpoint } =
            session::load(&session_topic, &session_log, &lanes, &ends, &beginnings, now_ms)?;
        // A key each for what was read back.
        let keys = sessions.len().saturating_add(groups.len());
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                topics,
                messages,
                lanes,
                retained,
                session_log,
                checkpoint: Checkpoint::new(checkpoint),
                next_session_key: AtomicU64::new(u64::try_from(keys).unwrap_or(u64::MAX)),
                sessions: Mutex::new(sessions),
                subscriptions: RwLock::new(SubscriptionTree::new()),
                groups,
                counters: Counters::default(),
            }),
        })
    }

    /// Takes a message: appends it to the log, keeps or forgets the retained message of its topic, and forwards it if it is of QoS 0.
    /// Messages of QoS 1 and 2 are forwarded when they are durable.
    ///
    /// `payload` makes the payload owned, without a copy if the caller has it as [`Bytes`]; it is called only if somebody gets the message
    /// at once. `client_id` is the publisher's, `now_ms` the time of arrival in milliseconds since 1970-01-01 UTC.
    ///
    /// Costs one append; for QoS 0, a walk over the subscriptions besides; with routing rules, a look at each until one matches. Makes no
    /// system call but when the log needs space.
    ///
    /// A [hook](StoreOptions::hook) is asked first, and what it says is done. If it panics, so does this: nothing was stored, and the store is as it
    /// was.
    ///
    /// # Errors
    ///
    /// [`PublishError`]: the message must not be acknowledged.
    pub fn publish(
        &self,
        publish: &Publish<'_>,
        payload: impl FnOnce() -> Bytes,
        client_id: &str,
        now_ms: i64,
    ) -> Result<Placement, PublishError> {
        self.shared.publish(publish, payload, Publisher { client_id, holds: None }, now_ms)
    }

    /// Whether all of it is durable.
    #[must_use]
    pub fn is_durable(&self, placement: &Placement) -> bool {
        self.shared.places(placement).all(|(partition, offset)| partition.durable_end() > offset)
    }

    /// A future that is ready when all of it is durable. It needs no runtime, and does no sync: a [`Lane`](crate::Lane) does.
    ///
    /// Its error is [`SyncError`]: a partition could not be synced, and what was put there must not be acknowledged.
    pub fn durable(
        &self,
        placement: &Placement,
    ) -> impl Future<Output = Result<(), SyncError>> + Send + use<> {
        let waiting = self
            .shared
            .places(placement)
            .map(|(partition, offset)| partition.readable(ReadUpTo::Durable, offset));
        let waiting: Vec<_> = waiting.collect();
        async move {
            for place in waiting {
                place.await?;
            }
            Ok(())
        }
    }

    /// Waits until all of it is durable, syncing if nobody else does.
    ///
    /// # Errors
    ///
    /// [`SyncError`] if it never will be.
    pub fn wait_durable(&self, placement: &Placement) -> Result<(), SyncError> {
        self.shared.places(placement).try_for_each(|(partition, offset)| partition.wait_durable(offset))
    }

    /// What happened and what there is, in numbers.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            retained: self.shared.retained.len(),
            sessions: lock(&self.shared.sessions).len(),
            subscriptions: read(&self.shared.subscriptions).len() + self.shared.groups.members(),
            groups: self.shared.groups.len(),
            ..self.shared.counters.statistics()
        }
    }

    /// The lanes of the store: each wants a thread that runs it, over and over.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        Lane::all(&self.shared)
    }

    /// The log topic `mqtt`: all messages that no rule sends elsewhere.
    #[must_use]
    pub fn messages(&self) -> &Topic {
        &self.shared.messages
    }

    /// All log topics that messages are in: `mqtt`, and those that rules name or named when the store was opened before, in the order in
    /// which they were first named.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Topic> {
        self.shared.topics.iter()
    }

    /// The partition of a lane of messages, which is what a [`Placement`] and a [`Source`] name; it knows its log topic and its number
    /// there. The number of a lane stays as it is whatever the rules are when the store is opened again.
    #[must_use]
    pub fn partition(&self, lane: u32) -> Option<&Partition> {
        self.shared.lane(lane).map(|lane| &lane.partition)
    }
}

/// Who publishes.
#[derive(Clone, Copy)]
pub(crate) struct Publisher<'a> {
    pub(crate) client_id: &'a str,
    /// The session that keeps the packet identifier, of a QoS 2 message, until it is released.
    pub(crate) holds: Option<(&'a Core, PacketId)>,
}

impl Shared {
    /// Asks the hook, and takes the message.
    pub(crate) fn publish(
        &self,
        publish: &Publish<'_>,
        payload: impl FnOnce() -> Bytes,
        publisher: Publisher<'_>,
        now_ms: i64,
    ) -> Result<Placement, PublishError> {
        let Some(hook) = &self.options.hook else {
            return self.take(publish, None, payload, &[], publisher, now_ms);
        };
        let mut incoming = Incoming::new(publish, publisher.client_id).ok_or(PublishError::NoTopic)?;
        // Nothing is locked: a panic leaves all as it is.
        match hook.decide(&mut incoming) {
            Verdict::Pass => {}
            Verdict::Drop => {
                Counters::add(&self.counters.hook_dropped, 1);
                return Ok(Placement::default());
            }
            Verdict::Refuse(reason) => {
                Counters::add(&self.counters.hook_dropped, 1);
                return Err(PublishError::Refused { reason });
            }
        }
        incoming.lend(|publish, changed, headers| {
            self.take(publish, changed, payload, &headers, publisher, now_ms)
        })
    }

    /// Takes a message as it is: its payload owned, if it is that already, and with headers for those who read the log.
    fn take(
        &self,
        publish: &Publish<'_>,
        owned: Option<Bytes>,
        payload: impl FnOnce() -> Bytes,
        headers: &[(&str, Cow<'_, str>)],
        publisher: Publisher<'_>,
        now_ms: i64,
    ) -> Result<Placement, PublishError> {
        let Publisher { client_id, holds } = publisher;
        let topic = publish.topic.ok_or(PublishError::NoTopic)?;
        let routed = self.topics.route(topic, client_id);
        let key = routed.as_ref().map(|routed| &*routed.key);
        let home = routed.as_ref().map_or(0, |routed| routed.home);
        let lane = self.topics.lane(home, key.unwrap_or(topic.as_str()).as_bytes());
        let partition = lane.ok_or(PublishError::PartitionsAdded)?;
        let lane = self.lane(partition).ok_or(PublishError::PartitionsAdded)?;
        if lane.is_stopped() {
            return Err(PublishError::LaneStopped { partition });
        }
        if let Some((core, _)) = holds {
            // Before the append, so that a checkpoint never passes it.
            lock(&core.state).held.begin(partition, lane.partition.appended_end());
        }
        if publish.qos() > QoS::AtMostOnce {
            lane.want_next();
        }
        let append = |record: &Record<'_>| lane.partition.append(record, Ack::Appended);
        let mut placement = Placement::default();
        let offset = {
            // Plain messages need no order beside that of the log.
            let _order = publish.retain.then(|| lock(&lane.retaining));
            let copy = if publish.retain {
                let payload = Bytes::copy_from_slice(publish.payload);
                Message::from_publish(publish, payload, client_id, now_ms)
            } else {
                None
            };
            let room = copy.as_ref().map(|message| self.retained.admit(message, &self.options));
            let _room =
                room.transpose().inspect_err(|_| Counters::add(&self.counters.retained_refused, 1))?;
            let packet_id = holds.map(|(_, packet_id)| packet_id);
            let of_rule = routed.as_ref().map_or(&[][..], |routed| &routed.headers);
            let beside = Beside { key, packet_id, source: None, added: [of_rule, headers] };
            let appended = with_record(publish, client_id, now_ms, beside, append);
            let offset = appended.ok_or(PublishError::NoTopic)??;
            if let Some(message) = copy {
                let source = (partition, offset);
                placement.retained =
                    self.retained.publish(publish, message, client_id, now_ms, source, &self.topics)?;
            }
            offset
        };
        placement.message = Some((partition, offset));
        if let Some((core, packet_id)) = holds {
            lock(&core.state).held.put(packet_id, (partition, offset));
        }
        if publish.qos() == QoS::AtMostOnce {
            let source = Source { origin: Origin::Messages, partition, offset };
            let message = || Message::from_publish(publish, owned.unwrap_or_else(payload), client_id, now_ms);
            dispatch::forward(self, topic, message, source);
        }
        Ok(placement)
    }

    pub(crate) fn lane(&self, partition: u32) -> Option<&MessageLane> {
        self.lanes.get(usize::try_from(partition).ok()?)
    }

    fn places(&self, placement: &Placement) -> impl Iterator<Item = (&Partition, u64)> {
        let message = placement
            .message
            .and_then(|(partition, offset)| Some((&self.lane(partition)?.partition, offset)));
        let retained = placement.retained.map(|offset| (&self.retained.partition, offset));
        let session = placement.session.map(|offset| (&self.session_log, offset));
        [message, retained, session].into_iter().flatten()
    }

    pub(crate) fn next_session_key(&self) -> u64 {
        self.next_session_key.fetch_add(1, Ordering::Relaxed)
    }

    /// The first offset of each partition that was not dispatched.
    pub(crate) fn dispatched(&self) -> Vec<u64> {
        self.lanes.iter().map(MessageLane::position).collect()
    }
}

/// A topic of the store's own: one partition, of which compaction keeps the last record of each key for ever.
pub(crate) fn single(log: &Log, name: &'static str, options: TopicOptions) -> Result<Topic, OpenError> {
    let options = options.partitions(1).retention_ms(None).retention_bytes(None);
    let options = options.cleanup_policy(CleanupPolicy::Compact);
    Ok(log.open_or_create_topic(name, options)?)
}

/// The partition of a topic of the store's own.
pub(crate) fn only_partition(topic: &Topic) -> Result<Partition, OpenError> {
    let partition = topic.partition(0);
    partition.ok_or_else(|| OpenError::Topic(TopicError::NotFound { topic: topic.name().to_owned() }))
}

/// What a topic of the store's own says, read from its beginning.
pub(crate) fn read_back<S>(topic: &Topic, state: S) -> Result<S, OpenError>
where
    S: Fold<Error = OpenError>,
{
    // A table shows what is durable; a store that was there before, on the same log, may have appended more.
    only_partition(topic)?.sync()?;
    let failed = |error| OpenError::Read { topic: topic.name().to_owned(), error };
    let mut table = Table::new(topic, state);
    match table.catch_up() {
        Ok(_) => Ok(table.into_state()),
        Err(TableError::Fold { error, .. }) => Err(error),
        Err(TableError::Read { error, .. }) => Err(failed(error)),
        // A table that begins misses nothing and waits for nothing.
        Err(_) => Err(failed(ReadError::Closed)),
    }
}
