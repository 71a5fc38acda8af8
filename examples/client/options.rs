//! What the client may be told, and the lines that it publishes.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use clap::Parser;
use headwater::topic::{TopicFilterBuf, TopicNameBuf};

/// Prints the messages of a filter, and publishes each line `topic payload` of standard input with QoS 1.
#[derive(Parser)]
#[command(name = "client", version)]
pub(crate) struct Options {
    /// Address and port of the broker
    #[arg(long, default_value = "127.0.0.1:1883")]
    pub(crate) address: String,
    /// The client identifier: the broker keeps its session for an hour
    #[arg(long, default_value = "headwater-client")]
    pub(crate) id: String,
    /// What is printed; without it the client ends when all lines are acknowledged
    #[arg(long)]
    pub(crate) subscribe: Option<TopicFilterBuf>,
}

pub(crate) struct Message {
    pub(crate) topic: TopicNameBuf,
    pub(crate) payload: String,
}

/// The messages on standard input, as they come.
pub(crate) fn lines() -> Receiver<Message> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let (topic, payload) = line.split_once(' ').unwrap_or((&line, ""));
            match TopicNameBuf::parse(topic) {
                Ok(topic) => _ = sender.send(Message { topic, payload: payload.to_owned() }),
                Err(error) => {
                    eprintln!("'{line}' is not published: {error}; write it like 'factory/line-1 21.5'")
                }
            }
        }
    });
    lines
}
