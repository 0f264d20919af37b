import { describe, expect, it } from 'vitest'
import { type DelayedOptions, DelayedTopics } from '../../../../plugins/delayed/delayed-topics.ts'
import {
  Message,
  type MessageFields,
  type PluginContext,
  ReasonCode,
  Refusal,
  type Store,
} from '../../../../src/plugin.ts'
import { openStore } from '../../../../src/store/open.ts'
import { FakeClock } from '../queue/fakes.ts'

class Bench {
  readonly clock = new FakeClock()
  readonly store: Store
  readonly published: Message[] = []
  readonly events: Array<[type: string, data: unknown]> = []
  readonly topics: DelayedTopics
  /** What publishing does besides. */
  onPublish: () => void | Promise<void> = () => {}

  private constructor(store: Store) {
    this.store = store
    const silent = { debug() {}, info() {}, warn() {}, error() {} }
    const context: Partial<PluginContext<DelayedOptions>> = {
      options: {},
      clock: this.clock,
      store,
      log: silent,
      events: {
        wants: () => true,
        emit: (type, data) => void this.events.push([type, data]),
        listen: () => () => {},
      },
      check: () => {},
      publish: (message) => {
        const outcome = this.onPublish()
        this.published.push(message)
        return outcome
      },
    }
    this.topics = new DelayedTopics(context as PluginContext<DelayedOptions>)
    this.topics.start()
  }

  static async open(store?: Store): Promise<Bench> {
    return new Bench(store ?? (await openStore({ kind: 'memory', path: '', onFault: () => {} })))
  }

  async send(topic: string, fields: Partial<MessageFields> = {}): Promise<void> {
    const payload = Buffer.from('x')
    await this.topics.accept(Message.of({ topic, payload, from: 'me', receivedAt: this.clock.now(), ...fields }))
  }

  /** Let time pass, and what it sets going come to rest. */
  async wait(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next))
  }

  get gone(): string[] {
    return this.published.map(({ topic }) => topic)
  }

  get kept(): number {
    return this.store.queues.list()[0]?.count ?? 0
  }
}

describe('a message on $delayed/<seconds>/<topic>', () => {
  it('is refused with 0x97 while too many wait, those from before a restart included', async () => {
    const before = await Bench.open()
    await before.send('$delayed/5/a')
    before.topics.stop()
    const bench = await Bench.open(before.store)
    bench.topics.options = { maxDelayed: 2 }
    await bench.send('$delayed/5/b')
    await expect(bench.send('$delayed/5/c')).rejects.toMatchObject({ code: ReasonCode.QuotaExceeded })
    await bench.send('$delayed/0/d')
    await bench.wait(5000)
    await bench.send('$delayed/5/e')
    expect(bench.gone.sort()).toEqual(['a', 'b', 'd'])
    expect(bench.kept).toBe(1)
  })

  it('is refused with 0x97 when the disk fails and memory has no room for it', async () => {
    const bench = await Bench.open()
    Object.defineProperty(bench.store, 'accepting', { value: false })
    await expect(bench.send('$delayed/5/a')).rejects.toMatchObject({ code: ReasonCode.QuotaExceeded })
    expect(bench.kept).toBe(0)
  })

  it('is published on that topic when the time is over, as it was', async () => {
    const bench = await Bench.open()
    const expiresAt = bench.clock.now() + 60_000
    const properties = Buffer.from([0x01, 1])
    await bench.send('$delayed/5/a/b', { qos: 2, retain: true, properties, expiresAt })
    await bench.wait(4999)
    expect(bench.gone).toEqual([])
    await bench.wait(1)
    expect(bench.published).toMatchObject([{ topic: 'a/b', qos: 2, retain: true, properties, from: 'me', expiresAt }])
    expect(bench.published[0]!.payload.toString()).toBe('x')
    expect(bench.kept).toBe(0)
  })

  it('goes at once after no seconds', async () => {
    const bench = await Bench.open()
    await bench.send('$delayed/0/a')
    expect([bench.gone, bench.kept]).toEqual([['a'], 0])
  })

  it('outlives a restart, and goes at once when its time came meanwhile', async () => {
    const before = await Bench.open()
    await before.send('$delayed/5/late', { receivedAt: before.clock.now() - 10_000 })
    await before.send('$delayed/5/a')
    before.topics.stop()
    const bench = await Bench.open(before.store)
    await expect.poll(() => bench.wait(0).then(() => bench.gone)).toEqual(['late'])
    await bench.wait(5000)
    expect(bench.gone).toEqual(['late', 'a'])
  })

  it('is gone when it expires before', async () => {
    const bench = await Bench.open()
    await bench.send('$delayed/5/a', { expiresAt: bench.clock.now() + 4000 })
    await bench.wait(5000)
    expect([bench.gone, bench.kept]).toEqual([[], 0])
    expect(bench.events).toEqual([['message.expired', { clientId: 'me', topic: 'a' }]])
  })

  it('is tried again while its queue is full', async () => {
    const bench = await Bench.open()
    await bench.send('$delayed/5/queue/a')
    bench.onPublish = () => {
      throw new Refusal(ReasonCode.QuotaExceeded, 'the queue is full')
    }
    await bench.wait(5000)
    expect([bench.gone, bench.kept]).toEqual([[], 1])
    bench.onPublish = () => {}
    await bench.wait(1000)
    expect([bench.gone, bench.kept]).toEqual([['queue/a'], 0])
  })

  it('is dropped when it is refused for good, and that is told', async () => {
    const bench = await Bench.open()
    await bench.send('$delayed/5/a')
    bench.onPublish = () => {
      throw new Refusal(ReasonCode.PayloadFormatInvalid, 'no')
    }
    await bench.wait(5000)
    expect([bench.gone, bench.kept]).toEqual([[], 0])
    expect(bench.events).toEqual([['message.refused', { clientId: 'me', topic: 'a', reasonCode: 0x99, reason: 'no' }]])
  })

  it('is kept when the disk fails as it is published', async () => {
    const bench = await Bench.open()
    await bench.send('$delayed/5/a')
    bench.onPublish = () => Promise.reject(new Error('disk full'))
    await bench.wait(5000)
    expect(bench.kept).toBe(1)
    bench.onPublish = () => {}
    await bench.wait(1000)
    expect([bench.gone, bench.kept]).toEqual([['a', 'a'], 0])
  })

  it.each([
    '$delayed/',
    '$delayed/5',
    '$delayed/5/',
    '$delayed//a',
    '$delayed/-1/a',
    '$delayed/1.5/a',
    '$delayed/1e3/a',
    '$delayed/soon/a',
    '$delayed/315360001/a',
    '$delayed/5/$delayed/5/a',
  ])('says what can be done: %s is refused with 0x90', async (topic) => {
    const bench = await Bench.open()
    await expect(bench.send(topic)).rejects.toMatchObject({ code: 0x90 })
    expect(() => bench.topics.accessTopic(topic)).toThrow(expect.objectContaining({ code: 0x90 }))
  })

  it('is nothing to subscribe to', async () => {
    const bench = await Bench.open()
    expect(() => bench.topics.subscribe()).toThrow(expect.objectContaining({ code: 0x8f }))
  })
})
