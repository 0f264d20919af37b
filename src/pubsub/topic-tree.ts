/**
 * Values by topic, in a tree of levels, so that a filter costs what it matches, not what there is.
 *
 * Siblings stand in the order in which they came, and each knows its place in that order: a cursor that stopped half-way
 * can tell what it has passed.
 */

import { TopicCursor, type TopicNode } from './topic-cursor.ts'

export class TopicTree<T> {
  readonly #root: TopicNode<T> = { order: 0, children: null, value: null }
  #newest = 0
  #size = 0
  #nodes = 0

  /** Number of nodes: what it takes of memory, a hundred bytes and more each. */
  get nodes(): number {
    return this.#nodes
  }

  /** Number of values. */
  get size(): number {
    return this.#size
  }

  /** The value of `topic`, or null. */
  get(topic: string): T | null {
    let node: TopicNode<T> | undefined = this.#root
    for (const level of topic.split('/')) {
      node = node.children?.get(level)
      if (node === undefined) return null
    }
    return node.value
  }

  /** Set the value of `topic`. Returns the one it had, or null. */
  set(topic: string, value: T): T | null {
    let node = this.#root
    for (const level of topic.split('/')) {
      node.children ??= new Map()
      let child = node.children.get(level)
      if (child === undefined) {
        child = { order: ++this.#newest, children: null, value: null }
        node.children.set(level, child)
        this.#nodes++
      }
      node = child
    }
    const before = node.value
    if (before === null) this.#size++
    node.value = value
    return before
  }

  /** Returns the value that `topic` had, or null. Branches that carry nothing any more are cut. */
  delete(topic: string): T | null {
    const path: Array<{ node: TopicNode<T>; level: string }> = []
    let node = this.#root
    for (const level of topic.split('/')) {
      const child = node.children?.get(level)
      if (child === undefined) return null
      path.push({ node, level })
      node = child
    }
    const before = node.value
    if (before === null) return null
    node.value = null
    this.#size--
    for (const { node: parent, level } of path.reverse()) {
      const child = parent.children!.get(level)!
      if (child.value !== null || child.children !== null) break
      parent.children!.delete(level)
      this.#nodes--
      if (parent.children!.size === 0) parent.children = null
    }
    return before
  }

  /** Goes through the values of topics that `filter` matches; those that start with $ are hidden from a leading wildcard. */
  cursor(filter: string): TopicCursor<T> {
    return new TopicCursor(this.#root, filter, this.#newest, true)
  }

  /** Goes through all values, whatever their topics start with. */
  everything(): TopicCursor<T> {
    return new TopicCursor(this.#root, '#', this.#newest, false)
  }
}
