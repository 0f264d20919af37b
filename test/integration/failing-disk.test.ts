import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { logKeys, packKey } from '../../src/store/level/keys.ts'
import { LevelStore } from '../../src/store/level/level-store.ts'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FakeDatabase } from '../helpers/fake-database.ts'
import { connectRaw, type RawClient } from '../helpers/raw-client.ts'
import { smallDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'

/** A broker whose disk does as the test says. */
async function startOnFake() {
  const database = new FakeDatabase()
  const clock = new FakeClock()
  let store!: LevelStore
  const broker = await startBroker(
    { shutdownTimeout: 10 },
    {
      openStore: async ({ path, onFault, onRecovered = () => {} }) => {
        store = await LevelStore.open({ kind: 'test', database, path, clock, onFault, onRecovered })
        return store
      },
    },
  )
  onTestFinished(() => {
    database.failing = false
  })
  const works = async (): Promise<void> => {
    database.failing = false
    await until('the store writes again', () => {
      clock.advance(5_000)
      return store.fault === null
    })
  }
  const events = listenTo(broker, 'store.failed', 'store.recovered', 'queue.enqueued')
  return { database, clock, broker, port: broker.port, store, works, events }
}

function publish(
  client: RawClient,
  messageId: number,
  payload: string,
  qos: 0 | 1 | 2 = 1,
  topic = 'queue/work',
): void {
  client.send({ cmd: 'publish', topic, payload, qos, messageId, dup: false, retain: false })
}

async function subscribe(client: RawClient, topic: string, qos: 0 | 1 | 2): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] })
  await client.next('suback')
}

async function fails(
  { database, events }: Awaited<ReturnType<typeof startOnFake>>,
  client: RawClient,
  payload = 'late',
) {
  database.failing = true
  publish(client, 100, payload)
  await events.find('store.failed')
}

describe('while the disk fails', () => {
  it.each([4, 5] as const)('publishers of MQTT %i wait, and are acknowledged when it works again', async (version) => {
    const disk = await startOnFake()
    const publisher = await connectRaw(disk.port, { protocolVersion: version })
    await fails(disk, publisher)
    publish(publisher, 2, 'second', 2)
    await publisher.settled()
    expect(publisher.received).toEqual([])
    await disk.works()
    expect(await publisher.next('puback')).toMatchObject({ messageId: 100 })
    expect(await publisher.next('pubrec')).toMatchObject({ messageId: 2 })
    const consumer = await connectRaw(disk.port)
    await subscribe(consumer, 'queue/work', 1)
    const payloads = [await consumer.next('publish'), await consumer.next('publish')].map((p) => p.payload.toString())
    expect(payloads).toEqual(['late', 'second'])
  })

  it('it is told once, and once when it works again', async () => {
    const disk = await startOnFake()
    const reader = await connectRaw(disk.port)
    await subscribe(reader, '$eventflow/events/store/+', 0)
    await fails(disk, await connectRaw(disk.port))
    const failed = JSON.parse((await reader.next('publish')).payload.toString())
    expect(failed).toMatchObject({ type: expect.stringContaining('store.failed'), data: { code: 'STORE_FAILED' } })
    expect(failed.data.message).toBe('The store cannot write: disk full')
    await disk.works()
    const recovered = JSON.parse((await reader.next('publish')).payload.toString())
    expect(recovered).toMatchObject({ type: expect.stringContaining('store.recovered') })
    expect(recovered.data.durationMs).toBeGreaterThan(0)
  })

  it('consumers get what is there, and what needs no disk goes on', async () => {
    const disk = await startOnFake()
    const publisher = await connectRaw(disk.port)
    for (let n = 1; n <= 5; n++) publish(publisher, n, `${n}`)
    for (let n = 1; n <= 5; n++) await publisher.next('puback')
    await fails(disk, publisher)
    const consumer = await connectRaw(disk.port)
    await subscribe(consumer, 'queue/work', 1)
    for (let n = 1; n <= 5; n++) {
      const { payload, messageId } = await consumer.next('publish')
      expect(payload.toString()).toBe(`${n}`)
      consumer.send({ cmd: 'puback', messageId: messageId! })
    }
    await subscribe(consumer, 'news', 1)
    publish(publisher, 6, 'live', 1, 'news')
    expect((await consumer.next('publish')).payload.toString()).toBe('live')
    await disk.works()
    expect((await consumer.next('publish')).payload.toString()).toBe('late')
  })

  it('a publisher that breaks off and sends again at QoS 2 is stored once', async () => {
    const disk = await startOnFake()
    const session = { clientId: 'p', clean: false }
    const before = await connectRaw(disk.port, session)
    await fails(disk, await connectRaw(disk.port), 'first')
    publish(before, 7, 'once', 2)
    await before.settled()
    before.socket.destroy()
    const after = await connectRaw(disk.port, session)
    publish(after, 7, 'once', 2)
    await after.settled()
    expect(after.received).toEqual([])
    await disk.works()
    expect(await after.next('pubrec')).toMatchObject({ messageId: 7 })
    await disk.store.durable()
    expect(disk.store.queues.list()).toEqual([expect.objectContaining({ name: 'work', count: 2 })])
  })

  it('queues refuse what memory has no room for: MQTT 5 with 0x97, MQTT 3.1.1 by closing', {
    timeout: 60_000,
  }, async () => {
    const disk = await startOnFake()
    const publisher = await connectRaw(disk.port, { protocolVersion: 5 })
    await fails(disk, publisher)
    const payload = 'x'.repeat(1_000_000)
    for (let n = 1; n <= 70; n++) publish(publisher, n, payload)
    // Answers keep the order of the messages: the first refusal comes after what waits before it.
    await until('there is no more room', () => !disk.store.accepting)
    const old = await connectRaw(disk.port)
    publish(old, 1, 'one too many')
    await old.end()
    await disk.works()
    expect(await publisher.next('puback')).toMatchObject({ messageId: 100, reasonCode: 0 })
    const codes: number[] = []
    for (let n = 1; n <= 70; n++) codes.push((await publisher.next('puback')).reasonCode!)
    const accepted = codes.filter((code) => code === 0).length
    expect(codes.filter((code) => code === 0x97)).toHaveLength(70 - accepted)
    expect(accepted).toBeLessThan(70)
    expect(disk.store.queues.list()[0]!.count).toBe(accepted + 1)
    publish(publisher, 1, 'room again')
    expect(await publisher.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0 })
  })

  it('a consumer that comes back to its session goes on; a session that is new is refused with 0x88', async () => {
    const disk = await startOnFake()
    const session = { clientId: 'c', clean: false }
    const before = await connectRaw(disk.port, session)
    await subscribe(before, 'queue/work', 1)
    before.socket.destroy()
    const publisher = await connectRaw(disk.port)
    publish(publisher, 1, 'early')
    await publisher.next('puback')
    await fails(disk, publisher)
    const after = await connectRaw(disk.port, session)
    expect(after.connack.sessionPresent).toBe(true)
    await subscribe(after, 'queue/work', 1)
    const { payload, messageId } = await after.next('publish')
    expect(payload.toString()).toBe('early')
    after.send({ cmd: 'puback', messageId: messageId! })
    const properties = { sessionExpiryInterval: 100 }
    const refused = connectRaw(disk.port, { clientId: 'n', clean: false, protocolVersion: 5, properties })
    await expect(refused).rejects.toThrow('"reasonCode":136')
    await disk.works()
    expect((await after.next('publish')).payload.toString()).toBe('late')
  })

  it('the broker can be stopped', async () => {
    const disk = await startOnFake()
    await fails(disk, await connectRaw(disk.port))
    await disk.broker.stop()
  })
})

