/**
 * A walk through the part of a topic tree that a filter matches, which may stop anywhere and go on later, while the tree
 * changes: what was deleted meanwhile is not found, nor are branches that were added after the walk began.
 */

import { DOLLAR, matches } from '../core/topics.ts'

export interface TopicNode<T> {
  /** Ascending among siblings, and with age: what is added later has a higher one. */
  readonly order: number
  children: Map<string, TopicNode<T>> | null
  value: T | null
}

/** A node whose children are being gone through. Its place on the stack is its depth in the tree. */
interface Frame<T> {
  readonly node: TopicNode<T>
  /** Position in the filter of the level that the children are matched with. */
  readonly position: number
  /** The children, where more than one may match; else null. */
  readonly children: Iterator<[string, TopicNode<T>]> | null
  /** Order of the child that was taken last; 0: none yet. */
  last: number
}

export class TopicCursor<T> {
  readonly #root: TopicNode<T>
  readonly #filter: string
  readonly #levels: readonly string[]
  readonly #newest: number
  readonly #hidesDollar: boolean
  readonly #stack: Array<Frame<T>> = []
  #visited = 0

  /** @param newest the highest order in the tree: what has a higher one came later, and is left out */
  constructor(root: TopicNode<T>, filter: string, newest: number, hidesDollar: boolean) {
    this.#root = root
    this.#filter = filter
    this.#levels = filter.split('/')
    this.#newest = newest
    this.#hidesDollar = hidesDollar
    this.#enter(root, 0)
  }

  /** How many places were looked at so far: what the walk has cost. */
  get visited(): number {
    return this.#visited
  }

  /** Whether it is at the end. */
  get done(): boolean {
    return this.#stack.length === 0
  }

  /** The next value; null when there is none, or when `limit` places have been looked at since the walk began. */
  next(limit: number): T | null {
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      if (this.#visited >= limit) return null
      const child = this.#childOf(frame)
      if (child === undefined) continue
      if (child === null) {
        this.#stack.pop()
        continue
      }
      frame.last = child.order
      const position = this.#levels[frame.position] === '#' ? frame.position : frame.position + 1
      this.#enter(child, position)
      const ends = position === this.#levels.length || this.#levels[position] === '#' // 'a/#' matches 'a' as well
      if (ends && child.value !== null) return child.value
    }
    return null
  }

  /** The value of `topic`, or null, if the walk has yet to come to its place in the tree; undefined when it comes there no more. */
  ahead(topic: string): T | null | undefined {
    if (!matches(this.#filter, topic)) return undefined
    let node = this.#root
    let passing = true
    for (const [depth, level] of topic.split('/').entries()) {
      const child = node.children?.get(level)
      if (child === undefined || child.order > this.#newest) return undefined
      if (passing) {
        const frame = this.#stack[depth]
        if (frame === undefined || child.order < frame.last) return undefined
        if (child.order > frame.last) passing = false
      }
      node = child
    }
    return passing ? undefined : node.value
  }

  #enter(node: TopicNode<T>, position: number): void {
    if (node.children === null || position === this.#levels.length) return
    const level = this.#levels[position]!
    const children = level === '#' || level === '+' ? node.children.entries() : null
    this.#stack.push({ node, position, children, last: 0 })
  }

  /** The next child to be looked at; undefined: that one is hidden; null: there are no more. */
  #childOf(frame: Frame<T>): TopicNode<T> | null | undefined {
    const { node, children } = frame
    this.#visited++
    if (children === null) {
      return frame.last > 0 ? null : this.#known(node.children?.get(this.#levels[frame.position]!))
    }
    const next = children.next()
    if (next.done) return null
    const [name, child] = next.value
    const hidden = this.#hidesDollar && node === this.#root && name.charCodeAt(0) === DOLLAR
    return hidden ? undefined : this.#known(child)
  }

  #known(child: TopicNode<T> | undefined): TopicNode<T> | null {
    return child === undefined || child.order > this.#newest ? null : child
  }
}
