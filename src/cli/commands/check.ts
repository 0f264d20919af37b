/**
 * `eventflow check`: what a start would run with, or all that keeps it from starting, wrong files included; with `--queue`, which policy the
 * queue of that name would have; with `--publish` or `--subscribe`, whether a client may, and by which rule. Opens and
 * writes nothing.
 */

import { stringify } from 'yaml'
import { Policies } from '../../../plugins/queue/policies.ts'
import { FLAGS_USAGE, flagsHelp, type ParsedFlags, parseFlags } from '../../config/flags.ts'
import { isConfigError, locateConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { EventflowError } from '../../core/errors.ts'
import type { Answer, Question } from '../access-question.ts'
import { type Command, WronglyCalled } from '../command.ts'

const OWN = ['queue', 'user', 'client-id', 'role', 'publish', 'subscribe']

export const check: Command = {
  summary: 'Check the configuration, and print the values in force; or what a client may do, and why.',
  usage: [
    `check [--queue NAME] ${FLAGS_USAGE}`,
    '       eventflow check [--user NAME] [--client-id ID] [--role NAME,…] --publish TOPIC | --subscribe FILTER [--json]',
    '',
    '  --queue NAME          What this queue would have, and which policy it comes from.',
    flagsHelp(),
    '',
    'Exit codes: 0 valid, or allowed; 1 denied; 2 wrongly called or configured.',
  ].join('\n'),
  async run(args) {
    const json = args.includes('--json')
    const { own, ...sources } = parseFlags(
      args.filter((word) => word !== '--json'),
      OWN,
    )
    const question = questionOf(own)
    try {
      const { config, originOf } = locateConfig({ ...sources, env: process.env })
      if (question !== null) {
        const { ask } = await import('../access-question.ts') // which loads half a broker
        return tell(located(await ask(config, question), originOf), json)
      }
      if (own.queue !== undefined) return print(policyOf(config, own.queue))
      const { problemsOf } = await import('../dry-run.ts')
      const problems = await problemsOf(config)
      if (problems.length === 0) return print(valid(config))
      process.stderr.write(`${problems.join('\n')}\n`)
      return 2
    } catch (error) {
      const misconfigured = error instanceof EventflowError && error.code === 'ACCESS_FILE_INVALID'
      if (!misconfigured && !isConfigError(error)) throw error
      process.stderr.write(`${error.message}\n`)
      return 2
    }
  },
}

/** What is asked about a client; null: nothing. Without an identifier a client is taken to have that of its user. */
function questionOf(own: ParsedFlags['own']): Question | null {
  const { user = null, publish, subscribe, role } = own
  if (publish !== undefined && subscribe !== undefined)
    throw new WronglyCalled('--publish and --subscribe are two questions')
  const topic = publish ?? subscribe
  if (topic === undefined) {
    if (user !== null || role !== undefined || own['client-id'] !== undefined) {
      throw new WronglyCalled('--publish or --subscribe is missing')
    }
    return null
  }
  const action = publish === undefined ? 'subscribe' : 'publish'
  return { user, clientId: own['client-id'] ?? user ?? 'check', roles: role?.split(',') ?? [], action, topic }
}

/** The place of a rule of the configuration, with the file and the line where it stands. */
function located(answer: Answer, originOf: (path: ReadonlyArray<string | number>) => string | null): Answer {
  const index = /^access\.rules\[(\d+)\]$/.exec(answer.place ?? '')?.[1]
  const origin = index === undefined ? null : originOf(['access', 'rules', Number(index)])
  if (origin === null) return answer
  const place = `${answer.place} (${origin})`
  return { ...answer, place, reason: answer.reason.replace(answer.place!, () => place) }
}

function tell(answer: Answer, json: boolean): number {
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : inWords(answer))
  return answer.allowed ? 0 : 1
}

function inWords({ user, clientId, action, topic, asked, allowed, reason }: Answer): string {
  const who = `${user === null ? 'a client without a user name' : `user ${user}`}, client identifier ${clientId},`
  const what = action === 'publish' ? `publish on ${topic}` : `subscribe to ${topic}`
  const meant = asked === topic ? '' : ` (rules are asked about ${asked})`
  return `${allowed ? 'allowed' : 'denied'}: ${who} ${allowed ? 'may' : 'may not'} ${what}${meant}\n${reason}\n`
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** The sentence is a comment, so that what is printed is a configuration file itself. */
function valid(config: Config): string {
  return `# the configuration is valid; durations in milliseconds, sizes in bytes\n${stringify(config)}`
}

function policyOf({ queue }: Config, name: string): string {
  const policies = new Policies(queue)
  const entry = policies.entryFor(name)
  const which = entry === null ? 'no policy of its own, only the defaults' : `the policy that matches ${entry.match}`
  return `# the queue ${name} has ${which}\n${stringify({ queue: policies.of(name) })}`
}
