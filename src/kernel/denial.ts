/** A client was not let in, or not allowed something: told as an event, `access.denied`. */

import type { EventMap, Events } from '../core/events.ts'

type Denial = EventMap['access.denied']

/** Whoever asked: a client that would connect, or the session of one that has. */
export type Applicant = Readonly<Pick<Denial, 'clientId' | 'username' | 'address'>>

/** @param topic what the client would publish on, or subscribe to; null: it would connect */
export function tellDenied(events: Events, applicant: Applicant, action: Denial['action'], topic: string | null): void {
  const { clientId, username, address } = applicant
  events.emit('access.denied', { clientId, username, address, action, topic })
}
