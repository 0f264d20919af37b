/**
 * Who is subscribed to a topic: a tree of levels, and beside it the answers for topics that were asked for lately.
 *
 * What a topic matches is merged by session: one message goes to one client once, at the highest QoS that any of its
 * matching subscriptions grants, with all their identifiers [MQTT-3.3.4-2, MQTT-3.3.4-4]. Groups of shared subscriptions
 * are not merged with anything: each gets its own copy.
 */

import type { KnownTopic } from '../core/known-topic.ts'
import type { QoS } from '../core/message.ts'
import { DOLLAR } from '../core/topics.ts'
import type { SubscriptionRecord } from '../store/store.ts'
import { MatchCache } from './match-cache.ts'
import type { SharedGroup } from './shared-group.ts'
import type { Subscriber } from './subscriber.ts'

/** How a topic reaches one session. Shared between messages: never changed. */
export interface Match {
  readonly session: Subscriber
  readonly qos: QoS
  /** Deliver with the retain flag of the publisher. */
  readonly retainAsPublished: boolean
  readonly identifiers: readonly number[] | null
  /** What is left of it for messages of this very client (no-local); undefined: all of it, null: nothing. */
  readonly forOwn: Match | null | undefined
}

/** Who gets a message on a topic. Shared between messages: never changed. */
export interface Matches {
  readonly sessions: readonly Match[]
  /** One member of each of these. */
  readonly groups: readonly SharedGroup[]
}

/** What is found on the way through the tree. */
interface Found {
  readonly subscriptions: Array<[Subscriber, SubscriptionRecord]>
  readonly groups: SharedGroup[]
}

interface Node {
  children: Map<string, Node> | null
  /** Subscriptions whose filter ends here, by session. */
  subscriptions: Map<Subscriber, SubscriptionRecord> | null
  /** Groups whose filter ends here. */
  groups: Set<SharedGroup> | null
}

export class SubscriptionTree {
  readonly #root: Node = newNode()
  readonly #remembered = new MatchCache<Matches>()
  /**
   * Topics that one session alone reads, through one plain subscription, share their answers: a session with thousands of
   * them has six.
   */
  readonly #alone = new WeakMap<Subscriber, Array<Matches | undefined>>()
  #size = 0

  /** Number of subscriptions. */
  get size(): number {
    return this.#size
  }

  /** Add or replace. Returns whether the session had no subscription on this filter before. */
  add(session: Subscriber, subscription: SubscriptionRecord): boolean {
    const node = this.#open(subscription.filter)
    node.subscriptions ??= new Map()
    const isNew = !node.subscriptions.has(session)
    node.subscriptions.set(session, subscription)
    if (isNew) this.#size++
    this.#remembered.changed(subscription.filter)
    return isNew
  }

  remove(session: Subscriber, filter: string): void {
    const path = this.#pathTo(filter)
    if (!path.at(-1)?.node.subscriptions?.delete(session)) return
    this.#size--
    this.#remembered.changed(filter)
    prune(path)
  }

  /** A group, with its first member, on the filter that its members share. */
  addGroup(filter: string, group: SharedGroup): void {
    const node = this.#open(filter)
    node.groups ??= new Set()
    node.groups.add(group)
    this.#remembered.changed(filter)
  }

  removeGroup(filter: string, group: SharedGroup): void {
    const path = this.#pathTo(filter)
    if (!path.at(-1)?.node.groups?.delete(group)) return
    this.#remembered.changed(filter)
    prune(path)
  }

  /** Whom a message on `topic` goes to. @param known the topic as the message knows it */
  match(topic: string, known: KnownTopic | null = null): Matches {
    const remembered = this.#remembered.get(topic, known)
    if (remembered !== undefined) return remembered
    const found: Found = { subscriptions: [], groups: [] }
    collect(this.#root, topic.split('/'), 0, topic.charCodeAt(0) === DOLLAR, found)
    const matches = this.#matchesOf(found)
    this.#remembered.set(topic, matches)
    return matches
  }

  #matchesOf({ subscriptions, groups }: Found): Matches {
    if (subscriptions.length === 0 && groups.length === 0) return NOBODY
    if (subscriptions.length > 1 || groups.length > 0) return { sessions: merge(subscriptions), groups }
    const [session, { qos, retainAsPublished, noLocal, identifier }] = subscriptions[0]!
    if (noLocal || identifier > 0) return { sessions: merge(subscriptions), groups }
    const alike = this.#alone.get(session) ?? []
    this.#alone.set(session, alike)
    const kind = qos + (retainAsPublished ? 3 : 0)
    alike[kind] ??= { sessions: merge(subscriptions), groups }
    return alike[kind]
  }

