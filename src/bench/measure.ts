/** One run of one scenario on one broker: what it measured, and what was wrong. */

import { randomBytes } from 'node:crypto'
import { BenchError } from './errors.ts'
import { Histogram } from './histogram.ts'
import { measureIdle } from './idle.ts'
import { Ledger } from './load/ledger.ts'
import { Load } from './load/load.ts'
import { type Pace, steadyPace, windowPace } from './load/pace.ts'
import { Meter } from './meter.ts'
import { type Routes, routesOf } from './routes.ts'
import { type Figures, failed, finished, type Run, type Side, type Sizes, windowOf } from './run.ts'
import type { Scenario } from './scenarios.ts'

const THROUGHPUT_SECONDS = 2
/** Longer: one message in a thousand must be many. */
const STEADY_SECONDS = 5
/** Unacknowledged messages of a publisher that keeps to a schedule: two seconds of silence at 5,000 a second. */
const STEADY_INFLIGHT = 10_000

/** Run it once. What the broker does wrong is a problem of the run, not a rejection. */
export async function measure(scenario: Scenario, side: Side, sizes: Sizes): Promise<Run> {
  const task = { scenario, side, sizes, routes: routesOf(scenario, { ...sizes, share: side.share }) }
  try {
    if (scenario.method === 'idle') return await measureIdle(side, sizes.connections)
    if (scenario.method === 'backlog') return await backlog(task)
    return scenario.method === 'steady' ? await steady(task) : await throughput(task)
  } catch (error) {
    if (error instanceof BenchError) return failed(error.message)
    throw error
  }
}

interface Task {
  readonly scenario: Scenario
  readonly side: Side
  readonly sizes: Sizes
  readonly routes: Routes
}

async function throughput(task: Task): Promise<Run> {
  const ledger = new Ledger(task.scenario.publishers, task.routes.copies)
  const window = windowOf(task.scenario.window, task.sizes)
  const load = loadOf(task, ledger, newTag(), window)
  const pace = windowPace(ledger, window, task.sizes.limit ?? { seconds: THROUGHPUT_SECONDS })
  return connected(load, async () => {
    const figures = await published(task, ledger, load, pace)
    const inflight = load.publishers[0]!.maxInflight
    const limited = inflight > 0 && inflight < window ? { inflight } : {}
    return finished(ledger, { ...figures, ...percentiles(load.latency), ...limited })
  })
}

/** Publish at this pace. What it cost, as long as it lasted; unless it was cut short, all is settled afterwards. */
async function published(task: Task, ledger: Ledger, load: Load, pace: Pace): Promise<ReturnType<Meter['figures']>> {
  await load.subscribe()
  const meter = new Meter(task.side.pid)
  const complete = await load.publish(pace)
  const figures = meter.figures(ledger.totalDelivered, load.subscribers)
  if (complete) await load.settle()
  return figures
}

async function steady(task: Task): Promise<Run> {
  const ledger = new Ledger(task.scenario.publishers, task.routes.copies)
  const load = loadOf(task, ledger, newTag(), STEADY_INFLIGHT)
  const lateness = new Histogram()
  const pace = steadyPace(ledger, task.sizes.rate, task.sizes.limit ?? { seconds: STEADY_SECONDS }, lateness)
  return connected(load, async () => {
    const figures = await published(task, ledger, load, pace)
    return finished(ledger, { ...figures, ...percentiles(load.latency), late: lateness.percentile(0.99) })
  })
}

/** Published while nobody consumes, then consumed. */
async function backlog(task: Task): Promise<Run> {
  const { scenario, side, sizes } = task
  const tag = newTag()
  const window = windowOf(task.scenario.window, task.sizes)
  const stored = new Ledger(scenario.publishers, 0)
  const storing = loadOf(task, stored, tag, window, { subscribers: 0 })
  const { rate } = await connected(storing, async () => {
    const meter = new Meter(null)
    const complete = await storing.publish(windowPace(stored, window, { messages: sizes.backlog }))
    if (!complete) throw new BenchError('the broker did not acknowledge all that was to be stored')
    return meter.figures(stored.totalSent, storing.publishers)
  })
  const ledger = new Ledger(scenario.publishers, 1)
  for (const [publisher, count] of stored.sent.entries()) ledger.send(publisher, count)
  const consuming = loadOf(task, ledger, tag, window, { publishers: 0 })
  return connected(consuming, async () => {
    const meter = new Meter(side.pid)
    await consuming.subscribe()
    const complete = await consuming.consume()
    const figures = meter.figures(ledger.totalDelivered, consuming.subscribers)
    if (complete) await consuming.settle()
    return finished(ledger, { ...figures, stored: rate ?? 0 })
  })
}

function loadOf(task: Task, ledger: Ledger, tag: number, maxInflight: number, own = {}): Load {
  const { scenario, side, sizes, routes } = task
  const { publishers, subscribers } = scenario
  const { stallMs } = sizes
  const { reader } = side
  return new Load({
    target: side,
    scenario,
    routes,
    ledger,
    tag,
    maxInflight: scenario.qos === 2 ? Math.min(maxInflight, side.receiveMaximum) : maxInflight,
    publishers,
    subscribers,
    stallMs,
    reader,
    ...own,
  })
}

/** With its connections open, and closed whatever happens. */
async function connected<T>(load: Load, work: () => Promise<T>): Promise<T> {
  try {
    await load.open()
    return await work()
  } finally {
    load.close()
  }
}

function percentiles(latency: Histogram): Figures {
  return {
    p50: latency.percentile(0.5),
    p99: latency.percentile(0.99),
    p999: latency.percentile(0.999),
    max: latency.max,
  }
}

function newTag(): number {
  return randomBytes(4).readUInt32BE()
}
