/**
 * The broker as programs see it: a configuration, a start, a stop, and what can be asked of it in between. The parts are made in
 * `src/assembly`, where lifecycle.ts says in which order they start and stop.
 */

import { existsSync } from 'node:fs'
import { type AccessControl, builtInPlugins, type HttpControl, type QueueControl } from '../plugins/index.ts'
import { type Starting, settle, startUp, takeDown } from './assembly/lifecycle.ts'
import { makeParts, type Parts } from './assembly/parts.ts'
import { SILENT, tellingStore, tellWhere } from './assembly/telling.ts'
import { resolveConfig } from './config/load.ts'
import type { Config, ConfigInput } from './config/schema.ts'
import { systemClock } from './core/clock.ts'
import { EventflowError } from './core/errors.ts'
import { EventBus } from './core/event-bus.ts'
import type { Events } from './core/events.ts'
import type { JobIterator } from './embedded/job.ts'
import type { PublishOptions } from './embedded/local-clients.ts'
import { Chronicle, type EventChronicle } from './kernel/chronicle.ts'
import type { Logger, Plugin, ReloadResult } from './kernel/plugin-contract.ts'
import { keepingOf } from './reload/limits.ts'
import { isLive, partsOf } from './reload/parts.ts'
import { Reloads } from './reload/reloads.ts'
import { type OpenStoreOptions, openStore } from './store/open.ts'
import type { BackupResult, Store } from './store/store.ts'
import { VERSION } from './version.ts'

export interface EventflowOptions {
  /** What differs from the defaults; see docs/configuration.md. */
  config?: ConfigInput
  /** Says what the configuration is now, whenever it is to be read again. Left out: it stays, and only the files that it names are read. */
  readConfig?: () => ConfigInput
  /** The file that `readConfig` reads: when it changes, the configuration is read again. */
  configFile?: string
  /** Where the broker logs to (pino, or anything with its four levels). Default: nowhere. */
  logger?: Logger
  /** Plugins besides the built-in ones. */
  plugins?: ReadonlyArray<Plugin<never>>
  /** Opens what outlives the process, in place of what `store.kind` names. Called at each start. */
  openStore?: (options: OpenStoreOptions) => Promise<Store>
}

export type { ReloadResult } from './kernel/plugin-contract.ts'

export interface ListenerAddress {
  /** As in the configuration: `tcp`, `tls`, `ws`, `wss`, `unix`. */
  name: string
  /** An address or host name; the path of a Unix socket. */
  host: string
  /** 0 for a Unix socket. */
  port: number
  /** `mqtt://127.0.0.1:1883`, `wss://127.0.0.1:8084/mqtt`, `unix:/run/eventflow.sock` */
  url: string
}

/** Everything that runs between start() and stop(). */
interface Running extends Parts {
  reloads: Reloads
}

export class Eventflow {
  #config: Config
  /** What the next start begins with. */
  #wanted: Config
  readonly #options: EventflowOptions
  readonly #log: Logger
  readonly #plugins: ReadonlyArray<Plugin<never>>
  readonly #open: (options: OpenStoreOptions) => Promise<Store>
  readonly #bus: EventBus
  readonly #chronicle: Chronicle
  #running: Running | null = null
  #stopping: Promise<void> | null = null

  /** @throws EventflowError CONFIG_INVALID, with every problem at once */
  constructor(options: EventflowOptions = {}) {
    this.#config = resolveConfig(options.config ?? {})
    this.#wanted = this.#config
    this.#options = options
    this.#log = options.logger ?? SILENT
    this.#plugins = [...(options.plugins ?? []), ...builtInPlugins]
    this.#open = options.openStore ?? openStore
    const onFault = (error: unknown): void => this.#log.error({ error }, 'an event listener failed')
    this.#bus = new EventBus(onFault)
    const { node } = this.config
    const keeping = keepingOf(this.config)
    this.#chronicle = new Chronicle({ events: this.#bus, now: systemClock.now, node, ...keeping, onFault })
  }

  /** The configuration in force. What is to be another one at the next start has its old value. */
  get config(): Config {
    return this.#config
  }

  /** Every event in the broker, for programs: see docs/events.md. */
  get events(): Events {
    return this.#bus
  }

  /** The same events as they are on `$eventflow/status`, and those of late, from before a start and after a stop too. */
  get status(): EventChronicle {
    return this.#chronicle
  }

  /** Where the broker listens on TCP. @throws EventflowError NOT_RUNNING */
  get address(): { host: string; port: number } {
    const { host, port } = this.#parts.listeners[0]
    return { host, port }
  }

  /** Everywhere the broker listens, TCP first; `url` is for clients. @throws EventflowError NOT_RUNNING */
  get listeners(): ListenerAddress[] {
    return this.#parts.listeners.map(({ name, host, port, url }) => ({ name, host, port, url }))
  }

