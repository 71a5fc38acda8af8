#!/usr/bin/env python3
"""Read the segment files of a log topic from disk with kafka-python's own record classes.

    read_segments.py data/mqtt-*                      one JSON object a record, as `replay --json` prints them
    read_segments.py data/mqtt-* --expect sent.jsonl  compare with what was published, print no records

Checked in each partition: every batch has a CRC that holds, offsets are dense within batches, over batches and over
segments, and each batch's header agrees with its records. The leader epoch is outside the CRC: only its fall is seen.
The indexes are not read.

Behind the last batch of a segment may come zeros: a live segment is allocated ahead. They are told and are no fault,
unless `--closed` says that the writer closed the log: then every segment must end with its last batch. Anything else
behind the last whole batch is a torn tail or damage, told with segment and position.

Exit status: 0 all is well, 1 damage or a difference, 2 wrong usage.
"""

import argparse
import base64
import json
import os
import re
import signal
import sys
from collections import defaultdict, deque

from kafka.errors import KafkaError
from kafka.partitioner import murmur2
from kafka.record.memory_records import MemoryRecords

# How an MQTT message is mapped to headers (docs/mapping.md), in the order in which they are written.
# field of the expectation file -> header name, the field's value as header text or None for "no header"
HEADERS = [
    ("qos", "mqtt.qos", str),
    ("retain", "mqtt.retain", lambda flag: "true" if flag else None),
    ("client_id", "mqtt.client-id", str),
    ("payload_format_indicator", "mqtt.payload-format-indicator", str),
    ("message_expiry_interval", "mqtt.message-expiry-interval", str),
    ("content_type", "mqtt.content-type", str),
    ("response_topic", "mqtt.response-topic", str),
    ("correlation_data", "mqtt.correlation-data", str),
]
# A user property becomes a header of its own name; one that begins with RESERVED gets USER_PROPERTY before its name.
RESERVED = "mqtt."
USER_PROPERTY = "mqtt.user-property."

# `payload` and `correlation_data` may be given as `.._base64` instead. `not_before` and `not_after` bound the timestamp.
REQUIRED = {"topic", "payload", "qos", "client_id"}
BYTES = {"payload", "correlation_data"}
OTHER = {"user_properties", "not_before", "not_after"}

LENGTH_END = 12  # baseOffset i64, batchLength i32
HEADER_SIZE = 61
MAGIC_V2 = 2
CHUNK = 1 << 20
DIFFERENCES_SHOWN = 10


class Damage(Exception):
    """A place in a segment that cannot be read, and why."""

    def __init__(self, path, position, what):
        super().__init__(f"{path}: position {position}: {what}")


