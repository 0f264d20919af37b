/**
 * Which policy a queue has: the most specific one that matches its name, over the defaults. One, not several on top of
 * each other: who reads it sees all that differs.
 *
 * Filters are compared level by level, from the left; at the first that differs a name comes before `+`, and `+` before
 * `#`. So an exact name comes first of all, and the deeper of two before the shallower.
 */

import { covers, hasWildcard } from '../../src/plugin.ts'
import { deadLetterQueueOf, fitsTemplate, isUsualForDeadLetters, PREFIX } from './names.ts'
import type { PolicyEntry, QueueOptions, QueuePolicy } from './options.ts'
import type { Rules } from './rules/effects.ts'

export class Policies {
  readonly #defaults: QueuePolicy
  /** The most specific first. */
  readonly #entries: readonly PolicyEntry[]
  /** As they are configured, with `%q`. */
  readonly #deadLetterQueues: readonly string[]

  constructor({ policies, ...defaults }: QueueOptions) {
    this.#defaults = defaults
    this.#entries = policies.toSorted((a, b) => compare(a.match, b.match))
    this.#deadLetterQueues = [defaults, ...policies].flatMap(({ deadLetter }) => deadLetter ?? [])
  }

  /** The policy of a queue; of a filter over names that of all queues that it matches. */
  of(filter: string): QueuePolicy {
    const entry = this.entryFor(filter)
    return entry === null ? this.#defaults : over(this.#defaults, entry)
  }

  /** Whether it is there for dead letters: its messages have no delivery limit, for there is nowhere further to put them. */
  isForDeadLetters(name: string): boolean {
    return isUsualForDeadLetters(name) || this.#deadLetterQueues.some((template) => fitsTemplate(template, name))
  }

  /** The queue for its dead letters; null: it has none. */
  deadLetterQueueOf(name: string): string | null {
    const { deadLetter } = this.of(name)
    return deadLetter === null || this.isForDeadLetters(name) ? null : deadLetterQueueOf(name, deadLetter)
  }

  /** Queues that have a policy for them alone: they are there as long as it is. */
  get names(): string[] {
    return this.#entries.map(({ match }) => match).filter((match) => !hasWildcard(match))
  }

  isNamed(name: string): boolean {
    return this.entryFor(name)?.match === name
  }

  /** The policy as it was written for a queue, or a filter; null: the defaults are all there is. */
  entryFor(filter: string): PolicyEntry | null {
    // With the prefix, because `#` does not match a name that begins with `$` by itself.
    return this.#entries.find(({ match }) => covers(PREFIX + match, PREFIX + filter)) ?? null
  }
}

function over(defaults: QueuePolicy, entry: PolicyEntry): QueuePolicy {
  const { match: _, backoff = {}, ...options } = entry
  return { ...defaults, ...given(options), backoff: { ...defaults.backoff, ...given(backoff) } }
}

/** What a policy means for the rules of a queue; `forDeadLetters`: of one that is there for dead letters. */
export function rulesOf(policy: QueuePolicy, forDeadLetters: boolean): Rules {
  const { ackTimeout, maxDeliveries, backoff, maxLength, maxBytes, overflow, exclusive } = policy
  return {
    ackTimeoutMs: ackTimeout,
    maxDeliveries: forDeadLetters ? Infinity : maxDeliveries,
    backoff,
    exclusiveConsumer: exclusive === 'consumer' || exclusive === 'both',
    grouped: !forDeadLetters,
    maxLength: maxLength ?? Infinity,
    maxBytes: maxBytes ?? Infinity,
    dropsOldest: overflow === 'drop-oldest',
  }
}

/** Without what is undefined. */
function given<T extends object>(options: T): { [option in keyof T]?: Exclude<T[option], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [option in keyof T]?: Exclude<T[option], undefined> }
}

/** Negative when `a` is the more specific. Of two that match one name, that is: for others it only makes an order. */
function compare(a: string, b: string): number {
  const left = a.split('/')
  const right = b.split('/')
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = rankOf(left[i]) - rankOf(right[i])
    if (difference !== 0) return difference
  }
  return 0
}

/** A level that is not there: the filter has ended, and `a` comes before `a/#`. */
function rankOf(level: string | undefined): number {
  if (level === '#') return 2
  return level === '+' ? 1 : 0
}
