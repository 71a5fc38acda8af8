//! MQTT topic names and filters, checked once, and the structures that find who matches whom.
//!
//! A device publishes under a *name*; a subscriber asks by a *filter*, which may have wildcards. Some questions follow, and
//! each has its answer here:
//!
//! | question | answer | needs |
//! |---|---|---|
//! | does this filter match this name? | [`TopicFilter::matches`]; of texts, [`matches()`] | core |
//! | may who has this filter ask by that one? | [`TopicFilter::covers`], [`TopicFilter::overlaps`] | core |
//! | which subscriptions match this name? | [`SubscriptionTree`]; by many threads, [`ConcurrentTree`] | `alloc`; `std` |
//! | which names does this filter match? | [`RetainedTree`] | `alloc` |
//!
//! Texts become [`TopicName`], [`TopicFilter`] or [`SharedFilter`] by `parse`, which checks every rule of MQTT 5.0 and
//! 3.1.1, sections 4.7 and 4.8.2. What has such a type is valid and is never checked again. [`TopicNameBuf`],
//! [`TopicFilterBuf`] and [`SharedFilterBuf`] own their text.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};
//!
//! let name = TopicName::parse("factory/line-1/temperature")?;
//! let filter = TopicFilter::parse("factory/+/temperature")?;
//! assert!(filter.matches(name));
//!
//! // Who gets it?
//! let mut subscriptions = SubscriptionTree::new();
//! subscriptions.subscribe(filter, "display", 1);
//! subscriptions.matches(name, |subscriber, qos| assert_eq!((*subscriber, *qos), ("display", 1)));
//!
//! // What is the last value of each topic a new subscriber asks for?
//! let mut retained = RetainedTree::new();
//! retained.insert(name, "21.5");
//! assert!(retained.matching(filter).eq([(name, &"21.5")]));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Bounds
//!
//! No text makes anything here recurse or panic, or keep more than in proportion to it: it has at most 128 levels, or as
//! many as the caller's [`Limits`] say, and the cost of each search is stated where it is documented. The subscription tree
//! hashes with a seed, which [`SubscriptionTree::new`] draws; the retained tree is ordered, there is no hash to flood.
//!
//! # Features
//!
//! `std` (default) includes `alloc`, which brings what owns memory; with neither the crate needs `core` only. No feature
//! changes what another does. Without `std` a tree is given its seed ([`SubscriptionTree::with_seed`]), and there is no
//! [`ConcurrentTree`], which is read by many threads while one changes it.
//!
//! # What does not work yet
//!
//! * A subscription tree holds 4 GiB of filter text at most, and panics beyond.
#![no_std]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
#[macro_use]
extern crate std;

mod error;
mod filter;
#[cfg(feature = "alloc")]
mod filter_buf;
mod level;
mod limits;
mod name;
#[cfg(feature = "alloc")]
mod name_buf;
mod pair;
mod relation;
#[cfg(feature = "alloc")]
mod retained;
mod scan;
mod shared;
#[cfg(feature = "alloc")]
mod shared_buf;
#[cfg(feature = "alloc")]
mod subscription;

pub use error::{InvalidFilter, InvalidPair, InvalidTopicName};
pub use filter::TopicFilter;
#[cfg(feature = "alloc")]
pub use filter_buf::TopicFilterBuf;
pub use level::Levels;
pub use limits::Limits;
pub use name::TopicName;
#[cfg(feature = "alloc")]
pub use name_buf::TopicNameBuf;
pub use pair::matches;
#[cfg(feature = "alloc")]
pub use retained::{Matching, PageLimit, RetainedTree};
pub use shared::SharedFilter;
#[cfg(feature = "alloc")]
pub use shared_buf::SharedFilterBuf;
#[cfg(feature = "std")]
pub use subscription::{Change, ConcurrentTree, ReadGuard};
#[cfg(feature = "alloc")]
pub use subscription::{
    Choose, Delivery, DeliveryOptions, Found, Group, LeastLoaded, Matches, Random, RoundRobin, Sticky,
    Subscribers, SubscriptionTree,
};

/// What the README shows compiles.
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
mod readme {}