class Partition:
    """One partition directory, read once from its first segment to its end."""

    def __init__(self, directory):
        self.directory = os.path.normpath(directory)
        self.topic, number = os.path.basename(self.directory).rsplit("-", 1)
        self.number = int(number)
        self.start = self.end = None
        self.segments = self.batches = self.records = 0
        self.zeros = []  # (segment, position, bytes, whether records come behind them)

    def read(self):
        """Yield the records in offset order. Raises Damage at the first bad place."""
        names = sorted(name for name in os.listdir(self.directory) if re.fullmatch(r"[0-9]{20}\.log", name))
        if not names:
            raise Damage(self.directory, 0, "no segment here (20 digits and .log)")
        self.start = self.end = int(names[0][:20])
        for name in names:
            path = os.path.join(self.directory, name)
            if int(name[:20]) != self.end:
                raise Damage(path, 0, f"the segment is named {int(name[:20])}, the one before it ends at offset {self.end}")
            self.segments += 1
            with open(path, "rb") as file:
                yield from self._segment(file, path, last=name == names[-1])

    def _segment(self, file, path, last):
        position, epoch = 0, -1
        while True:
            size = os.fstat(file.fileno()).st_size
            file.seek(position)
            header = file.read(HEADER_SIZE)
            if not header:
                return
            if not any(header):
                first = first_nonzero(file, position)
                if first is not None:
                    raise Damage(path, position, f"zeros up to position {first}, then something else")
                self.zeros.append([path, position, size - position, False])
                return
            if len(header) < HEADER_SIZE:
                raise Damage(path, position, f"{tail(last)}: {len(header)} bytes, a batch header takes {HEADER_SIZE}")
            whole = LENGTH_END + int.from_bytes(header[8:LENGTH_END], "big", signed=True)
            if whole < HEADER_SIZE:
                raise Damage(path, position, f"a batch of {whole} bytes; the header alone takes {HEADER_SIZE}")
            if position + whole > size:
                raise Damage(path, position, f"{tail(last)}: the batch has {whole} bytes, the file ends after {size - position}")
            file.seek(position)
            batch = decode(file.read(whole), path, position)
            if not batch.validate_crc():
                behind = first_nonzero(file, position + whole)
                more = "the batch is the last" if behind is None else f"data goes on at position {behind}"
                raise Damage(path, position, f"CRC does not hold for the batch of {whole} bytes at base offset {batch.base_offset}; {more}")
            if batch.leader_epoch < epoch:
                raise Damage(path, position, f"leader epoch {batch.leader_epoch} after {epoch}")
            epoch = batch.leader_epoch
            for zeros in self.zeros:
                zeros[3] = True
            yield from self._batch(batch, path, position)
            self.batches += 1
            position += whole

    def _batch(self, batch, path, position):
        if batch.base_offset != self.end:
            raise Damage(path, position, f"base offset {batch.base_offset}, expected {self.end}")
        try:
            records = list(batch)
        except KafkaError as error:
            raise Damage(path, position, str(error)) from error
        offsets = [record.offset for record in records]
        if offsets != list(range(batch.base_offset, batch.next_offset)):
            raise Damage(path, position, f"the records' offsets are not {batch.base_offset} to {batch.last_offset}, dense")
        times = [record.timestamp for record in records]
        if times and (batch.first_timestamp, batch.max_timestamp) != (times[0], max(times)) and batch.timestamp_type == 0:
            raise Damage(path, position, "base or maximum timestamp of the header is not that of the records")
        self.end = batch.next_offset
        if not batch.is_control_batch:
            self.records += len(records)
            yield from records


def decode(data, path, position):
    """The one batch in data, by kafka-python."""
    try:
        batch = MemoryRecords(data).next_batch()
    except KafkaError as error:
        raise Damage(path, position, str(error)) from error
    if batch is None or batch.magic != MAGIC_V2 or batch.size_in_bytes != len(data):
        raise Damage(path, position, f"not a record batch of magic {MAGIC_V2}")
    return batch


def first_nonzero(file, position):
    """The first position from the given one on that holds another byte than zero; None if the file has none."""
    file.seek(position)
    while chunk := file.read(CHUNK):
        if rest := chunk.lstrip(b"\0"):
            return position + len(chunk) - len(rest)
        position += len(chunk)
    return None


def tail(last):
    return "torn tail" if last else "torn tail of a segment that is not the last"


def put(fields, name, data):
    """Text as text, other bytes as base64 under another name."""
    try:
        fields[name] = None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        fields[name + "_base64"] = base64.b64encode(data).decode("ascii")


def as_object(partition, record):
    fields = {"topic": partition.topic, "partition": partition.number, "offset": record.offset, "timestamp": record.timestamp}
    put(fields, "key", record.key)
    put(fields, "value", record.value)
    fields["headers"] = []
    for name, value in record.headers:
        header = {"key": name}
        put(header, "value", value)
        fields["headers"].append(header)
    return fields


class Message:
    """A line of the expectation file: what was published, as the record it must have become."""

    def __init__(self, fields):
        for name in BYTES:
            if name + "_base64" in fields:
                fields[name] = base64.b64decode(fields.pop(name + "_base64"), validate=True)
        unknown = fields.keys() - REQUIRED - OTHER - {field for field, _, _ in HEADERS}
        if unknown or not REQUIRED <= fields.keys():
            raise ValueError(f"unknown fields {sorted(unknown)}, missing fields {sorted(REQUIRED - fields.keys())}")
        self.key = fields["topic"].encode()
        self.value = as_bytes(fields["payload"])
        self.headers = []
        for field, name, text in HEADERS:
            value = fields.get(field)
            if value is not None and not isinstance(value, bytes):
                value = text(value)
            if value is not None:
                self.headers.append((name, as_bytes(value)))
        for name, value in fields.get("user_properties", []):
            self.headers.append((USER_PROPERTY + name if name.startswith(RESERVED) else name, as_bytes(value)))
        self.not_before = fields.get("not_before", float("-inf"))
        self.not_after = fields.get("not_after", float("inf"))

    def differences(self, record):
        if record.key != self.key:
            yield f"key {record.key!r}, published {self.key!r}"
        if record.value != self.value:
            yield f"value {brief(record.value)}, published {brief(self.value)}"
        if list(record.headers) != self.headers:
            yield f"headers {record.headers}, published {self.headers}"
        if not self.not_before <= record.timestamp <= self.not_after:
            yield f"timestamp {record.timestamp}, published between {self.not_before} and {self.not_after}"


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def brief(data):
    return repr(data) if data is None or len(data) <= 80 else f"{data[:80]!r}.. ({len(data)} bytes)"


