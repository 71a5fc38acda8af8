"""A broker of our own under test: $BROKER is the program, $REPLAY the program that prints its log."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time

WAIT_SECS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """Started at once, on a free port, with an empty folder unless one is given."""

    def __init__(self, *options, data=None):
        self.data = data or os.path.join(tempfile.mkdtemp(prefix="headwater-"), "data")
        self.port = free_port()
        self.options = options
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["BROKER"], "--listen", f"127.0.0.1:{self.port}", "--data", self.data, *self.options],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + WAIT_SECS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, "the broker did not start"
                time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WAIT_SECS) == 0, "SIGTERM stops it cleanly"

    def replay_process(self, *options):
        """A replay whose output is read elsewhere."""
        return subprocess.Popen([os.environ["REPLAY"], "--data", self.data, *options], stdout=subprocess.PIPE)

    def replay(self, *options):
        """What replay prints: records."""
        command = [os.environ["REPLAY"], "--data", self.data, "--json", *options]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return [json.loads(line) for line in lines]
