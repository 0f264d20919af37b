#!/usr/bin/env node
/** The `eventflow` program: a table of commands. Exit codes: 0 done, 1 failed, 2 wrongly called or wrongly configured. */

import { EventflowError } from '../core/errors.ts'
import { VERSION } from '../version.ts'
import { type Command, WronglyCalled } from './command.ts'
import { backup } from './commands/backup.ts'
import { bench } from './commands/bench.ts'
import { check } from './commands/check.ts'
import { clients } from './commands/clients.ts'
import { completionOf } from './commands/completion.ts'
import { passwd } from './commands/passwd.ts'
import { pub } from './commands/pub.ts'
import { queues } from './commands/queues.ts'
import { restore } from './commands/restore.ts'
import { start } from './commands/start.ts'
import { status } from './commands/status.ts'
import { sub } from './commands/sub.ts'

const GROUPS: ReadonlyArray<readonly [title: string, commands: Readonly<Record<string, Command>>]> = [
  ['Run a broker, and keep what it has', { start, check, passwd, backup, restore }],
  ['Look at a running broker, and steer it, over its HTTP API', { queues, clients, status }],
  ['Talk MQTT to any broker', { pub, sub, bench }],
]
const OTHERS = Object.assign({}, ...GROUPS.map(([, commands]) => commands)) as Record<string, Command>
const COMMANDS = new Map(Object.entries({ ...OTHERS, completion: completionOf(OTHERS) }))

// Whoever reads our output may have enough of it (`| head`): an end, not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`eventflow: standard output: ${error.message}\n`)
  process.exit(1)
})
process.exit(await main(process.argv.slice(2)))

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') return print(help())
  if (name === '--version') return print(VERSION)
  const command = name === undefined ? undefined : COMMANDS.get(name)
  if (command === undefined) {
    const problem = name === undefined ? 'a command is missing' : `there is no command ${name}`
    process.stderr.write(`eventflow: ${problem}\n\n${help()}\n`)
    return 2
  }
  if (asksForHelp(command, args)) return print(`${command.summary}\n\neventflow ${command.usage}`)
  return run(`eventflow ${name}`, command, args)
}

/** What comes behind `--` is a word like any other. */
function asksForHelp({ hasHost = false }: Command, args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).some((word) => word === '--help' || (word === '-h' && !hasHost))
}

async function run(called: string, command: Command, args: readonly string[]): Promise<number> {
  try {
    return await command.run(args)
  } catch (error) {
    const wronglyCalled = error instanceof WronglyCalled || isArgumentError(error)
    const misconfigured = error instanceof EventflowError && error.code === 'CONFIG_INVALID'
    const text = error instanceof Error ? error.message : String(error)
    // What parseArgs advises comes after its first sentence; the usage line says it better.
    const usage = command.usage.split('\n', 1)[0]
    const line = isArgumentError(error) ? text.split(/\.\s/)[0] : text
    process.stderr.write(`${called}: ${line}${wronglyCalled ? `; expected: eventflow ${usage}` : ''}\n`)
    return wronglyCalled || misconfigured ? 2 : 1
  }
}

/** Whether node:util's parseArgs refused the words of a command. */
function isArgumentError(error: unknown): boolean {
  const code = error instanceof TypeError && 'code' in error ? error.code : undefined
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')
}

function help(): string {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length)) + 2
  const groups = GROUPS.flatMap(([title, commands]) => [
    '',
    `${title}:`,
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`),
  ])
  return [
    'Eventflow, an MQTT broker with durable queues.',
    '',
    'eventflow <command> [options]',
    ...groups,
    '',
    'eventflow <command> --help      the options of a command',
    'eventflow completion bash       for a shell that completes these words',
    'eventflow --version             the version',
  ].join('\n')
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}
