/** kill -9 while queues are busy, again and again: what was acknowledged to a producer reaches a consumer. */

import { expect, it } from 'vitest'
import { type BrokerProcess, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { Chance } from '../helpers/chance.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { until } from '../helpers/until.ts'

const ROUNDS = 4
const PRODUCERS = 2
const CONSUMERS = 2
/** Unacknowledged messages of one producer. */
const WINDOW = 100

/** Publishes numbered messages at QoS 1, many in flight; after a crash it sends again what was not acknowledged. */
class Producer {
  readonly acknowledged = new Set<string>()
  readonly #name: string
  readonly #inFlight = new Map<number, string>()
  #next = 1
  #messageId = 0

  constructor(name: string) {
    this.#name = name
  }

  /** Until the connection breaks. */
  async run(port: number): Promise<void> {
    const client = await connectRaw(port, { clientId: this.#name })
    const again = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const payload of again) this.#publish(client, payload)
    try {
      for (;;) {
        while (this.#inFlight.size < WINDOW) this.#publish(client, `${this.#name} ${this.#next++}`)
        const { messageId } = await client.next('puback')
        this.acknowledged.add(this.#inFlight.get(messageId!)!)
        this.#inFlight.delete(messageId!)
      }
    } catch {
      // The broker was killed.
    }
  }

  #publish(client: RawClient, payload: string): void {
    const messageId = (this.#messageId++ % 65_535) + 1
    this.#inFlight.set(messageId, payload)
    client.send({ cmd: 'publish', topic: 'queue/work', payload, qos: 1, messageId, dup: false, retain: false })
  }
}

/** Consumes, and acknowledges what it has counted, until the connection breaks. */
async function consume(port: number, consumed: Map<string, number>): Promise<void> {
  const client = await connectRaw(port)
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'queue/work', qos: 1 }] })
  try {
    for (;;) {
      const { payload, messageId } = await client.next('publish')
      consumed.set(payload.toString(), (consumed.get(payload.toString()) ?? 0) + 1)
      client.send({ cmd: 'puback', messageId: messageId! })
    }
  } catch {
    // The broker was killed.
  }
}

it('no acknowledged message is lost, however often the broker is killed', { timeout: 90_000 }, async () => {
  const chance = new Chance()
  const folder = await temporaryFolder()
  const producers = Array.from({ length: PRODUCERS }, (_, i) => new Producer(`producer-${i}`))
  const consumed = new Map<string, number>()
  const acknowledged = (): number => producers.reduce((sum, producer) => sum + producer.acknowledged.size, 0)

  let broker: BrokerProcess = await startProcess(folder)
  const { port } = broker
  for (let round = 1; round <= ROUNDS; round++) {
    const running = producers.map((producer) => producer.run(port))
    // One round goes without consumers, so that there is a backlog to find again.
    const consuming = round === 2 ? [] : Array.from({ length: CONSUMERS }, () => consume(port, consumed))
    const enough = acknowledged() + chance.between(50, 1_500)
    await until('the producers have come so far', () => acknowledged() >= enough, 30_000)
    await broker.end('SIGKILL')
    await Promise.all([...running, ...consuming])
    broker = await startProcess(folder, {}, port)
  }

  void consume(port, consumed)
  const lost = (): string[] =>
    producers.flatMap((producer) => [...producer.acknowledged].filter((payload) => !consumed.has(payload)))
  await until('all that was acknowledged has been consumed', () => lost().length === 0, 20_000).catch(() => {})
  expect(lost(), chance.told).toEqual([])
})
