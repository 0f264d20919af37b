/**
 * `eventflow sub`: write what comes to standard output. A message is acknowledged when it is written, so what a queue sends is
 * lost to nobody when the reader of our output goes away.
 */

import { parseArgs } from 'node:util'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import { type Command, flag, text, WronglyCalled, wholeNumber } from '../command.ts'
import { type Format, formatOf } from '../formats.ts'
import { connect, MQTT_OPTIONS, MQTT_USAGE, qosOf, reasonOf, versionOf } from '../mqtt.ts'

const USAGE = `sub FILTER... [options]

  A message a line: its payload, as it is. On a terminal, control characters are shown rather than obeyed.
  Short options are those of mosquitto_sub.

  -t, --topic FILTER          the same as FILTER
  -v, --verbose               the topic, a space, and the payload
  -F, --format FORMAT         %t topic, %p payload, %x as hex, %b base64, %l bytes, %q QoS, %r retained, %I time, \\n
  --json                      an object a line: topic, payload, encoding, qos, retain, userProperties
  -N, --no-end                no end of line behind a payload
  -q, --qos N                 0, 1 or 2 at most (default 1: a queue keeps a message until it is written)
  -C, --count N               end after N messages
  -W, --timeout SECONDS       end after so long: with 0, or 1 if there were less than --count
  -R, --no-retained           leave out what a topic had kept;  --retained-only: all else
  -c, --keep-session          keep what is subscribed and what comes meanwhile, until --client-id comes again${MQTT_USAGE}`

const OPTIONS = {
  ...MQTT_OPTIONS,
  verbose: { ...flag, short: 'v' },
  format: { ...text, short: 'F' },
  json: flag,
  'no-end': { ...flag, short: 'N' },
  count: { ...text, short: 'C' },
  timeout: { ...text, short: 'W' },
  'no-retained': { ...flag, short: 'R' },
  'retained-only': flag,
  'keep-session': { ...flag, short: 'c' },
} as const

/** Session Expiry Interval: never [MQTT 5.0, 3.1.2.11.2]. */
const FOR_EVER = 0xffff_ffff

/** Why nothing more is printed: that many were wanted, the time is up, or a signal came. */
type Ended = 'enough' | 'late' | 'asked'

interface Order {
  count: number
  timeoutSeconds: number | null
  format: Format
  /** Whether a message is one that is printed. */
  wanted: (packet: IPublishPacket) => boolean
}

export const sub: Command = {
  summary: 'Subscribe, and print what comes.',
  usage: USAGE,
  hasHost: true,
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
    const filters = [...(values.topic ?? []), ...positionals]
    if (filters.length === 0) throw new WronglyCalled('a filter is missing')
    const order: Order = {
      count: wholeNumber('--count', values.count, 1, Number.MAX_SAFE_INTEGER) ?? Infinity,
      timeoutSeconds: wholeNumber('--timeout', values.timeout, 1, 2_000_000),
      format: formatOf({ ...values, bare: values['no-end'] }),
      wanted: wantedOf(values),
    }
    const qos = qosOf(values)
    const keeps = values['keep-session'] === true
    if (keeps && values['client-id'] === undefined) throw new WronglyCalled('--keep-session goes with a --client-id')
    let printed: Promise<Ended> = Promise.resolve('asked')
    const session = sessionOf({ keeps, ...order, version: versionOf(values) })
    const client = await connect(values, session, (unconnected) => {
      printed = print(unconnected, order)
      printed.catch(() => {}) // who could not connect is told that, not this
    })
    const [ended] = await Promise.all([printed, subscribe(client, filters, qos)])
    await client.endAsync()
    if (ended === 'late' && order.count < Infinity) {
      throw new Error(`there were less than ${order.count} messages in ${order.timeoutSeconds} s`)
    }
    return 0
  },
}

function wantedOf(values: {
  'no-retained'?: boolean | undefined
  'retained-only'?: boolean | undefined
}): Order['wanted'] {
  if (values['no-retained'] && values['retained-only'])
    throw new WronglyCalled('--no-retained and --retained-only leave nothing')
  if (values['no-retained']) return ({ retain }) => !retain
  if (values['retained-only']) return ({ retain }) => retain
  return () => true
}

function sessionOf({ keeps, count, version }: { keeps: boolean; count: number; version: 3 | 4 | 5 }): IClientOptions {
  if (version < 5) return { clean: !keeps }
  const properties = {
    // Who wants few takes them one by one: others that consume the same queue are not kept from theirs.
    ...(count < Infinity && { receiveMaximum: 1 }),
    ...(keeps && { sessionExpiryInterval: FOR_EVER }),
  }
  return { clean: !keeps, properties }
}

async function subscribe(client: MqttClient, filters: string[], qos: 0 | 1 | 2): Promise<void> {
  try {
    await client.subscribeAsync(filters, { qos })
  } catch (error) {
    throw new Error(`${filters.join(', ')} is not subscribed to: ${reasonOf(error)}`, { cause: error })
  }
}

/** Resolves when enough is printed, the time is up, or a signal asks for the end. */
function print(client: MqttClient, { count, timeoutSeconds, format, wanted }: Order): Promise<Ended> {
  let left = count
  return new Promise((resolve, reject) => {
    client.handleMessage = (packet, acknowledge) => {
      if (left === 0) return // not ours any more: unacknowledged, the queue has it again
      if (!wanted(packet)) return acknowledge()
      const last = --left === 0
      process.stdout.write(format(packet), (error) => {
        if (error) return
        acknowledge()
        if (last) resolve('enough')
      })
    }
    if (timeoutSeconds !== null) setTimeout(() => resolve('late'), timeoutSeconds * 1000)
    client.once('close', () => reject(new Error('the broker closed the connection')))
    const asked = (): void => resolve('asked')
    process.once('SIGINT', asked).once('SIGTERM', asked)
  })
}
