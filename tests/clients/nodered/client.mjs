// Node-RED's MQTT nodes against a broker on 127.0.0.1:$MQTT_PORT: flows.json is run without an editor, and asked over HTTP.
import mqtt from 'mqtt'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WAIT_MS = 30_000
const here = dirname(fileURLToPath(import.meta.url))
const mqttPort = process.env.MQTT_PORT
let checks = 0
const check = (what, got, expected) => {
  assert.deepEqual(got, expected, what)
  checks += 1
  console.log(`ok: ${what}`)
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms))
// Topics may be in different partitions of the log, and nothing orders those; sorting keeps the order within each.
const byTopic = (messages) => messages.sort((a, b) => a.topic.localeCompare(b.topic))

/** A port of this machine that is free now. */
async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

class NodeRed {
  static async start (port, folder) {
    const red = new NodeRed()
    red.at = `http://127.0.0.1:${port}`
    red.read = 0
    red.process = spawn(
      process.execPath,
      [join(here, 'node_modules/node-red/red.js'), '--userDir', folder, '--settings', join(here, 'settings.cjs'), join(here, 'flows.json')],
      { env: { ...process.env, NODERED_PORT: String(port) }, stdio: 'inherit' }
    )
    for (let waited = 0; waited < WAIT_MS; waited += 100) {
      assert.equal(red.process.exitCode, null, 'Node-RED ended')
      const answer = await fetch(`${red.at}/seen?from=0`).catch(() => null)
      if (answer?.ok) return red
      await pause(100)
    }
    await red.kill()
    throw new Error('Node-RED does not answer')
  }

  /** It has no time for a goodbye. A second time does nothing. */
  async kill () {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    this.process.kill('SIGKILL')
    await once(this.process, 'exit')
  }

  /** The next messages that its nodes have got, and whatever else has come by then. */
  async take (count) {
    let got = []
    for (let waited = 0; got.length < count && waited < WAIT_MS; waited += 50) {
      await pause(50)
      got = await (await fetch(`${this.at}/seen?from=${this.read}`)).json()
    }
    await pause(300)
    got = await (await fetch(`${this.at}/seen?from=${this.read}`)).json()
    this.read += got.length
    return got
  }

