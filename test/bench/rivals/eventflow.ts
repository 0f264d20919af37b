/**
 * Eventflow as a contender, with two clients: the generator of `eventflow bench`, which costs little, so that the broker is
 * what is measured; and the `mqtt` package, which is what a user's program in Node.js has.
 */

import { connectAsync, type MqttClient } from 'mqtt'
import { measure } from '../../../src/bench/measure.ts'
import { SCENARIOS } from '../../../src/bench/scenarios.ts'
import { VERSION } from '../../../src/version.ts'
import { type Client, CONSUMERS, closedLoop, type Outcome, PRODUCERS, type Progress, payloadOf } from './closed-loop.ts'
import { type ComparisonOptions, type Contender, packageVersion } from './comparison.ts'
import type { Server } from './servers.ts'

export function eventflowContenders(server: Server): Contender[] {
  return [
    {
      name: `Eventflow ${VERSION}, QoS 1, generator of \`eventflow bench\``,
      run: (options) => generated(server, options),
    },
    {
      name: `Eventflow ${VERSION}, QoS 1, the \`mqtt\` package ${packageVersion('mqtt')}`,
      run: (options) => closedLoop((progress) => open(server, progress), { ...options, batch: 1 }, server.pids),
    },
  ]
}

async function generated({ port, pids }: Server, { seconds, window }: ComparisonOptions): Promise<Outcome> {
  const side = { host: '127.0.0.1', port, user: undefined, password: undefined, pid: pids()[0]! }
  const { figures, problems } = await measure(
    SCENARIOS.get('queue-qos1')!,
    { ...side, share: false, receiveMaximum: 65_535, reader: null },
    { limit: { seconds }, window, rate: 0, connections: 0, subscriptions: 0, backlog: 0, stallMs: 20_000 },
  )
  return { rate: figures.rate ?? 0, cpu: figures.cpu ?? 0, own: figures.own ?? 0, problems }
}

async function open({ port }: Server, progress: Progress): Promise<Client> {
  const connect = (id: string): Promise<MqttClient> =>
    connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: id, keepalive: 0, reconnectPeriod: 0 })
  const consumers = await Promise.all(Array.from({ length: CONSUMERS }, (_, n) => connect(`consumer-${n}`)))
  for (const consumer of consumers) {
    consumer.on('message', (_topic, payload) => progress.delivered(payload))
    await consumer.subscribeAsync('queue/rivals', { qos: 1 })
  }
  const producers = await Promise.all(Array.from({ length: PRODUCERS }, (_, n) => connect(`producer-${n}`)))
  for (const client of [...consumers, ...producers]) client.on('error', (error) => progress.failed(error))
  return {
    publish(producer, first, count) {
      for (let n = 0; n < count; n++) {
        producers[producer]!.publish('queue/rivals', payloadOf(producer, first + n), { qos: 1 }, (error) => {
          if (error) progress.failed(error)
          else progress.confirmed(producer, 1)
        })
      }
    },
    async close() {
      for (const client of [...consumers, ...producers]) await client.endAsync()
    },
  }
}
