/**
 * What topics were found to match lately. A change of a subscription makes those topics be forgotten that its filter
 * matches, and no others: clients that come and go do not slow down the topics of the rest.
 */

import { TOPIC_HINTS } from '../core/message.ts'
import { hasWildcard } from '../core/topics.ts'
import { TopicTree } from './topic-tree.ts'

/** Topics that are remembered: a hundred bytes each, and their matches. */
const MAX_TOPICS = 20_000
/** Longer ones are not: a client that thinks up topics must not fill the memory with them. */
const MAX_LENGTH = 256
/** Nodes of the tree of topics, about ten megabytes: topics have up to a hundred levels. */
const MAX_NODES = 60_000

interface Known<Matches> {
  readonly topic: string
  readonly matches: Matches
  /** Cleared when it is forgotten. */
  valid: boolean
}

export class MatchCache<Matches> {
  #known = new Map<string, Known<Matches>>()
  /** The same by the hints that messages bring: among 10,000 topics the map costs 300 ns a message, this 40. */
  #byHint: Array<Known<Matches> | undefined> | null = null
  /** The topics in a form that finds those of a filter; null until a wildcard made it worth its price. */
  #topics: TopicTree<string> | null = null

  /** @param hint see Message.topicHint */
  get(topic: string, hint: number): Matches | undefined {
    if (hint >= 0) {
      const hinted = this.#byHint?.[hint]
      if (hinted?.valid && hinted.topic === topic) return hinted.matches
    }
    const known = this.#known.get(topic)
    if (known !== undefined && hint >= 0) this.#keepByHint(hint, known)
    return known?.matches
  }

  set(topic: string, matches: Matches): void {
    if (topic.length > MAX_LENGTH) return
    const full = this.#known.size >= MAX_TOPICS || (this.#topics?.nodes ?? 0) >= MAX_NODES
    if (full) this.#clear(null)
    this.#known.set(topic, { topic, matches, valid: true })
    this.#topics?.set(topic, topic)
  }

  /** Who is subscribed to `filter` has changed. */
  changed(filter: string): void {
    if (this.#known.size === 0) return
    if (!hasWildcard(filter)) {
      if (this.#delete(filter)) this.#topics?.delete(filter)
    } else if (this.#topics === null) this.#clear(new TopicTree())
    else this.#forget(filter, this.#topics)
  }

  #forget(filter: string, topics: TopicTree<string>): void {
    const cursor = topics.cursor(filter)
    for (let topic = cursor.next(Infinity); topic !== null; topic = cursor.next(Infinity)) {
      this.#delete(topic)
      topics.delete(topic)
    }
  }

  #clear(topics: TopicTree<string> | null): void {
    this.#known = new Map()
    this.#byHint = null
    this.#topics = topics
  }

  #delete(topic: string): boolean {
    const known = this.#known.get(topic)
    if (known === undefined) return false
    known.valid = false
    return this.#known.delete(topic)
  }

  #keepByHint(hint: number, known: Known<Matches>): void {
    this.#byHint ??= new Array(TOPIC_HINTS).fill(undefined)
    this.#byHint[hint] = known
  }
}
