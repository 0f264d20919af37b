/** A place in the chain of authenticators whose holder can change while the broker runs; without one it leaves all to the next. */

import type { Authenticator, Credentials, Decision, Identity } from '../../src/plugin.ts'

export class Link implements Authenticator {
  holder: Authenticator | null

  readonly name: string

  constructor(name: string, holder: Authenticator | null) {
    this.name = name
    this.holder = holder
  }

  get onlyByName(): boolean {
    return this.holder?.onlyByName ?? false
  }

  get unproved(): boolean {
    return this.holder?.unproved ?? false
  }

  authenticate(credentials: Credentials): Decision | Identity | Promise<Decision | Identity> {
    return this.holder === null ? null : this.holder.authenticate(credentials)
  }
}
