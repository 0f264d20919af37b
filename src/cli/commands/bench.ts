/**
 * `eventflow bench`: throughput, latency and memory of any MQTT broker, or of two in turn; a lost or doubled message
 * fails it. The table goes to standard output, progress to standard error where that is a terminal.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { runCampaign } from '../../bench/campaign.ts'
import { BenchError } from '../../bench/errors.ts'
import { greet } from '../../bench/load/greeting.ts'
import { type BenchOptions, parseBench, WronglyCalled } from '../../bench/options.ts'
import { jsonOf } from '../../bench/report/json.ts'
import { readableName } from '../../bench/report/names.ts'
import { pageOf } from '../../bench/report/page.ts'
import type { Report } from '../../bench/report/report.ts'
import { textOf } from '../../bench/report/table.ts'
import type { Side } from '../../bench/run.ts'
import { SCENARIOS } from '../../bench/scenarios.ts'
import { thisMachine } from '../../bench/system/machine.ts'
import { VERSION } from '../../version.ts'
import type { Command } from '../command.ts'

const FORM = 'bench [SCENARIO...] [--host ADDRESS] [--port N] [--vs HOST:PORT] [options]'

const USAGE = `${FORM}

  --host ADDRESS --port N    the broker (default 127.0.0.1, 1883)
  --user NAME --password P   who connects; others on this machine can see the password
  --pid N                    the broker's process, for its processor time and memory (Linux)
  --name TEXT                what the table calls it (default: what it calls itself)
  --share                    it has no queues: a shared subscription stands in for one
  --reader FILTER            one more client reads along
  --vs HOST:PORT             a second broker, in turn with the first; without queues unless --vs-queue;
                             --vs-user, --vs-password, --vs-pid, --vs-name as above
  --runs N                   of each scenario; medians are shown (default 5)
  --seconds S                that each run publishes (default 2; latency 5), or
  --messages N               that each run publishes
  --window N                 messages of each publisher under way (default: the scenario's own)
  --rate N                   messages a second of 'latency' (default 5000)
  --connections N            of 'idle' (default 10000)
  --subscriptions N          of 'wildcards' (default 10000)
  --backlog N                messages of 'backlog' (default 100000)
  --timeout S                give a run up when nothing moves for so long (default 10)
  --disk DIR                 measure fdatasync there beside 'queue-latency' (default .)
  --json                     print JSON instead of the table
  --write FILE               write a page like docs/benchmarks.md too; sections of others stay

Scenarios (default: all; idle only with --pid):
${listed([...SCENARIOS.keys()])}

Exit codes: 0 done; 1 a message was lost or came twice, or a run could not be made; 2 wrongly called.`

/** Where the report and the progress go. */
export interface Output {
  readonly out: { write(text: string): unknown }
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean }
}

export const bench: Command = {
  summary: 'Benchmark a broker, or two in turn.',
  usage: USAGE,
  run: (args) => runBench(args, { out: process.stdout, err: process.stderr }),
}

/** The command, with any output. */
export async function runBench(args: readonly string[], output: Output): Promise<number> {
  try {
    return await perform(parseBench(args), args, output)
  } catch (error) {
    const wronglyCalled = error instanceof WronglyCalled
    if (!wronglyCalled && !(error instanceof BenchError)) throw error
    const hint = wronglyCalled ? `; expected: eventflow ${FORM}` : ''
    output.err.write(`eventflow bench: ${error.message}${hint}\n`)
    return wronglyCalled ? 2 : 1
  }
}

async function perform(options: BenchOptions, args: readonly string[], { out, err }: Output): Promise<number> {
  const { sizes, runs } = options
  const names: string[] = []
  const sides: Side[] = []
  for (const [n, side] of options.sides.entries()) {
    const { version, receiveMaximum } = await greet(side, `bench-${process.hrtime.bigint().toString(36)}`)
    names.push(options.names[n] ?? readableName(version, side))
    sides.push({ ...side, receiveMaximum })
  }
  const progress = (line: string): void => void (err.isTTY === true && err.write(`\r\x1b[K${line}`))
  const rows = await runCampaign({
    ...options,
    sides,
    onRun: ({ name }, side, run) => progress(`${name}: run ${run} of ${runs}, ${names[side]} …`),
  })
  progress('')
  const report: Report = { machine: thisMachine(), names, rows, runs, sizes }
  out.write(options.json ? jsonOf(report) : textOf(report))
  if (options.write !== null) {
    const old = await readFile(options.write, 'utf8').catch(() => '')
    const page = pageOf(report, { words: withoutSecrets(args), date: new Date(), version: VERSION, old })
    await writeFile(options.write, page)
  }
  return rows.some(({ cells }) => cells.some((cell) => cell !== null && cell.problems.length > 0)) ? 1 : 0
}

/** What was typed, for a page that others read. */
function withoutSecrets(args: readonly string[]): string[] {
  const secret = /^(--(?:vs-)?password)(=.*)?$/s
  return args.map((word, n) => {
    if (n > 0 && secret.exec(args[n - 1]!)?.[2] === undefined && secret.test(args[n - 1]!)) return '***'
    return word.replace(secret, (_, name: string, value?: string) => (value === undefined ? name : `${name}=***`))
  })
}

/** Words in lines that fit a terminal. */
function listed(words: readonly string[]): string {
  const lines = ['']
  for (const word of words) {
    if (lines.at(-1)!.length + word.length > 96) lines.push('')
    lines.push(`${lines.pop()!}  ${word}`)
  }
  return lines.join('\n')
}
