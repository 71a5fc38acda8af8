//! `cargo x`.

fn main() {}
