/** Retained messages, and publishing. */

import * as z from 'zod'
import { filterProblem, Message, type PluginContext, topicProblem } from '../../../src/plugin.ts'
import { pageOf } from '../page.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'
import { after, limit, page, payload, payloadOf, timeOf } from './common.ts'

const MAX_LEVELS = 256
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

const publication = z.strictObject({
  topic: z.string(),
  payload: z.string().default(''),
  encoding: z.enum(['utf8', 'base64']).default('utf8').describe('How the payload is written here.'),
  qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0),
  retain: z.boolean().default(false),
})

export function messageRoutes(context: PluginContext<never>, ports: Ports): Route[] {
  const topic = { params: z.object({ topic: z.string().describe('`/` written as `%2F`.') }) }
  return [
    route(
      { query: z.object({ limit, after, filter: z.string().optional().describe('Default: all.') }) },
      {
        method: 'GET',
        role: 'read',
        tag: 'retained',
        path: '/retained',
        summary: 'Retained messages, by topic.',
        answer: page(retained),
        handle: async ({ query: { filter, ...rest } }) => {
          const problem = filter === undefined ? null : filterProblem(filter, MAX_LEVELS)
          if (problem !== null) throw new Problem(400, 'FILTER_INVALID', problem)
          const all = await gather(ports, filter ?? null)
          const { items, next } = await pageOf(all, ({ topic }) => topic, rest)
          return { items: items.map(retainedOf), next }
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
        check(params.topic)
        await context.publish(
          messageOf(context, { topic: params.topic, payload: Buffer.alloc(0), qos: 0, retain: true }),
        )
      },
    }),
    route(
      { body: publication },
      {
        method: 'POST',
        role: 'operate',
        tag: 'messages',
        path: '/publish',
        summary: 'Publish a message as the broker itself. Answered when it is as safe as a PUBACK says.',
        handle: async ({ body }) => {
          check(body.topic)
          const bytes = Buffer.from(body.payload, body.encoding)
          await context.publish(messageOf(context, { ...body, payload: bytes }))
        },
      },
    ),
  ]
}

function check(topic: string): void {
  const problem = topicProblem(topic, MAX_LEVELS)
  if (problem !== null) throw new Problem(400, 'TOPIC_INVALID', problem)
}

type Publication = { topic: string; payload: Buffer; qos: 0 | 1 | 2; retain: boolean }

function messageOf({ clock }: PluginContext<never>, { topic, payload, qos, retain }: Publication): Message {
  return Message.of({ topic, payload, qos, retain, receivedAt: clock.now() })
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

function retainedOf({ topic, payload, payloadLength, qos, from, receivedAt, expiresAt }: Message) {
  const times = { receivedAt: timeOf(receivedAt), expiresAt: timeOf(expiresAt) }
  return { topic, ...payloadOf(payload), bytes: payloadLength, qos, clientId: from, ...times }
}
