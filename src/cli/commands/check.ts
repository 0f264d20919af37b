/** `eventflow check`: what a start would run with, or all that keeps it from starting. Opens and writes nothing. */

import { stringify } from 'yaml'
import { FLAGS_USAGE, parseFlags } from '../../config/flags.ts'
import { isConfigError, loadConfig } from '../../config/load.ts'
import type { Command } from '../command.ts'

export const check: Command = {
  summary: 'Check the configuration, and print the values in force.',
  usage: `check ${FLAGS_USAGE}`,
  async run(args) {
    try {
      const config = loadConfig({ ...parseFlags(args), env: process.env })
      // The sentence is a comment, so that what is printed is a configuration file itself.
      process.stdout.write(
        `# the configuration is valid; durations in milliseconds, sizes in bytes\n${stringify(config)}`,
      )
      return 0
    } catch (error) {
      if (!isConfigError(error)) throw error
      process.stderr.write(`${error.message}\n`)
      return 2
    }
  },
}
