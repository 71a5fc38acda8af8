"""What Kafka's clients do not let one say: a batch with producer numbers of one's own choice, sent as it is.

Requests are of the newest versions without tagged fields, which every broker from 2.1 on takes.
"""

import socket
import struct

from processes import Failed

PRODUCE, PRODUCE_VERSION = 0, 7
OFFSET_FETCH, OFFSET_FETCH_VERSION = 9, 3
FIND_COORDINATOR, FIND_COORDINATOR_VERSION = 10, 2
CREATE_TOPICS, CREATE_TOPICS_VERSION = 19, 4
TIMEOUT_SECS = 60
NONE = 0
# What a broker answers to batches of idempotent producers.
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
INVALID_PRODUCER_EPOCH = 47


class Wire:
    """A connection to a broker; one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECS)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, api, version, body):
        self.correlation += 1
        request = struct.pack(">hhi", api, version, self.correlation) + text("interop") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        answer = Answer(self.exactly(struct.unpack(">i", self.exactly(4))[0]))
        if answer.take("i") != self.correlation:
            raise Failed("the broker answers another request")
        return answer

    def exactly(self, count):
        content = b""
        while len(content) < count:
            some = self.socket.recv(count - len(content))
            if not some:
                raise Failed(f"the broker closed the connection after {len(content)} of {count} bytes")
            content += some
        return content

    def produce(self, topic, batch):
        """Sends one batch to partition 0; the error and the base offset that the broker answers."""
        partition = struct.pack(">ii", 0, len(batch)) + batch
        body = text(None) + struct.pack(">hi", -1, TIMEOUT_SECS * 1000) + array([text(topic) + array([partition])])
        answer = self.ask(PRODUCE, PRODUCE_VERSION, body)
        _, _, _, _, error, offset = answer.take("i"), answer.text(), answer.take("i"), answer.take("i"), answer.take("h"), answer.take("q")
        return error, offset

    def find_coordinator(self, group):
        """Asks who coordinates a group; the error."""
        answer = self.ask(FIND_COORDINATOR, FIND_COORDINATOR_VERSION, text(group) + struct.pack(">b", 0))
        answer.take("i")
        return answer.take("h")

    def committed(self, group):
        """What a group has committed, by topic and partition, and the error."""
        answer = self.ask(OFFSET_FETCH, OFFSET_FETCH_VERSION, text(group) + struct.pack(">i", -1))
        answer.take("i")
        found = {}
        for _ in range(answer.take("i")):
            topic = answer.text()
            for _ in range(answer.take("i")):
                partition, offset, _, error = answer.take("i"), answer.take("q"), answer.text(), answer.take("h")
                if error != NONE:
                    return found, error
                found[topic, partition] = offset
        return found, answer.take("h")

    def create_topics(self, topics):
        """Makes topics: a name, a number of partitions, and a configuration each."""
        one = lambda name, partitions, config: (
            text(name) + struct.pack(">ih", partitions, 1) + array([]) + array([text(key) + text(str(value)) for key, value in config.items()])
        )
        body = array([one(*topic) for topic in topics]) + struct.pack(">ib", TIMEOUT_SECS * 1000, 0)
        answer = self.ask(CREATE_TOPICS, CREATE_TOPICS_VERSION, body)
        answer.take("i")
        for _ in range(answer.take("i")):
            name, error, message = answer.text(), answer.take("h"), answer.text()
            if error != NONE:
                raise Failed(f"the topic {name} was not made: error {error}, {message}")


class Answer:
    def __init__(self, content):
        self.content = content
        self.position = 0

    def take(self, kind):
        (value,) = struct.unpack_from(">" + kind, self.content, self.position)
        self.position += struct.calcsize(">" + kind)
        return value

    def text(self):
        length = self.take("h")
        if length < 0:
            return None
        self.position += length
        return self.content[self.position - length : self.position].decode()


def text(content):
    return struct.pack(">h", -1) if content is None else struct.pack(">h", len(content.encode())) + content.encode()


def array(parts):
    return struct.pack(">i", len(parts)) + b"".join(parts)
