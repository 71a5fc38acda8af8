"""gmqtt, which has an implementation of its own of MQTT 3.1.1 and 5.0, against a broker on 127.0.0.1:$MQTT_PORT."""

import asyncio
import os

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from checks import by_topic, check, summary

PORT = int(os.environ["MQTT_PORT"])
RUN = f"gmqtt-{os.getpid()}"
WAIT_SECS = 10
# Long enough for what must not come to come.
SILENT_SECS = 0.3
NAMES = {MQTTv311: "3.1.1", MQTTv50: "5.0"}


class Client:
    """A client whose messages, acknowledgements of subscriptions and goodbyes go into queues."""

    def __init__(self, version, name, lasting=False, will=None, **properties):
        self.version = version
        self.messages, self.acks, self.goodbyes = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.present = None
        if version == MQTTv50:
            properties["session_expiry_interval"] = 3600 if lasting else 0
        self.inner = gmqtt.Client(f"{RUN}-{name}", clean_session=not lasting, will_message=will, **properties)
        # What ends here has to end: 0 would mean once more, and -1 for ever.
        self.inner.set_config({"reconnect_retries": -2})
        self.inner.on_connect = self.note_connect
        self.inner.on_message = self.note_message
        self.inner.on_subscribe = lambda _client, _mid, granted, _properties: self.acks.put_nowait(list(granted))
        self.inner.on_unsubscribe = lambda _client, _mid, _granted: self.acks.put_nowait("unsubscribed")
        self.inner.on_disconnect = lambda _client, packet, exc=None: self.goodbyes.put_nowait(packet)

    def note_connect(self, _client, flags, _reason, properties):
        self.present, self.connack = bool(flags & 1), properties

    def note_message(self, _client, topic, payload, qos, properties):
        self.messages.put_nowait((topic, payload, qos, bool(properties.get("retain")), properties))
        return 0

    async def __aenter__(self):
        await asyncio.wait_for(self.inner.connect("127.0.0.1", PORT, version=self.version, keepalive=10), WAIT_SECS)
        return self

    async def __aexit__(self, *_):
        await self.inner.disconnect()

    async def subscribe(self, filter, qos, **more):
        self.inner.subscribe(filter, qos, **more)
        return await asyncio.wait_for(self.acks.get(), WAIT_SECS)

    async def unsubscribe(self, filter):
        self.inner.unsubscribe(filter)
        return await asyncio.wait_for(self.acks.get(), WAIT_SECS)

    async def publish(self, topic, payload, qos=0, retain=False, **properties):
        """Returns when all is acknowledged."""
        self.inner.publish(topic, payload, qos, retain, **properties)
        await asyncio.wait_for(self.inner._persistent_storage.wait_empty(), WAIT_SECS)

    async def take(self, count):
        return [await asyncio.wait_for(self.messages.get(), WAIT_SECS) for _ in range(count)]

    async def silent(self):
        await asyncio.sleep(SILENT_SECS)
        return self.messages.empty()


async def every_qos(version, listener, talker):
    for qos in (0, 1, 2):
        name, prefix = f"{NAMES[version]} QoS {qos}", f"{RUN}/{NAMES[version]}/{qos}"
        check(f"{name}: granted", await listener.subscribe(f"{prefix}/+/x/#", qos), [qos])
        sent = [(f"{prefix}/{number % 3}/x/y", str(number).encode(), qos, False) for number in range(20)]
        for topic, payload, _, _ in sent:
            await talker.publish(topic, payload, qos)
        await talker.publish(f"{prefix}/0/y", "not asked for", qos)
        got = [message[:4] for message in await listener.take(20)]
        check(f"{name}: live, wildcards, in order of each topic", by_topic(got), by_topic(sent))
        await talker.publish(f"{prefix}/kept", "old", qos, retain=True)
        await talker.publish(f"{prefix}/kept", "new", qos, retain=True)
        # QoS 0 is not acknowledged; what is, behind it on the same connection, tells that it was taken.
        await talker.publish("flush", "", 1)
        await listener.subscribe(f"{prefix}/kept", qos)
        check(f"{name}: retained", [message[:4] for message in await listener.take(1)], [(f"{prefix}/kept", b"new", qos, True)])
        check(f"{name}: unsubscribing is acknowledged", await listener.unsubscribe(f"{prefix}/kept"), "unsubscribed")
        await talker.publish(f"{prefix}/kept", "", qos, retain=True)
        await talker.publish("flush", "", 1)
        check(f"{name}: unsubscribed, and nothing else", await listener.silent(), True)


