/** Events: those of late, and those to come; of some types, of some clients and queues. */

import type { FastifyReply } from 'fastify'
import * as z from 'zod'
import { EVENT_TYPES, type EventType, type PluginContext } from '../../../src/plugin.ts'
import { type Choice, chosen, streamEvents } from '../event-stream.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'

const choice = {
  type: z.string().optional().describe('`client.connected`, `client.*`, or several with commas between; default: all.'),
  client: z.string().optional().describe('Part of the client id that an event tells of.'),
  queue: z.string().optional().describe('Part of the name of the queue that an event tells of.'),
}

const event = z
  .object({
    id: z.string(),
    type: z.string(),
    time: z.string(),
    sequence: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .loose()
  .describe('An event as on $eventflow/status: CloudEvents 1.0.')

const recent = z.object({
  ...choice,
  since: z.int().min(0).optional().describe('Those after the one with this sequence number.'),
  limit: z.int().min(1).max(10_000).default(100),
})

const stream = z.object({
  ...choice,
  recent: z.int().min(0).max(10_000).default(0).describe('Begin with so many of late.'),
})

export function eventRoutes(context: PluginContext<never>, ports: Ports, streams: Set<FastifyReply>): Route[] {
  const read = { method: 'GET', role: 'read', tag: 'events' } as const
  const { chronicle } = context
  return [
    route(
      { query: recent },
      {
        ...read,
        path: '/events',
        summary: 'Events of late, oldest first.',
        answer: z.object({ items: z.array(event), sequence: z.int().describe('Of the last event that there was.') }),
        handle: ({ query: { since = 0, limit, ...query } }) => {
          const found = chosen(chronicle, choiceOf(query), since)
          const items = since > 0 ? found.slice(0, limit) : found.slice(-limit)
          return { items, sequence: chronicle.sequence }
        },
      },
    ),
    route(
      { query: stream },
      {
        ...read,
        path: '/events/stream',
        summary:
          'Events as they happen: server-sent events, the data of each is the event as JSON. Who sends Last-Event-ID gets what came ' +
          'since first, as far as it is kept: `resumed` says whether that is all. `lost` tells how many a slow reader has missed.',
        answer: z.string(),
        type: 'text/event-stream',
        handle: ({ query: { recent, ...query } }, reply, request) => {
          const keepsMessages = keepsAllOf(ports)
          streamEvents({ context, choice: choiceOf(query), recent, keepsMessages, reply, request, streams })
        },
      },
    ),
  ]
}

/** Whether events that happen as often as messages do are kept too. */
function keepsAllOf({ broker }: Ports): boolean {
  const { status } = broker.configuration() as { status?: { recentMessages?: boolean } }
  return status?.recentMessages === true
}

/** @throws Problem 400 for a type that there is none of */
function choiceOf(query: {
  type?: string | undefined
  client?: string | undefined
  queue?: string | undefined
}): Choice {
  return { types: typesOf(query.type), client: query.client ?? '', queue: query.queue ?? '' }
}

function typesOf(text: string | undefined): readonly EventType[] {
  if (text === undefined) return EVENT_TYPES
  const named = text.split(',').flatMap((name) => {
    const found = EVENT_TYPES.filter(
      (type) => type === name || (name.endsWith('.*') && type.startsWith(name.slice(0, -1))),
    )
    if (found.length === 0) throw new Problem(400, 'EVENT_UNKNOWN', `there is no event '${name}'`)
    return found
  })
  return [...new Set(named)]
}
