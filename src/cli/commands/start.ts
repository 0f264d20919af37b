/**
 * `eventflow start`: run the broker until a signal asks it to stop. A signal that arrives while it is starting is kept
 * until it has started, so that a stop never meets half a broker; a second one ends the process at once.
 */

import pino from 'pino'
import { FLAGS_USAGE, flagsHelp, parseFlags } from '../../config/flags.ts'
import { configFile, loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { EventflowError } from '../../core/errors.ts'
import type { Command } from '../command.ts'

export const start: Command = {
  summary: 'Run the broker.',
  usage: `start ${FLAGS_USAGE}\n\n${flagsHelp()}`,
  async run(args) {
    const flags = parseFlags(args)
    try {
      const sources = { ...flags, env: process.env }
      const config = loadConfig(sources)
      return await serve(config, configFile(sources), createLogger(config))
    } catch (error) {
      if (!(error instanceof EventflowError)) throw error
      const misconfigured = error.code === 'CONFIG_INVALID'
      process.stderr.write(misconfigured ? `${error.message}\n` : `eventflow start: ${error.message} (${error.code})\n`)
      return misconfigured ? 2 : 1
    }
  },
}

async function serve(config: Config, configFile: string | null, logger: pino.Logger): Promise<number> {
  endOnFault(logger)
  const signal = nextSignal()
  // Here, not above: other commands are not kept waiting for a whole broker to be loaded.
  const { Eventflow } = await import('../../eventflow.ts')
  const broker = new Eventflow({ config, configFile, logger })
  await broker.start()
  process.on('SIGHUP', () => void broker.reload().catch((error) => logger.warn({ error }, 'nothing is read again')))
  logger.info({ signal: await signal }, 'stopping')
  await broker.stop()
  return 0
}

/** JSON lines on standard output, written at once: the last line before an exit is not lost. */
function createLogger(config: Config): pino.Logger {
  return pino({
    level: config.log.level,
    base: { node: config.node },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
    formatters: { level: (label) => ({ level: label }) },
  })
}

/** Resolves with the first SIGTERM or SIGINT. The second one exits with 1. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1)
      asked = true
      resolve(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

/** After a fault that nobody caught, no state can be trusted. What was acknowledged is on disk: end, and start anew. */
function endOnFault(logger: pino.Logger): void {
  const end = (error: unknown): void => {
    logger.fatal({ error }, 'a fault that nobody caught')
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