async def wills(version, listener):
    topic = f"{RUN}/{NAMES[version]}/will"
    await listener.subscribe(topic, 1)
    async with Client(version, "polite", will=gmqtt.Message(topic, "must not come", qos=1)):
        pass
    more = {"will_delay_interval": 0, "content_type": "text/last"} if version == MQTTv50 else {}
    doomed = Client(version, "doomed", will=gmqtt.Message(topic, "died", qos=1, **more))
    await doomed.__aenter__()
    doomed.inner._connection._transport.abort()
    [message] = await listener.take(1)
    check(f"{NAMES[version]}: will of the one that died", message[1], b"died")
    if version == MQTTv50:
        check("5.0: with its properties", message[4]["content_type"], ["text/last"])
    check(f"{NAMES[version]}: and only that", await listener.silent(), True)


async def sessions(version, talker):
    filter, name = f"{RUN}/{NAMES[version]}/away/#", f"away-{NAMES[version]}"
    async with Client(version, name, lasting=True) as away:
        check(f"{NAMES[version]}: no session yet", away.present, False)
        await away.subscribe(filter, 2)
    for number in range(50):
        await talker.publish(filter.replace("#", str(number % 4)), str(number), 1 + number % 2)
    async with Client(version, name, lasting=True) as away:
        check(f"{NAMES[version]}: session present", away.present, True)
        numbers = [int(message[1]) for message in await away.take(50)]
        check(f"{NAMES[version]}: what came while away, each once", sorted(numbers), list(range(50)))
        for topic in range(4):
            of_topic = [number for number in numbers if number % 4 == topic]
            check(f"{NAMES[version]}: in order of topic {topic}", of_topic, sorted(of_topic))
        check(f"{NAMES[version]}: nothing twice", await away.silent(), True)
    async with Client(version, name) as away:
        check(f"{NAMES[version]}: no session after a clean start", away.present, False)
        await talker.publish(filter.replace("#", "0"), "too late", 1)
        check(f"{NAMES[version]}: and no subscription", await away.silent(), True)


async def properties(listener, talker):
    await listener.subscribe(f"{RUN}/properties", 1, subscription_identifier=77)
    await talker.publish(
        f"{RUN}/properties",
        "text",
        1,
        payload_format_id=1,
        message_expiry_interval=60,
        content_type="text/plain",
        response_topic="answers/here",
        correlation_data=b"\x00\xff",
        user_property=[("a", "1"), ("a", "2")],
    )
    [(_, _, _, _, got)] = await listener.take(1)
    check("5.0: payload format", got["payload_format_id"], [1])
    check("5.0: expiry goes down", 0 < got["message_expiry_interval"][0] <= 60, True)
    check("5.0: content type", got["content_type"], ["text/plain"])
    check("5.0: response topic", got["response_topic"], ["answers/here"])
    check("5.0: correlation data", got["correlation_data"], [b"\x00\xff"])
    check("5.0: user properties", got["user_property"], [("a", "1"), ("a", "2")])
    check("5.0: subscription identifier", got["subscription_identifier"], [77])


