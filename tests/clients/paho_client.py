"""Eclipse paho-mqtt against a broker on 127.0.0.1:$MQTT_PORT."""

import os
import queue
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from checks import by_topic, check, summary
from paho_end import Ends

PORT = int(os.environ["MQTT_PORT"])
RUN = f"paho-{os.getpid()}"


class Client(Ends):
    """A client whose messages go into a queue."""

    def __init__(self, version, name, clean=True, will=None):
        self.version = version
        self.messages = queue.Queue()
        self.present = None
        self.acks = queue.Queue()
        options = {} if version == mqtt.MQTTv5 else {"clean_session": clean}
        self.inner = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"{RUN}-{name}", protocol=version, **options
        )
        self.inner.on_message = lambda _client, _data, message: self.messages.put(message)
        self.inner.on_subscribe = lambda _c, _d, _mid, reasons, _p: self.acks.put([int(r.value) for r in reasons])
        self.inner.on_connect = lambda _c, _d, flags, reason, _p: self.acks.put((flags.session_present, int(reason.value)))
        if will:
            self.inner.will_set(*will)
        properties = None
        if version == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 3600
        extra = {"clean_start": clean, "properties": properties} if version == mqtt.MQTTv5 else {}
        self.inner.connect("127.0.0.1", PORT, keepalive=10, **extra)
        self.inner.loop_start()
        self.present, reason = self.acks.get(timeout=10)
        assert reason == 0, reason

    def subscribe(self, filter, qos):
        self.inner.subscribe(filter, qos)
        return self.acks.get(timeout=10)

    def subscribe_from(self, filter, qos, since):
        properties = Properties(PacketTypes.SUBSCRIBE)
        properties.UserProperty = ("headwater-from", since)
        self.inner.subscribe(filter, options=SubscribeOptions(qos=qos), properties=properties)
        return self.acks.get(timeout=10)

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        self.inner.publish(topic, payload, qos, retain, properties).wait_for_publish(10)

    def take(self, count):
        return [self.messages.get(timeout=10) for _ in range(count)]

    def silent(self, seconds=0.3):
        time.sleep(seconds)
        return self.messages.empty()


def main():
    for version, name in ((mqtt.MQTTv31, "3.1"), (mqtt.MQTTv311, "3.1.1"), (mqtt.MQTTv5, "5.0")):
        listener = Client(version, f"listener-{name}")
        talker = Client(version, f"talker-{name}")
        for qos in (0, 1, 2):
            prefix = f"{RUN}/{name}/{qos}"
            check(f"{name} QoS {qos}: granted", listener.subscribe(f"{prefix}/+/x/#", qos), [qos])
            for number in range(20):
                talker.publish(f"{prefix}/{number % 3}/x/y", str(number), qos)
            talker.publish(f"{prefix}/0/y", "not asked for", qos)
            got = [(message.topic, message.payload.decode(), message.qos, message.retain) for message in listener.take(20)]
            sent = [(f"{prefix}/{number % 3}/x/y", str(number), qos, False) for number in range(20)]
            check(f"{name} QoS {qos}: live, in order of each topic", by_topic(got), by_topic(sent))
            talker.publish(f"{prefix}/kept", "old", qos, retain=True)
            talker.publish(f"{prefix}/kept", "new", qos, retain=True)
            talker.publish("flush", "", 1)
            listener.subscribe(f"{prefix}/kept", qos)
            [message] = listener.take(1)
            check(f"{name} QoS {qos}: retained", (message.payload, message.retain), (b"new", True))
            check(f"{name} QoS {qos}: nothing else", listener.silent(), True)

        listener.subscribe(f"{RUN}/{name}/will", 1)
        doomed = Client(version, f"doomed-{name}", will=(f"{RUN}/{name}/will", "died", 1, False))
        polite = Client(version, f"polite-{name}", will=(f"{RUN}/{name}/will", "must not come", 1, False))
        polite.close()
        doomed.die()
        [message] = listener.take(1)
        check(f"{name}: will of the one that died only", message.payload, b"died")
        check(f"{name}: and only that", listener.silent(), True)

        away = Client(version, f"away-{name}", clean=False)
        check(f"{name}: no session yet", away.present, False)
        away.subscribe([(f"{RUN}/{name}/away/#", 2)] if version != mqtt.MQTTv5 else [(f"{RUN}/{name}/away/#", SubscribeOptions(qos=2))], 2)
        away.close()
        for number in range(50):
            talker.publish(f"{RUN}/{name}/away/{number}", str(number), 1 + number % 2)
        away = Client(version, f"away-{name}", clean=False)
        # CONNACK of 3.1 has no such flag.
        check(f"{name}: session present", away.present, version != mqtt.MQTTv31)
        got = sorted(int(message.payload) for message in away.take(50))
        check(f"{name}: what came while away, each once", got, list(range(50)))
        check(f"{name}: nothing twice", away.silent(), True)
        away.close()
        listener.close()
        talker.close()
    properties_survive()
    history()
    summary("paho-mqtt")


def properties_survive():
    listener, talker = Client(mqtt.MQTTv5, "p-listener"), Client(mqtt.MQTTv5, "p-talker")
    listener.subscribe(f"{RUN}/properties", 1)
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 60
    properties.ContentType = "text/plain"
    properties.ResponseTopic = "answers/here"
    properties.CorrelationData = b"\x00\xff"
    properties.UserProperty = [("a", "1"), ("mqtt.qos", "9"), ("a", "2")]
    talker.publish(f"{RUN}/properties", "text", 1, properties=properties)
    [message] = listener.take(1)
    got = message.properties
    check("5.0: payload format", got.PayloadFormatIndicator, 1)
    check("5.0: expiry goes down", got.MessageExpiryInterval <= 60, True)
    check("5.0: content type", got.ContentType, "text/plain")
    check("5.0: response topic", got.ResponseTopic, "answers/here")
    check("5.0: correlation data", got.CorrelationData, b"\x00\xff")
    check("5.0: user properties", got.UserProperty, [("a", "1"), ("mqtt.qos", "9"), ("a", "2")])
    listener.close()
    talker.close()


def history():
    """Not of MQTT: what this broker knows by a user property of SUBSCRIBE."""
    talker, listener = Client(mqtt.MQTTv5, "h-talker"), Client(mqtt.MQTTv5, "h-listener")
    topic = f"{RUN}/history"
    for number in range(20):
        talker.publish(topic, str(number), 1)
    check("history: an hour ago", listener.subscribe_from(topic, 1, "-PT1H"), [1])
    for number in range(20, 25):
        talker.publish(topic, str(number), 1)
    got = [int(message.payload) for message in listener.take(25)]
    check("history: the past, then the present", got, list(range(25)))
    check("history: nothing twice", listener.silent(), True)
    check("history: no such time", listener.subscribe_from(f"{topic}/2", 1, "yesterday"), [0x83])
    listener.close()
    talker.close()


main()
