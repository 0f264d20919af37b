/** `eventflow clients`: who is connected to a running broker, what one of them subscribes to; send one away. */

import { parseArgs } from 'node:util'
import { API_OPTIONS, API_USAGE, Api, pathOf } from '../api.ts'
import { type Command, text, WronglyCalled, wholeNumber } from '../command.ts'
import { printJson, printList } from '../print.ts'
import { printable, writeFields, writeTable } from '../table.ts'

const USAGE = `clients list|show|kick [ID] [options]

  list               clients that are connected, by client identifier
  show ID            one client, connected or with a session that waits, with its subscriptions
  kick ID            disconnect it (MQTT 5.0: reason 0x98); its session stays, its will is published

  --search S         list those with S in their identifier or user name; --limit N at most${API_USAGE}`

interface Client {
  clientId: string
  username: string | null
  connected: boolean
  address: string
  protocol: string
  expirySeconds: number | null
  disconnectedAt: string | null
  subscriptions: number
  inflight: number
  waiting: number
}

interface Details extends Client {
  subscribed: Array<{ filter: string; qos: number; noLocal: boolean; retainAsPublished: boolean; identifier: number }>
}

interface Call {
  api: Api
  id: string
  search: string | undefined
  limit: number | null
  json: boolean
}

const VERBS: Readonly<Record<string, (call: Call) => Promise<void>>> = { list, show, kick }

export const clients: Command = {
  summary: 'See who is connected, and send one away.',
  usage: USAGE,
  async run(args) {
    const options = { ...API_OPTIONS, search: text, limit: text }
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [verb = '', id, ...rest] = positionals
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb]! : null
    if (act === null)
      throw new WronglyCalled(verb === '' ? 'what is to be done is missing' : `cannot '${verb}' clients`)
    if ((id === undefined) !== (verb === 'list') || rest.length > 0) {
      throw new WronglyCalled(verb === 'list' ? 'list takes no client' : `${verb} takes one client identifier`)
    }
    const limit = wholeNumber('--limit', values.limit, 1, Number.MAX_SAFE_INTEGER)
    const { search, json = false } = values
    await act({ api: await Api.of(values), id: id ?? '', search, limit, json })
    return 0
  },
}

function list({ api, search, limit, json }: Call): Promise<void> {
  return printList(api.list<Client>('/clients', { search }, limit), {
    json,
    head: ['CLIENT', 'USER', 'ADDRESS', 'MQTT', 'SUBSCRIPTIONS', 'IN FLIGHT', 'WAITING'],
    row: ({ clientId, username, address, protocol, subscriptions, inflight, waiting }) => {
      return [clientId, username, address, protocol, subscriptions, inflight, waiting]
    },
  })
}

async function show({ api, id, json }: Call): Promise<void> {
  const client = (await api.call('GET', pathOf('clients', id))) as Details
  if (json) return printJson(client)
  const { connected, expirySeconds, inflight, waiting } = client
  writeFields(process.stdout, {
    client: client.clientId,
    user: client.username,
    connected,
    address: client.address,
    MQTT: client.protocol,
    'session expiry': expirySeconds === null ? 'never' : `${expirySeconds} s after the connection`,
    ...(!connected && { 'disconnected at': client.disconnectedAt }),
    'in flight': inflight,
    waiting,
  })
  process.stdout.write('\n')
  const rows = client.subscribed.map(({ filter, qos, noLocal, retainAsPublished, identifier }) => {
    return [filter, qos, noLocal, retainAsPublished, identifier]
  })
  writeTable(process.stdout, ['SUBSCRIPTION', 'QOS', 'NO LOCAL', 'RETAIN AS PUBLISHED', 'IDENTIFIER'], rows)
}

async function kick({ api, id, json }: Call): Promise<void> {
  await api.call('DELETE', pathOf('clients', id))
  if (!json) process.stdout.write(`${printable(id)} is disconnected\n`)
}
