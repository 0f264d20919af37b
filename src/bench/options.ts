/** The words of `eventflow bench`, checked: what to run, on which brokers, and where the report goes. */

import { parseArgs } from 'node:util'
import { can, withComparisons } from './campaign.ts'
import type { Side, Sizes } from './run.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'

/** It was wrongly called; the message says what was expected. */
export class WronglyCalled extends Error {}

export interface BenchOptions {
  readonly scenarios: readonly Scenario[]
  readonly sides: readonly Side[]
  /** What the table calls the brokers; null: what they call themselves. */
  readonly names: ReadonlyArray<string | null>
  readonly sizes: Sizes
  readonly runs: number
  readonly disk: string
  readonly json: boolean
  /** The page to write; null: none. */
  readonly write: string | null
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

const WORDS = {
  host: text,
  port: text,
  pid: text,
  name: text,
  user: text,
  password: text,
  share: flag,
  reader: text,
  vs: text,
  'vs-pid': text,
  'vs-name': text,
  'vs-user': text,
  'vs-password': text,
  'vs-queue': flag,
  runs: text,
  seconds: text,
  messages: text,
  window: text,
  rate: text,
  connections: text,
  subscriptions: text,
  backlog: text,
  timeout: text,
  disk: text,
  json: flag,
  write: text,
} as const

/** @throws WronglyCalled */
export function parseBench(args: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args)
  const whole = (name: keyof typeof WORDS, fallback: number, most: number): number =>
    number(`--${name}`, values[name], fallback, { min: 1, max: most, whole: true })
  const duration = (name: keyof typeof WORDS, fallback: number): number =>
    number(`--${name}`, values[name], fallback, { min: 0.01, max: 3_600, whole: false })
  if (values.seconds !== undefined && values.messages !== undefined) {
    throw new WronglyCalled('--seconds goes without --messages')
  }
  const sides = sidesOf(values)
  // MQTT 3.1.1 has no password without a user name [MQTT-3.1.2-22].
  const nameless = sides.find(({ user, password }) => password !== undefined && user === undefined)
  if (nameless !== undefined) throw new WronglyCalled('a password goes with a user name')
  return {
    scenarios: scenariosOf(positionals, sides),
    sides,
    names: [values.name ?? null, ...(sides.length > 1 ? [values['vs-name'] ?? null] : [])],
    sizes: {
      limit:
        values.messages !== undefined
          ? { messages: whole('messages', 1, 1e9) }
          : values.seconds !== undefined
            ? { seconds: duration('seconds', 1) }
            : null,
      window: values.window === undefined ? null : whole('window', 1, 65_535),
      rate: whole('rate', 5_000, 1_000_000),
      connections: whole('connections', 10_000, 1_000_000),
      subscriptions: whole('subscriptions', 10_000, 1_000_000),
      backlog: whole('backlog', 100_000, 1e9),
      stallMs: duration('timeout', 10) * 1_000,
    },
    runs: whole('runs', 5, 1_000),
    disk: values.disk ?? '.',
    json: values.json === true,
    write: values.write ?? null,
  }
}

type Values = ReturnType<typeof parse>['values']

function sidesOf(values: Values): Side[] {
  const port = number('--port', values.port, 1_883, PORT)
  const first = {
    host: values.host ?? '127.0.0.1',
    port,
    user: values.user,
    password: values.password,
    pid: pidOf('--pid', values.pid),
    share: values.share === true,
    reader: values.reader ?? null,
    receiveMaximum: 65_535,
  }
  if (values.vs === undefined) {
    const stray = (['vs-pid', 'vs-name', 'vs-user', 'vs-password', 'vs-queue'] as const).find(
      (name) => values[name] !== undefined,
    )
    if (stray !== undefined) throw new WronglyCalled(`--${stray} goes with --vs HOST:PORT`)
    return [first]
  }
  const second = {
    ...addressOf(values.vs),
    user: values['vs-user'],
    password: values['vs-password'],
    pid: pidOf('--vs-pid', values['vs-pid']),
    share: values['vs-queue'] !== true,
    reader: null,
    receiveMaximum: 65_535,
  }
  return [first, second]
}

function scenariosOf(names: readonly string[], sides: readonly Side[]): Scenario[] {
  for (const name of names) {
    const scenario = SCENARIOS.get(name)
    if (scenario === undefined) {
      throw new WronglyCalled(`there is no scenario '${name}'; expected some of ${[...SCENARIOS.keys()].join(', ')}`)
    }
    if (sides.some((side) => can(scenario, side))) continue
    throw new WronglyCalled(
      scenario.method === 'idle' ? 'idle needs --pid, the process id of the broker' : `${name} goes without --share`,
    )
  }
  const wanted = names.length > 0 ? names : [...SCENARIOS.keys()]
  return withComparisons(SCENARIOS, wanted).filter((scenario) => sides.some((side) => can(scenario, side)))
}

interface Range {
  min: number
  max: number
  whole: boolean
}

const PORT: Range = { min: 1, max: 65_535, whole: true }

function number(name: string, value: string | boolean | undefined, fallback: number, { min, max, whole }: Range) {
  if (value === undefined) return fallback
  const found = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  if (found >= min && found <= max && (!whole || Number.isInteger(found))) return found
  const kind = whole ? 'a whole number' : 'a number'
  throw new WronglyCalled(`${name} takes ${kind} from ${min} to ${max}, found '${value}'`)
}

function pidOf(name: string, value: string | undefined): number | null {
  return value === undefined ? null : number(name, value, 0, { min: 1, max: 4_194_304, whole: true })
}

/** `host:port`, `[address]:port` for IPv6. */
function addressOf(value: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(value) ?? []
  const host = bracketed ?? plain
  if (host === undefined) throw new WronglyCalled(`--vs takes HOST:PORT, found '${value}'`)
  return { host, port: number('--vs', port, 0, PORT) }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: WORDS, allowPositionals: true })
  } catch (error) {
    throw new WronglyCalled((error as Error).message.split(/\.\s/)[0]) // what it advises, the help says better
  }
}
