/** The composition root: every part and the built-in plugins. `start()` and `stop()` are lists to read from the top. */

import { builtInPlugins, type QueueControl } from '../plugins/index.ts'
import { resolveConfig } from './config/load.ts'
import type { Config, ConfigInput } from './config/schema.ts'
import { systemClock } from './core/clock.ts'
import { Counters } from './core/counters.ts'
import { EventflowError } from './core/errors.ts'
import { EventBus, type Events } from './core/events.ts'
import type { JobIterator } from './embedded/job.ts'
import { LocalClients, type PublishOptions } from './embedded/local-clients.ts'
import { Kernel } from './kernel/kernel.ts'
import type { Logger, Plugin } from './kernel/plugin-contract.ts'
import { PubSub } from './pubsub/pubsub.ts'
import { NEVER_EXPIRES } from './session/session.ts'
import { type OpenStoreOptions, openStore } from './store/open.ts'
import type { Store } from './store/store.ts'
import { Broker } from './transport/broker.ts'
import type { Listener } from './transport/listeners/listener.ts'
import { makeListeners } from './transport/listeners/make.ts'
import { VERSION } from './version.ts'
import { TopicTable } from './wire/topic-table.ts'
import { WriteScheduler } from './wire/write-buffer.ts'

export interface EventflowOptions {
  /** What differs from the defaults; see docs/configuration.md. */
  config?: ConfigInput
  /** Where the broker logs to (pino, or anything with its four levels). Default: nowhere. */
  logger?: Logger
  /** Plugins besides the built-in ones. */
  plugins?: ReadonlyArray<Plugin<never>>
  /** Opens what outlives the process, in place of what `store.kind` names. Called at each start. */
  openStore?: (options: OpenStoreOptions) => Promise<Store>
}

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
interface Running {
  store: Store
  kernel: Kernel
  pubsub: PubSub
  broker: Broker
  /** The one on TCP first. */
  listeners: [Listener, ...Listener[]]
  local: LocalClients
}

export class Eventflow {
  readonly config: Config
  readonly #log: Logger
  readonly #plugins: ReadonlyArray<Plugin<never>>
  readonly #open: (options: OpenStoreOptions) => Promise<Store>
  readonly #bus: EventBus
  #running: Running | null = null
  #stopping: Promise<void> | null = null

  /** @throws EventflowError CONFIG_INVALID, with every problem at once */
  constructor(options: EventflowOptions = {}) {
    this.config = resolveConfig(options.config ?? {})
    this.#log = options.logger ?? SILENT
    this.#plugins = [...(options.plugins ?? []), ...builtInPlugins]
    this.#open = options.openStore ?? openStore
    this.#bus = new EventBus((error) => this.#log.error({ error }, 'an event listener failed'))
  }

