"""Our side: `crates/log/examples/exhibit`, which writes logs, appends to them and tells what is in them."""

import json
from pathlib import Path

import records
from processes import Failed

LENGTH_END = 12


class Exhibit:
    """The program; each method is one run of it, and opens and closes the log."""

    def __init__(self, program: Path, processes):
        self.program = program
        self.processes = processes

    def _run(self, directory, *arguments, stdin=b""):
        return self.processes.run([self.program, directory, *arguments], stdin=stdin)[0]

    def write(self, directory, topic, seed, *how):
        """A new log with topics `topic` and `topic-stamped`, `packed` or `left` or both; its records."""
        return records.parse(self._run(directory, "write", topic, str(seed), *how))

    def append(self, directory, topic, seed):
        """More records behind them; the new ones."""
        return records.parse(self._run(directory, "append", topic, str(seed)))

    def append_batches(self, directory, topic, batches):
        """Batches of somebody else's; what we answer to each."""
        return answers(self._run(directory, "append-batches", topic, stdin="".join(f"{batch.hex()}\n" for batch in batches).encode()))

    def append_numbered(self, directory, topic, batches):
        """Batches of which producer, epoch, first sequence number and number of records are given; what we answer to each."""
        lines = "".join(" ".join(map(str, batch)) + "\n" for batch in batches)
        return answers(self._run(directory, "append-numbered", topic, stdin=lines.encode()))

    def write_keyed(self, directory, topic, seed):
        """A compacted topic of few keys, or more records for it; the new ones."""
        return records.parse(self._run(directory, "write-keyed", topic, str(seed)))

    def compact(self, directory, topic):
        """Which offsets it has compacted for the first time."""
        return json.loads(self._run(directory, "compact", topic))

    def commit(self, directory, topic):
        """Groups commit offsets of a topic that is there; what counts in the end, by group, topic and partition."""
        made = answers(self._run(directory, "commit", topic))
        return {(one["group"], one["topic"], one["partition"]): one["offset"] for one in made}

    def list(self, directory, *topics):
        """Every record that is there."""
        return records.parse(self._run(directory, "list", *topics))

    def listed(self, directory, *topics):
        """The same, with what opening said."""
        output, errors = self.processes.run([self.program, directory, "list", *topics])
        return records.parse(output), errors.decode()

    def refuses(self, directory, *topics):
        """What it says against the directory; nothing when it reads all."""
        try:
            self.list(directory, *topics)
        except Failed as failed:
            return [str(failed)]
        return []


def topics(topic):
    return (topic, f"{topic}-stamped")


def partitions(directory, topic):
    """The directories of the partitions of a topic."""
    return sorted(path for path in Path(directory).glob(f"{topic}-*") if path.name.removeprefix(f"{topic}-").isdigit())


def answers(output):
    return [json.loads(line) for line in output.splitlines()]


def batches(content):
    """The record batches of a segment, as far as they are there."""
    position = 0
    while position + LENGTH_END <= len(content):
        length = LENGTH_END + int.from_bytes(content[position + 8 : position + LENGTH_END], "big", signed=True)
        if length <= LENGTH_END:
            return
        yield content[position : position + length]
        position += length
