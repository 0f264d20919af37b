/**
 * What a thousand queues cost beside one: each with a producer and a consumer, a message a second each, and the same
 * messages by the same clients through one queue. The figure is the broker's processor time for each message.
 *
 *     npx tsx test/bench/many-queues.ts [queues, default 1000] [seconds, default 10] [runs, default 3] [folder, default .]
 *
 * `folder` is on the disk that the broker is to write to. Exit code 1 when a message is lost or comes twice.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { spreadOf } from '../../src/bench/statistics.ts'
import { processorSeconds, residentBytes } from '../../src/bench/system/process-usage.ts'
import { startEventflow, workFolder } from './rivals/servers.ts'

const [queues = 1_000, seconds = 10, runs = 3] = process.argv.slice(2, 5).map(Number)
const folder = process.argv[5] ?? '.'
/** Connections opened at once. */
const AT_ONCE = 100

const server = await startEventflow(workFolder(folder))
const pid = server.pids()[0]!

class Client {
  readonly socket: Socket
  readonly #waiting: Array<(packet: Packet) => void> = []

  constructor(onPublish: (payload: Buffer) => void) {
    this.socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
    const reader = parser({ protocolVersion: 4 })
    this.socket.on('data', (chunk) => reader.parse(chunk))
    reader.on('packet', (packet) => {
      if (packet.cmd !== 'publish') return this.#waiting.shift()?.(packet)
      onPublish(packet.payload as Buffer)
      this.send({ cmd: 'puback', messageId: packet.messageId! })
    })
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet))
  }

  async ask(packet: Packet): Promise<void> {
    const answered = new Promise((resolve) => this.#waiting.push(resolve))
    this.send(packet)
    await answered
  }
}

/** Connected clients, a hundred at a time. */
async function connectAll(role: string, onPublish: (payload: Buffer) => void): Promise<Client[]> {
  const clients: Client[] = []
  while (clients.length < queues) {
    const some = Array.from({ length: Math.min(AT_ONCE, queues - clients.length) }, () => new Client(onPublish))
    await Promise.all(
      some.map((client, n) => {
        const clientId = `${role}-${clients.length + n}`
        return client.ask({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clientId,
          clean: true,
          keepalive: 0,
        })
      }),
    )
    clients.push(...some)
  }
  return clients
}

/** Microseconds of the broker's processor time for a message. */
async function measure(topicOf: (n: number) => string): Promise<number> {
  const total = queues * seconds
  const times = new Uint8Array(total)
  let received = 0
  const consumers = await connectAll('consumer', (payload) => {
    received++
    times[payload.readUInt32BE(0)]!++
  })
  await Promise.all(
    consumers.map((client, n) =>
      client.ask({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: topicOf(n), qos: 1 }] }),
    ),
  )
  const producers = await connectAll('producer', () => {})
  const before = processorSeconds(pid)
  const startedAt = performance.now()
  for (let sent = 0; received < total; ) {
    const elapsed = performance.now() - startedAt
    if (elapsed > seconds * 1_000 + 10_000) break
    for (const due = Math.min(total, (elapsed / 1_000) * queues); sent < due; sent++) {
      const payload = Buffer.alloc(64)
      payload.writeUInt32BE(sent, 0)
      const messageId = 1 + (Math.floor(sent / queues) % 65_535)
      const topic = topicOf(sent % queues)
      producers[sent % queues]!.send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false })
    }
    await new Promise((next) => setTimeout(next, 1))
  }
  const used = ((processorSeconds(pid) - before) * 1e6) / total
  const wrong = times.filter((count) => count !== 1).length
  if (wrong > 0) {
    process.stdout.write(`FAILED: ${wrong} of ${total} messages lost or doubled\n`)
    process.exitCode = 1
  }
  for (const { socket } of [...consumers, ...producers]) {
    socket.destroy()
    await once(socket, 'close')
  }
  return used
}

const many: number[] = []
const one: number[] = []
for (let run = 0; run <= runs; run++) {
  const costs = { one: await measure(() => 'queue/one'), many: await measure((n) => `queue/many/${n}`) }
  if (run === 0) continue // to warm up
  one.push(costs.one)
  many.push(costs.many)
}
const [ofOne, ofMany] = [spreadOf(one), spreadOf(many)]
const told = ({ median, min, max }: typeof ofOne): string =>
  `${median.toFixed(0)} µs/msg (${min.toFixed(0)} to ${max.toFixed(0)})`
process.stdout.write(`one queue, ${queues} producers and consumers: ${told(ofOne)}\n`)
process.stdout.write(
  `${queues} queues, one of each: ${told(ofMany)}, ${(ofMany.median / ofOne.median).toFixed(2)} of it\n`,
)
process.stdout.write(`resident memory of the broker: ${Math.round(residentBytes(pid) / 2 ** 20)} MB\n`)
await server.stop()
