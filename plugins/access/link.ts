/** A place in the chain of authenticators whose holder can change while the broker runs; without one it leaves all to the next. */

import type { Authenticator, Credentials, Decision, Identity } from '../../src/plugin.ts'

export class Link implements Authenticator {
  holder: Authenticator | null

  constructor(holder: Authenticator | null) {
    this.holder = holder
  }

  get name(): string {
    return this.holder?.name ?? 'nobody'
  }

  get unproved(): boolean {
    return this.holder?.unproved ?? false
  }

  authenticate(credentials: Credentials): Decision | Identity | Promise<Decision | Identity> {
    return this.holder === null ? null : this.holder.authenticate(credentials)
  }
}
