//! How fast it can be: by hand, for the packets of the cases only, without rules.
//!
//! Decoding looks at the bounds of every field, checks that topics, filters, client identifier and user name are UTF-8, since a `&str`
//! must be, has one match on the packet type and borrows. It does not look at flags, at what a topic may contain, at the
//! values of properties or whether one stands twice, nor at which packet it stands in. Encoding trusts its input and
//! knows all sizes. Both are calls to functions that are not inlined, as calls into a library are.

pub mod decode;
pub mod encode;
pub mod property;
