/** Contenders in turn, several times: the same minute is as noisy for one as for the other. The table says what came out. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { milliseconds, percent, perSecond, withSpread } from '../../../src/bench/report/report.ts'
import { spreadOf } from '../../../src/bench/statistics.ts'
import { syncTimeUs } from '../../../src/bench/system/disk.ts'
import { thisMachine } from '../../../src/bench/system/machine.ts'
import { CONSUMERS, type LoopOptions, type Outcome, PAYLOAD_BYTES, PRODUCERS } from './closed-loop.ts'
import { workFolder } from './servers.ts'

export interface ComparisonOptions extends LoopOptions {
  readonly runs: number
  /** A folder on the disk that all of them write to. */
  readonly disk: string
}

export interface Contender {
  /** What the table calls it: server, version, client. */
  readonly name: string
  run(options: ComparisonOptions): Promise<Outcome>
}

/** What was typed. */
export function wordsOf(usual: { window: number; batch: number }): ComparisonOptions {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      window: { type: 'string', default: String(usual.window) },
      batch: { type: 'string', default: String(usual.batch) },
      disk: { type: 'string', default: '.' },
    },
  })
  const { runs, seconds, window, batch } = values
  return { ...values, runs: Number(runs), seconds: Number(seconds), window: Number(window), batch: Number(batch) }
}

/** Run them, the first time for nothing but to warm up, and print the table. The first one is what the others are compared with. */
export async function compare(contenders: readonly Contender[], options: ComparisonOptions): Promise<void> {
  const outcomes = contenders.map((): Outcome[] => [])
  for (let run = 0; run <= options.runs; run++) {
    for (const [n, contender] of contenders.entries()) {
      const outcome = await contender.run(options)
      process.stderr.write(
        `${run === 0 ? 'warm-up' : `run ${run}`}: ${contender.name}: ${perSecond(outcome.rate)} msg/s\n`,
      )
      if (run > 0 || outcome.problems.length > 0) outcomes[n]!.push(outcome)
    }
  }
  const rates = outcomes.map((of) => spreadOf(of.map(({ rate }) => rate)))
  const { processor, cores, memoryGiB, node, system } = thisMachine()
  const lines = [
    `${PRODUCERS} producers, ${CONSUMERS} consumers, ${PAYLOAD_BYTES} bytes, ${options.window} messages of each producer under way; medians of ${options.runs} runs of ${options.seconds} s`,
    `${processor}, ${cores} cores, ${memoryGiB} GiB; ${system}, Node.js ${node}; fdatasync of this disk: ${milliseconds(syncTimeUs(options.disk))} ms; ${new Date().toISOString().slice(0, 10)}`,
    '',
    '| Who | msg/s | Ratio | CPU µs/msg of the server | The client was busy |',
    '| --- | --- | --- | --- | --- |',
    ...contenders.map(({ name }, n) => {
      const cpu = spreadOf(outcomes[n]!.map(({ cpu }) => cpu)).median.toFixed(1)
      const own = percent(spreadOf(outcomes[n]!.map(({ own }) => own)).median)
      const ratio = n === 0 ? '' : (rates[n]!.median / rates[0]!.median).toFixed(2)
      return `| ${name} | ${withSpread(rates[n]!, perSecond)} | ${ratio} | ${cpu} | ${own} |`
    }),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  for (const [n, { name }] of contenders.entries()) {
    for (const problem of outcomes[n]!.flatMap(({ problems }) => problems)) {
      process.stdout.write(`FAILED: ${name}: ${problem}\n`)
      process.exitCode = 1
    }
  }
}

/** The folder of this comparison's servers. */
export function folderOf({ disk }: ComparisonOptions): string {
  return workFolder(disk)
}

/** Of an installed package, which may not let its package.json be imported. */
export function packageVersion(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name)
  const folder = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`))
  return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
}
