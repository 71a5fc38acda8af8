//! What programs keep of their sessions where a crash does not reach it.

use headwater_codec::QoS;
use headwater_session::State;
use headwater_session::persist::{self, Change};

use crate::side::Message;

/// What the programs have kept of their sessions: a state, and all changes of it, as bytes and back.
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    pub(crate) client: State<Message>,
    /// `None` until a client was let in.
    pub(crate) server: Option<State<Message>>,
    pub(crate) turn: u64,
    pub(crate) bytes: Vec<u8>,
    expected: Vec<u8>,
}

impl Shadows {
    pub(crate) fn check_client(&mut self, state: &State<Message>) {
        same(&self.client, state, &mut self.bytes, &mut self.expected);
    }

    pub(crate) fn check_server(&mut self, state: &State<Message>) {
        same(self.server.as_ref().unwrap(), state, &mut self.bytes, &mut self.expected);
    }
}

fn same(kept: &State<Message>, state: &State<Message>, bytes: &mut Vec<u8>, expected: &mut Vec<u8>) {
    bytes.clear();
    persist::encode(kept, bytes, write_message).unwrap();
    expected.clear();
    persist::encode(state, expected, write_message).unwrap();
    assert_eq!(bytes, expected, "a state and its changes are the state of the session: {kept:?} {state:?}");
}

pub(crate) fn keep_change(change: Change<&Message>, state: &mut State<Message>, bytes: &mut Vec<u8>) {
    bytes.clear();
    change.encode(bytes, |message, out| write_message(message, out)).unwrap();
    let (read, length) = Change::decode(bytes, read_message).unwrap();
    assert_eq!((read, length), (change.cloned(), bytes.len()));
    state.apply(read);
}

pub(crate) fn through_bytes(state: &State<Message>) -> State<Message> {
    let mut bytes = Vec::new();
    persist::encode(state, &mut bytes, write_message).unwrap();
    persist::decode(&bytes, read_message).unwrap()
}

fn write_message(message: &Message, out: &mut Vec<u8>) {
    out.push(message.qos as u8);
    out.extend_from_slice(&message.number.to_be_bytes());
}

fn read_message(bytes: &[u8]) -> Option<Message> {
    let (qos, number) = bytes.split_first()?;
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().nth(usize::from(*qos))?;
    Some(Message { number: u32::from_be_bytes(number.try_into().ok()?), qos })
}
