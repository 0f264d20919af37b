/** `eventflow pub`: publish a message, standard input, or each line of it. */

import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { MqttClient } from 'mqtt'
import type { UserProperties } from 'mqtt-packet'
import { type Command, flag, text, WronglyCalled } from '../command.ts'
import { connect, MQTT_OPTIONS, MQTT_USAGE, qosOf, reasonOf } from '../mqtt.ts'

const USAGE = `pub TOPIC [MESSAGE] [options]

  Without MESSAGE, what comes on standard input is the message.

  --lines                     each line of standard input is a message
  --qos N                     0, 1 or 2 (default 1: it ends when the broker has the message safe)
  --retain                    the topic keeps it
  --property NAME=VALUE       a user property, such as delay or priority for a queue; as often as needed${MQTT_USAGE}`

interface Publication {
  topic: string
  qos: 0 | 1 | 2
  retain: boolean
  properties: { userProperties?: UserProperties }
}

export const pub: Command = {
  summary: 'Publish a message.',
  usage: USAGE,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...MQTT_OPTIONS, lines: flag, retain: flag, property: { ...text, multiple: true } },
      allowPositionals: true,
    })
    const [topic = '', message, ...rest] = positionals
    const { lines = false, retain = false, property = [] } = values
    const problem = problemOf(topic, message, rest, lines)
    if (problem !== null) throw new WronglyCalled(problem)
    const publication = { topic, qos: qosOf(values), retain, properties: propertiesOf(property) }
    const client = await connect(values)
    if (lines) await publishLines(client, publication)
    else await publish(client, message ?? (await buffer(process.stdin)), publication)
    await client.endAsync()
    return 0
  },
}

function problemOf(topic: string, message: string | undefined, rest: string[], lines: boolean): string | null {
  if (topic === '') return 'a topic is missing'
  if (/[+#]/.test(topic)) return 'a message is published on one topic, without wildcards' // [MQTT-3.3.2-2]
  if (rest.length > 0) return 'there is more than one message: quote what has spaces in it'
  if (lines && message !== undefined) return '--lines goes without MESSAGE'
  if (message === undefined && process.stdin.isTTY) return 'a message is missing'
  return null
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
  try {
    await client.publishAsync(topic, message, options)
  } catch (error) {
    throw new Error(`${topic} is not published: ${reasonOf(error)}`, { cause: error })
  }
}

function propertiesOf(words: readonly string[]): Publication['properties'] {
  const userProperties: Record<string, string[]> = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 1) throw new WronglyCalled(`--property takes NAME=VALUE, found '${word}'`)
    const name = word.slice(0, at)
    userProperties[name] = [...(userProperties[name] ?? []), word.slice(at + 1)]
  }
  return words.length === 0 ? {} : { userProperties }
}
