/**
 * The contract between the kernel and whatever gives messages a meaning. The product's own features stand on it too:
 * queues, status and access are plugins, and import nothing of ours but src/plugin.ts. Here is what a plugin is and what it is
 * given; what it may offer is beside it: a namespace, and those who say who somebody is and what somebody may do.
 */

import type { Clock } from '../core/clock.ts'
import type { Counters, Gauges } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import type { Action } from '../core/grants.ts'
import type { Message } from '../core/message.ts'
import type { Refusal } from '../core/reason-codes.ts'
import type { Store } from '../store/store.ts'
import type { AuthenticationMethod, Authenticator, Authorizer } from './access-contract.ts'
import type { EventChronicle } from './chronicle.ts'
import type { Namespace } from './namespace-contract.ts'
import type { SessionDetails } from './session-view.ts'

export type {
  AuthenticationExchange,
  AuthenticationMethod,
  AuthenticationStep,
  Authenticator,
  Authorizer,
  ClientCertificate,
  Credentials,
  Decision,
  Identity,
} from './access-contract.ts'
export type { AfterGrant, Namespace } from './namespace-contract.ts'
export type { SessionDetails, SessionView, Subscription } from './session-view.ts'

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
  /** Sessions that there are now, and what of theirs. */
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
  /**
   * Claim namespaces, join chains, listen to events. No I/O yet but reading files. Null: with these options there is nothing for
   * it to do, and it counts as not there.
   */
  setup(
    context: PluginContext<Options>,
  ): PluginInstance | null | void | Promise<PluginInstance | null | undefined> | Promise<void>
}

/** Declare a plugin: types its context, and is the one word to search for. */
export function definePlugin<Options>(plugin: Plugin<Options>): Plugin<Options> {
  return plugin
}