  /** Every event in the broker, for programs: see docs/events.md. */
  get events(): Events {
    return this.#bus
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
    const { config } = this
    const store = await this.#openStore()
    const counters = new Counters()
    const kernel = new Kernel({
      store,
      clock: systemClock,
      events: this.#bus,
      counters,
      log: this.#log,
      node: config.node,
      version: VERSION,
      maxTopicLevels: config.mqtt.maxTopicLevels,
      limits: config.session,
      maxExpirySeconds:
        config.session.maxExpiry === 'never' ? NEVER_EXPIRES : Math.floor(config.session.maxExpiry / 1000),
    })
    const pubsub = new PubSub({ store, events: this.#bus, counters, clock: systemClock, limits: config.session })
    const broker = this.#makeBroker(kernel, store, counters)
    const attach = broker.attach.bind(broker)
    const listeners = makeListeners(config, { attach, clock: systemClock, events: this.#bus, log: this.#log })
    const { maxTopicLevels } = config.mqtt
    const local = new LocalClients({ kernel, maxTopicLevels, now: systemClock.now, log: this.#log })
    const running: Running = { store, kernel, pubsub, broker, listeners, local }
    try {
      await pubsub.load()
      kernel.namespaces.claim('', pubsub)
      await kernel.plugins.setUp(this.#plugins, (plugin) => kernel.contextOf(plugin, this.#optionsOf(plugin.name)))
      await kernel.loadSessions()
      this.#bus.emit('store.opened', {
        kind: store.kind,
        sessions: kernel.sessions.size,
        retained: pubsub.retainedCount,
      })
      await kernel.plugins.start()
      kernel.start()
      await broker.start()
      for (const listener of listeners) await listener.start()
    } catch (error) {
      await this.#takeDown(running)
      throw error
    }
    this.#running = running
    this.#stopping = null
    this.#bus.emit('broker.started', { version: VERSION, node: config.node })
    this.#tellWhere(listeners)
  }

  /**
   * Read again what files say that may have changed: certificates. One that is not right is told of by the event
   * `config.rejected` and in the log, and what was read before stays in force.
   */
  async reload(): Promise<void> {
    for (const listener of this.#parts.listeners) await listener.reload()
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

  /**
   * Looking at queues and steering them: list, show, peek, pause, resume, purge, delete, redrive.
   * @throws EventflowError NOT_RUNNING
   */
  get queues(): QueueControl {
    return this.#parts.kernel.plugins.api('queue') as QueueControl
  }

  get #parts(): Running {
    if (this.#running === null) throw new EventflowError('NOT_RUNNING', 'the broker is not running')
    return this.#running
  }

  async #openStore(): Promise<Store> {
    const { kind, path } = this.config.store
    const onFault = (error: Error): void => {
      const code = error instanceof EventflowError ? error.code : 'STORE_FAILED'
      this.#log.error({ error }, code === 'STORE_CORRUPT' ? 'the store is damaged' : 'the store failed')
      this.#bus.emit('store.failed', { code, message: error.message })
    }
    const onRecovered = (durationMs: number): void => {
      this.#log.warn({ durationMs }, 'the store writes again')
      this.#bus.emit('store.recovered', { durationMs })
    }
    return this.#open({ kind, path, onFault, onRecovered })
  }

  #makeBroker(kernel: Kernel, store: Store, counters: Counters): Broker {
    const { mqtt, session, access } = this.config
    const { clients, intake, subscriptions } = kernel
    const limits = {
      maxPacketSize: mqtt.maxPacketSize,
      maxTopicLevels: mqtt.maxTopicLevels,
      receiveMaximum: mqtt.receiveMaximum,
      topicAliasMaximum: mqtt.topicAliasMaximum,
      checkPayloadFormat: mqtt.checkPayloadFormat,
      maxKeepAliveSeconds: mqtt.maxKeepAlive === 'none' ? 0 : Math.floor(mqtt.maxKeepAlive / 1000),
      connectTimeoutMs: mqtt.connectTimeout,
      maxSocketBuffer: session.maxSocketBuffer,
      publishDenied: access.publishDenied,
    }
    const scheduler = new WriteScheduler(counters)
    const topics = new TopicTable()
    const shared = { clock: systemClock, events: this.#bus, log: this.#log }
    return new Broker({ clients, intake, subscriptions, store, scheduler, topics, limits, ...shared })
  }

  /** A line for each listener, the one on TCP last: whoever waits for it finds all of them open. */
  #tellWhere([tcp, ...others]: Running['listeners']): void {
    for (const { name, host, port, url } of others) {
      this.#log.info({ listener: name, host, port }, `Eventflow listens on ${url}`)
    }
    const { kind, path } = this.config.store
    const data = kind === 'memory' ? 'memory' : path
    const text = `Eventflow ${VERSION} listens on ${tcp.url}, data in ${data}`
    this.#log.info({ listener: 'tcp', host: tcp.host, port: tcp.port, store: kind, version: VERSION }, text)
  }

  #optionsOf(name: string): unknown {
    return (this.config as Record<string, unknown>)[name] ?? {}
  }

  async #stop(running: Running): Promise<void> {
    this.#bus.emit('broker.stopping', {})
    for (const listener of running.listeners) await listener.stop()
    // What clients have sent is made safe and acknowledged before they are sent away, as far as time allows.
    await Promise.race([running.store.durable().catch(() => {}), pause(this.config.shutdownTimeout)])
    await pause(0)
    await this.#takeDown(running)
    this.#bus.emit('broker.stopped', {})
    this.#log.info({}, 'stopped')
  }

  /** In reverse of how it was put up; each part even when another fails. */
  async #takeDown({ store, kernel, pubsub, broker, listeners, local }: Running): Promise<void> {
    const steps = [
      () => local.stop(),
      ...listeners.map((listener) => () => listener.stop()),
      () => broker.stop(),
      () => kernel.plugins.stop(),
      () => kernel.stop(),
      () => pubsub.stop(),
      () => store.close(),
    ]
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        this.#log.error({ error }, 'a part could not be stopped')
      }
    }
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs).unref())
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }
