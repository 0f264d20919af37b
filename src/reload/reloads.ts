/**
 * Another configuration while the broker runs: all of it takes effect, or none. First every part looks at what it is to take,
 * files included; only when all have found it right it is put in force, in one go.
 *
 * One at a time. Who asks while one waits for its turn shares it: of a hundred signals in a row the last is heeded too.
 * Files that change are a matter of their own part: a certificate is renewed although somebody is in the middle of editing
 * the configuration.
 */

import { resolveConfig } from '../config/load.ts'
import type { Config, ConfigInput } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { EventflowError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { Apply, Logger, ReloadResult } from '../kernel/plugin-contract.ts'
import { changedOptions, withOptionsOf } from './changes.ts'
import { FileWatch } from './file-watch.ts'
import type { ReloadPart } from './part.ts'

export interface ReloadsParts {
  /** The configuration in force. */
  config: Config
  /** In the order in which they are asked. */
  parts: () => readonly ReloadPart[]
  /** Whether an option takes effect while the broker runs. */
  isLive: (path: string) => boolean
  /** What the configuration is now, where somebody knows. @throws EventflowError CONFIG_INVALID */
  read: (() => ConfigInput) | null
  /** Where it stands, to be looked at for changes. */
  configFile: string | null
  /** Another one is in force; `wanted` has what takes effect at the next start too. */
  applied: (config: Config, wanted: Config) => void
  /** When the files began to be read that are in force. */
  since: number
  clock: Clock
  events: Events
  log: Logger
}

export class Reloads {
  readonly #parts: ReloadsParts
  /** Those that wait for their turn, by what they are about. */
  readonly #waiting = new Map<string, Promise<ReloadResult>>()
  #last: Promise<unknown> = Promise.resolve()
  #config: Config
  /** What was last asked for, with what takes effect at the next start. */
  #wanted: ConfigInput
  #watches: FileWatch[] = []
  #configWatch: FileWatch | null = null
  #stopped = false

  constructor(parts: ReloadsParts) {
    this.#parts = parts
    this.#config = parts.config
    this.#wanted = parts.config
  }

  start(): void {
    this.#watch(this.#parts.since)
  }

  /** Nothing takes effect any more, what is being looked at included. */
  stop(): void {
    this.#stopped = true
    for (const watch of this.#watches) watch.stop()
    this.#configWatch?.stop()
  }

  /**
   * @param config what to take; left out: what the configuration says now
   * @throws EventflowError that says what is not right; NOT_RUNNING
   */
  reload(config?: ConfigInput): Promise<ReloadResult> {
    if (config !== undefined) return this.#inTurn(() => this.#all(() => config))
    return this.#shared('', () => this.#all(this.#parts.read ?? (() => this.#wanted)))
  }

  #shared(what: string, task: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const waiting = this.#waiting.get(what)
    if (waiting !== undefined) return waiting
    const run = this.#inTurn(() => {
      this.#waiting.delete(what)
      return task()
    })
    this.#waiting.set(what, run)
    return run
  }

  #inTurn(task: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const run = this.#last.then(async () => {
      try {
        return await task()
      } catch (error) {
        this.#rejected(error as Error)
        throw error
      }
    })
    this.#last = run.catch(() => {})
    return run
  }

  async #all(read: () => ConfigInput): Promise<ReloadResult> {
    const { isLive, applied, clock } = this.#parts
    const parts = this.#parts.parts()
    this.#checkRunning()
    const since = clock.now()
    this.#watchConfig(since) // also when it is refused: what was read now is not to be read again in a second
    const wanted = resolveConfig(read())
    const changed = changedOptions(this.#config, wanted)
    const needRestart = changed.filter((path) => !isLive(path))
    // Checked again: some options go together, and it would be with the old value of the one and the new of the other.
    const next = resolveConfig(withOptionsOf(this.#config, wanted, needRestart))
    const apply = await this.#prepare(parts, next)
    apply()
    this.#config = next
    this.#wanted = wanted
    applied(next, wanted)
    this.#watch(since)
    const files = parts.filter((part) => part.files().length > 0).map(({ name }) => name)
    return this.#done({ changed: changed.filter(isLive), needRestart, files })
  }

  /** Files of one part have changed. */
  async #one(part: ReloadPart): Promise<ReloadResult> {
    this.#checkRunning()
    const apply = await this.#prepare([part], this.#config)
    apply()
    return this.#done({ changed: [], needRestart: [], files: [part.name] })
  }

  /** The first that finds something wrong ends it: those behind it are not asked, for a plugin may act at once. */
  async #prepare(parts: readonly ReloadPart[], config: Config): Promise<Apply> {
    const applies: Apply[] = []
    for (const part of parts) {
      const apply = await part.prepare(config)
      this.#checkRunning()
      if (typeof apply === 'function') applies.push(apply)
    }
    return () => {
      for (const apply of applies) apply()
    }
  }

  #checkRunning(): void {
    if (this.#stopped) throw new EventflowError('NOT_RUNNING', 'the broker is not running')
  }

  #done(result: ReloadResult): ReloadResult {
    const { events, log } = this.#parts
    events.emit('config.reloaded', result)
    const text = 'the configuration was read again, and is in force'
    if (result.needRestart.length === 0) log.info(result, text)
    else log.warn(result, `${text}, but for what needs a restart`)
    return result
  }

  #rejected(error: Error): void {
    if (this.#stopped) return
    const { events, log } = this.#parts
    const problems = error.message.split('\n')
    events.emit('config.rejected', { problems })
    log.error({ error, problems }, 'the configuration is not right: nothing of it was taken, what was in force stays')
  }

  #watch(since: number): void {
    for (const watch of this.#watches) watch.stop()
    this.#watches = this.#parts
      .parts()
      .map((part) => this.#watchFiles(part.files(), since, () => this.#shared(part.name, () => this.#one(part))))
    this.#watchConfig(since)
  }

  #watchConfig(since: number): void {
    const { configFile } = this.#parts
    this.#configWatch?.stop()
    this.#configWatch = configFile === null ? null : this.#watchFiles([configFile], since, () => this.reload())
  }

  #watchFiles(paths: readonly string[], since: number, reload: () => Promise<unknown>): FileWatch {
    const { clock } = this.#parts
    return new FileWatch({ paths, since, clock, changed: () => void reload().catch(() => {}) })
  }
}
