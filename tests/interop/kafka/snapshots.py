"""Kafka's `.snapshot` files: what a partition knows of its producers.

    version i16, CRC-32C u32 of what follows, count i32, then entries: producer id i64, epoch i16, last sequence i32, last offset i64,
    offset delta i32, timestamp i64, coordinator epoch i32, first offset of a transaction i64
"""

import struct

ENTRY = struct.Struct(">qhiqiqiq")
CRC_AT, CRC_COVERS_FROM, HEAD = 2, 6, 10
LAST_SEQUENCE = 2


def read(path):
    """The entries of a file, each a list of fields."""
    content = path.read_bytes()
    return [list(entry) for entry in ENTRY.iter_unpack(content[HEAD:])]


def write(path, entries):
    """Writes a file with a right checksum."""
    covered = struct.pack(">i", len(entries)) + b"".join(ENTRY.pack(*entry) for entry in entries)
    path.write_bytes(struct.pack(">hI", 1, crc32c(covered)) + covered)


def newest(partition):
    return max(partition.glob("*.snapshot"))


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF
