/**
 * The log of a program: lines of JSON on standard output, or lines for people when that is a terminal, or a file that is renamed
 * when it is full. Nobody waits for who reads it, but at the end: the last line is not lost.
 */

import pino, { type DestinationStream } from 'pino'
import type { Config } from '../config/schema.ts'
import { systemClock } from '../core/clock.ts'
import { EventflowError } from '../core/errors.ts'
import { LineFile } from '../store/line-file.ts'

export interface Log {
  readonly logger: pino.Logger
  /** Resolves when all lines are written, as far as the disk takes them. */
  close(): Promise<void>
  /** All lines are written when this returns: the process ends at once. */
  writeNow(): void
}

/** So long the end waits for who reads the log. */
const LAST_LINES_MS = 1_000

export interface Terminal {
  readonly isTTY?: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** @throws EventflowError LOG_FILE_FAILED */
export async function openLog({ log, node }: Config, terminal: Terminal): Promise<Log> {
  if (log.file !== null) return openFile(log.file, log.level, node)
  const isPretty = log.format === 'pretty' || (log.format === 'auto' && terminal.isTTY === true)
  if (isPretty) {
    const logger = makeLogger(log.level, {}, await prettyLines(terminal))
    return { logger, close: async () => {}, writeNow() {} }
  }
  const out = pino.destination({ dest: 1, sync: false })
  return { logger: makeLogger(log.level, { node }, out), close: () => closed(out), writeNow: () => out.flushSync() }
}

/**
 * A line that is being written while the process exits may come after those behind it, or not at all. So whoever reads them is
 * waited for, but not if nobody does.
 */
function closed(out: ReturnType<typeof pino.destination>): Promise<void> {
  return new Promise((resolve) => {
    out.once('close', resolve)
    out.once('error', () => resolve())
    systemClock.after(LAST_LINES_MS, resolve)
    out.end()
  })
}

async function openFile(options: NonNullable<Config['log']['file']>, level: string, node: string): Promise<Log> {
  const { path, maxSize: maxBytes, maxFiles } = options
  const file = new LineFile({
    ...{ path, maxBytes, maxFiles, clock: systemClock },
    failed: ({ message }) => tell(`the log cannot be written to ${path}: ${message}; trying again`),
    recovered: (lost) => logger.warn({ path, lost }, 'the log is written to its file again'),
  })
  const logger = makeLogger(level, { node }, { write: (line) => file.write(line.trimEnd()) })
  await file.open().catch((cause: Error) => {
    throw new EventflowError('LOG_FILE_FAILED', `${cause.message} (log.file.path)`, { cause })
  })
  const close = async (): Promise<void> => {
    const lost = await file.close()
    if (lost > 0) tell(`${lost} lines of the log were not written to ${path}`)
  }
  const writeNow = (): void => {
    try {
      file.writeNow()
    } catch (error) {
      tell(`the log cannot be written to ${path}: ${(error as Error).message}`)
    }
  }
  return { logger, close, writeNow }
}

function makeLogger(level: string, base: Record<string, string>, destination: DestinationStream): pino.Logger {
  const options: pino.LoggerOptions = {
    ...{ level, base },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
    formatters: { level: (label) => ({ level: label }) },
  }
  return pino(options, destination)
}

/** Loaded only for a terminal: a service need not have it in memory. */
async function prettyLines({ isTTY = false, env }: Terminal): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  const isColoured = isTTY && !env.NO_COLOR && env.TERM !== 'dumb'
  return pretty({ colorize: isColoured, translateTime: 'SYS:HH:MM:ss.l', singleLine: true, sync: true })
}

/** What the log cannot say of itself. */
function tell(text: string): void {
  process.stderr.write(`eventflow: ${text}\n`)
}
