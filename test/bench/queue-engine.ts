/**
 * What the engine of the queues alone costs a message: `npx tsx test/bench/queue-engine.ts [root of another checkout]`.
 *
 * A store that does nothing and clients that answer at once, so what is measured is rules, turns and bookkeeping. Messages
 * go through ten queues with two consumers each, in batches as the store makes them. Prints messages a second of processor
 * time, round by round; the best of them says most. To compare two checkouts, run each in turn several times.
 */

import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Engine as EngineType } from '../../plugins/queue/engine.ts'
import type { QueueOptions } from '../../plugins/queue/options.ts'
import { resolveConfig } from '../../src/config/load.ts'
import { Counters } from '../../src/core/counters.ts'
import { Message, type Outgoing, type PluginContext, type SessionView } from '../../src/plugin.ts'

const ROUNDS = 12
const MESSAGES = 300_000
const BATCH = 200
const QUEUES = 10

const root = resolve(process.argv[2] ?? '.')
const module = await import(pathToFileURL(join(root, 'plugins/queue/engine.ts')).href)
const { Engine } = module as { Engine: typeof EngineType }

let nextId = 0
const nothing = (): void => {}
const queues = { append: () => nextId++, remove: nothing, mark: nothing, list: () => [] }
const safe = Promise.resolve()
const context = {
  options: { ...resolveConfig().queue, prefetch: 100 },
  clock: { now: Date.now, after: () => ({ cancel: nothing }) },
  events: { wants: () => false, emit: nothing },
  counters: new Counters(),
  store: { queues, accepting: true, durable: () => safe },
} as unknown as PluginContext<QueueOptions>

const engine = new Engine(context)
await engine.start()

const given: Array<Outgoing<unknown>> = []
const outbox = { window: Infinity, deliver: (outgoing: Outgoing<unknown>) => void given.push(outgoing) }

for (let q = 0; q < QUEUES; q++) {
  for (const clientId of [`a${q}`, `b${q}`]) {
    const session = { clientId, connected: true, protocolVersion: 5, outbox } as unknown as SessionView
    const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    engine.subscribe(session, { filter: `queue/q${q}`, qos: 1, identifier: 0, ...options }, false)?.()
  }
}

const payload = Buffer.alloc(100)
const messages = Array.from({ length: QUEUES }, (_, q) => Message.of({ topic: `queue/q${q}`, payload, qos: 1 }))

/** Returns messages a second. */
async function round(): Promise<number> {
  const start = process.cpuUsage()
  let acknowledged = 0
  for (let sent = 0; sent < MESSAGES; ) {
    for (let i = 0; i < BATCH; i++) void engine.accept(messages[sent++ % QUEUES]!)
    await safe
    // A settlement may deliver more, which is behind it in the list.
    for (let i = 0; i < given.length; i++) given[i]!.receiver?.settled(given[i]!.token, 'acknowledged', 0)
    acknowledged += given.length
    given.length = 0
  }
  if (acknowledged !== MESSAGES) throw new Error(`${acknowledged} of ${MESSAGES} messages came`)
  const { user, system } = process.cpuUsage(start)
  return Math.round((MESSAGES / (user + system)) * 1_000_000)
}

for (let i = 0; i < ROUNDS; i++) console.log(await round())
