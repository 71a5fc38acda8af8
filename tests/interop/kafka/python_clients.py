"""Runs with a Python that has kafka-python and aiokafka: their record classes over bytes of ours, and their batches for us.

    python_clients.py read LIBRARY PARTITION ...        the records of partition directories, as JSON lines
    python_clients.py encode LIBRARY < lines            record batches in hex, each on a line

LIBRARY is `kafka-python` or `aiokafka`; the latter has a parser in C and one in Python, which AIOKAFKA_NO_EXTENSIONS=1 chooses.
A line for a batch is `{"codec":1,"producer":[4242,3,0],"records":[..]}`: Kafka's number of a codec, 0 none; producer id, epoch and
first sequence number, all -1 for none; and records. The batches are as a producer would send them.
"""

import json
import os
import sys
from pathlib import Path

MAGIC = 2


def library(name):
    """The class that reads batches, and the one that builds them."""
    if name == "kafka-python":
        from kafka.record.default_records import DefaultRecordBatchBuilder
        from kafka.record.memory_records import MemoryRecords
    elif name == "aiokafka":
        from aiokafka.record.default_records import DefaultRecordBatchBuilder
        from aiokafka.record.memory_records import MemoryRecords
        in_c = "_crecords" in DefaultRecordBatchBuilder.__module__
        if in_c == bool(os.environ.get("AIOKAFKA_NO_EXTENSIONS")):
            sys.exit(f"the parser of aiokafka is {DefaultRecordBatchBuilder.__module__}, which is not the one asked for")
    else:
        sys.exit(f"no such library: {name}")
    return MemoryRecords, DefaultRecordBatchBuilder


def to_hex(content):
    return None if content is None else bytes(content).hex()


def from_hex(content):
    return None if content is None else bytes.fromhex(content)


def read(memory_records, directory):
    topic, partition = directory.name.rsplit("-", 1)
    for segment in sorted(directory.glob("*.log")):
        batches = memory_records(segment.read_bytes())
        while batches.has_next():
            batch = batches.next_batch()
            if not batch.validate_crc():
                sys.exit(f"{segment}: the CRC of a batch does not hold")
            for record in batch:
                yield {
                    "topic": topic,
                    "partition": int(partition),
                    "offset": record.offset,
                    "timestamp": record.timestamp,
                    "key": to_hex(record.key),
                    "value": to_hex(record.value),
                    "headers": [[to_hex(name.encode()), to_hex(value)] for name, value in record.headers],
                }


def encode(builder_class, codec, producer, records):
    builder = builder_class(MAGIC, codec, False, *producer, 1 << 20)
    for offset, record in enumerate(records):
        headers = [(from_hex(name).decode(), from_hex(value)) for name, value in record["headers"]]
        appended = builder.append(offset, record["timestamp"], from_hex(record["key"]), from_hex(record["value"]), headers)
        if appended is None:
            sys.exit("a batch is full")
    return bytes(builder.build()).hex()


def main(what, name, *rest):
    memory_records, builder = library(name)
    if what == "read":
        for directory in rest:
            for record in read(memory_records, Path(directory)):
                print(json.dumps(record, separators=(",", ":")))
    else:
        for line in sys.stdin:
            print(encode(builder, **json.loads(line)))


if __name__ == "__main__":
    main(*sys.argv[1:])
