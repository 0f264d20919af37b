/**
 * What topics were found to match lately. A change of a subscription makes those topics be forgotten that its filter
 * matches, and no others: clients that come and go do not slow down the topics of the rest.
 */

import { hasWildcard } from '../core/topics.ts'
import { TopicTree } from './topic-tree.ts'

/** Topics that are remembered: a hundred bytes each, and their matches. */
const MAX_TOPICS = 20_000
/** Longer ones are not: a client that thinks up topics must not fill the memory with them. */
const MAX_LENGTH = 256
/** Nodes of the tree of topics, about ten megabytes: topics may have hundreds of levels. */
const MAX_NODES = 60_000

export class MatchCache<Matches> {
  #matches = new Map<string, Matches>()
  /** The topics in a form that finds those of a filter; null until a wildcard made it worth its price. */
  #topics: TopicTree<string> | null = null

  get(topic: string): Matches | undefined {
    return this.#matches.get(topic)
  }

  set(topic: string, matches: Matches): void {
    if (topic.length > MAX_LENGTH) return
    const full = this.#matches.size >= MAX_TOPICS || (this.#topics?.nodes ?? 0) >= MAX_NODES
    if (full) this.#clear(null)
    this.#matches.set(topic, matches)
    this.#topics?.set(topic, topic)
  }

  /** Who is subscribed to `filter` has changed. */
  changed(filter: string): void {
    if (this.#matches.size === 0) return
    if (!hasWildcard(filter)) {
      if (this.#matches.delete(filter)) this.#topics?.delete(filter)
    } else if (this.#topics === null) this.#clear(new TopicTree())
    else this.#forget(filter, this.#topics)
  }

  #forget(filter: string, topics: TopicTree<string>): void {
    const cursor = topics.cursor(filter)
    for (let topic = cursor.next(Infinity); topic !== null; topic = cursor.next(Infinity)) {
      this.#matches.delete(topic)
      topics.delete(topic)
    }
  }

  #clear(topics: TopicTree<string> | null): void {
    this.#matches = new Map()
    this.#topics = topics
  }
}
