/** `eventflow status`: follow the events of a running broker, a line an event, until it stops or the reader does. */

import { parseArgs } from 'node:util'
import { API_OPTIONS, API_USAGE, Api } from '../api.ts'
import { type Command, text, WronglyCalled, wholeNumber } from '../command.ts'
import { dataOf } from '../event-stream.ts'
import { emphasized, printable } from '../table.ts'

const USAGE = `status [--type TYPES] [--last N] [--count N] [options]

  --type TYPES       only these: client.connected, client.*, or several with commas between
  --last N           begin with the last N events (at most 10000)
  --count N          end after N events${API_USAGE}`

/** An event as the API tells it: CloudEvents. */
interface Event {
  time: string
  type: string
  sequence: string
  data: Record<string, unknown>
}

export const status: Command = {
  summary: 'Follow what happens, event by event.',
  usage: USAGE,
  async run(args) {
    const options = { ...API_OPTIONS, type: text, last: text, count: text }
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (positionals.length > 0) throw new WronglyCalled(`'${positionals[0]}' is too much: events are named with --type`)
    const last = wholeNumber('--last', values.last, 0, 10_000) ?? 0
    const count = wholeNumber('--count', values.count, 1, Number.MAX_SAFE_INTEGER) ?? Infinity
    const api = await Api.of(values)
    let told = 0
    for await (const event of eventsOf(api, values.type, last)) {
      process.stdout.write(values.json ? `${JSON.stringify(event)}\n` : lineOf(event))
      if (++told === count) return 0
    }
    throw new Error(`${api.url} has ended the stream of events: the broker stops`)
  },
}

/** The stream is opened before the last ones are asked for: between the two nothing is missed, or told twice. */
async function* eventsOf(api: Api, type: string | undefined, last: number): AsyncGenerator<Event> {
  const stream = await api.stream('/events/stream', { type })
  if (process.stderr.isTTY) process.stderr.write(`following ${api.url}; Ctrl-C ends\n`)
  let told = ''
  if (last > 0) {
    const { items } = (await api.call('GET', '/events', { type, limit: last })) as { items: Event[] }
    yield* items
    told = items.at(-1)?.sequence ?? ''
  }
  for await (const json of dataOf(stream)) {
    const event = JSON.parse(json) as Event
    if (event.sequence > told) yield event
  }
}

function lineOf({ time, type, data }: Event): string {
  const fields = Object.entries(data).map(([name, value]) => `${name}=${written(value)}`)
  return `${time} ${emphasized(process.stdout, type)} ${printable(fields.join(' '))}\n`
}

/** Text without quotes where it is one word: `clientId=pump-7 reason="not authorized"`. */
function written(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
