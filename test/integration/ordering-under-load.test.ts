/**
 * Order and loss with everything at once: several publishers on the same topics at every QoS, subscribers at every QoS, some
 * of which lose their connection again and again. A publisher's messages of one QoS on one topic reach each subscriber in
 * the order in which they were sent [MQTT-4.6.0-5, MQTT-4.6.0-6], those of QoS 1 and 2 all of them, those of QoS 2 once.
 */

import fc from 'fast-check'
import type { IPublishPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { FUZZ_TIMEOUT_MS, fuzz } from '../fuzz/run.ts'
import { startBroker } from '../helpers/broker.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

type QoS = 0 | 1 | 2
type Version = 4 | 5

const LEVELS = [0, 1, 2] as const
const TOPICS = ['load/a', 'load/b']

const scenario = fc.record({
  publishers: fc.array(fc.record({ version: fc.constantFrom<Version>(4, 5), qos: fc.constantFrom<QoS>(...LEVELS) }), {
    minLength: 2,
    maxLength: 4,
  }),
  /** Topic and QoS (at most the publisher's own) of each message that a publisher sends. */
  messages: fc.array(fc.record({ topic: fc.constantFrom(...TOPICS), qos: fc.constantFrom<QoS>(...LEVELS) }), {
    minLength: 100,
    maxLength: 200,
  }),
  subscribers: fc.array(
    fc.record({
      version: fc.constantFrom<Version>(4, 5),
      qos: fc.constantFrom<QoS>(...LEVELS),
      filter: fc.constantFrom('load/+', '#', 'load/a'),
      /** After how many messages its connection is cut; 0: it stays. */
      cutAfter: fc.constantFrom(0, 3, 10, 37),
    }),
    { minLength: 2, maxLength: 4 },
  ),
})

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

/** A subscriber with a session that lasts, and a client that gets over a cut connection. */
class Survivor {
  /** `publisher topic qos`, and the numbers that came, in the order in which they came. */
  readonly received = new Map<string, number[]>()
  readonly #port: number
  readonly #plan: Scenario['subscribers'][number]
  readonly #clientId: string
  /** QoS 2 identifiers whose PUBREL has not come: what has one of them is a repetition. */
  readonly #pending = new Set<number>()
  #client: RawClient | null = null
  #count = 0
  #cuts = 0

  constructor(port: number, clientId: string, plan: Scenario['subscribers'][number]) {
    this.#port = port
    this.#clientId = clientId
    this.#plan = plan
  }

  async start(): Promise<void> {
    const client = await this.#connect()
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: this.#plan.filter, qos: this.#plan.qos }] })
    await client.next('suback')
    void this.#listen(client)
  }

  end(): void {
    const client = this.#client
    this.#client = null
    client?.socket.destroy()
  }

  numbers(publisher: number, topic: string, qos: QoS): number[] {
    return this.received.get(`${publisher} ${topic} ${qos}`) ?? []
  }

  async #connect(): Promise<RawClient> {
    const { version } = this.#plan
    const client = await connectRaw(this.#port, {
      protocolVersion: version,
      clientId: this.#clientId,
      clean: false,
      ...(version === 5 ? { properties: { sessionExpiryInterval: 100, receiveMaximum: 10 } } : {}),
    })
    this.#client = client
    return client
  }

  async #listen(client: RawClient): Promise<void> {
    while (this.#client === client) {
      const packet = await client.nextOfAny().catch(() => null)
      if (packet === null || this.#client !== client) return
      if (packet.cmd === 'publish') this.#take(client, packet)
      if (packet.cmd === 'pubrel') {
        this.#pending.delete(packet.messageId!)
        client.send({ cmd: 'pubcomp', messageId: packet.messageId! })
      }
      const { cutAfter } = this.#plan
      if (cutAfter > 0 && ++this.#count >= cutAfter && this.#cuts < 10) {
        this.#count = 0
        this.#cuts++
        client.socket.destroy()
        void this.#listen(await this.#connect())
        return
      }
    }
  }

  #take(client: RawClient, { qos, messageId, payload, topic, dup }: IPublishPacket): void {
    const repeated = qos === 2 && this.#pending.has(messageId!)
    if (qos === 2) this.#pending.add(messageId!)
    if (!repeated) {
      const [publisher, sentAt, number] = payload.toString().split(' ').map(Number)
      const key = `${publisher} ${topic} ${sentAt}`
      const numbers = this.received.get(key) ?? []
      // At QoS 1 what is sent again may have come before: it is then one that is known.
      if (!(qos === 1 && dup && numbers.includes(number!))) numbers.push(number!)
      this.received.set(key, numbers)
    }
    if (qos === 1) client.send({ cmd: 'puback', messageId: messageId! })
    if (qos === 2) client.send({ cmd: 'pubrec', messageId: messageId! })
  }
}