it('while the disk hangs nothing is acknowledged, all else goes on, and it is told of after a while', async () => {
  const disk = await startOnFake()
  const publisher = await connectRaw(disk.port)
  const release = disk.database.hold()
  publish(publisher, 1, 'a')
  await publisher.settled()
  await until('the write is under way', () => disk.clock.pending > 0)
  disk.clock.advance(5_000)
  expect(await disk.events.find('store.failed')).toEqual({
    code: 'STORE_FAILED',
    message: 'The store cannot write: the disk takes over 5 s.',
  })
  await publisher.settled()
  expect(publisher.received).toEqual([])
  release()
  expect(await publisher.next('puback')).toMatchObject({ messageId: 1 })
  await disk.events.find('store.recovered')
})

it('what the disk said to have and has not is reported, and the rest is delivered', async () => {
  const disk = await startOnFake()
  const publisher = await connectRaw(disk.port)
  // More than a queue without consumers holds in memory; each in a batch of its own.
  for (let n = 1; n <= 150; n++) {
    publish(publisher, n, `${n}`)
    await publisher.next('puback')
  }
  const { firstId } = disk.store.queues.list()[0]!
  await disk.database.lose(packKey(logKeys('queue', 'work'), firstId + 129, 1))
  const consumer = await connectRaw(disk.port)
  await subscribe(consumer, 'queue/work', 0)
  const got: string[] = []
  while (got.at(-1) !== '150') got.push((await consumer.next('publish')).payload.toString())
  expect(got).toEqual(Array.from({ length: 150 }, (_, n) => `${n + 1}`).filter((text) => text !== '130'))
  expect(await disk.events.find('store.failed')).toMatchObject({ code: 'STORE_CORRUPT' })
})

it('on a disk that is full publishers wait, consumers go on, and so do all when there is space', {
  timeout: 60_000,
}, async ({ skip }) => {
  const folder = await smallDisk('80m')
  if (folder === null) return skip('needs the right to mount a small disk')
  const broker = await startBroker({ store: { kind: 'level', path: join(folder, 'data') }, shutdownTimeout: 10 })
  const events = listenTo(broker, 'store.failed', 'store.recovered')
  const publisher = await connectRaw(broker.port, { clientId: 'p' })
  publish(publisher, 1, 'before')
  await publisher.next('puback')

  const ballast = join(folder, 'ballast')
  fill(ballast)
  let sent = 1
  while (events.of('store.failed').length === 0) {
    publish(publisher, ++sent, 'x'.repeat(10_000))
    await publisher.settled()
  }
  expect((await events.find('store.failed')).message).toContain('No space left on device')
  const acknowledged = publisher.received.filter(({ cmd }) => cmd === 'puback').length
  const consumer = await connectRaw(broker.port)
  await subscribe(consumer, 'queue/work', 1)
  expect((await consumer.next('publish')).payload.toString()).toBe('before')

  rmSync(ballast)
  await events.find('store.recovered')
  for (let n = 2; n <= sent; n++) expect(await publisher.next('puback')).toMatchObject({ messageId: n })
  expect(acknowledged).toBeLessThan(sent - 1)
  await broker.stop()
  await broker.start()
  const late = await connectRaw(broker.address.port)
  await subscribe(late, 'queue/work', 0)
  const sizes: number[] = []
  for (let n = 1; n <= sent; n++) sizes.push((await late.next('publish')).payload.length)
  expect(sizes).toEqual([6, ...Array.from({ length: sent - 1 }, () => 10_000)])
})

/** Write until nothing more fits. */
function fill(file: string): void {
  const block = Buffer.alloc(64 * 1024)
  try {
    for (;;) writeFileSync(file, block, { flag: 'a' })
  } catch {
    expect(statSync(file).size).toBeGreaterThan(0)
  }
}
