/** `eventflow queues`: look at the queues of a running broker, and steer them. */

import { parseArgs } from 'node:util'
import { API_OPTIONS, API_USAGE, Api, ApiProblem, pathOf } from '../api.ts'
import { type Command, flag, text, WronglyCalled, wholeNumber } from '../command.ts'
import { confirmed } from '../confirm.ts'
import { printJson, printList } from '../print.ts'
import { tellProgress } from '../progress.ts'
import { type Cell, printable, writeFields, writeTable } from '../table.ts'

const USAGE = `queues list|show|peek|pause|resume|purge|delete|redrive [NAME] [options]

  list               queues, by name; --search S: those with S in their names; --limit N at most
  show NAME          one queue, with its consumers and the policy that it has
  peek NAME          its first messages, without consuming them; --limit N (default 10, at most 1000)
  pause NAME         deliver nothing until it is resumed
  resume NAME        deliver again
  purge NAME         remove every message that no consumer has; asks first
  delete NAME        remove the queue with all that is in it; asks first
  redrive NAME       send dead letters back to where they come from; --limit N at most

Names are without queue/: the dead letters of orders are in dead/orders.

  --yes              do not ask; needed where there is no terminal${API_USAGE}`

/** Dead letters in one call: so often progress is told. */
const BATCH = 1_000

interface Queue {
  name: string
  length: number
  ready: number
  inFlight: number
  delayed: number
  resting: number
  paused: boolean
  rates: { in: number; out: number }
}

interface Details extends Queue {
  consumers: Array<{ clientId: string; filter: string; qos: number; connected: boolean; inFlight: number }>
  oldestAt: string | null
  match: string | null
  policy: Record<string, unknown>
}

interface Peeked {
  id: number
  state: string
  payload: string
  encoding: 'utf8' | 'base64'
  clientId: string
  receivedAt: string
  deliveries: number
}

interface Call {
  api: Api
  name: string
  limit: number | null
  search: string | undefined
  yes: boolean
  json: boolean
}

const VERBS: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  list,
  show,
  peek,
  pause: (call) => steer(call, 'pause', 'is paused'),
  resume: (call) => steer(call, 'resume', 'is resumed'),
  purge: (call) => remove(call, 'POST', '/purge'),
  delete: (call) => remove(call, 'DELETE', ''),
  redrive,
}

const LIMITED = ['list', 'peek', 'redrive']

export const queues: Command = {
  summary: 'Look at queues, and steer them.',
  usage: USAGE,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...API_OPTIONS, limit: text, search: text, yes: flag },
      allowPositionals: true,
    })
    const [verb = '', name, ...rest] = positionals
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb]! : null
    if (act === null) throw new WronglyCalled(verb === '' ? 'what is to be done is missing' : `cannot '${verb}' queues`)
    if ((name === undefined) !== (verb === 'list') || rest.length > 0) {
      throw new WronglyCalled(verb === 'list' ? 'list takes no name' : `${verb} takes the name of one queue`)
    }
    // What is asked for and not done would be taken for done: `purge --limit 5` is not all of it.
    const stray = values.limit !== undefined && !LIMITED.includes(verb) ? 'limit' : null
    const misplaced = values.search !== undefined && verb !== 'list' ? 'search' : stray
    if (misplaced !== null) throw new WronglyCalled(`${verb} takes no --${misplaced}`)
    const limit = wholeNumber('--limit', values.limit, 1, verb === 'peek' ? 1_000 : Number.MAX_SAFE_INTEGER)
    const { search, yes = false, json = false } = values
    try {
      await act({ api: await Api.of(values), name: name ?? '', limit, search, yes, json })
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.code !== 'QUEUE_UNKNOWN' || !name?.startsWith('queue/')) throw error
      throw new Error(`${error.message}; names are without queue/`)
    }
    return 0
  },
}

function list({ api, search, limit, json }: Call): Promise<void> {
  return printList(api.list<Queue & { consumers: number }>('/queues', { search }, limit), {
    json,
    head: ['QUEUE', 'MESSAGES', 'READY', 'IN FLIGHT', 'DELAYED', 'RESTING', 'IN/S', 'OUT/S', 'CONSUMERS', 'PAUSED'],
    row: ({ name, length, ready, inFlight, delayed, resting, rates, consumers, paused }) => {
      return [name, length, ready, inFlight, delayed, resting, rates.in, rates.out, consumers, paused]
    },
  })
}

