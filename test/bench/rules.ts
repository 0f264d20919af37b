/**
 * What access rules and a reader of status cost a message: `npx tsx test/bench/rules.ts [options of eventflow bench]`.
 *
 * Starts two brokers: one with rules, beside which a client reads the events of clients, and one without, and has
 * `eventflow bench` run `pair-qos0` on both in turn. The ratio that it prints should be 0.85 or more.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runBench } from '../../src/cli/commands/bench.ts'

const ROOT = join(import.meta.dirname, '../..')

/** The rule that allows what the bench does comes last, so that each decision looks at all of them. */
const RULES = `
access:
  rules:
    - { deny: publish, topics: ['$SYS/#'] }
    - { allow: [publish, subscribe], topics: ['sensors/%c/#'] }
    - { allow: subscribe, topics: ['$eventflow/#', '$SYS/#'] }
    - { allow: [publish, subscribe], topics: ['bench/#'] }
`

const children: ChildProcess[] = []
const folder = await mkdtemp(join(tmpdir(), 'eventflow-rules-'))

/** Start a broker with this configuration. Returns its port once it listens. */
async function start(name: string, config: string): Promise<{ port: string; pid: string }> {
  const file = join(folder, `${name}.yaml`)
  await writeFile(file, `listeners: { tcp: { port: 0 } }\nstore: { kind: memory }\n${config}`)
  const words = [...process.execArgv, join(ROOT, 'src/cli/main.ts'), 'start', '--config', file]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const chunk of child.stdout!) {
    const port = /"port":(\d+)/.exec(String(chunk))
    if (port !== null) return { port: port[1]!, pid: String(child.pid) }
  }
  throw new Error(`the broker ${name} did not start`)
}

try {
  const ruled = await start('rules', RULES)
  const open = await start('open', '')
  const first = ['--port', ruled.port, '--pid', ruled.pid, '--name', 'rules and a reader']
  const second = ['--vs', `127.0.0.1:${open.port}`, '--vs-pid', open.pid, '--vs-name', 'neither', '--vs-queue']
  const reader = ['--reader', '$eventflow/events/client/#']
  process.exitCode = await runBench(['pair-qos0', ...first, ...second, ...reader, ...process.argv.slice(2)], {
    out: process.stdout,
    err: process.stderr,
  })
} finally {
  for (const child of children) child.kill()
  await rm(folder, { recursive: true })
}
