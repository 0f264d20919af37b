/** Queues: looking at them and steering them, as `broker.queues` does for programs. */

import * as z from 'zod'
import { type Page, pageOf } from '../page.ts'
import type { Ports, QueueNumbers } from '../ports.ts'
import { type Route, route } from '../route.ts'
import { after, limit, page, payload, payloadLimit, payloadOf, queueName, timeOf } from './common.ts'

/** How many messages a second came and went. */
export const rates = z
  .object({ in: z.number().describe('Put into the queue.'), out: z.number().describe('Acknowledged by consumers.') })
  .describe('Messages a second, in the last five to ten seconds.')

const summary = z
  .object({
    name: z.string(),
    length: z.int().describe('Messages in all.'),
    ready: z.int(),
    inFlight: z.int().describe("Those in consumers' hands."),
    delayed: z.int(),
    resting: z.int().describe('Those that rest after a refusal.'),
    bytes: z.int().nullable(),
    consumers: z.int(),
    paused: z.boolean(),
    counters: z
      .record(z.string(), z.int())
      .describe('What became of its messages since it came to be, or was found in the store.'),
    rates,
  })
  .loose()

const listed = summary.extend({
  oldestAt: z.string().nullable().describe('When the oldest message was received.'),
  deadLetters: z
    .object({ name: z.string(), length: z.int() })
    .nullable()
    .describe('The queue for its dead letters, and how many messages it holds; null: it has none.'),
})

const consumer = z.object({
  clientId: z.string(),
  filter: z.string(),
  qos: z.int(),
  connected: z.boolean(),
  inFlight: z.int(),
})

const details = summary.omit({ consumers: true }).extend({
  consumers: z.array(consumer),
  oldestAt: z.string().nullable(),
  deadLetterQueue: z.string().nullable().describe('The queue for its dead letters; null: it has none.'),
  match: z.string().nullable().describe('Filter of the policy that the queue has; null: only the defaults.'),
  policy: z.record(z.string(), z.unknown()),
})

const message = z
  .object({
    id: z.int(),
    state: z.enum(['ready', 'delivered', 'resting', 'delayed']),
    ...payload,
    bytes: z.int().describe('Of the whole payload.'),
    qos: z.int(),
    clientId: z.string(),
    receivedAt: z.string(),
    expiresAt: z.string().nullable(),
    priority: z.int(),
    group: z.string().nullable(),
    deliveries: z.int(),
    userProperties: z.array(z.tuple([z.string(), z.string()])),
  })
  .loose()

interface Shown {
  readonly oldestAt: number | null
  readonly deadLetterQueue: string | null
}

interface Peeked {
  readonly payload: Buffer
  readonly receivedAt: number
  readonly expiresAt: number | null
}

export function queueRoutes(ports: Ports): Route[] {
  const read = { method: 'GET', role: 'read', tag: 'queues' } as const
  const change = { method: 'POST', role: 'operate', tag: 'queues' } as const
  const named = { params: queueName }
  const count = z.object({ messages: z.int().describe('How many were removed.') })

  return [
    route(
      {
        query: z.object({
          ...{ limit, after },
          search: z.string().optional().describe('Part of the name.'),
          sort: z.enum(['name', 'length']).default('name').describe('`length`: the longest ones, on one page.'),
        }),
      },
      {
        ...read,
        path: '/queues',
        summary: 'Queues, by name, or the longest first.',
        answer: page(listed),
        handle: async ({ query }) => {
          const { items, next } = query.sort === 'length' ? longest(ports, query) : await byName(ports, query)
          return { items: await Promise.all(items.map((queue) => listedOf(queue, ports))), next }
        },
      },
    ),
    route(named, {
      ...read,
      path: '/queues/:name',
      summary: 'One queue, with its consumers and the policy that it has.',
      answer: details,
      handle: async ({ params }) => {
        const shown = (await ports.queues.show(params.name)) as Shown
        return { ...shown, oldestAt: timeOf(shown.oldestAt) }
      },
    }),
    route(
      { ...named, query: z.object({ limit: limit.default(10), payloadLimit }) },
      {
        ...read,
        path: '/queues/:name/messages',
        summary: 'Look at the first messages, without consuming them.',
        answer: z.object({ items: z.array(message) }),
        handle: async ({ params, query }) => {
          const peeked = (await ports.queues.peek(params.name, query.limit)) as Peeked[]
          return { items: peeked.map((message) => messageOf(message, query.payloadLimit)) }
        },
      },
    ),
    route(named, {
      ...change,
      path: '/queues/:name/pause',
      summary: 'Deliver nothing until it is resumed. Makes the queue if there is none.',
      handle: ({ params }) => ports.queues.pause(params.name),
    }),
    route(named, {
      ...change,
      path: '/queues/:name/resume',
      summary: 'Deliver again.',
      handle: ({ params }) => ports.queues.resume(params.name),
    }),
    route(named, {
      ...change,
      path: '/queues/:name/purge',
      summary: 'Remove every message that no consumer has.',
      answer: count,
      handle: async ({ params }) => ({ messages: await ports.queues.purge(params.name) }),
    }),
    route(
      { ...named, query: z.object({ limit: z.int().min(1).optional().describe('Move so many at most.') }) },
      {
        ...change,
        path: '/queues/:name/redrive',
        summary: 'Send dead letters back to the queues that they come from.',
        answer: z.object({ moved: z.int(), left: z.int().describe('Those that stay where they are.') }),
        handle: ({ params, query }) =>
          ports.queues.redrive(params.name, query.limit === undefined ? {} : { limit: query.limit }),
      },
    ),
    route(named, {
      ...change,
      method: 'DELETE',
      path: '/queues/:name',
      summary: 'Remove a queue with every message in it. Not while a client subscribes to it by its name.',
      answer: count,
      handle: async ({ params }) => ({ messages: await ports.queues.delete(params.name) }),
    }),
  ]
}

interface Query {
  readonly limit: number
  readonly after?: string | undefined
  readonly search?: string | undefined
}

async function byName({ queues }: Ports, query: Query): Promise<Page<QueueNumbers>> {
  const { items, next } = await pageOf(searched(queues.names(), query.search), (name) => name, query)
  return { items: queues.some(items), next }
}

/** The first of them by length. They are not paged: lengths change, and no page would follow the one before. */
function longest({ queues }: Ports, { search, limit }: Query): Page<QueueNumbers> {
  if (!search) return { items: queues.longest(limit), next: null }
  const found = queues.some([...searched(queues.names(), search)])
  return { items: found.sort((a, b) => b.length - a.length).slice(0, limit), next: null }
}

function* searched(names: Iterable<string>, search = ''): Generator<string> {
  for (const name of names) if (name.includes(search)) yield name
}

async function listedOf(queue: QueueNumbers, { queues }: Ports): Promise<object> {
  // It may be gone by now.
  const shown = (await queues.show(queue.name).catch(() => null)) as Shown | null
  const name = shown?.deadLetterQueue ?? null
  const deadLetters = name === null ? null : { name, length: queues.some([name])[0]?.length ?? 0 }
  return { ...queue, oldestAt: timeOf(shown?.oldestAt ?? null), deadLetters }
}

function messageOf(peeked: Peeked, payloadLimit: number | undefined): object {
  const { payload, receivedAt, expiresAt } = peeked
  const times = { receivedAt: timeOf(receivedAt), expiresAt: timeOf(expiresAt) }
  return { ...peeked, ...payloadOf(payload, payloadLimit), bytes: payload.length, ...times }
}