async def expiry(talker):
    topic = f"{RUN}/expiry"
    async with Client(MQTTv50, "sleeper", lasting=True) as sleeper:
        await sleeper.subscribe(topic, 1)
    await talker.publish(topic, "short", 1, message_expiry_interval=1)
    await talker.publish(topic, "long", 1, message_expiry_interval=600)
    # The clock of the message: whole seconds.
    await asyncio.sleep(2.1)
    async with Client(MQTTv50, "sleeper", lasting=True) as sleeper:
        [message] = await sleeper.take(1)
        check("5.0: what has expired does not come", message[1], b"long")
        check("5.0: the time it waited is taken off", message[4]["message_expiry_interval"][0] <= 598, True)
        check("5.0: and nothing else", await sleeper.silent(), True)


async def aliases(talker):
    check("5.0: aliases are offered", talker.connack["topic_alias_maximum"][0] >= 3, True)
    async with Client(MQTTv50, "alias-listener", topic_alias_maximum=2) as listener:
        await listener.subscribe(f"{RUN}/alias/#", 1)
        await talker.publish(f"{RUN}/alias/a", "named", 1, topic_alias=3)
        await talker.publish("", "by alias", 1, topic_alias=3)
        # More topics than it takes aliases, each twice.
        expected = [(f"{RUN}/alias/a", b"named"), (f"{RUN}/alias/a", b"by alias")]
        for number in range(8):
            expected.append((f"{RUN}/alias/{number % 4}", str(number).encode()))
            await talker.publish(*expected[-1], 1)
        got = await listener.take(10)
        check("5.0: topic aliases are taken, and sent", by_topic([message[:2] for message in got]), by_topic(expected))
        used = [message[4]["topic_alias"][0] for message in got if "topic_alias" in message[4]]
        check("5.0: never more than the client takes", used != [] and set(used) <= {1, 2}, True)
        async with Client(MQTTv50, "alias-fool") as fool:
            fool.inner.publish(f"{RUN}/alias/a", "beyond the maximum", 1, topic_alias=60_000)
            # Topic Alias invalid.
            check("5.0: an alias beyond the maximum is refused", (await asyncio.wait_for(fool.goodbyes.get(), WAIT_SECS))[0], 0x94)
        check("5.0: and nothing of it comes", await listener.silent(), True)


async def options(listener, talker):
    topic = f"{RUN}/options"
    await talker.publish(topic, "kept", 1, retain=True)
    await listener.subscribe(topic, 1, no_local=True, retain_as_published=True, retain_handling_options=2)
    await listener.publish(topic, "own", 1)
    await talker.publish(topic, "kept again", 1, retain=True)
    check("5.0: no local, retain as published, retain handling 2", [message[1:4] for message in await listener.take(1)], [(b"kept again", 1, True)])
    check("5.0: and nothing else", await listener.silent(), True)
    await talker.publish(topic, "", 1, retain=True)


async def shared(talker):
    async with Client(MQTTv50, "shares-1") as first, Client(MQTTv311, "shares-2") as second:
        for member in (first, second):
            await member.subscribe(f"$share/group/{RUN}/shared/#", 1)
        for number in range(100):
            await talker.publish(f"{RUN}/shared/{number % 5}", str(number), 1)
        for _ in range(WAIT_SECS * 10):
            if first.messages.qsize() + second.messages.qsize() >= 100:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(SILENT_SECS)
        shares = [[int(message[1]) for message in await member.take(member.messages.qsize())] for member in (first, second)]
        check("shared: each to one of both", sorted(shares[0] + shares[1]), list(range(100)))
        check("shared: both have work", all(shares), True)


async def main():
    for version in (MQTTv311, MQTTv50):
        async with Client(version, "listener") as listener, Client(version, "talker") as talker:
            await every_qos(version, listener, talker)
            await wills(version, listener)
            await sessions(version, talker)
            if version == MQTTv50:
                await properties(listener, talker)
                await aliases(talker)
                await options(listener, talker)
                await expiry(talker)
                await shared(talker)
    summary("gmqtt")


asyncio.run(main())
