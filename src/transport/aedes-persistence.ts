/**
 * What Aedes asks of a persistence. It is shown every session as new and clean and every subscription as granted, and
 * wills are taken out of what it sees: sessions, subscriptions, messages and wills are kept by our own sessions.
 */

import { Readable } from 'node:stream'

export class EmptyPersistence {
  async setup(): Promise<void> {}
  async subscriptionsByClient(): Promise<never[]> {
    return []
  }
  async subscriptionsByTopic(): Promise<never[]> {
    return []
  }
  async cleanSubscriptions(client: unknown): Promise<unknown> {
    return client
  }
  async addSubscriptions(client: unknown): Promise<unknown> {
    return client
  }
  async removeSubscriptions(client: unknown): Promise<unknown> {
    return client
  }
  async delWill(): Promise<void> {}
  async putWill(): Promise<void> {}
  async outgoingClearMessageId(): Promise<void> {}
  async outgoingUpdate(): Promise<void> {}
  async outgoingEnqueueCombi(): Promise<void> {}
  async storeRetained(): Promise<void> {}
  outgoingStream(): Readable {
    return Readable.from([])
  }
  streamWill(): Readable {
    return Readable.from([])
  }
  createRetainedStreamCombi(): Readable {
    return Readable.from([])
  }
}
