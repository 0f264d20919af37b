/** Every code block of docs/queues.md is run, with the clients that it is for, and does what the page says of it. */

import { readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { backoffDelay } from '../../plugins/queue/rules/backoff.ts'
import { resolveConfig } from '../../src/config/load.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { blocksOf, Kitchen, readPage } from '../helpers/recipes.ts'
import { until } from '../helpers/until.ts'

const page = readPage('docs/queues.md')
const blocks = blocksOf(page)

/** The text of a block. */
function block(key: string): string {
  return blocks.find((block) => block.key === key)!.text
}

type Setting = Awaited<ReturnType<typeof setting>>

/** A broker, a place to run recipes at it, and what queues tell. */
async function setting(config: Parameters<typeof startBroker>[0] = {}) {
  const broker = await startBroker(config)
  const kitchen = await Kitchen.open(broker.port)
  const log = listenTo(
    broker,
    'queue.consumer-added',
    'queue.consumer-removed',
    'queue.delivered',
    'queue.acknowledged',
    'queue.dead-lettered',
    'queue.emptied',
    'queue.enqueued',
  )
  return { broker, port: broker.port, kitchen, log }
}

const QUICK = { queue: { backoff: { initial: 1, max: 1 }, maxDeliveries: 1000 } }

async function publish({ port }: { port: number }, queue: string, ...payloads: string[]): Promise<void> {
  const producer = await connectClient(port)
  for (const payload of payloads) await producer.mqtt.publishAsync(`queue/${queue}`, payload, { qos: 1 })
  await producer.mqtt.endAsync()
}

/** A consumer that acknowledges nothing by itself. */
async function consumer({ port }: { port: number }, filter: string, receiveMaximum = 100) {
  const client = await connectRaw(port, { protocolVersion: 5, properties: { receiveMaximum } })
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] })
  await client.next('suback')
  return client
}

/** Put these into the dead letters of a queue, by refusing them. */
async function bury(at: Setting, queue: string, ...payloads: string[]): Promise<void> {
  const refusing = await consumer(at, `queue/${queue}`)
  await publish(at, queue, ...payloads)
  for (const _ of payloads) {
    const { messageId } = await refusing.next('publish')
    refusing.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x99 })
  }
  await until('they are dead letters', () => at.log.of('queue.dead-lettered').length >= payloads.length)
  refusing.socket.destroy()
  await at.log.find('queue.consumer-removed', { queue })
}

const lengthOf = ({ broker }: Setting, queue: string): number =>
  broker.queues.list().find(({ name }) => name === queue)?.length ?? 0

