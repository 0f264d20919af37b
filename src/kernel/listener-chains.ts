/** Which authenticators the clients of a listener are asked by, where its options name some. */

import type { Config } from '../config/schema.ts'
import { EventflowError } from '../core/errors.ts'
import type { Access } from './access.ts'

/**
 * Whether there are authenticators of these names is known only once the plugins have joined.
 * @throws EventflowError CONFIG_INVALID when there is none of a name
 */
export function chooseAuthenticators(access: Access, listeners: Config['listeners']): void {
  for (const [name, listener] of Object.entries(listeners)) {
    const names = listener?.authenticators ?? null
    const unknown = names === null ? null : access.setChain(name, names)
    if (unknown === null) continue
    const known = access.authenticators.join(', ')
    const text = `listeners.${name}.authenticators: expected names out of ${known}, found ${JSON.stringify(unknown)}`
    throw new EventflowError('CONFIG_INVALID', text)
  }
}
