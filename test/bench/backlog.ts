/**
 * What a long queue costs: memory while it waits, time to open the store, time to drain it, beside a short queue.
 *
 *     node --expose-gc --import tsx test/bench/backlog.ts [messages, default 1000000] [messages in a batch, default 250]
 *
 * Batches of 1 are what one slow publisher makes: a pack for each message. Writes about 250 bytes a message to the
 * directory of temporary files, and syncs each batch: with TMPDIR=/dev/shm that takes no time.
 */

import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Message } from '../../src/core/message.ts'
import { Eventflow } from '../../src/eventflow.ts'
import { openStore } from '../../src/store/open.ts'

const [count = 1_000_000, batch = 250] = process.argv.slice(2, 4).map(Number)
/** The directory that a process of its own is to fill. */
const toFill = process.argv[4]
const SHORT = 50_000
const PAYLOAD_BYTES = 200

const path = toFill ?? mkdtempSync(join(tmpdir(), 'eventflow-backlog-'))

function say(what: string, value: number, unit: string): void {
  process.stdout.write(`${what.padEnd(44)} ${value.toFixed(unit === 's' ? 2 : 0).padStart(8)} ${unit}\n`)
}

/** Resident memory, and how much of it is the process's own: LevelDB maps its files, which the system can take back. */
function sayMemory(when: string): void {
  globalThis.gc?.()
  const status = readFileSync('/proc/self/status', 'utf8')
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1_024
  say(`resident ${when}`, of('VmRSS'), 'MB')
  say('  of which its own', of('RssAnon'), 'MB')
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await action()
  return (performance.now() - start) / 1_000
}

/** Fill two queues, by way of the store: a broker would do it with other speed, and to the same effect. */
async function fill(): Promise<void> {
  const store = await openStore({ kind: 'level', path, onFault: (error) => process.stderr.write(`${error}\n`) })
  const noise = randomFillSync(Buffer.alloc(16 * 1024 * 1024)) // more than a compressor looks back
  for (const [name, total] of [
    ['long', count],
    ['short', SHORT],
  ] as const) {
    for (let at = 0; at < total; at += batch) {
      for (let n = 0; n < batch; n++) {
        const start = ((at + n) * 7_919) % (noise.length - PAYLOAD_BYTES)
        const payload = noise.subarray(start, start + PAYLOAD_BYTES)
        const message = Message.of({ topic: `queue/${name}`, payload, qos: 1, from: 'producer', receivedAt: 1 })
        store.queues.append(name, { message, qos: 1, retain: false, identifiers: null })
      }
      await store.durable()
    }
  }
  await store.close()
}

/** Microseconds for each of `total` messages. */
async function drain(broker: Eventflow, name: string, total: number): Promise<number> {
  const jobs = await broker.consume(name)
  let left = total
  const seconds = await timed(async () => {
    for await (const job of jobs) {
      job.acknowledge()
      if (--left === 0) break
    }
  })
  return (seconds * 1e6) / total
}

if (toFill !== undefined) {
  await fill()
  process.exit()
}
process.on('exit', () => rmSync(path, { recursive: true, force: true }))
say('messages waiting', count, '')
const words = [...process.execArgv, process.argv[1]!, String(count), String(batch), path]
say('fill', await timed(async () => execFileSync(process.execPath, words, { stdio: 'inherit' })), 's')
sayMemory('before')
const broker = new Eventflow({ config: { listeners: { tcp: { port: 0 } }, store: { kind: 'level', path } } })
say('start', await timed(() => broker.start()), 's')
sayMemory('with the queue waiting')
const part = Math.min(count, 500_000)
say('a message of the short queue', await drain(broker, 'short', SHORT), 'us')
say(`a message of the long queue, first ${part}`, await drain(broker, 'long', part), 'us')
sayMemory('after')
if (count > 2 * part) say('a message of the long queue, further on', await drain(broker, 'long', part), 'us')
await broker.stop()
const again = new Eventflow({ config: { listeners: { tcp: { port: 0 } }, store: { kind: 'level', path } } })
say('start again', await timed(() => again.start()), 's')
await again.stop()