  async publish (version, message) {
    const answer = await fetch(`${this.at}/publish/${version}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(WAIT_MS)
    })
    assert.equal(await answer.text(), 'published')
  }
}

/** The other end: a client whose messages go into `inbox`. */
async function client (name) {
  const inner = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { protocolVersion: 5, clientId: name, reconnectPeriod: 0 }, false)
  inner.inbox = []
  inner.on('message', (topic, payload, packet) => inner.inbox.push({ topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain, properties: packet.properties }))
  inner.take = async (count) => {
    for (let waited = 0; inner.inbox.length < count && waited < WAIT_MS; waited += 20) await pause(20)
    await pause(150)
    return inner.inbox.splice(0)
  }
  return inner
}
const seen = ({ topic, payload, qos, retain }) => ({ topic, payload, qos, retain })

const other = await client('other')
for (const version of [4, 5]) await other.publishAsync(`nodered/${version}/kept/in/x`, 'kept', { qos: 1, retain: true })
const folder = mkdtempSync(join(tmpdir(), 'headwater-node-red-'))
const port = await freePort()
let red = await NodeRed.start(port, folder)
try {
  check('retained messages come with the subscription', byTopic(await red.take(2)).map(seen), [4, 5].map((version) => ({ topic: `nodered/${version}/kept/in/x`, payload: 'kept', qos: 1, retain: true })))
  for (const version of [4, 5]) {
    await other.subscribeAsync(`nodered/${version}/out/#`, { qos: 2 })
    for (const qos of [0, 1, 2]) {
      const sent = []
      for (let number = 0; number < 20; number += 1) {
        sent.push({ topic: `nodered/${version}/line-${number % 4}/in/x/${qos}`, payload: String(number), qos, retain: false })
        await other.publishAsync(sent.at(-1).topic, sent.at(-1).payload, { qos })
      }
      await other.publishAsync(`nodered/${version}/line-1/else`, 'not asked for', { qos })
      check(`${version} QoS ${qos}: to mqtt in, wildcards, in order of each topic`, byTopic(await red.take(20)).map(seen), byTopic(sent))

      const posted = []
      for (let number = 0; number < 20; number += 1) {
        posted.push({ topic: `nodered/${version}/out/${number % 4}/${qos}`, payload: String(number), qos, retain: false })
        await red.publish(version, posted.at(-1))
      }
      check(`${version} QoS ${qos}: from mqtt out, in order of each topic`, byTopic(await other.take(20)).map(seen), byTopic(posted))
    }
    await red.publish(version, { topic: `nodered/${version}/stays`, payload: 'stays', qos: 1, retain: true })
    await other.subscribeAsync(`nodered/${version}/stays`, { qos: 1 })
    check(`${version}: mqtt out retains`, (await other.take(1)).map(seen), [{ topic: `nodered/${version}/stays`, payload: 'stays', qos: 1, retain: true }])
  }

  const properties = {
    messageExpiryInterval: 600,
    contentType: 'text/plain',
    responseTopic: 'answers/here',
    correlationData: Buffer.from([0, 255]),
    userProperties: { a: '1', b: '2' }
  }
  await other.publishAsync('nodered/5/p/in/x', 'text', { qos: 1, properties })
  const [got] = await red.take(1)
  check('5: expiry comes', got.messageExpiryInterval > 590 && got.messageExpiryInterval <= 600, true)
  check('5: properties come to mqtt in', [got.contentType, got.responseTopic, got.correlationData, got.userProperties], ['text/plain', 'answers/here', '00ff', { a: '1', b: '2' }])
  await red.publish(5, { topic: 'nodered/5/out/p', payload: 'text', qos: 1, ...properties, correlationData: '00ff' })
  const [sent] = await other.take(1)
  check('5: expiry is sent', sent.properties.messageExpiryInterval > 590, true)
  check('5: properties are sent by mqtt out', [sent.properties.contentType, sent.properties.responseTopic, [...sent.properties.correlationData], { ...sent.properties.userProperties }], ['text/plain', 'answers/here', [0, 255], { a: '1', b: '2' }])
  for (const number of [0, 1, 2]) await red.publish(5, { topic: 'nodered/5/out/alias', payload: String(number), qos: 1, topicAlias: 1 })
  check('5: a topic alias is taken', (await other.take(3)).map(({ topic, payload }) => [topic, payload]), [0, 1, 2].map((number) => ['nodered/5/out/alias', String(number)]))

  const member = await client('member')
  await member.subscribeAsync('$share/group/nodered/5/shared/#', { qos: 1 })
  for (let number = 0; number < 40; number += 1) await other.publishAsync('nodered/5/shared/x', String(number), { qos: 1 })
  const shares = [[], []]
  for (let waited = 0; shares.flat().length < 40 && waited < WAIT_MS; waited += 450) {
    for (const [at, who] of [red, member].entries()) shares[at].push(...(await who.take(0)).map(({ payload }) => Number(payload)))
  }
  check('5: a subscription is shared with Node-RED: each to one', shares.flat().sort((a, b) => a - b), [...Array(40).keys()])
  check('5: and both have work', shares.every((share) => share.length > 0), true)
  await member.endAsync()

  await other.subscribeAsync('nodered/+/will', { qos: 1 })
  await red.kill()
  const wills = byTopic(await other.take(2))
  check('both wills, when it is killed', wills.map(({ topic, payload }) => [topic, payload]), [4, 5].map((version) => [`nodered/${version}/will`, 'died']))
  check('5: with a property', wills[1].properties.contentType, 'text/last')
  const away = []
  for (let number = 0; number < 40; number += 1) {
    // A topic has one QoS: what is QoS 2 is handed over when it is released, and QoS 1 overtakes it.
    away.push({ topic: `nodered/${4 + (number % 2)}/away/in/${number % 4}`, payload: String(number), qos: 1 + (number >> 1) % 2, retain: false })
    await other.publishAsync(away.at(-1).topic, away.at(-1).payload, { qos: away.at(-1).qos })
  }
  red = await NodeRed.start(port, folder)
  // Node-RED subscribes again whenever it connects: what is retained comes again with that.
  const back = (await red.take(42)).filter(({ topic }) => !topic.includes('/kept/'))
  check('what came while it was away, each once, in order of each topic', byTopic(back).map(seen), byTopic(away))
} finally {
  await red.kill()
  rmSync(folder, { recursive: true })
  await other.endAsync()
}
console.log(`Node-RED: ${checks} checks passed`)
