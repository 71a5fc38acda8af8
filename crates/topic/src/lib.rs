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

mod error;
mod filter;
mod level;
mod limits;
mod name;
mod shared;

pub use error::{InvalidFilter, InvalidTopicName};
pub use filter::TopicFilter;
pub use level::Levels;
pub use limits::Limits;
pub use name::TopicName;
pub use shared::SharedFilter;
