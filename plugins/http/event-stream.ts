/**
 * Events as server-sent events. A reader that comes back says by Last-Event-ID, as browsers do, what it had last, and gets those since
 * then before those to come: in one turn of the event loop, so that none is left out or told twice. One that is too slow loses events,
 * and is told how many; the broker does not wait for it.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  type CloudEvent,
  type EventChronicle,
  type EventType,
  type PluginContext,
  RARE_EVENT_TYPES,
} from '../../src/plugin.ts'

/** Bytes that may wait for a reader. */
const MAX_WAITING = 1_048_576
/** So often something is written, or proxies take the stream for dead. */
const KEEP_ALIVE_MS = 15_000

/** Which events somebody wants: of these types, with these parts in the client id and in the name of the queue. */
export interface Choice {
  readonly types: readonly EventType[]
  readonly client: string
  readonly queue: string
}

export interface StreamParts {
  context: Pick<PluginContext<never>, 'chronicle' | 'clock'>
  choice: Choice
  /** So many of late, for a reader that comes for the first time. */
  recent: number
  /** Whether the chronicle keeps events of each message too. */
  keepsMessages: boolean
  reply: FastifyReply
  request: FastifyRequest
  streams: Set<FastifyReply>
}

/** Those that are kept and wanted, oldest first. */
export function chosen(chronicle: EventChronicle, choice: Choice, since = 0): CloudEvent[] {
  return chronicle.recent({ type: choice.types, since }).filter(({ data }) => isWanted(data, choice))
}

function isWanted(data: object, { client, queue }: Choice): boolean {
  const { clientId = '', queue: name = '' } = data as { clientId?: string; queue?: string }
  return (client === '' || clientId.includes(client)) && (queue === '' || name.includes(queue))
}

export function streamEvents(parts: StreamParts): void {
  const { context, choice, reply, request, streams } = parts
  const { chronicle, clock } = context
  const out = reply.raw
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) out.setHeader(name, value)
  out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  streams.add(reply)
  const { events, complete } = beginning(parts)
  out.write(complete === null ? ': events follow\n\n' : `event: resumed\ndata: ${JSON.stringify({ complete })}\n\n`)
  for (const event of events) write(event.id, event.type, JSON.stringify(event))
  let lost = 0
  const end = chronicle.follow(choice.types, (record) => {
    if (!isWanted(record.data, choice)) return
    if (out.writableLength > MAX_WAITING) {
      lost++
      return
    }
    if (lost > 0) out.write(`event: lost\ndata: ${JSON.stringify({ events: lost })}\n\n`)
    lost = 0
    write(record.id, record.type, record.json.toString())
  })
  function write(id: string, type: string, json: string): void {
    out.write(`id: ${id}\nevent: ${type}\ndata: ${json}\n\n`)
  }
  let timer = clock.after(KEEP_ALIVE_MS, beat)
  function beat(): void {
    out.write(': still here\n\n')
    timer = clock.after(KEEP_ALIVE_MS, beat)
  }
  request.raw.once('close', () => {
    end()
    timer.cancel()
    streams.delete(reply)
  })
}

/**
 * What comes first. `complete`: whether a reader that comes back has all since then, or may have missed some that are not kept, or not
 * any more; null: it is here for the first time.
 */
function beginning({ context: { chronicle }, choice, recent, keepsMessages, request }: StreamParts): {
  events: CloudEvent[]
  complete: boolean | null
} {
  const last = request.headers['last-event-id']
  if (typeof last !== 'string' || last === '') {
    return { events: recent === 0 ? [] : chosen(chronicle, choice).slice(-recent), complete: null }
  }
  const kept = chronicle.recent()
  const since = kept.some(({ id }) => runOf(id) === runOf(last)) ? sequenceOf(last) : 0
  // One that it had already, or that there was nothing before: nothing is missing in between.
  const reachesBack = kept.length > 0 && Number(kept[0]!.sequence) <= since + 1
  const allKept = keepsMessages || choice.types.every((type) => RARE_EVENT_TYPES.includes(type))
  return { events: chosen(chronicle, choice, since), complete: reachesBack && allKept }
}

/** Identifiers are `run-sequence`: kernel/event-record.ts. After a restart sequences begin anew, in another run. */
const runOf = (id: string): string => id.slice(0, id.lastIndexOf('-'))
const sequenceOf = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1)) || 0
