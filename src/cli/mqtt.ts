/**
 * MQTT for `pub` and `sub`, on machines without mosquitto-clients, whose short options they have. The password comes from a file
 * or the environment: what is on the command line, others on this machine can see.
 */

import { readFile } from 'node:fs/promises'
import type { IClientOptions, MqttClient } from 'mqtt'
import { flag, text, WronglyCalled, wholeNumber } from './command.ts'

export const MQTT_OPTIONS = {
  topic: { ...text, short: 't', multiple: true },
  host: { ...text, short: 'h' },
  port: { ...text, short: 'p' },
  username: { ...text, short: 'u' },
  password: { ...text, short: 'P' },
  'password-file': text,
  'client-id': { ...text, short: 'i' },
  'keep-alive': { ...text, short: 'k' },
  'mqtt-version': { ...text, short: 'V' },
  tls: flag,
  'ca-file': text,
  cafile: text,
  cert: text,
  key: text,
  insecure: flag,
  qos: { ...text, short: 'q' },
} as const

export const MQTT_USAGE = `
  -h, --host ADDRESS; -p, --port N   the broker (default 127.0.0.1, 1883; 8883 with TLS)
  -V, --mqtt-version V        5 (default), 3.1.1 or 3.1; as mqttv5, mqttv311, mqttv31 too
  -u, --username NAME         who connects
  --password-file FILE        the password is its first line (default: EVENTFLOW_PASSWORD)
  -i, --client-id ID          default: one by chance;  -k, --keep-alive SECONDS: default 60
  --tls                       speak TLS;  --ca-file (--cafile) FILE: trust these authorities and no others
  --cert FILE --key FILE      a certificate for ourselves;  --insecure: take any certificate for any name

Exit codes: 0 done; 1 failed; 2 wrongly called.`

type Values = {
  readonly [option in Exclude<keyof typeof MQTT_OPTIONS, 'tls' | 'insecure' | 'topic'>]?: string | undefined
} & {
  readonly tls?: boolean | undefined
  readonly insecure?: boolean | undefined
}

/** 1 unless another is named: with it, an exit code of 0 says that the message has arrived. */
export function qosOf({ qos }: Values): 0 | 1 | 2 {
  return (wholeNumber('--qos', qos, 0, 2) ?? 1) as 0 | 1 | 2
}

const VERSIONS = new Map<string, 3 | 4 | 5>([
  ...(['5', '5.0', 'mqttv5'] as const).map((name) => [name, 5] as const),
  ...(['3.1.1', '311', '4', 'mqttv311'] as const).map((name) => [name, 4] as const),
  ...(['3.1', '31', '3', 'mqttv31'] as const).map((name) => [name, 3] as const),
])

/** The protocol level. */
export function versionOf({ 'mqtt-version': name }: Values): 3 | 4 | 5 {
  const version = name === undefined ? 5 : VERSIONS.get(name)
  if (version === undefined) throw new WronglyCalled(`--mqtt-version takes 5, 3.1.1 or 3.1, found '${name}'`)
  return version
}

/**
 * Connected.
 * @param prepare called before anything can come: what waited for a session comes with the broker's first answer
 * @throws WronglyCalled; Error when there is nobody, or we are not let in
 */
export async function connect(
  values: Values,
  more: IClientOptions = {},
  prepare: (client: MqttClient) => void = () => {},
): Promise<MqttClient> {
  const own = [values['ca-file'], values.cafile, values.cert, values.insecure]
  const secure = values.tls === true || own.some((value) => value !== undefined)
  const host = values.host ?? '127.0.0.1'
  const port = wholeNumber('--port', values.port, 1, 65_535) ?? (secure ? 8883 : 1883)
  const url = `${secure ? 'mqtts' : 'mqtt'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  const options = { ...(await optionsOf(values)), ...more, host, port, protocol: secure ? 'mqtts' : 'mqtt' } as const
  // Here, not above: it is large, and other commands need none of it.
  const { default: mqtt } = await import('mqtt')
  const client = mqtt.connect(options)
  prepare(client)
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
  const { username, 'keep-alive': keepAlive } = values
  if (values.password !== undefined) {
    throw new WronglyCalled(
      'a password on the command line is seen by others: EVENTFLOW_PASSWORD or --password-file FILE',
    )
  }
  const file = values['password-file']
  const password = file === undefined ? process.env.EVENTFLOW_PASSWORD : firstLine(await readFile(file, 'utf8'))
  if (file !== undefined && username === undefined) throw new WronglyCalled('a password goes with a --username')
  const version = versionOf(values)
  return {
    protocolVersion: version,
    ...(version === 3 && { protocolId: 'MQIsdp' as const }),
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    keepalive: wholeNumber('--keep-alive', keepAlive, 0, 65_535) ?? 60,
    // 23 characters are what every server of MQTT 3.1 takes.
    clientId:
      values['client-id'] ?? `eventflow-${process.pid.toString(36)}-${process.hrtime.bigint().toString(36).slice(-8)}`,
    ...(username !== undefined && { username, ...(password !== undefined && { password }) }),
    ...(await tlsOf(values)),
  }
}

async function tlsOf(values: Values): Promise<IClientOptions> {
  const { 'ca-file': caFile = values.cafile, cert, key, insecure } = values
  if ((cert === undefined) !== (key === undefined)) throw new WronglyCalled('--cert and --key go together')
  return {
    ...(caFile !== undefined && { ca: await readFile(caFile) }),
    ...(cert !== undefined && { cert: await readFile(cert), key: await readFile(key!) }),
    ...(insecure === true && { rejectUnauthorized: false }),
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!
}

function explained(url: string, { code, message }: Error & { code?: unknown }): string {
  // Who we are, or what we may do: 0x86 and 0x87 [MQTT5 3.2.2.2], 4 and 5 [MQTT-3.2.2-3 of 3.1.1]
  if (typeof code === 'number' && [0x86, 0x87, 4, 5].includes(code)) {
    return `${url} refuses us: ${message}. See --username and --password-file`
  }
  if (typeof code === 'number') return `${url} refuses us: ${message}`
  const what = typeof code === 'string' ? code : message
  return `${url} does not answer (${what}). Is a broker listening there? --host and --port name another`
}
