/**
 * Events: those of late, and those to come as server-sent events. A reader of the stream that is too slow loses events, and
 * sees that by their sequence numbers; the broker does not wait for it. One that comes back says what it saw last, and is told
 * first what there was since then, as far as it is kept.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import {
  type EventChronicle as Chronicle,
  type CloudEvent,
  EVENT_TYPES,
  type EventType,
  type PluginContext,
} from '../../../src/plugin.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'

/** Bytes that may wait for a reader. */
const MAX_WAITING = 1_048_576
/** Events that one that comes back is told at most. */
const MOST_MISSED = 10_000
/** So often something is written, or proxies take the stream for dead. */
const KEEP_ALIVE_MS = 15_000

const type = z
  .string()
  .optional()
  .describe('`client.connected`, `client.*`, or several with commas between; default: all.')

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

export function eventRoutes(context: PluginContext<never>, streams: Set<FastifyReply>): Route[] {
  const read = { method: 'GET', role: 'read', tag: 'events' } as const
  const recent = z.object({
    type,
    since: z.int().min(0).optional().describe('Those after the one with this sequence number.'),
    limit: z.int().min(1).max(10_000).default(100),
  })
  return [
    route(
      { query: recent },
      {
        ...read,
        path: '/events',
        summary: 'Events of late, oldest first.',
        answer: z.object({ items: z.array(event), sequence: z.int().describe('Of the last event that there was.') }),
        handle: ({ query }) => {
          const { since = 0, limit } = query
          const items = context.chronicle.recent({ type: typesOf(query.type), since, limit })
          return { items, sequence: context.chronicle.sequence }
        },
      },
    ),
    route(
      { query: z.object({ type }) },
      {
        ...read,
        path: '/events/stream',
        summary:
          'Events as they happen: server-sent events, the data of each is the event as JSON. With Last-Event-ID, first those since then.',
        answer: z.string(),
        type: 'text/event-stream',
        handle: ({ query }, reply, request) => stream(context, typesOf(query.type), reply, request, streams),
      },
    ),
  ]
}

function stream(
  { chronicle, clock }: PluginContext<never>,
  types: readonly EventType[],
  reply: FastifyReply,
  request: FastifyRequest,
  streams: Set<FastifyReply>,
): void {
  const out = reply.raw
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) out.setHeader(name, value)
  out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  if (request.method === 'HEAD') {
    out.end()
    return
  }
  out.write(': events follow\n\n')
  streams.add(reply)
  for (const event of missedBy(request, chronicle, types)) out.write(written(event, JSON.stringify(event)))
  const end = chronicle.follow(types, (record) => {
    if (out.writableLength <= MAX_WAITING) tell(written(record, record.json.toString()))
  })
  let timer = clock.after(KEEP_ALIVE_MS, beat)
  /** Once it was ended, by a stop or for want of a token, something may still happen before it is closed. */
  function tell(text: string): void {
    if (!out.writableEnded) out.write(text)
  }
  function beat(): void {
    tell(': still here\n\n')
    timer = clock.after(KEEP_ALIVE_MS, beat)
  }
  request.raw.once('close', () => {
    end()
    timer.cancel()
    streams.delete(reply)
  })
}

function written({ id, type }: { id: string; type: string }, json: string): string {
  return `id: ${id}\nevent: ${type}\ndata: ${json}\n\n`
}

/** What a reader that comes back has missed; all that is kept, if the broker was started again meanwhile. */
function missedBy({ headers }: FastifyRequest, chronicle: Chronicle, type: readonly EventType[]): CloudEvent[] {
  const last = headers['last-event-id']
  if (typeof last !== 'string' || last === '') return []
  const [run, sequence] = last.split('-')
  return chronicle.recent({ type, limit: MOST_MISSED }).filter((event) => {
    return event.id.split('-')[0] !== run || Number(event.sequence) > Number(sequence)
  })
}

/** @throws Problem 400 for a type that there is none of */
function typesOf(text: string | undefined): readonly EventType[] {
  if (text === undefined) return EVENT_TYPES
  return text.split(',').flatMap((name) => {
    const found = EVENT_TYPES.filter(
      (type) => type === name || (name.endsWith('.*') && type.startsWith(name.slice(0, -1))),
    )
    if (found.length === 0) throw new Problem(400, 'EVENT_UNKNOWN', `there is no event '${name}'`)
    return found
  })
}
