/**
 * MQTT 5.0 for `pub` and `sub`, on machines without mosquitto-clients. The password comes from a file or the environment: what
 * is on the command line, others on this machine can see.
 */

import { readFile } from 'node:fs/promises'
import type { IClientOptions, MqttClient } from 'mqtt'
import { flag, text, WronglyCalled, wholeNumber } from './command.ts'

export const MQTT_OPTIONS = {
  host: text,
  port: text,
  username: text,
  'password-file': text,
  'client-id': text,
  tls: flag,
  'ca-file': text,
  qos: text,
} as const

export const MQTT_USAGE = `
  --host ADDRESS --port N     the broker (default 127.0.0.1, 1883; 8883 with TLS)
  --tls                       speak TLS; --ca-file FILE: trust the authorities in it, and no others
  --username NAME             who connects
  --password-file FILE        the password is its first line (default: EVENTFLOW_PASSWORD)
  --client-id ID              default: one by chance

Exit codes: 0 done; 1 failed; 2 wrongly called.`

type Values = { readonly [option in Exclude<keyof typeof MQTT_OPTIONS, 'tls'>]?: string | undefined } & {
  readonly tls?: boolean | undefined
}

/** 1 unless another is named: with it, an exit code of 0 says that the message has arrived. */
export function qosOf({ qos }: Values): 0 | 1 | 2 {
  return (wholeNumber('--qos', qos, 0, 2) ?? 1) as 0 | 1 | 2
}

/** Connected. @throws WronglyCalled; Error when there is nobody, or we are not let in */
export async function connect(values: Values, more: IClientOptions = {}): Promise<MqttClient> {
  const secure = values.tls === true || values['ca-file'] !== undefined
  const host = values.host ?? '127.0.0.1'
  const port = wholeNumber('--port', values.port, 1, 65_535) ?? (secure ? 8883 : 1883)
  const url = `${secure ? 'mqtts' : 'mqtt'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  const options = { ...(await optionsOf(values)), ...more, host, port, protocol: secure ? 'mqtts' : 'mqtt' } as const
  // Here, not above: it is large, and other commands need none of it.
  const { default: mqtt } = await import('mqtt')
  const client = mqtt.connect(options)
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
      client.once('close', () => reject(new Error('the connection was closed')))
    })
  } catch (error) {
    client.end(true)
    throw new Error(explained(url, error as Error & { code?: unknown }), { cause: error })
  }
  client.on('error', () => {}) // `close` follows, which whoever waits listens to
  return client
}

/** What the broker said, without what the package puts before it. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/^(Publish|Subscribe) error: /, '')
}

async function optionsOf(values: Values): Promise<IClientOptions> {
  const { username } = values
  const file = values['password-file']
  const password = file === undefined ? process.env.EVENTFLOW_PASSWORD : firstLine(await readFile(file, 'utf8'))
  if (file !== undefined && username === undefined) throw new WronglyCalled('a password goes with a --username')
  return {
    protocolVersion: 5,
    clean: true,
    reconnectPeriod: 0,
    clientId: values['client-id'] ?? `eventflow-${process.pid}-${process.hrtime.bigint().toString(36)}`,
    ...(username !== undefined && { username, ...(password !== undefined && { password }) }),
    ...(values['ca-file'] !== undefined && { ca: await readFile(values['ca-file']) }),
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!
}

function explained(url: string, { code, message }: Error & { code?: unknown }): string {
  // 0x86 and 0x87 [MQTT5 3.2.2.2]: who we are, or what we may do
  if (code === 0x86 || code === 0x87) return `${url} refuses us: ${message}. See --username and --password-file`
  if (typeof code === 'number') return `${url} refuses us: ${message}`
  const what = typeof code === 'string' ? code : message
  return `${url} does not answer (${what}). Is a broker listening there? --host and --port name another`
}
