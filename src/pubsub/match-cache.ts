/**
 * What topics were found to match lately. A change of a subscription makes those topics be forgotten that its filter
 * matches, and no others: clients that come and go do not slow down the topics of the rest.
 */

import type { KnownTopic } from '../core/known-topic.ts'
import { hasWildcard } from '../core/topics.ts'
import { TopicTree } from './topic-tree.ts'

/** Topics that are remembered: a hundred bytes each, and their matches. */
const MAX_TOPICS = 20_000
/** Longer ones are not: a client that thinks up topics must not fill the memory with them. */
const MAX_LENGTH = 256
/** Nodes of the tree of topics, about ten megabytes: topics may have hundreds of levels. */
const MAX_NODES = 60_000

/** An answer, where it is remembered: by text, and with the known topics that asked for it. */
interface Remembered<Matches> {
  readonly topic: string
  /** Null: forgotten. */
  matches: Matches | null
}

export class MatchCache<Matches> {
  #remembered = new Map<string, Remembered<Matches>>()
  /** The topics in a form that finds those of a filter; null until a wildcard made it worth its price. */
  #topics: TopicTree<Remembered<Matches>> | null = null

  /** @param known the topic as its messages know it, of one broker with this cache; null: they do not */
  get(topic: string, known: KnownTopic | null = null): Matches | undefined {
    const held = known === null ? null : (known.matches as Remembered<Matches> | null)
    if (held !== null && held.matches !== null) return held.matches
    const remembered = this.#remembered.get(topic)
    if (remembered === undefined) return undefined
    if (known !== null) known.matches = remembered
    return remembered.matches!
  }

  set(topic: string, matches: Matches): void {
    if (topic.length > MAX_LENGTH) return
    const full = this.#remembered.size >= MAX_TOPICS || (this.#topics?.nodes ?? 0) >= MAX_NODES
    if (full) this.#clear(null)
    this.#delete(topic)
    const remembered = { topic, matches }
    this.#remembered.set(topic, remembered)
    this.#topics?.set(topic, remembered)
  }

  /** Who is subscribed to `filter` has changed. */
  changed(filter: string): void {
    if (this.#remembered.size === 0) return
    if (!hasWildcard(filter)) {
      if (this.#delete(filter)) this.#topics?.delete(filter)
    } else if (this.#topics === null) this.#clear(new TopicTree())
    else this.#forget(filter, this.#topics)
  }

  #forget(filter: string, topics: TopicTree<Remembered<Matches>>): void {
    const cursor = topics.cursor(filter)
    for (let found = cursor.next(Infinity); found !== null; found = cursor.next(Infinity)) {
      this.#delete(found.topic)
      topics.delete(found.topic)
    }
  }

  #clear(topics: TopicTree<Remembered<Matches>> | null): void {
    for (const remembered of this.#remembered.values()) remembered.matches = null
    this.#remembered = new Map()
    this.#topics = topics
  }

  /** Whoever holds it sees that it is forgotten. */
  #delete(topic: string): boolean {
    const remembered = this.#remembered.get(topic)
    if (remembered === undefined) return false
    remembered.matches = null
    return this.#remembered.delete(topic)
  }
}
