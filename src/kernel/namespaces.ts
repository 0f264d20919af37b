/** Who owns a topic, and who owns a filter: the namespace with the longest prefix that both are compared with as text. */

import { EventflowError } from '../core/errors.ts'
import { DOLLAR, filterBehind } from '../core/topics.ts'
import type { Namespace } from './plugin-contract.ts'

/** Where a subscription is. */
export interface Place {
  readonly namespace: Namespace
  /** Its filter as the namespace is shown it. */
  readonly filter: string
}

export class Namespaces {
  /** Longest prefix first. */
  readonly #claims: Array<{ prefix: string; namespace: Namespace }> = []
  /** Other names of prefixes; they begin with `$`. */
  readonly #aliases: Array<{ alias: string; prefix: string }> = []

  /** @throws EventflowError NAMESPACE_TAKEN when somebody has this very prefix */
  claim(prefix: string, namespace: Namespace): void {
    this.#checkFree(prefix)
    this.#claims.push({ prefix, namespace })
    this.#claims.sort((a, b) => b.prefix.length - a.prefix.length)
  }

  /**
   * Topics and filters that start with `alias` mean those that start with `prefix`.
   * @param alias begins with `$`, so that no other topic is looked at twice
   * @throws EventflowError NAMESPACE_TAKEN when somebody has this very prefix
   */
  alias(alias: string, prefix: string): void {
    this.#checkFree(alias)
    this.#aliases.push({ alias, prefix })
  }

  /** What a topic or filter is called where it has more than one name. */
  canonical(topic: string): string {
    if (topic.charCodeAt(0) !== DOLLAR) return topic
    const found = this.#aliases.find(({ alias }) => topic.startsWith(alias))
    return found === undefined ? topic : found.prefix + topic.slice(found.alias.length)
  }

  /** The owner of a topic name or filter: '#' belongs to publish/subscribe, 'queue/#' to the queues. */
  ownerOf(topic: string): Namespace {
    for (const claim of this.#claims) if (topic.startsWith(claim.prefix)) return claim.namespace
    throw new EventflowError('PLUGIN_FAILED', `no namespace owns the topic '${topic}'`)
  }

  /** A shared subscription is with the owner of the filter behind its group: `$share/g/queue/a` is one on a queue. */
  placeOf(filter: string): Place {
    const behind = this.canonical(filterBehind(filter))
    const namespace = this.ownerOf(behind)
    return { namespace, filter: namespace.sharing ? filter : behind }
  }

  #checkFree(prefix: string): void {
    const taken =
      this.#claims.some((claim) => claim.prefix === prefix) || this.#aliases.some((it) => it.alias === prefix)
    if (taken) {
      throw new EventflowError('NAMESPACE_TAKEN', `two plugins claim the topics that start with '${prefix}'`)
    }
  }
}
