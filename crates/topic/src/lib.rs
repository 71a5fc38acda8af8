//! MQTT topic names and filters, and who matches whom.
//!
//! ```
//! use headwater_topic::{TopicFilter, TopicName};
//!
//! let filter = TopicFilter::parse("factory/+/temperature")?;
//! assert!(filter.matches(TopicName::parse("factory/line-1/temperature")?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
mod arena;
mod error;
mod filter;
#[cfg(feature = "alloc")]
mod filter_buf;
mod level;
mod limits;
mod name;
#[cfg(feature = "alloc")]
mod name_buf;
#[cfg(feature = "alloc")]
mod retained;
mod shared;
#[cfg(feature = "alloc")]
mod subscription;

pub use error::{InvalidFilter, InvalidTopicName};
pub use filter::TopicFilter;
#[cfg(feature = "alloc")]
pub use filter_buf::TopicFilterBuf;
pub use level::Levels;
pub use limits::Limits;
pub use name::TopicName;
#[cfg(feature = "alloc")]
pub use name_buf::TopicNameBuf;
#[cfg(feature = "alloc")]
pub use retained::{Matching, RetainedTree};
pub use shared::SharedFilter;
#[cfg(feature = "alloc")]
pub use subscription::SubscriptionTree;
