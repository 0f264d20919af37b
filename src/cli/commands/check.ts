/**
 * `eventflow check`: what a start would run with, or all that keeps it from starting; with `--queue`, which policy the
 * queue of that name would have. Opens and writes nothing.
 */

import { stringify } from 'yaml'
import { Policies } from '../../../plugins/queue/policies.ts'
import { FLAGS_USAGE, flagsHelp, parseFlags } from '../../config/flags.ts'
import { isConfigError, loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import type { Command } from '../command.ts'

export const check: Command = {
  summary: 'Check the configuration, and print the values in force.',
  usage: `check [--queue NAME] ${FLAGS_USAGE}\n\n  --queue NAME          What this queue would have, and which policy it comes from.\n${flagsHelp()}`,
  async run(args) {
    try {
      const { own, ...sources } = parseFlags(args, ['queue'])
      const config = loadConfig({ ...sources, env: process.env })
      // The sentence is a comment, so that what is printed is a configuration file itself.
      process.stdout.write(own.queue === undefined ? valid(config) : policyOf(config, own.queue))
      return 0
    } catch (error) {
      if (!isConfigError(error)) throw error
      process.stderr.write(`${error.message}\n`)
      return 2
    }
  },
}

function valid(config: Config): string {
  return `# the configuration is valid; durations in milliseconds, sizes in bytes\n${stringify(config)}`
}

function policyOf({ queue }: Config, name: string): string {
  const policies = new Policies(queue)
  const entry = policies.entryFor(name)
  const which = entry === null ? 'no policy of its own, only the defaults' : `the policy that matches ${entry.match}`
  return `# the queue ${name} has ${which}\n${stringify({ queue: policies.of(name) })}`
}
