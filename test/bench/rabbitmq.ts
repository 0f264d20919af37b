/**
 * A queue of Eventflow beside a quorum queue of RabbitMQ: 4 producers with publisher confirms, 4 consumers that acknowledge
 * each message, prefetch 100, 64 bytes, on one node and one disk.
 *
 *     apt install rabbitmq-server            # and `systemctl stop rabbitmq-server`: the script starts a node of its own
 *     npm install --no-save amqplib
 *     npx tsx test/bench/rabbitmq.ts [--runs 5] [--seconds 5] [--window 1000] [--disk .]
 *
 * Both keep a message before they say that they have it. A quorum queue writes it to the log of its Raft node and confirms
 * when that is synced (`fdatasync`, one for all that came meanwhile) on a majority of its nodes: here, on the one. Eventflow
 * acknowledges when its log is synced, likewise. `--disk` is a folder on the disk to be used. Checks that no message is lost
 * or comes twice; exit code 1 if one is. Not part of CI.
 */

import amqplib from 'amqplib'
import { type Client, CONSUMERS, closedLoop, PRODUCERS, type Progress, payloadOf } from './rivals/closed-loop.ts'
import { type Contender, compare, folderOf, packageVersion, wordsOf } from './rivals/comparison.ts'
import { eventflowContenders } from './rivals/eventflow.ts'
import { type Server, startEventflow, startRabbitMq } from './rivals/servers.ts'

const QUEUE = 'rivals'
const PREFETCH = 100

async function open({ port }: Server, progress: Progress): Promise<Client> {
  const connect = async () => {
    const connection = await amqplib.connect(`amqp://127.0.0.1:${port}`)
    connection.on('error', (error) => progress.failed(error))
    return { connection, channel: await connection.createConfirmChannel() }
  }
  const all = (count: number) => Promise.all(Array.from({ length: count }, connect))
  const [consumers, producers] = await Promise.all([all(CONSUMERS), all(PRODUCERS)])
  await producers[0]!.channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  for (const { channel } of consumers) {
    await channel.prefetch(PREFETCH)
    await channel.consume(QUEUE, (delivery) => {
      if (delivery === null) return
      channel.ack(delivery)
      progress.delivered(delivery.content)
    })
  }
  return {
    publish(producer, first, count) {
      const { channel } = producers[producer]!
      for (let n = 0; n < count; n++) {
        channel.sendToQueue(QUEUE, payloadOf(producer, first + n), { persistent: true }, (error) => {
          if (error) progress.failed(error)
          else progress.confirmed(producer, 1)
        })
      }
    },
    async close() {
      await producers[0]!.channel.deleteQueue(QUEUE)
      for (const { connection } of [...consumers, ...producers]) await connection.close()
    },
  }
}

async function versionOf({ port }: Server): Promise<string> {
  const connection = await amqplib.connect(`amqp://127.0.0.1:${port}`)
  const { version } = connection.connection.serverProperties
  await connection.close()
  return version
}

const options = wordsOf({ window: 1_000, batch: 1 })
const folder = folderOf(options)
const [rabbitMq, eventflow] = await Promise.all([
  startRabbitMq(folder),
  startEventflow(folder, { EVENTFLOW_QUEUE_PREFETCH: String(PREFETCH) }),
])
const rival: Contender = {
  name: `RabbitMQ ${await versionOf(rabbitMq)}, quorum queue, \`amqplib\` ${packageVersion('amqplib')}`,
  run: (options) => closedLoop((progress) => open(rabbitMq, progress), options, rabbitMq.pids),
}
await compare([rival, ...eventflowContenders(eventflow)], options)
await Promise.all([rabbitMq.stop(), eventflow.stop()])
