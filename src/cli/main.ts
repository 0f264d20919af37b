#!/usr/bin/env node
/** The `eventflow` program: a table of commands. Exit codes: 0 done, 1 failed, 2 wrongly called or wrongly configured. */

import { VERSION } from '../version.ts'
import type { Command } from './command.ts'
import { bench } from './commands/bench.ts'
import { check } from './commands/check.ts'
import { passwd } from './commands/passwd.ts'
import { start } from './commands/start.ts'

const COMMANDS = new Map<string, Command>(Object.entries({ start, check, passwd, bench }))

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
  if (args.includes('--help') || args.includes('-h')) return print(`${command.summary}\n\neventflow ${command.usage}`)
  return run(`eventflow ${name}`, command, args)
}

async function run(called: string, command: Command, args: readonly string[]): Promise<number> {
  try {
    return await command.run(args)
  } catch (error) {
    const wronglyCalled = isArgumentError(error)
    const text = error instanceof Error ? error.message : String(error)
    // What parseArgs advises comes after its first sentence; the usage line says it better.
    const line = wronglyCalled ? `${text.split(/\.\s/)[0]}; expected: eventflow ${command.usage}` : text
    process.stderr.write(`${called}: ${line}\n`)
    return wronglyCalled ? 2 : 1
  }
}

/** Whether node:util's parseArgs refused the words of a command. */
function isArgumentError(error: unknown): boolean {
  const code = error instanceof TypeError && 'code' in error ? error.code : undefined
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')
}

function help(): string {
  const commands = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`)
  return [
    'Eventflow, an MQTT broker with durable queues.',
    '',
    'eventflow <command> [options]',
    '',
    ...commands,
    '',
    '  eventflow <command> --help    the options of a command',
    '  eventflow --version           the version',
  ].join('\n')
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}
