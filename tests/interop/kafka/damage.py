"""Copies with one fault each, by which the judge shows that it can say no."""

import shutil
from pathlib import Path

LENGTH_END = 12  # baseOffset i64, batchLength i32
INDEX_ENTRY = 8
TIME_INDEX_ENTRY = 12


def flipped_byte(content: bytearray):
    content[len(content) // 2] ^= 1


def base_offset_shifted(content: bytearray):
    """The base offset of the second batch is one more; no checksum covers it."""
    second = LENGTH_END + int.from_bytes(content[8:LENGTH_END], "big")
    content[second : second + 8] = (int.from_bytes(content[second : second + 8], "big") + 1).to_bytes(8, "big")


def offset_shifted(content: bytearray):
    """The offset of the third entry is one more."""
    content[2 * INDEX_ENTRY + 3] += 1


def position_of_another(content: bytearray):
    """The third entry has the position of the second: a batch begins there, and it is the wrong one."""
    second, third = INDEX_ENTRY + 4, 2 * INDEX_ENTRY + 4
    content[third : third + 4] = content[second : second + 4]


def times_out_of_order(content: bytearray):
    """The second and the third entry change places."""
    first, second = slice(TIME_INDEX_ENTRY, 2 * TIME_INDEX_ENTRY), slice(2 * TIME_INDEX_ENTRY, 3 * TIME_INDEX_ENTRY)
    content[first], content[second] = content[second], content[first]


def time_shifted(content: bytearray):
    """The time of the second entry is a millisecond off, and still in order."""
    content[TIME_INDEX_ENTRY + 7] ^= 1


def zeros_behind(content: bytearray):
    content.extend(bytes(4096))


def copy(partition: Path, to: Path, suffix, segment, fault) -> Path:
    """A copy of a partition, with the fault in one file: that of the segment of this number."""
    copied = to / partition.name
    shutil.copytree(partition, copied)
    file = sorted(copied.glob(f"*.{suffix}"))[segment]
    content = bytearray(file.read_bytes())
    fault(content)
    file.write_bytes(content)
    return copied