/** What is run, by the keys of the blocks that it runs. */
const recipes: Record<string, () => Promise<void>> = {
  async 'Queues, sh 1'() {
    const { kitchen } = await setting()
    expect(await kitchen.shell(block('Queues, sh 1')).written(1)).toEqual(['order 1'])
  },

  async 'Workers with mosquitto_sub, sh 1'() {
    const at = await setting()
    const loop = block('Workers with mosquitto_sub, sh 1')
    const workers = [at.kitchen.shell(loop), at.kitchen.shell(loop)]
    await until('both are there', () => at.log.of('queue.consumer-added').length === 2)
    await publish(at, 'orders', '1', '2', '3', '4')
    for (const worker of workers) await worker.written(2)
    const lines = workers.flatMap((worker) => worker.lines)
    expect(lines.sort()).toEqual(['1', '2', '3', '4'].map((order) => `working on ${order}`))
  },

  async 'Workers with mosquitto_sub, sh 2'() {
    const at = await setting()
    // Fails the first time that it is given `bad`.
    const work = '#!/bin/sh\nif [ "$1" = bad ] && [ ! -e tried ]; then touch tried; exit 1; fi\necho "did $1"\n'
    await writeFile(join(at.kitchen.folder, 'work'), work)
    await chmod(join(at.kitchen.folder, 'work'), 0o755)
    const orders = ['bad', '1', '2', '3', '4', '5', '6']
    await publish(at, 'orders', ...orders)
    const worker = at.kitchen.shell(block('Workers with mosquitto_sub, sh 2'))
    const lines = await worker.written(orders.length)
    expect(lines).toEqual(['1', '2', '3', '4', '5', '6', 'bad'].map((order) => `did ${order}`))
    expect(at.log.of('queue.dead-lettered')).toEqual([])
  },

  async 'Workers with the mqtt package, js 1'() {
    const at = await setting(QUICK)
    const text = block('Workers with the mqtt package, js 1')
    const worker = await at.kitchen.program(text)
    await at.log.find('queue.consumer-added')
    await publish(at, 'orders', '{"item":"bread"}', 'no JSON', '{"item":"soup"}')
    expect((await worker.written(2)).sort()).toEqual(['served bread', 'served soup'])
    await at.log.find('queue.dead-lettered', { queue: 'orders', reason: 'rejected' })
    await until('all are done', () => lengthOf(at, 'orders') === 0)
    // It has a message in hand, and one more waits for it; then it is killed.
    worker.signal('SIGSTOP')
    await publish(at, 'orders', '{"item":"tea"}', '{"item":"cake"}')
    expect(await at.broker.queues.show('orders')).toMatchObject({ inFlight: 1, ready: 1 })
    const second = await at.kitchen.program(text)
    expect(await second.written(1)).toEqual(['served cake'])
    await worker.kill()
    expect(await second.written(2)).toEqual(['served cake', 'served tea'])
  },

  async 'Workers with the mqtt package, js 2'() {
    const at = await setting()
    const worker = await at.kitchen.program(block('Workers with the mqtt package, js 2'))
    await at.log.find('queue.consumer-added')
    await publish(at, 'orders', '{}', '{"item":"tea"}')
    expect(await worker.written(1)).toEqual(['served tea'])
    await until('that one is done', () => lengthOf(at, 'orders') === 1)
    // Only now is time short: the tea, which is served, must not run out of it.
    at.broker.queues.change({ ...resolveConfig().queue, ackTimeout: 10, maxDeliveries: 2 })
    await at.log.find('queue.dead-lettered', { queue: 'orders', reason: 'max-deliveries', deliveries: 2 })
    await until('all are done', () => lengthOf(at, 'orders') === 0)
  },

  async 'Retries and dead letters, yaml 1'() {
    const { broker } = await setting(parse(block('Retries and dead letters, yaml 1')))
    await broker.publish('queue/mail/letters', 'x')
    const { policy } = await broker.queues.show('mail/letters')
    expect(policy).toMatchObject({ maxDeliveries: 4, backoff: { initial: 1000, max: 600_000 } })
    for (const [i, seconds] of [1, 2, 4].entries()) {
      for (let id = 0; id < 50; id++) {
        const rest = backoffDelay(policy.backoff, i + 1, id) / 1000
        expect(rest).toBeGreaterThanOrEqual(seconds)
        expect(rest).toBeLessThanOrEqual(seconds * 2)
      }
    }
  },

  async 'Retries and dead letters, sh 1'() {
    const at = await setting()
    await bury(at, 'mail', 'letter')
    const reader = at.kitchen.shell(block('Retries and dead letters, sh 1'))
    const [line] = await reader.written(1)
    expect(line).toMatch(/^queue\/dead\/mail letter /)
    for (const told of ['reason:rejected', 'from:mail', 'deliveries:1'])
      expect(line).toContain(`eventflow-dead-${told}`)
    await until('it is taken out', () => lengthOf(at, 'dead/mail') === 0)
  },

  async 'Retries and dead letters, sh 2'() {
    const at = await setting()
    await bury(at, 'mail', 'a letter', 'another')
    await at.kitchen.shell(block('Retries and dead letters, sh 2')).ended()
    const worker = await consumer(at, 'queue/mail')
    const letters = [await worker.next('publish'), await worker.next('publish')]
    expect(letters.map(({ payload }) => payload.toString())).toEqual(['a letter', 'another'])
    expect(lengthOf(at, 'dead/mail')).toBe(0)
  },

  'A payment exactly once, js 1': payments,
  'A payment exactly once, js 2': payments,

  async 'In order for each customer, sh 1'() {
    const at = await setting(QUICK)
    const workers = [await consumer(at, 'queue/bookings'), await consumer(at, 'queue/bookings')]
    expect(await at.kitchen.shell(block('In order for each customer, sh 1')).ended()).toBe(0)
    await until('two are on their way', () => at.log.of('queue.delivered').length === 2)
    const takeAny = async () => {
      const has = () => workers.find(({ received }) => received.some(({ cmd }) => cmd === 'publish'))
      await until('a worker has a message', () => has() !== undefined)
      const worker = has()!
      const { payload, messageId } = await worker.next('publish')
      const answer = (reasonCode: number) => worker.send({ cmd: 'puback', messageId: messageId!, reasonCode })
      return { text: payload.toString(), answer }
    }
    const both = [await takeAny(), await takeAny()].sort((a, b) => a.text.localeCompare(b.text))
    expect(both.map(({ text }) => text)).toEqual(['customer 7: open', 'customer 8: open'])
    both[0]!.answer(0x97)
    const again = await takeAny()
    expect(again.text).toBe('customer 7: open')
    again.answer(0)
    expect((await takeAny()).text).toBe('customer 7: close')
  },

  async 'Delayed jobs, sh 1'() {
    const at = await setting()
    const reader = await connectClient(at.port, { protocolVersion: 5 })
    const came: number[] = []
    reader.mqtt.on('message', () => void came.push(Date.now()))
    await reader.mqtt.subscribeAsync('queue/mail', { qos: 1 })
    const from = Date.now()
    expect(await at.kitchen.shell(block('Delayed jobs, sh 1')).ended()).toBe(0)
    expect(await reader.messages(2)).toEqual(['in one and a half', 'in three seconds'])
    expect(came[0]! - from).toBeGreaterThanOrEqual(1500)
    expect(came[1]! - from).toBeGreaterThanOrEqual(3000)
  },

  async 'From $share, sh 1'() {
    const { kitchen } = await setting()
    expect(await kitchen.shell(block('From $share, sh 1')).written(1)).toEqual(['picture 1'])
  },

  async 'From RabbitMQ, js 1'() {
    const at = await setting(QUICK)
    const program = await at.kitchen.program(block('From RabbitMQ, js 1'))
    const lines = await program.written(4)
    expect(lines.slice(0, 3)).toEqual(['good, delivery 1', 'later, delivery 1', 'broken, delivery 1'])
    expect(lines[3]).toBe('later, delivery 2')
    await at.log.find('queue.dead-lettered', { queue: 'orders', reason: 'rejected' })
    await until('all are done', () => lengthOf(at, 'orders') === 0)
  },

  async 'From BullMQ, js 1'() {
    const at = await setting(QUICK)
    const program = await at.kitchen.program(block('From BullMQ, js 1'))
    const lines = await program.written(3)
    expect(lines.toSorted()).toEqual(['painted blue, attempt 1', 'painted gold, attempt 1', 'painted red, attempt 2'])
    expect(lines.at(-1)).toBe('painted blue, attempt 1')
    await until('all are done', () => lengthOf(at, 'paint') === 0)
    expect(at.log.of('queue.consumer-added')).toHaveLength(2)
    const [first] = at.log.of('queue.delivered')
    const firstIn = at.log.of('queue.enqueued').map(({ id }) => id)
    expect(first!.id).toBe(Math.max(...firstIn)) // gold: the highest priority has the highest ids
  },

  async 'What a producer can ask for, sh 1'() {
    const at = await setting()
    const text = block('What a producer can ask for, sh 1')
    for (let i = 0; i < 2; i++) expect(await at.kitchen.shell(text).ended()).toBe(0)
    expect(await at.broker.queues.show('mail')).toMatchObject({ delayed: 2, ready: 0 })
    expect(await at.broker.queues.show('pay')).toMatchObject({ length: 1 })
    const worker = await consumer(at, 'queue/pay')
    const { userProperties } = (await worker.next('publish')).properties!
    expect(userProperties).toMatchObject({ group: 'customer-7', 'dedup-id': 'pay-7' })
  },

  async 'Looking and steering, js 1'() {
    const at = await setting()
    await bury(at, 'orders', 'letter')
    await publish(at, 'orders', '1', '2')
    await publish(at, 'old', '1', '2', '3')
    const results: unknown[] = []
    for (const line of block('Looking and steering, js 1').trimEnd().split('\n')) {
      const call = line.replace(/^await /, '').replace(/ \/\/ .*$/, '')
      results.push(await new Function('broker', 'console', `return ${call}`)(at.broker, { log: () => {} }))
    }
    const [list, oldest, details, peeked, , , purged, deleted, redriven] = results
    expect(list).toContainEqual(
      expect.objectContaining({ name: 'orders', length: 2, ready: 2, inFlight: 0, resting: 0 }),
    )
    expect([...(oldest as Map<string, number>).keys()].sort()).toEqual(['dead/orders', 'old', 'orders'])
    expect(details).toMatchObject({ name: 'orders', policy: { maxDeliveries: 5 }, consumers: [] })
    expect(peeked).toHaveLength(2)
    expect([purged, deleted]).toEqual([2, 3])
    expect(redriven).toEqual({ moved: 1, left: 0 })
    expect(lengthOf(at, 'orders')).toBe(1)
  },

  async 'Receipts, json 1'() {
    const at = await setting()
    const producer = await connectClient(at.port, { clientId: 'shop' })
    await producer.mqtt.subscribeAsync('$eventflow/receipts/shop', { qos: 1 })
    await producer.mqtt.publishAsync('queue/orders', 'x', { qos: 1 })
    const worker = await connectClient(at.port, { clientId: 'worker-2' })
    await worker.mqtt.subscribeAsync('queue/orders', { qos: 1 })
    const receipt = JSON.parse((await producer.messages(1))[0]!)
    const shown = JSON.parse(block('Receipts, json 1'))
    expect(Object.keys(receipt)).toEqual(Object.keys(shown))
    const { id: _, packetId: __, time: ___, ...fixed } = shown
    expect(receipt).toMatchObject(fixed)
  },

  async 'Policies, yaml 1'() {
    const { broker } = await setting(parse(block('Policies, yaml 1')))
    const policyOf = async (name: string) => {
      await broker.publish(`queue/${name}`, 'x')
      return (await broker.queues.show(name)).policy
    }
    expect(await policyOf('payments/eu')).toMatchObject({ maxDeliveries: 10, backoff: { initial: 1000, max: 600_000 } })
    expect(await policyOf('payments/test')).toMatchObject({ maxDeliveries: 1, backoff: { max: 60_000 } })
    expect(await policyOf('orders')).toMatchObject({ maxDeliveries: 5 })
  },
}

