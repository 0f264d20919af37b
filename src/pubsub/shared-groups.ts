/** Every group of shared subscriptions, by filter, and which sessions are in which. */

import { filterBehind } from '../core/topics.ts'
import type { AfterGrant, Subscription } from '../kernel/plugin-contract.ts'
import type { Member } from './member.ts'
import { SharedGroup, type SharedGroupParts } from './shared-group.ts'
import type { Subscriber } from './subscriber.ts'
import type { SubscriptionTree } from './subscription-tree.ts'

interface Membership {
  readonly group: SharedGroup
  readonly member: Member
}

export class SharedGroups {
  readonly #tree: SubscriptionTree
  readonly #parts: SharedGroupParts
  /** By filter, `$share/<group>/<filter>`: as long as it has members, or messages of it are with former ones. */
  readonly #groups = new Map<string, SharedGroup>()
  readonly #bySession = new Map<Subscriber, Map<string, Membership>>()

  constructor(parts: Omit<SharedGroupParts, 'unused'> & { tree: SubscriptionTree }) {
    const { tree, log, events, counters, now, limits, room } = parts
    this.#tree = tree
    this.#parts = { log, events, counters, now, limits, room, unused: ({ filter }) => this.#groups.delete(filter) }
  }

  /** Join a group, or replace what was asked for. `restored`: it gets messages when it is attached. */
  subscribe(session: Subscriber, subscription: Subscription, restored: boolean): AfterGrant | undefined {
    const { filter } = subscription
    const known = this.#bySession.get(session)?.get(filter)
    known?.member.grant(subscription)
    const { group, member } = known ?? this.#join(session, subscription)
    if (restored) return undefined
    return () => {
      if (this.#bySession.get(session)?.get(filter)?.member === member) group.activate(member)
    }
  }

  unsubscribe(session: Subscriber, filter: string): void {
    const memberships = this.#bySession.get(session)
    const membership = memberships?.get(filter)
    if (membership === undefined) return
    memberships!.delete(filter)
    if (memberships!.size === 0) {
      this.#bySession.delete(session)
      session.outbox.onRoom = null
    }
    this.#leave(membership)
  }

  attach(session: Subscriber): void {
    for (const { group, member } of this.#of(session)) group.activate(member)
  }

  detach(session: Subscriber, ended: boolean): void {
    for (const { group, member } of this.#of(session)) {
      if (ended) this.unsubscribe(session, group.filter)
      else group.deactivate(member)
    }
  }

  #of(session: Subscriber): Membership[] {
    return [...(this.#bySession.get(session)?.values() ?? [])]
  }

  #join(session: Subscriber, subscription: Subscription): Membership {
    const { filter } = subscription
    const group = this.#open(filter)
    if (group.size === 0) this.#tree.addGroup(filterBehind(filter), group)
    const membership = { group, member: group.join(session, subscription) }
    let memberships = this.#bySession.get(session)
    if (memberships === undefined) {
      const own = new Map<string, Membership>()
      this.#bySession.set(session, own)
      session.outbox.onRoom = () => {
        for (const { group, member } of own.values()) group.pump(member)
      }
      memberships = own
    }
    memberships.set(filter, membership)
    return membership
  }

  #open(filter: string): SharedGroup {
    let group = this.#groups.get(filter)
    if (group !== undefined) return group
    group = new SharedGroup(filter, this.#parts)
    this.#groups.set(filter, group)
    return group
  }

  #leave({ group, member }: Membership): void {
    group.leave(member)
    if (group.size === 0) this.#tree.removeGroup(filterBehind(group.filter), group)
  }
}
