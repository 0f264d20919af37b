/**
 * What status costs: `npx tsx test/bench/status.ts [runs]`.
 *
 * Starts two brokers, and has a load run on both in turn: on one with a reader, on the other without. Three questions, one after
 * the other: what does a broker cost that keeps recent events, but has no reader; what does a reader of the events of clients
 * cost while 100,000 messages a second pass; how long do others wait beside one who reads everything. At the end somebody reads
 * everything of a broker that has as much to do as it can, and what it got is compared with what it was told that it missed.
 */

import { connect } from 'node:net'
import { type Campaign, type Cell, runCampaign } from '../../src/bench/campaign.ts'
import { connectPacket, subscribePacket } from '../../src/bench/load/packets.ts'
import type { Figure, Side, Sizes } from '../../src/bench/run.ts'
import { SCENARIOS, type Scenario } from '../../src/bench/scenarios.ts'
import { Brokers, type Started } from './brokers.ts'

const RUNS = Number(process.argv[2] ?? 5)
const ALL = '$eventflow/status'

const PAIR = SCENARIOS.get('pair-qos0')!
const STEADY = SCENARIOS.get('latency')!
/** At QoS 0: of one publisher's 100,000 a second, more than its session keeps would wait when the machine hesitates. */
const FAST: Scenario = { ...STEADY, qos: 0 }

const SIZES: Sizes = {
  limit: { seconds: 2 },
  window: null,
  rate: 5_000,
  connections: 0,
  subscriptions: 0,
  backlog: 0,
  stallMs: 10_000,
}

function sideOf({ port, pid }: Started, reader: string | null = null): Side {
  const unknown = { user: undefined, password: undefined }
  return { host: '127.0.0.1', port, pid, share: false, reader, receiveMaximum: 65_535, ...unknown }
}

/** This load on both brokers in turn, once to be warm, and then as often as was asked for. */
async function compared(scenario: Scenario, sides: Side[], sizes: Partial<Sizes>): Promise<Cell[]> {
  const campaign: Campaign = { scenarios: [scenario], sides, sizes: { ...SIZES, ...sizes }, runs: RUNS, disk: '.' }
  await runCampaign({ ...campaign, runs: 1 })
  const [row] = await runCampaign(campaign)
  for (const [n, cell] of row!.cells.entries()) {
    for (const problem of cell!.problems) console.log(`  ${n === 0 ? 'the first' : 'the second'}, ${problem}`)
  }
  return row!.cells as Cell[]
}

function tell(what: string, cells: Cell[], figures: Partial<Record<Figure, number>>): void {
  console.log(what)
  for (const [name, scale] of Object.entries(figures) as Array<[Figure, number]>) {
    const [first, second] = cells.map((cell) => cell.figures.get(name)!)
    if (first === undefined || second === undefined) continue
    const shown = [first, second].map(
      ({ median, min, max }) =>
        `${(median * scale).toFixed(2)} (${(min * scale).toFixed(2)} to ${(max * scale).toFixed(2)})`,
    )
    console.log(`  ${name}: ${shown.join(' against ')}: ${(first.median / second.median).toFixed(2)}`)
  }
}

/** What somebody got who read everything, and what it was told that it missed. */
class Count {
  got = 0
  missed = 0
  first = 0
  last = 0
  #rest = ''

  /** Takes what came; what begins the last message waits for the rest of it. */
  take(chunk: string): void {
    const text = this.#rest + chunk
    const cut = Math.max(0, text.lastIndexOf('{"specversion"'))
    this.#rest = text.slice(cut)
    this.#count(text.slice(0, cut))
  }

  end(): void {
    this.#count(this.#rest)
  }

  #count(text: string): void {
    const told = /"sequence":"(\d{16})","data":(?:\{"clientId":"reads-all","messages":(\d+))?/g
    for (const [, sequence, messages] of text.matchAll(told)) {
      this.got++
      this.last = Number(sequence)
      if (this.first === 0) this.first = this.last
      this.missed += Number(messages ?? 0)
    }
  }
}

/** Somebody reads everything while the broker has as much to do as it can. */
async function readAll(broker: Started): Promise<Count> {
  const count = new Count()
  const socket = connect({ host: '127.0.0.1', port: broker.port })
  socket.write(Buffer.concat([connectPacket(4, 'reads-all', {}), subscribePacket(4, 1, [ALL], 0)]))
  socket.on('data', (chunk) => count.take(chunk.toString('latin1')))
  await runCampaign({ scenarios: [PAIR], sides: [sideOf(broker)], sizes: SIZES, runs: 1, disk: '.' })
  await quiet(() => count.got)
  socket.destroy()
  count.end()
  return count
}

/** Resolves when this count has not moved for a second. */
async function quiet(count: () => number): Promise<void> {
  for (let last = -1; count() !== last; ) {
    last = count()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

const brokers = new Brokers()
try {
  const keeping = await brokers.start('first', '')
  const plain = await brokers.start('second', 'status: { recent: 0 }')
  const none = sideOf(plain)
  tell('no reader, recent events kept, against none kept', await compared(PAIR, [sideOf(keeping), none], {}), {
    rate: 1e-3,
    cpu: 1,
  })
  const ofClients = await compared(FAST, [sideOf(keeping, '$eventflow/events/client/+'), none], {
    rate: 100_000,
    limit: { seconds: 5 },
  })
  tell('a reader of $eventflow/events/client/+ at 100,000 messages a second, against none', ofClients, {
    cpu: 1,
    p99: 1e-3,
  })
  for (const rate of [5_000, 20_000]) {
    const sides = [sideOf(keeping, ALL), none]
    const cells = await compared(STEADY, sides, { rate, limit: { seconds: 3 } })
    tell(`a reader of everything at ${rate} messages a second, against none`, cells, { cpu: 1, p50: 1e-3, p99: 1e-3 })
  }
  const fast = await compared(FAST, [sideOf(keeping, ALL), none], { rate: 100_000, limit: { seconds: 3 } })
  tell('a reader of everything at 100,000 messages a second, against none', fast, { cpu: 1, p50: 1e-3, p99: 1e-3 })
  const { got, missed, first: from, last } = await readAll(keeping)
  console.log(`everything of a broker with all it can do: ${got} events read, ${missed} told as missed`)
  console.log(`  numbers ${from} to ${last}: ${last - from + 1 - got - missed} neither read nor told`)
} finally {
  await brokers.stop()
}
