/** What plugins that show or steer the broker as a whole may ask for by name, although no plugin offers it. */

import type { Config } from '../config/schema.ts'
import { hasUsers } from '../config/users.ts'
import { systemClock } from '../core/clock.ts'
import type { Parts } from './parts.ts'

/** @param configuration says what is in force */
export function provide({ kernel, pubsub, listeners, door, backups }: Parts, configuration: () => Config): void {
  const { plugins, access } = kernel
  plugins.provide('backups', backups)
  plugins.provide('retained', { cursor: (filter: string | null) => pubsub.retained(filter) })
  plugins.provide('broker', {
    startedAt: systemClock.now(),
    listeners,
    webSocket: door,
    configuration,
    isOpen: () => access.open,
    hasUsers: () => hasUsers(configuration()),
  })
}
