"""Our side: `crates/log/examples/exhibit.rs`, which writes logs, appends to them and tells what is in them."""

from pathlib import Path

import records


class Exhibit:
    """The program; each method is one run of it, and opens and closes the log."""

    def __init__(self, program: Path, processes):
        self.program = program
        self.processes = processes

    def _run(self, directory, *arguments, stdin=b""):
        return self.processes.run([self.program, directory, *arguments], stdin=stdin)[0]

    def write(self, directory, topic, seed, *how):
        """A new log with topics `topic` and `topic-stamped`; its records."""
        return records.parse(self._run(directory, "write", topic, str(seed), *how))

    def append(self, directory, topic, seed):
        """More records behind them; the new ones."""
        return records.parse(self._run(directory, "append", topic, str(seed)))

    def append_batches(self, directory, topic, batches):
        """Batches in hex, each on a line."""
        self._run(directory, "append-batches", topic, stdin=batches)

    def list(self, directory, *topics):
        """Every record that is there."""
        return records.parse(self._run(directory, "list", *topics))

    def packed(self, directory, *topics):
        """Every compressed batch that is there, by its first offset: codec and bytes."""
        return records.parse(self._run(directory, "packed", *topics))


def topics(topic):
    return (topic, f"{topic}-stamped")


def partitions(directory, topic):
    """The directories of the partitions of a topic."""
    return sorted(path for path in Path(directory).glob(f"{topic}-*") if path.name.removeprefix(f"{topic}-").isdigit())
