/** Who owns a topic, and who owns a filter: the namespace with the longest prefix that both are compared with as text. */

import { EventflowError } from '../core/errors.ts'
import { filterBehind } from '../core/topics.ts'
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

  /** @throws EventflowError NAMESPACE_TAKEN when somebody has this very prefix */
  claim(prefix: string, namespace: Namespace): void {
    if (this.#claims.some((claim) => claim.prefix === prefix)) {
      throw new EventflowError('NAMESPACE_TAKEN', `two plugins claim the topics that start with '${prefix}'`)
    }
    this.#claims.push({ prefix, namespace })
    this.#claims.sort((a, b) => b.prefix.length - a.prefix.length)
  }

  /** The owner of a topic name or filter: '#' belongs to publish/subscribe, 'queue/#' to the queues. */
  ownerOf(topic: string): Namespace {
    for (const claim of this.#claims) if (topic.startsWith(claim.prefix)) return claim.namespace
    throw new EventflowError('PLUGIN_FAILED', `no namespace owns the topic '${topic}'`)
  }

  /** A shared subscription is with the owner of the filter behind its group: `$share/g/queue/a` is one on a queue. */
  placeOf(filter: string): Place {
    const behind = filterBehind(filter)
    const namespace = this.ownerOf(behind)
    return { namespace, filter: namespace.sharing ? filter : behind }
  }
}
