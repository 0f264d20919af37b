/**
 * `eventflow start`: run the broker until a signal asks it to stop. A signal that arrives while it is starting is kept
 * until it has started, so that a stop never meets half a broker; a second one ends the process at once.
 */

import { existsSync } from 'node:fs'
import { FLAGS_USAGE, flagsHelp, parseFlags } from '../../config/flags.ts'
import { configFileOf, loadConfig } from '../../config/load.ts'
import { systemClock } from '../../core/clock.ts'
import { EventflowError } from '../../core/errors.ts'
import type { Eventflow, EventflowOptions } from '../../eventflow.ts'
import type { Command } from '../command.ts'
import { type Log, openLog } from '../log.ts'
import { Systemd } from '../systemd.ts'

export const start: Command = {
  summary: 'Run the broker.',
  usage: `start ${FLAGS_USAGE}\n\n${flagsHelp()}`,
  async run(args) {
    const flags = parseFlags(args)
    try {
      const sources = { ...flags, env: process.env }
      const configFile = configFileOf(sources)
      const config = loadConfig(sources)
      const mustExist = existsSync(configFile) // a file that vanishes means no defaults: those let everyone in
      const readConfig = () => loadConfig({ ...sources, mustExist })
      const log = await openLog(config, { isTTY: process.stdout.isTTY, env: process.env })
      try {
        return await serve({ config, readConfig, configFile, logger: log.logger }, log)
      } finally {
        await log.close()
      }
    } catch (error) {
      if (!(error instanceof EventflowError)) throw error
      const misconfigured = error.code === 'CONFIG_INVALID'
      process.stderr.write(misconfigured ? `${error.message}\n` : `eventflow start: ${error.message} (${error.code})\n`)
      return misconfigured ? 2 : 1
    }
  },
}

async function serve(options: EventflowOptions, log: Log): Promise<number> {
  const { logger } = log
  endOnFault(log)
  const signal = nextSignal(log)
  // Here, not above: other commands are not kept waiting for a whole broker to be loaded.
  const { Eventflow } = await import('../../eventflow.ts')
  const broker = new Eventflow(options)
  broker.events.listen(['config.reloaded'], () => {
    logger.level = broker.config.log.level
  })
  const started = broker.start()
  reloadOnSignal(broker, started)
  await started
  const systemd = new Systemd({ env: process.env, pid: process.pid, clock: systemClock, log: logger })
  systemd.ready()
  logger.info({ signal: await signal }, 'stopping')
  systemd.stopping()
  await broker.stop()
  return 0
}

/** From the first moment on: a SIGHUP that nobody expects would end the process. What is not right the broker tells itself. */
function reloadOnSignal(broker: Eventflow, started: Promise<void>): void {
  process.on('SIGHUP', () => void started.then(() => broker.reload()).catch(() => {}))
}

/** Resolves with the first SIGTERM or SIGINT. The second one exits with 1. */
function nextSignal({ writeNow }: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) {
        writeNow()
        process.exit(1)
      }
      asked = true
      resolve(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

/** After a fault that nobody caught, no state can be trusted. What was acknowledged is on disk: end, and start anew. */
function endOnFault({ logger, writeNow }: Log): void {
  const end = (error: unknown): void => {
    logger.fatal({ error }, 'a fault that nobody caught')
    writeNow()
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
