/** `eventflow pub`: publish a message, a file, standard input, or each line of it. */

import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { MqttClient } from 'mqtt'
import type { UserProperties } from 'mqtt-packet'
import { type Command, flag, text, WronglyCalled, wholeNumber } from '../command.ts'
import { connect, MQTT_OPTIONS, MQTT_USAGE, qosOf, reasonOf, versionOf } from '../mqtt.ts'

const USAGE = `pub TOPIC [MESSAGE] [options]

  Without MESSAGE, what comes on standard input is the message. Short options are those of mosquitto_pub.

  -t, --topic TOPIC           the same as TOPIC;  -m, --message TEXT: as MESSAGE;  -f, --file FILE: what is in it
  -l, --lines                 each line of standard input is a message;  -s, --stdin: all of it is one
  -n, --null-message          an empty message
  -q, --qos N                 0, 1 or 2 (default 1: it ends when the broker has the message safe)
  -r, --retain                the topic keeps it
  --property NAME=VALUE       a user property, such as delay or priority for a queue; as often as needed
  --expiry SECONDS            then nobody gets it any more${MQTT_USAGE}`

const OPTIONS = {
  ...MQTT_OPTIONS,
  message: { ...text, short: 'm' },
  file: { ...text, short: 'f' },
  lines: { ...flag, short: 'l' },
  stdin: { ...flag, short: 's' },
  'null-message': { ...flag, short: 'n' },
  retain: { ...flag, short: 'r' },
  property: { ...text, multiple: true },
  expiry: text,
} as const

interface Publication {
  topic: string
  qos: 0 | 1 | 2
  retain: boolean
  properties?: { userProperties?: UserProperties; messageExpiryInterval?: number }
}

/** What is published: text, a file, nothing, or what comes on standard input, whole or by lines. */
type Source = { text: string } | { file: string } | 'null' | 'stdin' | 'lines'

export const pub: Command = {
  summary: 'Publish a message.',
  usage: USAGE,
  hasHost: true,
  async run(args) {
    const { values, positionals } = parseArgs({ args: withDashes(args), options: OPTIONS, allowPositionals: true })
    const { topic: topics = [], retain = false, property = [] } = values
    const [topic = '', ...rest] = [...topics, ...positionals]
    const problem = topicProblem(topic, topics.length)
    if (problem !== null) throw new WronglyCalled(problem)
    const source = sourceOf(values, rest)
    const expiry = wholeNumber('--expiry', values.expiry, 1, 0xffff_ffff)
    const properties = propertiesOf(property, expiry)
    if (properties !== null && versionOf(values) < 5) throw new WronglyCalled('properties and --expiry take MQTT 5')
    const publication = { topic, qos: qosOf(values), retain, ...(properties && { properties }) }
    const client = await connect(values)
    if (source === 'lines') await publishLines(client, publication)
    else await publish(client, await payloadOf(source), publication)
    await client.endAsync()
    return 0
  },
}

/** `-m -5`: a temperature is no option. What follows is the message, whatever it begins with, as for mosquitto_pub. */
function withDashes(args: readonly string[]): string[] {
  const words: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') return [...words, ...args.slice(i)]
    const isMessage = (word === '-m' || word === '--message') && args[i + 1] !== undefined
    words.push(isMessage ? `--message=${args[++i]}` : word)
  }
  return words
}

function topicProblem(topic: string, named: number): string | null {
  if (named > 1) return 'a message is published on one topic'
  if (topic === '') return 'a topic is missing'
  if (/[+#]/.test(topic)) return 'a message is published on one topic, without wildcards' // [MQTT-3.3.2-2]
  return null
}

interface Sources {
  message?: string | undefined
  file?: string | undefined
  lines?: boolean | undefined
  stdin?: boolean | undefined
  'null-message'?: boolean | undefined
}

/** @throws WronglyCalled unless there is one */
function sourceOf({ message, file, lines, stdin, 'null-message': empty }: Sources, rest: string[]): Source {
  if (rest.length > 1) throw new WronglyCalled('there is more than one message: quote what has spaces in it')
  const [text = message] = rest
  const given: Source[] = [
    ...(text === undefined ? [] : [{ text }]),
    ...(file === undefined ? [] : [{ file }]),
    ...(lines ? ['lines' as const] : []),
    ...(stdin ? ['stdin' as const] : []),
    ...(empty ? ['null' as const] : []),
  ]
  if (lines && text !== undefined) throw new WronglyCalled('--lines goes without MESSAGE')
  if (given.length > 1 || (message !== undefined && rest.length > 0))
    throw new WronglyCalled('there is more than one message')
  if (given.length === 0 && process.stdin.isTTY) throw new WronglyCalled('a message is missing')
  return given[0] ?? 'stdin'
}

function payloadOf(source: Exclude<Source, 'lines'>): Promise<Buffer> | Buffer {
  if (source === 'stdin') return buffer(process.stdin)
  if (source === 'null') return Buffer.alloc(0)
  return 'text' in source ? Buffer.from(source.text) : readFile(source.file)
}

/** One after the other, each when the one before is safe: a failure says how far it came. */
async function publishLines(client: MqttClient, publication: Publication): Promise<void> {
  let done = 0
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      await publish(client, line, publication)
    } catch (error) {
      throw new Error(`${(error as Error).message} (line ${done + 1}; those before it are published)`, { cause: error })
    }
    done++
  }
}

async function publish(client: MqttClient, message: string | Buffer, publication: Publication): Promise<void> {
  const { topic, ...options } = publication
  let closed = (): void => {}
  try {
    // A broker of MQTT 3.1.1 can refuse a message only by closing the connection: that is an answer, too.
    await new Promise<void>((resolve, reject) => {
      closed = () => reject(new Error('the broker closed the connection'))
      client.once('close', closed)
      client.publishAsync(topic, message, options).then(() => resolve(), reject)
    })
  } catch (error) {
    throw new Error(`${topic} is not published: ${reasonOf(error)}`, { cause: error })
  } finally {
    client.removeListener('close', closed)
  }
}

/** Null: none. */
function propertiesOf(words: readonly string[], expiry: number | null): NonNullable<Publication['properties']> | null {
  const userProperties: Record<string, string[]> = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 1) throw new WronglyCalled(`--property takes NAME=VALUE, found '${word}'`)
    const name = word.slice(0, at)
    userProperties[name] = [...(userProperties[name] ?? []), word.slice(at + 1)]
  }
  if (words.length === 0 && expiry === null) return null
  return {
    ...(words.length > 0 && { userProperties }),
    ...(expiry !== null && { messageExpiryInterval: expiry }),
  }
}
