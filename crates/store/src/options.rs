//! What a store may be told.

use headwater_log::TopicOptions;

use crate::hook::{Hook, Incoming, Verdict};
use crate::route::Route;

/// How a store keeps messages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The options of the log topic `mqtt`: partitions, retention, segment size. Log topics that messages are routed to have the same, but
    /// for the number of partitions if they were there before. The log topic of retained messages takes messages as large
    /// as this one does, even if `state` says less.
    pub messages: TopicOptions,
    /// The options of the log topics of retained messages and of sessions. They have one partition and no retention, whatever is said
    /// here. A session may be as large as a segment, whatever `batch_bytes_max` says. Default: segments of 64 MiB.
    pub state: TopicOptions,
    /// How many messages may wait for one connected session. QoS 1 and 2 beyond it are read from the log later; QoS 0 is dropped and
    /// counted. Default 1,000.
    pub inbox_max: usize,
    /// How many bytes of messages may wait for one connected session; the same beyond it. A message that is larger is taken when no
    /// other waits. Default 4 MiB.
    pub inbox_bytes_max: usize,
    /// How many messages of shared subscriptions, QoS 1 and 2, may wait for one connected session: when it is slow, they wait for it
    /// alone. Those beyond it go to other members, or are read from the log later. At least 1. Default 64.
    pub shared_inbox_max: usize,
    /// How many bytes of the log a session that catches up reads at a time. Default 256 KiB.
    pub catch_up_bytes: usize,
    /// How much memory may be taken, in all partitions together, by what is known of the topics in pieces of the log. With it, a session that
    /// catches up skips pieces in which nothing matches; what is beyond it, the oldest, is read instead. A piece takes 80 bytes to 8 KiB, as it has
    /// topics: at most 4 of 100 bytes of the log, and 2 for each small message where they have thousands of topics. It is written to the log topic
    /// `__headwater_summaries` too, which is kept to about as many bytes, so that after a restart the first skips as well. 0 keeps nothing, has no such topic, and skips
    /// nothing. Default 64 MiB.
    pub summaries_bytes_max: usize,
    /// How many retained messages there may be. One more is refused with [`PublishError::RetainedFull`](crate::PublishError::RetainedFull);
    /// another one for a topic that has one is not. Default 100,000.
    pub retained_max: usize,
    /// How many bytes of memory they may take together, about: some hundred for each beside its topic, payload and properties. Default
    /// 256 MiB.
    pub retained_bytes_max: u64,
    /// How many sessions there may be, connected or away; a client without one is refused beyond that with
    /// [`AttachError::Full`](crate::AttachError::Full). Default 100,000.
    pub sessions_max: usize,
    /// Which messages go to other log topics than `mqtt`, or under other keys: the first rule that matches decides. Default: none.
    ///
    /// Rules may be others whenever the store is opened. What was stored before stays where it is, and reaches who waits for it. But order
    /// holds within a partition: who was away while the rules changed may get what one topic had before and after in any order.
    pub routes: Vec<Route>,
    pub(crate) hook: Option<Hook>,
}

/// What the record of a retained message has more than that of the message: the header that names its place, with the name of a log topic, and
/// longer lengths.
const RETAINED_BYTES_MORE: u64 = 64 + 249;
/// No segment is larger: Kafka's positions are 32-bit signed numbers.
const SEGMENT_BYTES_MAX: u64 = 0x7fff_ffff;

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            messages: TopicOptions::default(),
            state: TopicOptions::default().segment_bytes(64 << 20),
            inbox_max: 1_000,
            inbox_bytes_max: 4 << 20,
            shared_inbox_max: 64,
            catch_up_bytes: 256 * 1024,
            summaries_bytes_max: 64 << 20,
            retained_max: 100_000,
            retained_bytes_max: 256 << 20,
            sessions_max: 100_000,
            routes: Vec::new(),
            hook: None,
        }
    }
}

impl StoreOptions {
    /// The same with these options for the log topic `mqtt`.
    #[must_use]
    pub fn messages(self, messages: TopicOptions) -> Self {
        Self { messages, ..self }
    }

    /// The same with these options for the log topics of retained messages and of sessions.
    #[must_use]
    pub fn state(self, state: TopicOptions) -> Self {
        Self { state, ..self }
    }

    /// The same with room for so many messages per connected session.
    #[must_use]
    pub fn inbox_max(self, inbox_max: usize) -> Self {
        Self { inbox_max, ..self }
    }

    /// The same with room for so many bytes of messages per connected session.
    #[must_use]
    pub fn inbox_bytes_max(self, inbox_bytes_max: usize) -> Self {
        Self { inbox_bytes_max, ..self }
    }

    /// The same with room for so many messages of shared subscriptions per connected session.
    #[must_use]
    pub fn shared_inbox_max(self, shared_inbox_max: usize) -> Self {
        Self { shared_inbox_max, ..self }
    }

    /// The same with so many bytes read at a time by a session that catches up.
    #[must_use]
    pub fn catch_up_bytes(self, catch_up_bytes: usize) -> Self {
        Self { catch_up_bytes, ..self }
    }

    /// The same with so much memory for what is known of the topics in the log.
    #[must_use]
    pub fn summaries_bytes_max(self, summaries_bytes_max: usize) -> Self {
        Self { summaries_bytes_max, ..self }
    }

    /// The same with room for so many retained messages.
    #[must_use]
    pub fn retained_max(self, retained_max: usize) -> Self {
        Self { retained_max, ..self }
    }

    /// The same with so much memory for retained messages.
    #[must_use]
    pub fn retained_bytes_max(self, retained_bytes_max: u64) -> Self {
        Self { retained_bytes_max, ..self }
    }

    /// The same with room for so many sessions.
    #[must_use]
    pub fn sessions_max(self, sessions_max: usize) -> Self {
        Self { sessions_max, ..self }
    }

    /// The same with one more routing rule, behind those that are there.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// The same with this hook, which is asked about each message before it is stored: it lets it pass, changed or not, or stops it. Without
    /// one nothing is asked.
    ///
    /// It is called by whoever publishes, from several threads at a time; it must be quick, and must not call the store. If it panics, so does
    /// [`Store::publish`](crate::Store::publish), with nothing stored and nothing broken.
    ///
    /// # Examples
    ///
    /// Devices may publish below their own name only, and the log says in which building they are:
    ///
    /// ```
    /// use headwater_codec::ReasonCode;
    /// use headwater_store::{StoreOptions, Verdict};
    ///
    /// let options = StoreOptions::default().hook(|message| {
    ///     let device = message.topic().as_str().split('/').nth(1).unwrap_or_default().to_owned();
    ///     if device != message.client_id() {
    ///         return Verdict::Refuse(ReasonCode::NOT_AUTHORIZED);
    ///     }
    ///     match message.add_header("building", "north") {
    ///         Ok(()) => Verdict::Pass,
    ///         Err(_) => Verdict::Drop,
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn hook(self, decide: impl Fn(&mut Incoming<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self { hook: Some(Hook::new(decide)), ..self }
    }

    /// The options of the log topic of retained messages. What the topic of all messages takes fits there too: otherwise a message
    /// would be in the one, and its publisher be told that it is not stored.
    pub(crate) fn retained(&self) -> TopicOptions {
        let largest = self.messages.batch_bytes_max.min(self.messages.segment_bytes);
        let needed = largest.saturating_add(RETAINED_BYTES_MORE).min(SEGMENT_BYTES_MAX);
        let state = self.state;
        state
            .batch_bytes_max(state.batch_bytes_max.max(needed))
            .segment_bytes(state.segment_bytes.max(needed))
    }
}