def expected(path):
    """What was published, per MQTT topic, in order."""
    messages = defaultdict(deque)
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                message = Message(json.loads(line))
            except (ValueError, TypeError, AttributeError) as error:
                sys.exit(usage(f"{path}, line {number}: {error}"))
            messages[message.key].append(message)
    return messages


def compare(partition, records, messages):
    """Take from messages what the records carry; yield every difference."""
    siblings = os.listdir(os.path.dirname(os.path.abspath(partition.directory)))
    count = sum(bool(re.fullmatch(re.escape(partition.topic) + "-[0-9]+", name)) for name in siblings)
    for record in records:
        place = f"{partition.topic}-{partition.number}, offset {record.offset}"
        if record.key is not None and (home := (murmur2(record.key) & 0x7FFFFFFF) % count) != partition.number:
            yield f"{place}: key {record.key!r} belongs to partition {home} of {count}"
        waiting = messages.get(record.key)
        if not waiting:
            yield f"{place}: {brief(record.value)} of topic {record.key!r} was not published, or not so often"
            continue
        for difference in waiting.popleft().differences(record):
            yield f"{place}: {difference}"


def usage(message):
    print(f"read_segments.py: {message}", file=sys.stderr)
    return 2


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="+", help="partition directory, <topic>-<number>")
    parser.add_argument("--expect", metavar="FILE", help="JSON lines of what was published; for the fields see README.md")
    parser.add_argument("--closed", action="store_true", help="the log was closed: every segment ends with its last batch")
    arguments = parser.parse_args()
    for directory in arguments.directory:
        if not os.path.isdir(directory) or not re.fullmatch(r".+-[0-9]+", os.path.basename(os.path.normpath(directory))):
            return usage(f"{directory}: not a directory named <topic>-<number>")
    try:
        messages = expected(arguments.expect) if arguments.expect else None
    except OSError as error:
        return usage(f"{arguments.expect}: {error.strerror}")

    faults = damaged = 0
    for directory in arguments.directory:
        partition = Partition(directory)
        try:
            if messages is None:
                for record in partition.read():
                    print(json.dumps(as_object(partition, record), ensure_ascii=False, separators=(",", ":")))
            else:
                for difference in compare(partition, partition.read(), messages):
                    faults += 1
                    if faults <= DIFFERENCES_SHOWN:
                        print(f"differs: {difference}", file=sys.stderr)
        except Damage as damage:
            damaged += 1
            print(f"damaged: {damage}", file=sys.stderr)
        for path, position, size, inner in partition.zeros:
            where = "records come in later segments" if inner else "the end"
            print(f"{path}: position {position}: {size} zero bytes, {where}", file=sys.stderr)
            damaged += arguments.closed
        print(
            f"{partition.topic}-{partition.number}: {partition.segments} segments, {partition.batches} batches, {partition.records} records, "
            f"offsets {partition.start} to {partition.end} (not included)",
            file=sys.stderr,
        )
    missing = sum(map(len, messages.values())) if messages else 0
    if missing:
        topic, waiting = next((topic, waiting) for topic, waiting in messages.items() if waiting)
        print(f"differs: {missing} published messages are not in the log, the first {brief(waiting[0].value)} of topic {topic!r}", file=sys.stderr)
    faults += missing
    if faults or damaged:
        print(f"NOT well: {damaged} damaged places, {faults} differences", file=sys.stderr)
        return 1
    print("well: every CRC holds, offsets are dense" + (", all is as published" if messages is not None else ""), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