async function show({ api, name, json }: Call): Promise<void> {
  const queue = (await api.call('GET', pathOf('queues', name))) as Details
  if (json) return printJson(queue)
  const { length, ready, inFlight, delayed, resting, rates, paused, oldestAt, match, policy, consumers } = queue
  const places = { messages: length, ready, 'in flight': inFlight, delayed, resting }
  const fields = { queue: queue.name, ...places, 'in a second': rates.in, 'out a second': rates.out, paused }
  writeFields(process.stdout, {
    ...fields,
    'oldest message': oldestAt,
    policy: match ?? 'only the defaults',
    ...Object.fromEntries(Object.entries(policy).map(([option, value]) => [`  ${option}`, cellOf(value)])),
  })
  process.stdout.write('\n')
  const rows = consumers.map((one) => [one.clientId, one.filter, one.qos, one.connected, one.inFlight])
  writeTable(process.stdout, ['CONSUMER', 'FILTER', 'QOS', 'CONNECTED', 'IN FLIGHT'], rows)
}

async function peek({ api, name, limit, json }: Call): Promise<void> {
  const { items } = (await api.call('GET', pathOf('queues', name, 'messages'), { limit })) as { items: Peeked[] }
  await printList(items, {
    json,
    head: ['ID', 'STATE', 'RECEIVED', 'DELIVERIES', 'FROM', 'PAYLOAD'],
    row: ({ id, state, receivedAt, deliveries, clientId, payload, encoding }) => {
      return [id, state, receivedAt, deliveries, clientId, encoding === 'base64' ? `base64:${payload}` : payload]
    },
  })
}

async function steer({ api, name, json }: Call, verb: string, done: string): Promise<void> {
  await api.call('POST', pathOf('queues', name, verb))
  if (!json) process.stdout.write(`${printable(name)} ${done}\n`)
}

async function remove({ api, name, yes, json }: Call, method: 'POST' | 'DELETE', verb: string): Promise<void> {
  const path = pathOf('queues', name)
  if (!yes) {
    const { length, inFlight } = (await api.call('GET', path)) as Details
    const what =
      verb === ''
        ? `Delete the queue ${name} with ${counted(length)}`
        : `Remove ${counted(length - inFlight)} from the queue ${name}`
    const terminal = { input: process.stdin, output: process.stderr }
    if (!(await confirmed(`${printable(what)}, for good?`, terminal))) throw new Error('nothing was removed')
  }
  const removed = (await patiently(`${printable(name)}: removing`, api.call(method, `${path}${verb}`))) as {
    messages: number
  }
  if (json) return printJson(removed)
  process.stdout.write(`${printable(name)}: ${counted(removed.messages)} removed\n`)
}

/**
 * In batches, so that progress can be told and others have their turn; no more than there were at first, for what is sent
 * back may come again while this goes on.
 */
async function redrive({ api, name, limit, json }: Call): Promise<void> {
  const { length } = (await api.call('GET', pathOf('queues', name))) as Details
  const most = Math.min(limit ?? Infinity, length)
  const total = { moved: 0, left: 0 }
  try {
    for (let size = BATCH; size === BATCH && total.moved < most; ) {
      const { moved, left } = await redriveSome(api, name, Math.min(BATCH, most - total.moved), total.moved > 0)
      total.moved += moved
      total.left = left
      size = moved
      tellProgress(`${printable(name)}: ${total.moved} of ${most} …`)
    }
  } finally {
    tellProgress('')
  }
  if (json) return printJson(total)
  const stay = total.left === 0 ? '' : `; ${counted(total.left)} could not go back: see eventflow queues peek`
  process.stdout.write(`${printable(name)}: ${counted(total.moved)} sent back${stay}\n`)
}

/** @param begun whether some were moved before: then a queue that is gone is one that was emptied */
async function redriveSome(api: Api, name: string, limit: number, begun: boolean) {
  try {
    return (await api.call('POST', pathOf('queues', name, 'redrive'), { limit })) as { moved: number; left: number }
  } catch (error) {
    if (begun && error instanceof ApiProblem && error.code === 'QUEUE_UNKNOWN') return { moved: 0, left: 0 }
    throw error
  }
}

/** One call that may take long: on a terminal, what it is that takes so long, from the first second on. */
async function patiently<T>(what: string, call: Promise<T>): Promise<T> {
  let seconds = 0
  const ticking = setInterval(() => tellProgress(`${what} … ${++seconds} s`), 1_000)
  try {
    return await call
  } finally {
    clearInterval(ticking)
    if (seconds > 0) tellProgress('')
  }
}

function counted(messages: number): string {
  return messages === 1 ? '1 message' : `${messages} messages`
}

function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell)
}
