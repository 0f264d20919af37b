/**
 * What access rules and a reader of status cost a message: `npx tsx test/bench/rules.ts [options of eventflow bench]`.
 *
 * Starts two brokers: one with rules, beside which a client reads the events of clients, and one without, and has
 * `eventflow bench` run `pair-qos0` on both in turn. The ratio that it prints should be 0.85 or more.
 */

import { runBench } from '../../src/cli/commands/bench.ts'
import { Brokers } from './brokers.ts'

/** The rule that allows what the bench does comes last, so that each decision looks at all of them. */
const RULES = `
access:
  rules:
    - { deny: publish, topics: ['$SYS/#'] }
    - { allow: [publish, subscribe], topics: ['sensors/%c/#'] }
    - { allow: subscribe, topics: ['$eventflow/#', '$SYS/#'] }
    - { allow: [publish, subscribe], topics: ['bench/#'] }
`

const brokers = new Brokers()
try {
  const ruled = await brokers.start('rules', RULES)
  const open = await brokers.start('open', '')
  const first = ['--port', String(ruled.port), '--pid', String(ruled.pid), '--name', 'rules and a reader']
  const second = ['--vs', `127.0.0.1:${open.port}`, '--vs-pid', String(open.pid), '--vs-name', 'neither', '--vs-queue']
  const reader = ['--reader', '$eventflow/events/client/#']
  process.exitCode = await runBench(['pair-qos0', ...first, ...second, ...reader, ...process.argv.slice(2)], {
    out: process.stdout,
    err: process.stderr,
  })
} finally {
  await brokers.stop()
}
