/**
 * A doubly linked list through its own items: pushing, taking and removing from the middle cost the same few writes, and
 * nothing is allocated. An item stands in one list at a time, and knows in which.
 */

export interface Linked<T extends Linked<T>> {
  previous: T | null
  next: T | null
  list: LinkedList<T> | null
}

export class LinkedList<T extends Linked<T>> {
  first: T | null = null
  #last: T | null = null
  length = 0

  push(item: T): void {
    item.list = this
    item.previous = this.#last
    item.next = null
    if (this.#last === null) this.first = item
    else this.#last.next = item
    this.#last = item
    this.length++
  }

  /** Put an item before all others. */
  unshift(item: T): void {
    item.list = this
    item.previous = null
    item.next = this.first
    if (this.first === null) this.#last = item
    else this.first.previous = item
    this.first = item
    this.length++
  }

  /** Remove an item that is in this list. */
  remove(item: T): void {
    if (item.previous === null) this.first = item.next
    else item.previous.next = item.next
    if (item.next === null) this.#last = item.previous
    else item.next.previous = item.previous
    item.list = null
    item.previous = null
    item.next = null
    this.length--
  }

  shift(): T | null {
    const { first } = this
    if (first !== null) this.remove(first)
    return first
  }
}
