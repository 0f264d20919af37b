/** Clients that are connected, the sessions that they have or left, and what they subscribe to. */

import * as z from 'zod'
import { NEVER_EXPIRES, type PluginContext, ReasonCode, Refusal, type SessionDetails } from '../../../src/plugin.ts'
import { pageOf } from '../page.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'
import { after, clientId, limit, page, timeOf } from './common.ts'

const session = z.object({
  clientId: z.string(),
  username: z.string().nullable(),
  connected: z.boolean(),
  address: z.string().describe('Of the present or the last connection.'),
  protocol: z.enum(['3.1', '3.1.1', '5.0']),
  expirySeconds: z.int().nullable().describe('Seconds that the session outlives its connection; null: for ever.'),
  disconnectedAt: z.string().nullable(),
  subscriptions: z.int(),
  inflight: z.int().describe('QoS 1 and 2 messages that were sent and are not settled.'),
  waiting: z.int().describe('Messages that wait for their turn.'),
})

const subscription = z.object({
  clientId: z.string(),
  filter: z.string(),
  qos: z.int(),
  noLocal: z.boolean(),
  retainAsPublished: z.boolean(),
  retainHandling: z.int(),
  identifier: z.int().nullable(),
})

const listed = z.object({ limit, after, search: z.string().optional().describe('Part of the client id or user name.') })

export function clientRoutes(context: PluginContext<never>): Route[] {
  const list = async (query: z.output<typeof listed>, isWanted: (session: SessionDetails) => boolean) => {
    const { search = '' } = query
    const isFound = ({ clientId, username }: SessionDetails) => clientId.includes(search) || username?.includes(search)
    const keyOf = ({ clientId }: SessionDetails): string => clientId
    const wanted = (session: SessionDetails): boolean => isWanted(session) && isFound(session) === true
    const { items, next } = await pageOf(context.sessions(), keyOf, query, wanted)
    return { items: items.map(sessionOf), next }
  }
  const find = (clientId: string): SessionDetails => {
    const found = context.session(clientId)
    if (found === undefined) throw new Problem(404, 'CLIENT_UNKNOWN', `there is no session of '${clientId}'`)
    return found
  }
  const kicked = new Refusal(ReasonCode.AdministrativeAction, 'disconnected by an operator')
  const get = { method: 'GET', role: 'read' } as const
  const remove = { method: 'DELETE', role: 'operate' } as const

  return [
    route(
      { query: listed },
      {
        ...get,
        path: '/clients',
        tag: 'clients',
        summary: 'Clients that are connected, by client id.',
        answer: page(session),
        handle: ({ query }) => list(query, ({ connected }) => connected),
      },
    ),
    route(
      { params: clientId },
      {
        ...get,
        path: '/clients/:clientId',
        tag: 'clients',
        summary: 'One client or session, with its subscriptions.',
        answer: session.extend({ subscribed: z.array(subscription) }),
        handle: ({ params }) => {
          const found = find(params.clientId)
          return { ...sessionOf(found), subscribed: [...subscriptionsOf(found)] }
        },
      },
    ),
    route(
      { params: clientId },
      {
        ...remove,
        path: '/clients/:clientId',
        tag: 'clients',
        summary: 'Disconnect a client (MQTT 5.0: 0x98). Its session stays; its will is published.',
        handle: ({ params }) => {
          if (!context.disconnect(params.clientId, kicked)) {
            throw new Problem(404, 'CLIENT_UNKNOWN', `the client '${params.clientId}' is not connected`)
          }
        },
      },
    ),
    route(
      { query: listed },
      {
        ...get,
        path: '/sessions',
        tag: 'sessions',
        summary: 'Sessions, connected or not, by client id.',
        answer: page(session),
        handle: ({ query }) => list(query, () => true),
      },
    ),
    route(
      { params: clientId },
      {
        ...remove,
        path: '/sessions/:clientId',
        tag: 'sessions',
        summary: 'End a session with all that waits for it; its client is disconnected.',
        handle: ({ params }) => {
          find(params.clientId)
          context.endSession(params.clientId, kicked)
        },
      },
    ),
    route(
      { query: listed.extend({ search: z.string().optional().describe('Part of the client id or filter.') }) },
      {
        ...get,
        path: '/subscriptions',
        tag: 'subscriptions',
        summary: 'Subscriptions of all sessions, by client id and filter.',
        answer: page(subscription),
        handle: ({ query }) => {
          const keyOf = (one: z.output<typeof subscription>): string => `${one.clientId}\u0000${one.filter}`
          const { search = '' } = query
          const isFound = (one: z.output<typeof subscription>) =>
            one.clientId.includes(search) || one.filter.includes(search)
          return pageOf(subscriptionsOfAll(context.sessions()), keyOf, query, isFound)
        },
      },
    ),
  ]
}

function* subscriptionsOfAll(sessions: Iterable<SessionDetails>): Generator<z.output<typeof subscription>> {
  for (const session of sessions) yield* subscriptionsOf(session)
}

function sessionOf(details: SessionDetails): z.output<typeof session> {
  const { clientId, username, connected, address, protocolVersion, expirySeconds, disconnectedAt, outbox } = details
  return {
    ...{ clientId, username, connected, address },
    protocol: protocolVersion === 5 ? '5.0' : protocolVersion === 3 ? '3.1' : '3.1.1',
    expirySeconds: expirySeconds >= NEVER_EXPIRES ? null : expirySeconds,
    disconnectedAt: timeOf(disconnectedAt),
    subscriptions: details.subscriptions.size,
    inflight: outbox.inflight,
    waiting: outbox.size - outbox.inflight,
  }
}

function* subscriptionsOf({ clientId, subscriptions }: SessionDetails): Generator<z.output<typeof subscription>> {
  for (const { filter, qos, noLocal, retainAsPublished, retainHandling, identifier } of subscriptions.values()) {
    yield { clientId, filter, qos, noLocal, retainAsPublished, retainHandling, identifier: identifier || null }
  }
}
