"""Programs of others: started on free ports, heard to the end, and ended whatever happens.

    Processes ---- run(..)     one that ends by itself; what it printed
              '--- start(..)   one that runs on: its output goes to a file; stop(..), or the end of the `with`, ends it
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

SIGKILL_WAIT_SECS = 20
AT_A_TIME = 3
PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec is no time for it.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Failed(Exception):
    """A program did not do what it was started for."""


def end_with_parent():
    """In the child: the kernel ends it when the thread that started it ends, so also when we are killed. Linux only."""
    LIBC and LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Processes:
    """Everything that was started here; leaving the `with` ends what still runs."""

    def __init__(self):
        self.running = set()
        self.lock = threading.Lock()

    def __enter__(self):
        # So that a `kill` unwinds like Ctrl-C.
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not keep us from it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self.lock:
            running = list(self.running)
        for process in running:
            process.kill()
            process.wait()

    def _spawn(self, command, **options):
        # A session of its own: Ctrl-C reaches us, and we decide who ends when.
        process = subprocess.Popen(
            [str(part) for part in command], start_new_session=True, preexec_fn=end_with_parent, **options
        )
        with self.lock:
            self.running.add(process)
        return process

    def _ended(self, process):
        with self.lock:
            self.running.discard(process)

    def run(self, command, stdin=b"", timeout=120, status=(0,)):
        """Runs a program to its end; its standard output and standard error, as bytes."""
        process = self._spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as late:
            process.kill()
            _, errors = process.communicate()
            raise Failed(f"{brief(command)} was not done after {timeout} s: {last(errors)}") from late
        finally:
            if process.poll() is None:
                process.kill()
            self._ended(process)
        if status is not None and process.returncode not in status:
            raise Failed(f"{brief(command)} ended with {process.returncode}: {last(errors)}")
        return output, errors

    def start(self, command, output):
        """Starts a program that runs on; both its outputs are appended to the file of this path."""
        with open(output, "ab") as file:
            return self._spawn(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)

    def stop(self, process):
        """SIGTERM, and its exit status; SIGKILL and `Failed` where it does not listen."""
        process.terminate()
        try:
            return process.wait(SIGKILL_WAIT_SECS)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.wait()
            raise Failed(f"process {process.pid} did not end {SIGKILL_WAIT_SECS} s after SIGTERM") from late
        finally:
            self._ended(process)


def at_once(function, calls):
    """Makes the calls, a few at a time, and gives what each returned, in order. Most of a short JVM is its start."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda arguments: function(*arguments), calls))


def free_ports(count):
    """Ports of the loopback that nobody listens on; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def brief(command):
    """The program and its last arguments: the class path in between is long."""
    parts = [os.path.basename(str(part)) for part in command]
    return " ".join(part for part in parts if len(part) < 200)[:300]


def last(output):
    return output.decode(errors="replace").strip()[-1500:]
