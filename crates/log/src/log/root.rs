//! Stand-in while the log is being written: everything is closed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{CloseError, MaintainError, OpenError, SyncError, TopicError};
use crate::options::{LogOptions, TopicOptions};
use crate::report::{MaintainReport, RecoveryReport};
use crate::topic::Topic;

pub(crate) struct Root(PathBuf);

#[rustfmt::skip]
impl Root {
    pub(crate) fn open(path: &Path, _: LogOptions) -> Result<(Arc<Self>, RecoveryReport), OpenError> { Ok((Arc::new(Self(path.to_owned())), RecoveryReport::default())) }
    pub(crate) fn path(&self) -> &Path { &self.0 }
    pub(crate) fn topic_names(&self) -> Vec<String> { Vec::new() }
    pub(crate) fn topic(&self, _: &str) -> Option<Topic> { None }
    pub(crate) fn create_topic(&self, _: &str, _: TopicOptions) -> Result<Topic, TopicError> { Err(TopicError::Closed) }
    pub(crate) fn open_or_create_topic(&self, _: &str, _: TopicOptions) -> Result<Topic, TopicError> { Err(TopicError::Closed) }
    pub(crate) fn delete_topic(&self, _: &str) -> Result<(), TopicError> { Err(TopicError::Closed) }
    pub(crate) fn sync(&self) -> Result<(), SyncError> { Err(SyncError::Closed) }
    pub(crate) fn wait_unsynced(&self, _: Duration) -> bool { false }
    pub(crate) fn maintain(&self, _: i64) -> Result<MaintainReport, MaintainError> { Err(SyncError::Closed.into()) }
    pub(crate) fn close(&self) -> Result<(), CloseError> { Ok(()) }
}
