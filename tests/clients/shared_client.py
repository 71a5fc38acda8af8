"""Shared subscriptions with paho-mqtt: subscribers that share, one that dies, a broker that is killed with -9.

Run as: shared_client.py [MESSAGES [KILLS]]; needs $BROKER, see broker.py.
"""

import collections
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import WAIT_SECS, Broker
from paho_end import Ends

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
TOPICS = 7
lock = threading.Lock()


class Client(Ends):
    """A client that comes back by itself; what it gets it notes in `received`, under its name."""

    def __init__(self, broker, name, version=mqtt.MQTTv5, lasting=False, filters=(), received=None):
        self.name, self.received = name, received
        self.subscribed = threading.Event()
        extra = {} if version == mqtt.MQTTv5 else {"clean_session": not lasting}
        self.inner = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **extra)
        self.inner.reconnect_delay_set(1, 1)
        self.inner.max_inflight_messages_set(100)
        self.inner.max_queued_messages_set(0)
        if filters:
            self.inner.on_connect = lambda client, *_: client.subscribe(list(filters))
            self.inner.on_subscribe = lambda *_: self.subscribed.set()
        else:
            self.inner.on_connect = lambda *_: self.subscribed.set()
        self.inner.on_message = self.note
        connect = {}
        if version == mqtt.MQTTv5:
            connect = {"properties": Properties(PacketTypes.CONNECT), "clean_start": not lasting}
            connect["properties"].SessionExpiryInterval = 3600 if lasting else 0
        self.inner.connect("127.0.0.1", broker.port, keepalive=30, **connect)
        self.inner.loop_start()
        assert self.subscribed.wait(WAIT_SECS)

    def note(self, _client, _data, message):
        with lock:
            self.received[int(message.payload)].append(self.name)

    def publish(self, prefix, numbers, qos):
        """Publishes numbers and waits until all are acknowledged."""
        sent = [self.inner.publish(f"{prefix}/{number % TOPICS}", str(number), qos) for number in numbers]
        for message in sent:
            message.wait_for_publish(WAIT_SECS)


def until_all(received, count):
    deadline = time.monotonic() + WAIT_SECS
    while len(received) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    missing = sorted(set(range(count)) - set(received))
    assert not missing, f"{len(missing)} came to nobody: {missing[:10]}"


def each_to_one(broker, publisher):
    for qos in (0, 1, 2):
        received = collections.defaultdict(list)
        versions = {"a": mqtt.MQTTv5, "b": mqtt.MQTTv311, "c": mqtt.MQTTv31}
        # Slower than the subscribers: QoS 0 is not kept for who has no room.
        members = [Client(broker, name, version, filters=[(f"$share/g/one-{qos}/#", qos)], received=received) for name, version in versions.items()]
        for begin in range(0, MESSAGES, 200):
            publisher.publish(f"one-{qos}", range(begin, min(begin + 200, MESSAGES)), qos)
            until_all(received, min(begin + 200, MESSAGES))
        time.sleep(0.3)
        assert all(len(names) == 1 for names in received.values()), "each to one"
        shares = collections.Counter(name for names in received.values() for name in names)
        assert all(share > MESSAGES // 6 for share in shares.values()) and len(shares) == 3, shares
        print(f"ok: QoS {qos}: {MESSAGES} messages, each to one of three: {dict(shares)}", flush=True)
        for member in members:
            member.close()


def one_dies(broker, publisher):
    received = collections.defaultdict(list)
    filters = [("$share/g/dies/#", 1)]
    stay = [Client(broker, name, filters=filters, received=received) for name in ("stays-1", "stays-2")]
    doomed = Client(broker, "doomed", filters=filters, received=received)
    publisher.publish("dies", range(MESSAGES // 2), 1)
    doomed.die()
    publisher.publish("dies", range(MESSAGES // 2, MESSAGES), 1)
    until_all(received, MESSAGES)
    time.sleep(0.3)
    # Only what the dead one had and its acknowledgement did not arrive comes to another one too.
    twice = {number: names for number, names in received.items() if len(names) > 1}
    assert all(names.count("doomed") == 1 and len(names) == 2 for names in twice.values()), twice
    assert any("doomed" in names for names in received.values())
    print(f"ok: one of three dies: none is lost, {len(twice)} that it had came to another one", flush=True)
    for member in stay:
        member.close()


def broker_is_killed(broker):
    received = collections.defaultdict(list)
    filters = [("$share/g/kill/#", 1)]
    members = [Client(broker, f"lasts-{number}", lasting=True, filters=filters, received=received) for number in range(3)]
    publisher = Client(broker, "kill-publisher", mqtt.MQTTv311, lasting=True)
    count, killed = 20 * MESSAGES, 0
    for begin in range(0, count, MESSAGES):
        # The messages are under way when it is killed.
        work = threading.Thread(target=publisher.publish, args=("kill", range(begin, begin + MESSAGES), 1))
        work.start()
        if killed < KILLS and begin >= count * (killed + 1) // (KILLS + 1):
            time.sleep(0.05)
            broker.kill()
            killed += 1
            broker.start()
        work.join()
    assert killed == KILLS
    until_all(received, count)
    time.sleep(0.5)
    twice = sum(len(names) - 1 for names in received.values())
    shares = collections.Counter(name for names in received.values() for name in names)
    print(f"ok: killed with -9 {killed} times: {count} messages, none is lost, {twice} came twice: {dict(shares)}", flush=True)
    for member in [*members, publisher]:
        member.close()


def all_are_away(broker, publisher):
    received = collections.defaultdict(list)
    filters = [("$share/g/away/#", 2)]
    for name in ("away-1", "away-2"):
        Client(broker, name, lasting=True, filters=filters, received=received).close()
    publisher.publish("away", range(MESSAGES), 2)
    assert not received
    broker.stop()
    broker.start()
    first = Client(broker, "away-2", lasting=True, filters=filters, received=received)
    until_all(received, MESSAGES)
    time.sleep(0.3)
    assert all(names == ["away-2"] for names in received.values())
    print(f"ok: {MESSAGES} messages of QoS 2 waited over a stop for the first that came", flush=True)
    first.close()


def main():
    broker = Broker()
    publisher = Client(broker, "publisher", received=collections.defaultdict(list))
    each_to_one(broker, publisher)
    one_dies(broker, publisher)
    all_are_away(broker, publisher)
    publisher.close()
    broker_is_killed(broker)
    broker.stop()
    print("shared subscriptions with paho-mqtt: all checks passed")


main()
