"""How long a broker takes to listen again after kill -9, with many messages in its log.

Four connections publish with QoS 1 until that many are acknowledged. Then the broker is killed and started; from its start until a client's
CONNECT is answered less than a second may pass, and the log must have all messages. The packets are made here by hand: no client library
is fast enough to be worth waiting for. Run as: restart_client.py [MESSAGES]; needs $BROKER and $REPLAY, see broker.py.
"""

import socket
import subprocess
import sys
import threading
import time

from broker import Broker

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
CONNECTIONS = 4
# So many are sent before their PUBACKs are read.
WINDOW = 500
SECONDS_MAX = 1.0


def text(string):
    encoded = string.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def connect(port, name):
    connection = socket.create_connection(("127.0.0.1", port))
    # MQTT 3.1.1, clean session, no keep alive.
    body = text("MQTT") + bytes([4, 2, 0, 0]) + text(name)
    connection.sendall(bytes([0x10, len(body)]) + body)
    connack = connection.recv(4)
    assert connack == bytes([0x20, 2, 0, 0]), connack
    return connection


def publish(port, name, count):
    connection = connect(port, name)
    for first in range(0, count, WINDOW):
        numbers = range(first, min(first + WINDOW, count))
        packets = bytearray()
        for number in numbers:
            body = text(f"plant/{name}/temperature") + (number % WINDOW + 1).to_bytes(2, "big") + b"reading %d" % number
            packets += bytes([0x32, len(body)]) + body
        connection.sendall(packets)
        left = 4 * len(numbers)
        while left:
            acknowledged = connection.recv(left)
            assert acknowledged, "the broker has closed the connection"
            left -= len(acknowledged)
    connection.close()


def main():
    broker = Broker()
    per = MESSAGES // CONNECTIONS
    begun = time.monotonic()
    threads = [threading.Thread(target=publish, args=(broker.port, f"line-{at}", per)) for at in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{per * CONNECTIONS} messages acknowledged in {time.monotonic() - begun:.1f} s")
    broker.kill()
    begun = time.monotonic()
    broker.start()
    connect(broker.port, "first").close()
    seconds = time.monotonic() - begun
    print(f"killed with -9, and serves again after {seconds * 1000:.0f} ms")
    assert seconds < SECONDS_MAX, f"more than {SECONDS_MAX} s"
    broker.stop()
    counted = subprocess.run(
        ["wc", "-l"], stdin=broker.replay_process().stdout, check=True, capture_output=True, text=True
    ).stdout
    assert int(counted) == per * CONNECTIONS, f"replay prints {counted} messages"
    print(f"replay prints {per * CONNECTIONS}")


main()