/** Payments, most of them told twice, while the cashier is killed, and the broker too: each is in the ledger once. */
async function payments(): Promise<void> {
  const folder = await temporaryFolder()
  let broker = await startProcess(folder)
  const { port } = broker
  const kitchen = await Kitchen.open(port)
  const [pay, cashier] = [block('A payment exactly once, js 1'), block('A payment exactly once, js 2')]
  const ledger = (): string[] => {
    try {
      return readFileSync(join(kitchen.folder, 'ledger.txt'), 'utf8').trim().split('\n')
    } catch {
      return [] // nobody was paid yet
    }
  }
  const ids = Array.from({ length: 6 }, (_, i) => `payment-${i}`)
  const tell = async (some: string[]) => {
    const shops = []
    // One after the other: they are one shop, by its identifier.
    for (const id of some) shops.push(await (await kitchen.program(pay, id, '100')).ended())
    expect(shops).toEqual(some.map(() => 0))
  }
  await tell([...ids.slice(0, 2), ...ids.slice(0, 2)])
  const first = await kitchen.program(cashier)
  await until('some are paid', () => ledger().length >= 1)
  await first.kill()
  const second = await kitchen.program(cashier)
  await tell(ids.slice(2, 4))
  second.signal('SIGSTOP')
  await tell(ids.slice(4, 5))
  await broker.end('SIGKILL')
  await second.kill()
  broker = await startProcess(folder, {}, port)
  await tell(ids.slice(3))
  await kitchen.program(cashier)
  await until('all are paid', () => ledger().length >= ids.length)
  // Whatever comes is behind all the others.
  await tell(['last'])
  await until('the last is paid', () => ledger().includes('last'))
  expect(ledger()).toHaveLength(ids.length + 1)
  expect(new Set(ledger())).toEqual(new Set([...ids, 'last']))
  const rest = await connectClient(port)
  await rest.mqtt.subscribeAsync('queue/#', { qos: 1 })
  await rest.mqtt.publishAsync('queue/end', 'end', { qos: 1 })
  expect(await rest.messages(1)).toEqual(['end'])
}

const toRun = blocks.filter(({ language }) => language !== 'text') // pictures: queue-life.test.ts

describeWithMosquitto('docs/queues.md', () => {
  it('has recipes that are run, each and every one', () => {
    expect(Object.keys(recipes)).toEqual(toRun.map(({ key }) => key))
    // None that is not found, for being indented or fenced otherwise.
    expect(page.match(/^\s*(```|~~~)/gm)).toHaveLength(2 * blocks.length)
  })

  it.each([...new Set(Object.values(recipes))].map((recipe) => [recipe.name, recipe] as const))(
    'does what it says: %s',
    async (_, recipe) => recipe(),
    120_000,
  )

  it('takes sixteen for one that is left with -C 1: the others are dead letters after five times', async () => {
    const at = await setting()
    await publish(at, 'orders', ...Array.from({ length: 10 }, (_, i) => `${i}`))
    for (let i = 0; i < 5; i++) await at.kitchen.shell('mosquitto_sub -q 1 -t queue/orders -C 1').ended()
    await at.log.find('queue.dead-lettered', { queue: 'orders', reason: 'max-deliveries' })
  })
})