  /** @throws EventflowError STORE_LOCKED, STORE_VERSION, ACCESS_FILE_INVALID, LISTEN_FAILED … */
  async start(): Promise<void> {
    if (this.#running !== null) return
    this.#config = this.#wanted
    const { config } = this
    this.#chronicle.keep(keepingOf(config))
    const [log, events] = [this.#log, this.#bus]
    const since = systemClock.now()
    const store = await this.#open(tellingStore(log, events, config))
    const reload = (): Promise<ReloadResult> => this.reload()
    const parts = makeParts(config, { store, events, chronicle: this.#chronicle, log, reload })
    try {
      await startUp(parts, this.#starting)
    } catch (error) {
      await takeDown(parts, log)
      throw error
    }
    const reloads = this.#makeReloads(since, parts)
    this.#running = { ...parts, reloads }
    this.#stopping = null
    reloads.start()
    events.emit('broker.started', { version: VERSION, node: config.node })
    tellWhere(log, config, parts.listeners)
  }

  /**
   * Take another configuration while the broker runs, and read users, rules and certificates again: all of it takes effect, or
   * none. Who is connected stays. Told by the event `config.reloaded` or `config.rejected`, and in the log.
   * @param config the whole of it, as for the constructor; left out: what `readConfig` says, or else the present one with its files
   * @returns which options have changed, and which of them keep their old values until the broker is started again
   * @throws EventflowError that says what is not right, CONFIG_INVALID, TLS_FILE_INVALID, ACCESS_FILE_INVALID …; NOT_RUNNING
   */
  async reload(config?: ConfigInput): Promise<ReloadResult> {
    return this.#parts.reloads.reload(config)
  }

  /**
   * Write a copy of everything that outlives the process while the broker goes on: all that was acknowledged before this call,
   * and perhaps more, as it was at one moment. `eventflow restore` makes a data directory of it. One at a time; told by the
   * events `backup.finished` and `backup.failed`.
   * @param path a directory that is empty or not there; relative to the working directory
   * @throws EventflowError BACKUP_REFUSED when it is not empty or another backup is under way; BACKUP_FAILED when it cannot be
   * written: then nothing is left of it; NOT_RUNNING
   */
  async backup(path: string): Promise<BackupResult> {
    return this.#parts.backups.run(path)
  }

  /** Settle what is in flight, say goodbye to every client, flush. Safe to call twice. */
  stop(): Promise<void> {
    const running = this.#running
    this.#running = null
    if (running !== null) this.#stopping = this.#stop(running)
    return this.#stopping ?? Promise.resolve()
  }

  /**
   * Publish as the broker itself. Resolves when the message is safe, as for a client that waits for its PUBACK.
   * @throws Refusal when the topic is none, or its owner refuses the message
   */
  async publish(topic: string, payload: Buffer | string, options: PublishOptions = {}): Promise<void> {
    await this.#parts.local.publish(topic, payload, options)
  }

  /** Call `listener` with every message that `filter` matches. Resolves with the function that ends it. */
  async subscribe(filter: string, listener: (topic: string, payload: Buffer) => void): Promise<() => void> {
    return this.#parts.local.subscribe(filter, listener)
  }

  /**
   * Consume a queue: `for await (const job of await broker.consume('orders'))`. Each job is to be acknowledged; what is
   * not goes to another consumer when the time is up or the loop is left.
   */
  async consume(name: string): Promise<JobIterator> {
    return this.#parts.local.consume(name)
  }

  /** Where HTTP is offered: `http://127.0.0.1:8080`; null: it is not. @throws EventflowError NOT_RUNNING */
  get httpUrl(): string | null {
    const http = this.#parts.kernel.plugins.api('http') as HttpControl | undefined
    return http?.url ?? null
  }

  /**
   * Looking at queues and steering them: list, show, peek, pause, resume, purge, delete, redrive.
   * @throws EventflowError NOT_RUNNING
   */
  get queues(): QueueControl {
    return this.#parts.kernel.plugins.api('queue') as QueueControl
  }

  /**
   * What clients may do: other rules while the broker runs, and why somebody may do something.
   * @throws EventflowError NOT_RUNNING
   */
  get access(): AccessControl {
    return this.#parts.kernel.plugins.api('access') as AccessControl
  }

  get #parts(): Running {
    if (this.#running === null) throw new EventflowError('NOT_RUNNING', 'the broker is not running')
    return this.#running
  }

  get #starting(): Starting {
    const { config } = this
    const { configFile } = this.#options
    return {
      config,
      configuration: () => this.config,
      configFile: configFile && existsSync(configFile) ? configFile : null,
      plugins: this.#plugins,
      events: this.#bus,
      log: this.#log,
    }
  }

  #makeReloads(since: number, reloadable: Parts): Reloads {
    const { readConfig = null, configFile = null } = this.#options
    const plugins = this.#plugins.map(({ name }) => name)
    return new Reloads({
      config: this.config,
      parts: () => partsOf(reloadable),
      isLive: (path) => isLive(path, plugins, reloadable.kernel.plugins.reloadable),
      read: readConfig,
      configFile,
      applied: (config, wanted) => {
        this.#config = config
        this.#wanted = wanted
        this.#chronicle.keep(keepingOf(config))
      },
      since,
      clock: systemClock,
      events: this.#bus,
      log: this.#log,
    })
  }

  async #stop(running: Running): Promise<void> {
    running.reloads.stop()
    this.#bus.emit('broker.stopping', {})
    await settle(running, this.config.shutdownTimeout)
    await takeDown(running, this.#log)
    this.#bus.emit('broker.stopped', {})
    this.#log.info({}, 'stopped')
  }
}
