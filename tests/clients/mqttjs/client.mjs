// MQTT.js against a broker on 127.0.0.1:$MQTT_PORT.
import mqtt from 'mqtt'
import assert from 'node:assert/strict'

const port = process.env.MQTT_PORT
const run = `js-${process.pid}`
let checks = 0
const check = (what, got, expected) => {
  assert.deepEqual(got, expected, what)
  checks += 1
  console.log(`ok: ${what}`)
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms))

async function client(version, name, options = {}) {
  const expiry = options.clean === false ? 3600 : 0
  const inner = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: version,
    protocolId: 'MQTT',
    clientId: `${run}-${name}-${version}`,
    reconnectPeriod: 0,
    ...(version === 5 ? { properties: { sessionExpiryInterval: expiry } } : {}),
    ...options
  }, false)
  inner.inbox = []
  inner.on('message', (topic, payload, packet) => inner.inbox.push({ topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain }))
  inner.on('message', (_topic, _payload, packet) => { inner.last = packet.properties })
  return inner
}
async function take(inner, count) {
  for (let waited = 0; inner.inbox.length < count && waited < 10_000; waited += 20) await pause(20)
  await pause(150)
  return inner.inbox.splice(0)
}

for (const version of [4, 5]) {
  const listener = await client(version, 'listener')
  const talker = await client(version, 'talker')
  for (const qos of [0, 1, 2]) {
    const prefix = `${run}/${version}/${qos}`
    await listener.subscribeAsync(`${prefix}/+/t`, { qos })
    const sent = []
    for (let number = 0; number < 20; number += 1) {
      sent.push({ topic: `${prefix}/${number % 4}/t`, payload: String(number), qos, retain: false })
      await talker.publishAsync(sent.at(-1).topic, sent.at(-1).payload, { qos })
    }
    await talker.publishAsync(`${prefix}/0/u`, 'not asked for', { qos })
    // Topics may be in different partitions of the log, and nothing orders those; sorting keeps the order within each.
    const byTopic = (messages) => messages.sort((a, b) => a.topic.localeCompare(b.topic))
    check(`${version} QoS ${qos}: live, wildcard, in order of each topic`, byTopic(await take(listener, 20)), byTopic(sent))

    await talker.publishAsync(`${prefix}/kept`, 'old', { qos, retain: true })
    await talker.publishAsync(`${prefix}/kept`, 'new', { qos, retain: true })
    // QoS 0 is not acknowledged; what is, behind it on the same connection, tells that it was taken.
    await talker.publishAsync('flush', '', { qos: 1 })
    await listener.subscribeAsync(`${prefix}/#`, { qos })
    check(`${version} QoS ${qos}: retained`, await take(listener, 1), [{ topic: `${prefix}/kept`, payload: 'new', qos, retain: true }])
    await listener.unsubscribeAsync([`${prefix}/#`, `${prefix}/+/t`])
    await talker.publishAsync(`${prefix}/0/t`, 'after', { qos })
    await talker.publishAsync('flush', '', { qos: 1 })
    check(`${version} QoS ${qos}: unsubscribed`, await take(listener, 0), [])
  }

  await listener.subscribeAsync(`${run}/${version}/will`, { qos: 1 })
  const will = { topic: `${run}/${version}/will`, payload: Buffer.from('died'), qos: 1, retain: false }
  const doomed = await client(version, 'doomed', { will })
  doomed.stream.destroy()
  check(`${version}: will`, (await take(listener, 1)).map((message) => message.payload), ['died'])

  let away = await client(version, 'away', { clean: false })
  await away.subscribeAsync(`${run}/${version}/away/#`, { qos: 2 })
  await away.endAsync()
  const numbers = [...Array(30).keys()]
  for (const number of numbers) await talker.publishAsync(`${run}/${version}/away/${number}`, String(number), { qos: 1 + (number % 2) })
  // Messages come with CONNACK: the handler must be there before the connection is.
  away = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: version,
    clientId: `${run}-away-${version}`,
    clean: false,
    reconnectPeriod: 0,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {})
  })
  away.inbox = []
  away.on('message', (_topic, payload) => away.inbox.push(Number(payload)))
  check(`${version}: what came while away, each once`, (await take(away, 30)).sort((a, b) => a - b), numbers)
  if (version === 5) {
    await listener.subscribeAsync(`${run}/properties`, { qos: 1, properties: { subscriptionIdentifier: 77 } })
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 600,
      contentType: 'text/plain',
      responseTopic: 'answers/here',
      correlationData: Buffer.from([0, 255]),
      userProperties: { a: ['1', '2'], b: '3' }
    }
    await talker.publishAsync(`${run}/properties`, 'text', { qos: 1, properties })
    await take(listener, 1)
    const { messageExpiryInterval, correlationData, userProperties, ...others } = listener.last
    check('5: expiry', messageExpiryInterval > 590 && messageExpiryInterval <= 600, true)
    check('5: correlation data and user properties', [[...correlationData], { ...userProperties }], [[0, 255], { a: ['1', '2'], b: '3' }])
    check('5: the other properties', others, { payloadFormatIndicator: true, contentType: 'text/plain', responseTopic: 'answers/here', subscriptionIdentifier: 77 })
  }
  for (const open of [away, listener, talker]) await open.endAsync()
}
console.log(`MQTT.js: ${checks} checks passed`)