  /** The node of a filter, made if there is none. */
  #open(filter: string): Node {
    let node = this.#root
    for (const level of filter.split('/')) {
      node.children ??= new Map()
      const child = node.children.get(level) ?? newNode()
      node.children.set(level, child)
      node = child
    }
    return node
  }

  /** From the first level of a filter to its node; empty when there is none. */
  #pathTo(filter: string): Step[] {
    const path: Step[] = []
    let parent = this.#root
    for (const level of filter.split('/')) {
      const node = parent.children?.get(level)
      if (node === undefined) return []
      path.push({ parent, level, node })
      parent = node
    }
    return path
  }
}

/** One level on the way to a node. */
interface Step {
  readonly parent: Node
  readonly level: string
  readonly node: Node
}

function newNode(): Node {
  return { children: null, subscriptions: null, groups: null }
}

/** Branches that carry nothing any more are cut, or filters that nobody has would stay for ever. */
function prune(path: readonly Step[]): void {
  for (const { parent, level, node } of path.toReversed()) {
    const { subscriptions, groups, children } = node
    if ((subscriptions?.size ?? 0) + (groups?.size ?? 0) + (children?.size ?? 0) > 0) return
    parent.children!.delete(level)
  }
}

function collect(node: Node, levels: readonly string[], depth: number, dollar: boolean, found: Found): void {
  const { children } = node
  // Wildcards in the first level do not match topics that start with $ [MQTT-4.7.2-1].
  const wild = !(dollar && depth === 0)
  const rest = wild ? children?.get('#') : undefined
  if (rest !== undefined) take(rest, found) // 'a/#' matches 'a' as well [MQTT-4.7.1-2]
  if (depth === levels.length) {
    take(node, found)
    return
  }
  if (children === null) return
  const exact = children.get(levels[depth]!)
  if (exact) collect(exact, levels, depth + 1, dollar, found)
  const any = wild ? children.get('+') : undefined
  if (any) collect(any, levels, depth + 1, dollar, found)
}

function take({ subscriptions, groups }: Node, found: Found): void {
  if (subscriptions !== null) found.subscriptions.push(...subscriptions)
  if (groups !== null) found.groups.push(...groups)
}

function merge(found: ReadonlyArray<[Subscriber, SubscriptionRecord]>): Match[] {
  const bySession = new Map<Subscriber, SubscriptionRecord[]>()
  for (const [session, subscription] of found) {
    const list = bySession.get(session)
    if (list) list.push(subscription)
    else bySession.set(session, [subscription])
  }
  return Array.from(bySession, ([session, subscriptions]) => {
    const remote = subscriptions.filter((subscription) => !subscription.noLocal)
    const allAreForOwn = remote.length === subscriptions.length
    const forOwn = allAreForOwn ? undefined : remote.length === 0 ? null : combine(session, remote, undefined)
    return combine(session, subscriptions, forOwn)
  })
}

function combine(
  session: Subscriber,
  subscriptions: readonly SubscriptionRecord[],
  forOwn: Match | null | undefined,
): Match {
  let qos: QoS = 0
  let retainAsPublished = false
  const identifiers: number[] = []
  for (const subscription of subscriptions) {
    if (subscription.qos > qos) qos = subscription.qos
    if (subscription.retainAsPublished) retainAsPublished = true
    if (subscription.identifier > 0) identifiers.push(subscription.identifier)
  }
  return { session, qos, retainAsPublished, identifiers: identifiers.length > 0 ? identifiers : null, forOwn }
}

const NOBODY: Matches = { sessions: [], groups: [] }
