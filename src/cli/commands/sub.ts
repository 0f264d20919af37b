/**
 * `eventflow sub`: write what comes to standard output. A message is acknowledged when it is written, so what a queue sends is
 * lost to nobody when the reader of our output goes away.
 */

import { parseArgs } from 'node:util'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { type Command, flag, text, WronglyCalled, wholeNumber } from '../command.ts'
import { connect, MQTT_OPTIONS, MQTT_USAGE, qosOf, reasonOf } from '../mqtt.ts'
import { printable } from '../table.ts'

const USAGE = `sub FILTER... [options]

  A message a line: its payload, as it is. On a terminal, control characters are shown rather than obeyed.

  --verbose                   the topic, a space, and the payload
  --json                      an object a line: topic, payload, encoding, qos, retain, userProperties
  --qos N                     0, 1 or 2 at most (default 1: a queue keeps a message until it is written)
  --count N                   end after N messages${MQTT_USAGE}`

interface Order {
  count: number
  format: (packet: IPublishPacket) => string | Buffer
}

export const sub: Command = {
  summary: 'Subscribe, and print what comes.',
  usage: USAGE,
  async run(args) {
    const { values, positionals: filters } = parseArgs({
      args: [...args],
      options: { ...MQTT_OPTIONS, verbose: flag, json: flag, count: text },
      allowPositionals: true,
    })
    if (filters.length === 0) throw new WronglyCalled('a filter is missing')
    const count = wholeNumber('--count', values.count, 1, Number.MAX_SAFE_INTEGER) ?? Infinity
    const format = values.json ? asJson : values.verbose ? withTopic : asItIs
    const qos = qosOf(values)
    // Who wants few takes them one by one: others that consume the same queue are not kept from theirs.
    const client = await connect(values, count === Infinity ? {} : { properties: { receiveMaximum: 1 } })
    await Promise.all([print(client, { count, format }), subscribe(client, filters, qos)])
    await client.endAsync()
    return 0
  },
}

async function subscribe(client: MqttClient, filters: string[], qos: 0 | 1 | 2): Promise<void> {
  try {
    await client.subscribeAsync(filters, { qos })
  } catch (error) {
    throw new Error(`${filters.join(', ')} is not subscribed to: ${reasonOf(error)}`, { cause: error })
  }
}

/** Resolves when enough is printed, or a signal asks for the end. */
function print(client: MqttClient, { count, format }: Order): Promise<void> {
  let left = count
  return new Promise((resolve, reject) => {
    client.handleMessage = (packet, acknowledge) => {
      if (left === 0) return // not ours any more: unacknowledged, the queue has it again
      const last = --left === 0
      process.stdout.write(format(packet), (error) => {
        if (error) return
        acknowledge()
        if (last) resolve()
      })
    }
    client.once('close', () => reject(new Error('the broker closed the connection')))
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
  })
}

function asItIs({ payload }: IPublishPacket): string | Buffer {
  const bytes = Buffer.from(payload)
  return process.stdout.isTTY ? `${shown(bytes)}\n` : Buffer.concat([bytes, Buffer.from('\n')])
}

function withTopic(packet: IPublishPacket): Buffer {
  return Buffer.concat([Buffer.from(`${packet.topic} `), Buffer.from(asItIs(packet))])
}

/** Line breaks and tabs do no harm. */
function shown(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : printable(part)))
    .join('')
}

/** As the HTTP API has them: `encoding` says whether the payload is text or base64. */
function asJson({ topic, payload, qos, retain, properties }: IPublishPacket): string {
  const bytes = Buffer.from(payload)
  const isText = Buffer.from(bytes.toString('utf8')).equals(bytes)
  const [encoding, text] = isText ? ['utf8', bytes.toString('utf8')] : ['base64', bytes.toString('base64')]
  const { userProperties = {} } = properties ?? {}
  return `${JSON.stringify({ topic, payload: text, encoding, qos, retain, userProperties })}\n`
}
