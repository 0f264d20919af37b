/** kill -9 in the middle of QoS 2 exchanges: each message is taken once, and given once, whatever was cut. */

import type { IConnectPacket, Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { type BrokerProcess, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'
import { Chance } from './chance.ts'

const ROUNDS = 3
/** Messages of a producer whose exchange is not complete. */
const WINDOW = 30

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

function lasting(clientId: string, protocolVersion: 4 | 5): Partial<IConnectPacket> {
  const properties = { sessionExpiryInterval: 3600 }
  return { clientId, protocolVersion, clean: false, ...(protocolVersion === 5 ? { properties } : {}) }
}

interface Exchange {
  readonly topic: string
  readonly payload: string
  readonly qos: 1 | 2
  /** PUBREC was received: PUBREL is what is sent again. */
  released: boolean
}

/** A producer that keeps its side of the session: after a crash it goes on with every exchange where it was. */
class Producer {
  /** Messages whose exchange is complete, in order of completion. */
  readonly done: string[] = []
  /** Every message that was sent, in order. */
  readonly sent: string[] = []
  /** Acknowledgements of any kind: what the moments of the crashes are counted in. */
  answers = 0
  readonly #connect: Partial<IConnectPacket>
  readonly #topicOf: (number: number) => { topic: string; qos: 1 | 2 }
  readonly #open = new Map<number, Exchange>()
  #messageId = 0
  #finishing = false

  constructor(connect: Partial<IConnectPacket>, topicOf: (number: number) => { topic: string; qos: 1 | 2 }) {
    this.#connect = connect
    this.#topicOf = topicOf
  }

  /** Until the connection breaks, or (when it was asked to finish) nothing is left to do. */
  async run(port: number): Promise<void> {
    const client = await connectRaw(port, this.#connect)
    for (const [messageId, exchange] of this.#open) this.#send(client, messageId, exchange, true)
    try {
      for (;;) {
        while (!this.#finishing && this.#open.size < WINDOW) this.#begin(client)
        if (this.#open.size === 0) return
        await this.#answer(client)
      }
    } catch {
      // The broker was killed.
    }
  }

  /** Begin nothing new. */
  finish(): void {
    this.#finishing = true
  }

  #begin(client: RawClient): void {
    do this.#messageId = (this.#messageId % 65_535) + 1
    while (this.#open.has(this.#messageId))
    const payload = String(this.sent.length + 1)
    const exchange = { payload, released: false, ...this.#topicOf(this.sent.length + 1) }
    this.sent.push(payload)
    this.#open.set(this.#messageId, exchange)
    this.#send(client, this.#messageId, exchange, false)
  }

  #send(client: RawClient, messageId: number, { topic, payload, qos, released }: Exchange, dup: boolean): void {
    if (released) client.send({ cmd: 'pubrel', messageId })
    else client.send({ cmd: 'publish', topic, payload, qos, messageId, dup, retain: false })
  }

  async #answer(client: RawClient): Promise<void> {
    const { cmd, messageId = 0 } = await client.nextOfAny()
    const exchange = this.#open.get(messageId)
    this.answers++
    if (cmd === 'pubrec') {
      if (exchange !== undefined) exchange.released = true
      client.send({ cmd: 'pubrel', messageId })
    } else if (exchange !== undefined) {
      this.#open.delete(messageId)
      this.done.push(exchange.payload)
    }
  }
}

/** A subscriber that keeps its side of the session: what it has received at QoS 2 it knows until PUBREL. */
class Subscriber {
  /** How often each message was taken. */
  readonly taken = new Map<string, number>()
  readonly #connect: Partial<IConnectPacket>
  readonly #received = new Set<number>()

  constructor(connect: Partial<IConnectPacket>) {
    this.#connect = connect
  }

  /** Until the connection breaks. */
  async run(port: number): Promise<void> {
    const client = await connectRaw(port, this.#connect)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news/#', qos: 2 }] })
    try {
      await client.next('suback')
      for (;;) this.#serve(client, await client.nextOfAny())
    } catch {
      // The broker was killed.
    }
  }

  #serve(client: RawClient, packet: Packet): void {
    const { messageId = 0 } = packet
    if (packet.cmd === 'pubrel') {
      this.#received.delete(messageId)
      client.send({ cmd: 'pubcomp', messageId })
    } else if (packet.cmd === 'publish') {
      if (packet.qos < 2 || !this.#received.has(messageId)) {
        const payload = packet.payload.toString()
        this.taken.set(payload, (this.taken.get(payload) ?? 0) + 1)
      }
      if (packet.qos === 2) this.#received.add(messageId)
      client.send({ cmd: packet.qos === 2 ? 'pubrec' : 'puback', messageId })
    }
  }
}

describe.each(VERSIONS)('on MQTT $name', ({ version }) => {
  it('a queue holds each QoS 2 message once, in order, however often the broker is killed', {
    timeout: 90_000,
  }, async () => {
    const chance = new Chance()
    const folder = await temporaryFolder()
    const producer = new Producer(lasting('producer', version), () => ({ topic: 'queue/work', qos: 2 }))
    let broker: BrokerProcess = await startProcess(folder)
    const { port } = broker
    for (let round = 1; round <= ROUNDS; round++) {
      const running = producer.run(port)
      const enough = producer.answers + chance.between(1, 300)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
      await broker.end('SIGKILL')
      await running
      broker = await startProcess(folder, {}, port)
    }
    producer.finish()
    await producer.run(port)

    const consumer = await connectRaw(port)
    consumer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/work', qos: 1 }] })
    consumer.send({
      cmd: 'publish',
      topic: 'queue/work',
      payload: 'end',
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    })
    const drained: string[] = []
    while (drained.at(-1) !== 'end') {
      const { payload, messageId } = await consumer.next('publish')
      drained.push(payload.toString())
      consumer.send({ cmd: 'puback', messageId: messageId! })
    }
    expect(drained, chance.told).toEqual([...producer.sent, 'end'])
  })

  it('a lasting subscriber gets each QoS 1 message at least once and each QoS 2 message once', {
    timeout: 90_000,
  }, async () => {
    const chance = new Chance()
    const folder = await temporaryFolder()
    const topicOf = (number: number) =>
      number % 3 === 0 ? { topic: 'news/1', qos: 1 as const } : { topic: 'news/2', qos: 2 as const }
    const producer = new Producer(lasting('producer', version), topicOf)
    const subscriber = new Subscriber(lasting('subscriber', version))
    let broker: BrokerProcess = await startProcess(folder)
    const { port } = broker
    let reading = subscriber.run(port)
    for (let round = 1; round <= ROUNDS; round++) {
      const running = producer.run(port)
      const enough = producer.answers + chance.between(100, 500)
      await until('the producer has come so far', () => producer.answers >= enough, 30_000)
      await broker.end('SIGKILL')
      await Promise.all([running, reading])
      broker = await startProcess(folder, {}, port)
      reading = subscriber.run(port)
    }
    producer.finish()
    await producer.run(port)

    const missing = (): string[] => producer.done.filter((payload) => !subscriber.taken.has(payload))
    await until('all have arrived', () => missing().length === 0).catch(() => {})
    const twice = producer.sent.filter(
      (payload) => topicOf(Number(payload)).qos === 2 && (subscriber.taken.get(payload) ?? 0) > 1,
    )
    expect({ missing: missing(), twice }, chance.told).toEqual({ missing: [], twice: [] })
  })
})
