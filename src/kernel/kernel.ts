/** The kernel put together: access, namespaces, intake, sessions, subscriptions, wills and the plugins on top. */

import type { Clock } from '../core/clock.ts'
import type { Counters, Gauges } from '../core/counters.ts'
import { EventflowError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { SharedRoom } from '../core/shared-room.ts'
import { MAX_TOPIC_BYTES } from '../core/topics.ts'
import type { OutboxLimits } from '../session/outbox.ts'
import { Sessions } from '../session/sessions.ts'
import type { Store } from '../store/store.ts'
import { Access } from './access.ts'
import { Admissions } from './admission.ts'
import type { EventChronicle } from './chronicle.ts'
import { Clients } from './clients.ts'
import { Intake } from './intake.ts'
import { Namespaces } from './namespaces.ts'
import type { Logger, Plugin, PluginContext, ReloadResult } from './plugin-contract.ts'
import { PluginHost } from './plugin-host.ts'
import { Review } from './review.ts'
import { NEVER_SLOWED, type SlowDownLimits } from './slow-down.ts'
import { type SubscriptionLimits, Subscriptions } from './subscriptions.ts'
import { Wills } from './wills.ts'

export interface KernelParts extends KernelLimits {
  store: Store
  clock: Clock
  events: Events
  chronicle: EventChronicle
  counters: Counters
  log: Logger
  /** Name of this node. */
  node: string
  /** Version of this program. */
  version: string
  limits: OutboxLimits
  /** Memory that all clients share. Default: any. */
  room?: SharedRoom
  /** Read the configuration again, if it can be. */
  reload?: () => Promise<ReloadResult>
}

/** What may change while the broker runs. */
export interface KernelLimits {
  maxTopicLevels: number
  /** Bytes of the longest filter. Default: what MQTT can say. */
  maxTopicBytes?: number
  /** Subscriptions of one session, and sessions. Default of each: any number. */
  maxSubscriptions?: number
  maxSessions?: number
  maxExpirySeconds: number
  /** What becomes of those who guess; left out: nothing. */
  slowDown?: SlowDownLimits
}

export class Kernel {
  readonly access = new Access()
  readonly namespaces = new Namespaces()
  readonly plugins: PluginHost
  readonly sessions: Sessions
  readonly subscriptions: Subscriptions
  readonly intake: Intake
  readonly clients: Clients
  readonly #wills: Wills
  readonly #admissions: Admissions
  readonly #review: Review
  readonly #room: SharedRoom
  readonly #parts: KernelParts

  constructor(parts: KernelParts) {
    this.#parts = parts
    const { store, clock, events, counters, log, limits, maxExpirySeconds, maxSessions = Infinity } = parts
    const { access, namespaces } = this
    const { room = new SharedRoom() } = parts
    this.#room = room
    this.plugins = new PluginHost(events)
    this.sessions = new Sessions({
      store: store.sessions,
      durable: () => store.durable(),
      limits,
      maxExpirySeconds,
      maxSessions,
      clock,
      events,
      counters,
      room,
      onExpired: (session) => {
        this.subscriptions.detach(session, true)
        this.#wills.ended(session)
      },
    })
    const { sessions } = this
    const ofSubscriptions = { access, namespaces, sessions, store, events, log, room }
    this.subscriptions = new Subscriptions({ ...ofSubscriptions, limits: subscriptionLimits(parts) })
    this.intake = new Intake({ access, namespaces, events })
    const { subscriptions, intake } = this
    const wills = new Wills({ access, intake, clock, events, log, save: (session) => sessions.save(session) })
    this.#wills = wills
    const review = new Review({ access, sessions, subscriptions })
    this.#review = review
    const admissions = new Admissions({ access, events, clock, slowDown: parts.slowDown ?? NEVER_SLOWED })
    this.#admissions = admissions
    const shared = { access, sessions, events, counters, store, clock }
    this.clients = new Clients({ ...shared, subscriptions, review, wills, admissions })
  }

  /** Other limits from now on. What is there stays, though it goes beyond them. */
  change(limits: KernelLimits): void {
    this.sessions.maxSessions = limits.maxSessions ?? Infinity
    this.sessions.maxExpirySeconds = limits.maxExpirySeconds
    this.subscriptions.limits = subscriptionLimits(limits)
    this.#admissions.changeSlowDown(limits.slowDown ?? NEVER_SLOWED)
  }

  /** Take up the sessions that the store holds, with their subscriptions. Namespaces must have been claimed. */
  async loadSessions(): Promise<void> {
    for (const session of await this.sessions.load()) {
      await this.subscriptions.restore(session)
      await this.subscriptions.resume(session)
    }
  }

  /**
   * Time goes on for what was loaded, once the plugins are started and before any client is let in: sessions end whose time
   * was up meanwhile, and wills are published that are due.
   */
  start(): void {
    this.sessions.start()
    for (const session of this.sessions.values()) this.#wills.due(session)
  }

  stop(): void {
    this.sessions.stop()
    this.#wills.stop()
  }

  async #accessChanged(): Promise<void> {
    this.access.changed()
    await this.#review.all()
  }

  #gauges(): Gauges {
    const { subscriptions, sharedSubscriptions, inflight } = this.#parts.counters
    const clientMemory = Math.round(this.#room.used)
    return { sessions: this.sessions.size, subscriptions, sharedSubscriptions, inflight, clientMemory }
  }

  /** What a plugin is given. */
  contextOf(plugin: Plugin<never>, options: unknown): PluginContext {
    const { log, clock, events, chronicle, counters, store, node, version, reload } = this.#parts
    const tagged = (write: Logger['info']) => (data: object, text: string) =>
      write({ plugin: plugin.name, ...data }, text)
    return {
      options,
      log: {
        debug: tagged(log.debug.bind(log)),
        info: tagged(log.info.bind(log)),
        warn: tagged(log.warn.bind(log)),
        error: tagged(log.error.bind(log)),
      },
      clock,
      events,
      chronicle,
      counters,
      gauges: () => this.#gauges(),
      store,
      node,
      version,
      namespace: (prefix, namespace) => this.namespaces.claim(prefix, namespace),
      alias: (alias, prefix) => this.namespaces.alias(alias, prefix),
      authenticator: (authenticator) => this.access.addAuthenticator(authenticator),
      authenticationMethod: (method) => this.access.addMethod(method),
      authorizer: (authorizer) => this.access.addAuthorizer(authorizer),
      accessTopic: (action, topic) =>
        action === 'publish' ? this.intake.accessTopic(topic) : this.subscriptions.accessTopic(topic),
      accessChanged: () => this.#accessChanged(),
      disconnect: (clientId, refusal) => this.clients.disconnect(clientId, refusal),
      session: (clientId) => this.sessions.get(clientId),
      sessions: () => this.sessions.values(),
      endSession: (clientId, refusal) => this.clients.endSession(clientId, refusal),
      api: (name) => this.plugins.api(name),
      check: (message) => this.intake.check(message),
      publish: (message) => this.intake.publishAsBroker(message),
      reload: async () => {
        if (reload === undefined) throw new EventflowError('NOT_RUNNING', 'there is no configuration to be read again')
        return reload()
      },
    }
  }
}

function subscriptionLimits(limits: KernelLimits): SubscriptionLimits {
  const { maxTopicLevels, maxTopicBytes = MAX_TOPIC_BYTES, maxSubscriptions = Infinity } = limits
  return { maxTopicLevels, maxTopicBytes, maxSubscriptions }
}
