/**
 * The contract between the kernel and whatever gives messages a meaning. The product's own features stand on it too:
 * queues, status and access are plugins, and import nothing of ours but src/plugin.ts.
 */

import type { Clock } from '../core/clock.ts'
import type { Counters, Gauges } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Action, Grants, TopicRule } from '../core/grants.ts'
import type { Message } from '../core/message.ts'
import type { Refusal } from '../core/reason-codes.ts'
import type { OutboxContract, ResumingOutbox } from '../session/outbox-contract.ts'
import type { Store, SubscriptionRecord } from '../store/store.ts'
import type { EventChronicle } from './chronicle.ts'

/** One client's session as a namespace sees it. */
export interface SessionView {
  readonly clientId: string
  readonly username: string | null
  /** Roles and rules of its own, from whoever let it in. */
  readonly grants: Grants
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

/** A session as those see it who show sessions to people. */
export interface SessionDetails extends SessionView {
  /** Seconds that it outlives its connection; 0xffffffff: for ever. */
  readonly expirySeconds: number
  /** When its connection ended, milliseconds since the epoch; 0 while it is connected. */
  readonly disconnectedAt: number
  /** By filter. */
  readonly subscriptions: ReadonlyMap<string, Subscription>
  readonly outbox: OutboxContract & {
    /** QoS 1 and 2 messages that were sent and are not settled. */
    readonly inflight: number
    /** Messages that wait or are in flight. */
    readonly size: number
  }
}

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
   * Of a message that is to come later, by way of another namespace: throw a Refusal when it will never be accepted, whatever
   * happens until then. Without effects. Its publisher is acknowledged now, and cannot be told then.
   */
  check?(message: Message): void
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
  /** When the proof is void, in milliseconds since the epoch: the connection ends then, the session stays. Left out: never. */
  readonly expiresAt?: number | undefined
  /** Roles that it has beside those that `access.roles` gives the user. They stay the session's until it connects again. */
  readonly roles?: readonly string[]
  /**
   * Topic rules of its own, `%c` and `%u` in them as in `access.rules`. They are asked before the rules of the configuration;
   * what none of them decides is left to those.
   */
  readonly rules?: readonly TopicRule[]
}

export interface Authenticator {
  /** What `listeners.<name>.authenticators` calls it. */
  readonly name: string
  /** Set by one that is asked by listeners that name it, and by no other. */
  readonly onlyByName?: boolean
  /**
   * Set by one that lets people in under any name, without a proof. A session belongs to the user who began it, and no other
   * may take it; one begun under a name without proof belongs to nobody.
   */
  readonly unproved?: boolean
  /** Throw a Refusal to deny with a reason of your own, or, with a server reference, to send the client elsewhere. */
  authenticate(credentials: Credentials): Decision | Identity | Promise<Decision | Identity>
}

/** A method of enhanced authentication (MQTT 5.0, section 4.12), such as SCRAM-SHA-256. */
export interface AuthenticationMethod {
  /** What `listeners.<name>.authenticators` calls it: `scram`. */
  readonly name: string
  /** What a client calls it: Authentication Method of its CONNECT. */
  readonly method: string
  /** A client wants to prove who it is by this method: now, or again. */
  readonly begin: (client: Credentials) => AuthenticationExchange
}

export interface AuthenticationExchange {
  /**
   * The next step: `data` is what the client sent, null when it sent nothing. Resolve with what it is to be sent, and with who
   * it is when this was the last step. Throw a Refusal to end it; 0x86 counts as a guess.
   */
  next(data: Buffer | null): AuthenticationStep | Promise<AuthenticationStep>
}

export interface AuthenticationStep {
  readonly data: Buffer | null
  readonly identity: Identity | null
}

export interface Authorizer {
  readonly name: string
  /** Set by one that allows everything, until `accessChanged()`: it and those behind it are not asked. */
  readonly allowsAll?: boolean
  /**
   * May this session publish on the topic, or subscribe to the filter? Answered at once and without effects: decisions
   * to publish are kept by session and topic until `accessChanged()`. Of a shared subscription, `$share/<group>/<filter>`,
   * `topic` is the filter behind the group: what it could receive.
   */
  authorize(session: SessionView, action: Action, topic: string): Decision
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
  /** The same events numbered, as CloudEvents, and the last of them. */
  readonly chronicle: EventChronicle
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
  /** Offer a method of enhanced authentication to clients of MQTT 5.0. */
  authenticationMethod(method: AuthenticationMethod): void
  /** Join the chain of those who say what somebody may do. First in, first asked. */
  authorizer(authorizer: Authorizer): void
  /**
   * What authorizers are asked about when a client publishes on `topic`, or subscribes to it: the topic behind aliases, delays
   * and groups, `queue/a` for `$queue/a` and `$delayed/5/queue/a`. Null when only the broker may publish there. Throws a Refusal
   * when none can.
   */
  accessTopic(action: Action, topic: string): string | null
  /**
   * Rules have changed. What was decided is forgotten at once. When this resolves every session has been looked at: what its
   * client may no longer read is taken from it, subscriptions and messages that wait.
   */
  accessChanged(): Promise<void>
  /**
   * End a client's connection, for the reason that the refusal gives; one with a server reference sends it elsewhere. Its
   * session stays as after any other end, its will is published. Returns whether the client was connected.
   */
  disconnect(clientId: string, refusal: Refusal): boolean
  /** The session of a client: the present one, connected or not. */
  session(clientId: string): SessionDetails | undefined
  /** Every session, connected or not. Sessions that come or go while it is gone through may be in it or not. */
  sessions(): Iterable<SessionDetails>
  /** End a session and forget all that is kept for it; its client is disconnected first. Returns whether there was one. */
  endSession(clientId: string, refusal: Refusal): boolean
  /** What another plugin, or a part of the house, lets programs call; undefined when there is none of this name. */
  api(name: string): object | undefined
  /**
   * Ask whoever owns the topic of a message that will be published later whether it could be accepted at all.
   * @throws Refusal when it could not
   */
  check(message: Message): void
  /** Publish as the broker itself: not authorized, in any namespace. */
  publish(message: Message): void | Promise<void>
  /**
   * Read the configuration again, and the files that it names: all of it takes effect, or none.
   * @throws EventflowError that says what is not right; NOT_RUNNING
   */
  reload(): Promise<ReloadResult>
}

/** What became of a configuration that was read again. Options by their paths: `queue.policies`. */
export interface ReloadResult {
  /** Options that have another value, and it is in force. */
  readonly changed: readonly string[]
  /** Options that are to have another value, and keep the old one until the broker is started again. */
  readonly needRestart: readonly string[]
  /** Groups of options whose files were read again: `listeners.tls`, `access`. */
  readonly files: readonly string[]
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
   * that returns none has done it already, and keeps it even if one that is asked after it finds something wrong. Plugins are
   * asked in the order of setup, after everything else.)
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