/** Send the publisher's messages without waiting in between; resolves when all are acknowledged. */
async function publishAll(port: number, index: number, { publishers, messages }: Scenario): Promise<void> {
  const { version, qos: most } = publishers[index]!
  const client = await connectRaw(port, { protocolVersion: version })
  let open = 0
  for (const [number, { topic, qos: wanted }] of messages.entries()) {
    const qos = Math.min(wanted, most) as QoS
    const payload = `${index} ${qos} ${number}`
    client.send({ cmd: 'publish', topic, payload, qos, messageId: number + 1, dup: false, retain: false })
    if (qos > 0) open++
    if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  while (open > 0) {
    const { cmd, messageId } = (await client.nextOfAny()) as { cmd: string; messageId?: number }
    if (cmd === 'puback' || cmd === 'pubcomp') open--
    if (cmd === 'pubrec') client.send({ cmd: 'pubrel', messageId: messageId! })
  }
  await client.settled()
}

/** The numbers that this publisher sent at this QoS on this topic. */
function sent({ publishers, messages }: Scenario, publisher: number, topic: string, qos: QoS): number[] {
  const most = publishers[publisher]!.qos
  return [...messages.entries()].flatMap(([number, one]) =>
    one.topic === topic && Math.min(one.qos, most) === qos ? [number] : [],
  )
}

function matching(filter: string): string[] {
  return filter === 'load/a' ? ['load/a'] : TOPICS
}

describe('with several publishers, and subscribers that come and go', () => {
  it(
    'order is kept at each QoS, and nothing of QoS 1 and 2 is lost',
    async () => {
      const { port } = await startBroker({ session: { maxInflight: 15 } })
      let run = 0
      const property = fc.asyncProperty(scenario, async (one) => {
        run++
        const survivors = one.subscribers.map((plan, i) => new Survivor(port, `survivor-${run}-${i}`, plan))
        await Promise.all(survivors.map((survivor) => survivor.start()))
        await Promise.all(one.publishers.map((_, i) => publishAll(port, i, one)))
        for (const [i, survivor] of survivors.entries()) {
          const { qos: granted, filter, cutAfter } = one.subscribers[i]!
          for (const publisher of one.publishers.keys()) {
            for (const topic of matching(filter)) {
              for (const qos of LEVELS) {
                const all = sent(one, publisher, topic, qos)
                const got = (): number[] => survivor.numbers(publisher, topic, qos)
                const safe = Math.min(qos, granted) > 0
                if (safe || cutAfter === 0) {
                  await until(`all of ${publisher} ${topic} ${qos} are there`, () => got().length >= all.length)
                  expect(got()).toEqual(all)
                } else expect(got()).toEqual(all.filter((number) => got().includes(number)))
              }
            }
          }
        }
        for (const survivor of survivors) survivor.end()
      })
      await fuzz(property, 50, 10_000)
    },
    FUZZ_TIMEOUT_MS,
  )
})
