/** Retained messages: looking at them, and clearing one. */

import * as z from 'zod'
import { filterProblem, Message, type PluginContext } from '../../../src/plugin.ts'
import { pageOf } from '../page.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'
import { after, limit, page, payload, payloadLimit, payloadOf, timeOf } from './common.ts'
import { checkTopic, MAX_LEVELS } from './publish.ts'

/** Places of the tree that are looked at in one go. */
const SLICE = 10_000

const retained = z.object({
  topic: z.string(),
  ...payload,
  bytes: z.int(),
  qos: z.int(),
  clientId: z.string().describe('Who published it; empty: the broker.'),
  receivedAt: z.string().nullable(),
  expiresAt: z.string().nullable(),
})

export function retainedRoutes(context: PluginContext<never>, ports: Ports): Route[] {
  const topic = { params: z.object({ topic: z.string().describe('`/` written as `%2F`.') }) }
  return [
    route(
      { query: z.object({ limit, after, payloadLimit, filter: z.string().optional().describe('Default: all.') }) },
      {
        method: 'GET',
        role: 'read',
        tag: 'retained',
        path: '/retained',
        summary: 'Retained messages, by topic.',
        answer: page(retained),
        handle: async ({ query: { filter, payloadLimit, ...rest } }) => {
          const problem = filter === undefined ? null : filterProblem(filter, MAX_LEVELS)
          if (problem !== null) throw new Problem(400, 'FILTER_INVALID', problem)
          const all = await gather(ports, filter ?? null)
          const { items, next } = await pageOf(all, ({ topic }) => topic, rest)
          return { items: items.map((message) => retainedOf(message, payloadLimit)), next }
        },
      },
    ),
    route(topic, {
      method: 'DELETE',
      role: 'operate',
      tag: 'retained',
      path: '/retained/:topic',
      summary: 'Clear the retained message of a topic. Its subscribers get the empty message that clears it.',
      handle: async ({ params }) => {
        const { topic } = params
        checkTopic(topic)
        const receivedAt = context.clock.now()
        await context.publish(Message.of({ topic, payload: Buffer.alloc(0), retain: true, receivedAt }))
      },
    }),
  ]
}

/** All that match, gathered between turns of the event loop: others go on while a million are looked at. */
async function gather({ retained }: Ports, filter: string | null): Promise<Message[]> {
  const cursor = retained.cursor(filter)
  const found: Message[] = []
  for (let budget = SLICE; !cursor.done; budget += SLICE) {
    for (let next = cursor.next(budget); next !== null; next = cursor.next(budget)) found.push(next)
    await new Promise(setImmediate)
  }
  return found
}

function retainedOf(message: Message, payloadLimit: number | undefined) {
  const { topic, payload, payloadLength, qos, from, receivedAt, expiresAt } = message
  const times = { receivedAt: timeOf(receivedAt), expiresAt: timeOf(expiresAt) }
  return { topic, ...payloadOf(payload, payloadLimit), bytes: payloadLength, qos, clientId: from, ...times }
}
