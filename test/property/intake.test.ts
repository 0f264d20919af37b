/** Whatever bytes come, in whatever pieces: the broker stays up, and two well-behaved clients never notice. */

import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { expect, it, onTestFinished } from 'vitest'
import type { Logger } from '../../src/plugin.ts'
import { startBroker } from '../helpers/broker.ts'
import { connectRaw, openRaw, type RawClient } from '../helpers/raw-client.ts'

const BATCHES = 200
const STREAMS = 5

type Version = 3 | 4 | 5

const version = fc.constantFrom<Version>(3, 4, 5)
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const messageId = fc.integer({ min: 1, max: 5 })
const topic = fc.constantFrom('a', 'a/b', 'a/b/c', '/', 'queue/fuzz', '$delayed/1/a', '$SYS/x', '$other/x')
const filter = fc.constantFrom('a', 'a/#', '+/b', '#', 'queue/fuzz', 'queue/#', '$eventflow/status', '$share/g/a', 'a#')
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

const connect = fc.record({
  clientId: fc.constantFrom('', 'fuzz-1', 'fuzz-2', 'fuzz-3'),
  clean: fc.boolean(),
  keepalive: fc.constantFrom(0, 1, 60),
  will: fc.option(fc.record({ topic, payload, qos, retain: fc.boolean() }), { nil: undefined }),
  properties: fc.record({ sessionExpiryInterval: fc.constantFrom(0, 1, 0xffffffff), receiveMaximum: messageId }),
})

const later: fc.Arbitrary<Packet> = fc.oneof(
  fc
    .record({ topic, payload, qos, messageId, retain: fc.boolean() })
    .map((fields) => ({ cmd: 'publish', dup: false, ...fields }) as const),
  fc
    .record({ messageId, subscriptions: fc.array(fc.record({ topic: filter, qos }), { minLength: 1, maxLength: 4 }) })
    .map((fields) => ({ cmd: 'subscribe', ...fields }) as const),
  fc
    .record({ messageId, unsubscriptions: fc.array(filter, { minLength: 1, maxLength: 3 }) })
    .map((fields) => ({ cmd: 'unsubscribe', ...fields }) as const),
  fc
    .record({ cmd: fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp'), messageId })
    .map((fields) => fields as Packet),
  fc.constant<Packet>({ cmd: 'pingreq' }),
  fc.constant<Packet>({ cmd: 'disconnect' }),
)

const place = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000)

/** What is done to the bytes, at a place given as a fraction of their length. */
const mutation = fc.record({
  kind: fc.constantFrom('flip', 'insert', 'remove', 'repeat', 'cut'),
  at: place,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
})

const stream = fc.record({
  version,
  connect,
  packets: fc.array(later, { maxLength: 12 }),
  mutations: fc.array(mutation, { maxLength: 4 }),
  /** Where TCP cuts it. */
  cuts: fc.array(place, { maxLength: 6 }),
  ending: fc.constantFrom('end', 'destroy', 'reset'),
})

type Stream = typeof stream extends fc.Arbitrary<infer T> ? T : never

function encode({ version, connect, packets, mutations }: Stream): Buffer {
  // An empty identifier for a session to keep is no packet that the encoder would write.
  const clientId = connect.clientId === '' && version === 3 ? 'fuzz-1' : connect.clientId
  const clean = connect.clean || clientId === ''
  const first: Packet = {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clientId,
    clean,
    keepalive: connect.keepalive,
    properties: connect.properties,
    ...(connect.will === undefined ? {} : { will: connect.will }),
  }
  const all = [first, ...packets].map((packet) => generate(packet, { protocolVersion: version }))
  return mutations.reduce(mutate, Buffer.concat(all))
}

function mutate(bytes: Buffer, { kind, at, bytes: other }: typeof mutation extends fc.Arbitrary<infer T> ? T : never) {
  const position = Math.floor(at * bytes.length)
  const before = bytes.subarray(0, position)
  const after = bytes.subarray(position)
  switch (kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes)
      if (position < flipped.length) flipped[position]! ^= other[0]!
      return flipped
    }
    case 'insert':
      return Buffer.concat([before, other, after])
    case 'remove':
      return Buffer.concat([before, after.subarray(other.length)])
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, 16), after])
    default:
      return before
  }
}

/** Send it in pieces, end it in one way or another, and wait until it is over. */
async function play(port: number, stream: Stream): Promise<void> {
  const bytes = encode(stream)
  const client = await openRaw(port, stream.version)
  // Answers are not looked at; a parser of answers to nonsense proves nothing.
  client.socket.removeAllListeners('data')
  client.socket.resume()
  const places = [...stream.cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const to of places) {
    if (client.closed) return
    client.socket.write(bytes.subarray(from, to))
    from = to
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (stream.ending === 'end') client.socket.end()
  else if (stream.ending === 'destroy') client.socket.destroy()
  else client.socket.resetAndDestroy()
  await client.end()
}

async function pair(port: number): Promise<(payload: string) => Promise<void>> {
  const reader = await connectRaw(port, { clientId: 'reader' })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'between/the/two', qos: 2 }] })
  await reader.next('suback')
  const writer: RawClient = await connectRaw(port, { protocolVersion: 5, clientId: 'writer' })
  return async (text) => {
    writer.send({
      cmd: 'publish',
      topic: 'between/the/two',
      payload: text,
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    })
    const answer = await writer.next('puback')
    expect(answer.reasonCode ?? 0).toBe(0)
    const { payload: received, messageId } = await reader.next('publish')
    expect(received.toString()).toBe(text)
    reader.send({ cmd: 'puback', messageId: messageId! })
    expect(reader.received).toEqual([])
  }
}

it('the broker survives mutated packet streams, and others go on exchanging messages', async () => {
  const faults: unknown[] = []
  const fault = (data: object, text: string): void => void faults.push({ text, ...data })
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: fault }
  process.on('uncaughtException', fault)
  onTestFinished(() => void process.off('uncaughtException', fault))
  const broker = await startBroker({ mqtt: { connectTimeout: 500 } }, { logger })
  const exchange = await pair(broker.port)
  let batch = 0
  const property = fc.asyncProperty(fc.array(stream, { minLength: STREAMS, maxLength: STREAMS }), async (streams) => {
    await Promise.all(streams.map((one) => play(broker.port, one)))
    await exchange(`after batch ${++batch}`)
    expect(faults).toEqual([])
  })
  await fc.assert(property, { numRuns: BATCHES, endOnFailure: true })
}, 20_000)
