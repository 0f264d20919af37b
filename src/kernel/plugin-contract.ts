/**
 * The contract between the kernel and whatever gives messages a meaning. The product's own features stand on it too:
 * queues, status and access are plugins, and import nothing of ours but src/plugin.ts.
 */

import type { Clock } from '../core/clock.ts'
import type { Counters, Gauges } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Message } from '../core/message.ts'
import type { Refusal } from '../core/reason-codes.ts'
import type { OutboxContract, ResumingOutbox } from '../session/outbox-contract.ts'
import type { Store, SubscriptionRecord } from '../store/store.ts'

/** One client's session as a namespace sees it. */
export interface SessionView {
  readonly clientId: string
  readonly username: string | null
  /** 3 (MQTT 3.1), 4 (3.1.1) or 5, of the present or the last connection. */
  readonly protocolVersion: number
  readonly connected: boolean
  /** Whether the session outlives its connection. */
  readonly persistent: boolean
  /** Remote address of the present or last connection; '' for a session that was not connected since the start. */
  readonly address: string
  readonly outbox: OutboxContract
}

/** A granted subscription. */
export type Subscription = Readonly<SubscriptionRecord>

/** What `subscribe` may return: run after the client has its SUBACK. The place to send what was waiting. */
export type AfterGrant = () => void

/** Owner of a part of the topic space. */
export interface Namespace {
  /**
   * Whether it knows groups, and wants the filter of a shared subscription as it is: `$share/<group>/<filter>`. To others
   * that is a subscription on the filter behind the group, and a session still has one at most on each filter.
   */
  readonly sharing?: boolean
  /**
   * Take responsibility for a message. The publisher is acknowledged when this returns or resolves, so resolve when the
   * message is safe; return the store's own `durable()` promise where that is all, for it is shared. Throw or reject
   * with a Refusal to refuse. Set `message.unmatched` before returning when nobody is subscribed: a publisher of MQTT 5.0
   * is told 0x10 then.
   */
  accept(message: Message): void | Promise<void>
  /**
   * Of topics that begin with `$`: the topic that access rules are asked about when a client publishes on `topic`; left
   * out, that very topic. Throw a Refusal when it can be none.
   */
  accessTopic?(topic: string): string
  /**
   * Begin a subscription, or replace the one this session has on the same filter. `restored` says that it was read
   * from the store, or that its session has come back: nobody asked for retained messages now. Throw or reject with a
   * Refusal to refuse.
   */
  subscribe(
    session: SessionView,
    subscription: Subscription,
    restored: boolean,
  ): undefined | AfterGrant | Promise<undefined | AfterGrant>
  unsubscribe(session: SessionView, filter: string): void
  /**
   * At the start of the broker, when the session's subscriptions were restored: go on with what was on its way to the client at
   * QoS 2 when the broker ended, as far as it was handed over with a reference. Called only for sessions that have a subscription
   * in this namespace. The broker does not start when this rejects.
   */
  resume?(session: SessionView, outbox: ResumingOutbox): void | Promise<void>
  /**
   * The session's connection is up (again), its CONNACK sent, its unacknowledged messages resent. Called only for
   * sessions that have a subscription in this namespace.
   */
  attach?(session: SessionView): void
  /**
   * The session's connection is gone; `ended` says whether the session is too, with its subscriptions. What was handed
   * to its outbox has been settled as lost by then, but for what a persistent session keeps. Called only for sessions
   * that have a subscription in this namespace.
   */
  detach?(session: SessionView, ended: boolean): void
}

/** A certificate that a client has proved to be its own, and that an authority of the listener has signed. */
export interface ClientCertificate {
  /** Common name of its subject; null: it has none, or more than one. */
  readonly commonName: string | null
  /** The whole subject, one attribute a line: `CN=device-7`. */
  readonly subject: string
  /** Subject alternative names in their order, with their kind: `DNS:device-7.example`, `URI:urn:device:7`. */
  readonly san: readonly string[]
  /** SHA-256 of the certificate: 32 bytes in hexadecimal, with colons. */
  readonly fingerprint: string
}

/** Who wants in. Secrets are for the authenticator alone: never logged, never put into an event. */
export interface Credentials {
  readonly clientId: string
  readonly username: string | null
  readonly password: Buffer | null
  readonly address: string
  /** Name of the listener that the client came by: `tcp`. */
  readonly listener: string
  /** What the client has proved in TLS; null: no certificate, or no TLS. */
  readonly certificate: ClientCertificate | null
}

/** 'allow' and 'deny' decide; null leaves it to the next in the chain. */
export type Decision = 'allow' | 'deny' | null

