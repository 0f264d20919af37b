/**
 * Retained messages: the last one of each topic that was published with the retain flag, in a tree of levels, so that a
 * filter costs what it matches, not what there is.
 */

import type { Message } from '../core/message.ts'

interface Node {
  children: Map<string, Node> | null
  message: Message | null
}

export class Retained {
  readonly #root: Node = { children: null, message: null }
  #size = 0
  #bytes = 0

  get size(): number {
    return this.#size
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes
  }

  set(message: Message): void {
    let node = this.#root
    for (const level of message.topic.split('/')) {
      node.children ??= new Map()
      const child: Node = node.children.get(level) ?? { children: null, message: null }
      node.children.set(level, child)
      node = child
    }
    if (node.message === null) this.#size++
    this.#bytes += message.payloadLength - (node.message?.payloadLength ?? 0)
    node.message = message
  }

  /** Returns whether there was one. */
  delete(topic: string): boolean {
    const path: Array<{ node: Node; level: string }> = []
    let node = this.#root
    for (const level of topic.split('/')) {
      const child = node.children?.get(level)
      if (child === undefined) return false
      path.push({ node, level })
      node = child
    }
    if (node.message === null) return false
    this.#bytes -= node.message.payloadLength
    node.message = null
    this.#size--
    for (const { node: parent, level } of path.reverse()) {
      const child = parent.children!.get(level)!
      if (child.message !== null || (child.children?.size ?? 0) > 0) break
      parent.children!.delete(level)
    }
    return true
  }

  /** Every retained message that `filter` matches. Topics that start with $ are hidden from a leading wildcard. */
  match(filter: string): Message[] {
    const found: Message[] = []
    collect(this.#root, filter.split('/'), 0, found)
    return found
  }
}

function collect(node: Node, levels: readonly string[], depth: number, found: Message[]): void {
  if (depth === levels.length) {
    if (node.message !== null) found.push(node.message)
    return
  }
  const level = levels[depth]!
  if (level === '#') {
    everything(node, depth === 0, found)
  } else if (level === '+') {
    for (const [name, child] of node.children ?? []) {
      if (depth > 0 || name.charCodeAt(0) !== DOLLAR) collect(child, levels, depth + 1, found)
    }
  } else {
    const child = node.children?.get(level)
    if (child !== undefined) collect(child, levels, depth + 1, found)
  }
}

function everything(node: Node, atRoot: boolean, found: Message[]): void {
  if (node.message !== null) found.push(node.message)
  for (const [name, child] of node.children ?? []) {
    if (!atRoot || name.charCodeAt(0) !== DOLLAR) everything(child, false, found)
  }
}

const DOLLAR = 36
