/**
 * The load of the comparisons, whatever the client: producers together have so many messages under way, from when they are
 * sent until they are delivered, as in `eventflow bench`. Each message carries its producer and its number, so that a lost
 * one and a doubled one are both seen.
 */

import { Ledger } from '../../../src/bench/load/ledger.ts'
import { processorSeconds } from '../../../src/bench/system/process-usage.ts'

export const PRODUCERS = 4
export const CONSUMERS = 4
export const PAYLOAD_BYTES = 64
/** How long nothing may move before a run is given up. */
const STALL_MS = 20_000

export interface LoopOptions {
  /** Messages of each producer that may be under way. */
  readonly window: number
  /** A producer sends no fewer at once, until the end: for clients that are faster with many. */
  readonly batch: number
  readonly seconds: number
}

/** What the loop is told. */
export interface Progress {
  /** So many of the messages of a producer are confirmed. */
  confirmed(producer: number, count: number): void
  /** A consumer was handed this payload. */
  delivered(payload: Buffer): void
  failed(error: unknown): void
}

/** Clients that are connected and consume. */
export interface Client {
  /** Publish the messages of a producer with the numbers from `first` on. */
  publish(producer: number, first: number, count: number): void
  close(): Promise<void>
}

export interface Outcome {
  /** Messages a second. */
  readonly rate: number
  /** Processor time of the server for each message, microseconds. */
  readonly cpu: number
  /** How busy this process was, 1 being one core. */
  readonly own: number
  readonly problems: readonly string[]
}

/** The payload of a message. */
export function payloadOf(producer: number, sequence: number): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES, '.')
  payload.writeUInt32BE(producer, 0)
  payload.writeDoubleBE(sequence, 4)
  return payload
}

/**
 * One run.
 * @param pids processes of the server
 */
export async function closedLoop(
  open: (progress: Progress) => Promise<Client>,
  options: LoopOptions,
  pids: () => readonly number[],
): Promise<Outcome> {
  const loop = new Loop(options)
  const client = await open(loop)
  try {
    return await loop.run(client, pids)
  } finally {
    await client.close()
  }
}

class Loop implements Progress {
  readonly #options: LoopOptions
  readonly #ledger = new Ledger(PRODUCERS, 1)
  readonly #unconfirmed = Array.from({ length: PRODUCERS }, () => 0)
  #client: Client | null = null
  #until = 0
  #scheduled = false
  #error: unknown = null
  #turn = 0
  #lastAt = 0
  #ended: () => void = () => {}

  constructor(options: LoopOptions) {
    this.#options = options
  }

  confirmed(producer: number, count: number): void {
    this.#unconfirmed[producer]! -= count
    this.#schedule()
  }

  delivered(payload: Buffer): void {
    if (this.#ledger.deliver(payload.readUInt32BE(0), 0, payload.readDoubleBE(4))) this.#lastAt = performance.now()
    this.#schedule()
  }

  failed(error: unknown): void {
    this.#error ??= error
    this.#ended()
  }

  async run(client: Client, pids: () => readonly number[]): Promise<Outcome> {
    const processor = (): number => pids().reduce((sum, pid) => sum + processorSeconds(pid), 0)
    const before = { own: process.cpuUsage(), server: processor(), at: performance.now() }
    this.#client = client
    this.#until = before.at + this.#options.seconds * 1_000
    await this.#complete()
    const { totalDelivered } = this.#ledger
    const { user, system } = process.cpuUsage(before.own)
    return {
      rate: (totalDelivered * 1_000) / (this.#lastAt - before.at),
      cpu: ((processor() - before.server) * 1e6) / totalDelivered,
      own: (user + system) / 1_000 / (performance.now() - before.at),
      problems: this.#problems(),
    }
  }

  /** Resolves when all that was sent is delivered and confirmed, when something failed, or when nothing moves any more. */
  async #complete(): Promise<void> {
    let moved = -1
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#ended = resolve
      timer = setInterval(() => {
        const { totalSent, totalDelivered } = this.#ledger
        if (totalSent + totalDelivered === moved) resolve()
        moved = totalSent + totalDelivered
      }, STALL_MS)
      this.#pump()
    })
    clearInterval(timer)
  }

  #problems(): string[] {
    const { missing, duplicates, totalSent } = this.#ledger
    return [
      ...(this.#error === null ? [] : [String(this.#error)]),
      ...(missing > 0 ? [`${missing} of ${totalSent} messages lost`] : []),
      ...(duplicates > 0 ? [`${duplicates} messages came twice`] : []),
    ]
  }

  /** What one turn of the event loop brought is answered at once. */
  #schedule(): void {
    if (this.#scheduled || this.#client === null) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    const { window, batch } = this.#options
    if (performance.now() >= this.#until) {
      if (this.#ledger.missing === 0 && this.#unconfirmed.every((count) => count === 0)) this.#ended()
      return
    }
    let room = window * PRODUCERS - this.#ledger.missing
    for (let n = 0; n < PRODUCERS; n++, this.#turn++) {
      const producer = this.#turn % PRODUCERS
      const count = Math.min(room, window - this.#unconfirmed[producer]!)
      if (count < batch) continue
      room -= count
      const first = this.#ledger.sent[producer]!
      this.#ledger.send(producer, count)
      this.#unconfirmed[producer]! += count
      this.#client!.publish(producer, first, count)
    }
  }
}