/** Let in under a name that was proved, whatever user name the client gave. */
export interface Identity {
  readonly username: string
}

export interface Authenticator {
  readonly name: string
  /** Throw a Refusal to deny with a reason of your own, or, with a server reference, to send the client elsewhere. */
  authenticate(credentials: Credentials): Decision | Identity | Promise<Decision | Identity>
}

export interface Authorizer {
  readonly name: string
  /** Set by one that allows everything, always: it and those behind it are not asked. */
  readonly allowsAll?: boolean
  /**
   * May this session publish on the topic, or subscribe to the filter? Answered at once and without effects: decisions
   * to publish are kept by session and topic until `accessChanged()`. Of a shared subscription, `$share/<group>/<filter>`,
   * `topic` is the filter behind the group: what it could receive.
   */
  authorize(session: SessionView, action: 'publish' | 'subscribe', topic: string): Decision
}

export interface Logger {
  debug(data: object, text: string): void
  info(data: object, text: string): void
  warn(data: object, text: string): void
  error(data: object, text: string): void
}

/** What a plugin is given. */
export interface PluginContext<Options = unknown> {
  /** The plugin's part of the configuration, checked. */
  readonly options: Options
  readonly log: Logger
  readonly clock: Clock
  readonly events: Events
  /** What the broker has counted so far: the same object for as long as it runs, its numbers always the present ones. */
  readonly counters: Readonly<Counters>
  readonly store: Store
  /** Name of this node: the `source` of its events. */
  readonly node: string
  /** Version of this program: 0.1.0. */
  readonly version: string
  /** What there is now beside the counters. Asks every session, so call it every few seconds, not for every message. */
  gauges(): Gauges
  /**
   * Claim a prefix of the topic space: `queue/`. Topics and filters that start with it are the namespace's. In `setup`
   * only: whose a topic is must not change while clients publish on it.
   */
  namespace(prefix: string, namespace: Namespace): void
  /**
   * Let topics and filters that start with `alias` (which begins with `$`) mean those that start with `prefix`. Access
   * rules, namespaces and receivers see these only.
   */
  alias(alias: string, prefix: string): void
  /** Join the chain of those who say who somebody is. First in, first asked. */
  authenticator(authenticator: Authenticator): void
  /** Join the chain of those who say what somebody may do. First in, first asked. */
  authorizer(authorizer: Authorizer): void
  /** Rules have changed: forget what was decided. */
  accessChanged(): void
  /**
   * End a client's connection, for the reason that the refusal gives; one with a server reference sends it elsewhere. Its
   * session stays as after any other end, its will is published. Returns whether the client was connected.
   */
  disconnect(clientId: string, refusal: Refusal): boolean
  /** The session of a client: the present one, connected or not. */
  session(clientId: string): SessionView | undefined
  /** Publish as the broker itself: not authorized, in any namespace. */
  publish(message: Message): void | Promise<void>
}

/** Puts in force what `reload` has found right. Must not fail. */
export type Apply = () => void

/** A plugin in operation. All is optional. `start` is called in the order of setup, `stop` in reverse, once each. */
export interface PluginInstance {
  start?(): void | Promise<void>
  stop?(): void | Promise<void>
  /**
   * Take other options while the broker runs, or the same ones again because a file has changed that they name. Check all of
   * it, files included, and throw an error that says what is not right, with file and line: what was in force stays. Return
   * a function that puts it in force: it is called once every other part of the configuration was found right too. (A plugin
   * that returns none has done it already: then the new options stay in force even if a part that is asked later refuses its own.)
   *
   * A plugin without `reload` keeps its options until the next start, which whoever changes them is told.
   */
  reload?(options: unknown): void | Apply | Promise<void> | Promise<Apply>
  /** Of a plugin with `reload`: options that it keeps until the next start all the same, `topic`. */
  readonly fixed?: readonly string[]
  /** Paths of the files that the present options name: `reload` is called with these options when one of them has changed. */
  files?(): readonly string[]
  /** What programs that embed the broker may call. */
  readonly api?: object
}

export interface Plugin<Options = unknown> {
  /** Lower-case name; its options stand under this key of the configuration. */
  readonly name: string
  /** Claim namespaces, join chains, listen to events. No I/O yet but reading files. */
  setup(context: PluginContext<Options>): PluginInstance | undefined | Promise<PluginInstance | undefined>
}

/** Declare a plugin: types its context, and is the one word to search for. */
export function definePlugin<Options>(plugin: Plugin<Options>): Plugin<Options> {
  return plugin
}
