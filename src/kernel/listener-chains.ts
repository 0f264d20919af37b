/** Which authenticators the clients of a listener are asked by, where its options name some. */

import type { Config } from '../config/schema.ts'
import { EventflowError } from '../core/errors.ts'
import type { Access } from './access.ts'
import type { Apply } from './plugin-contract.ts'

/**
 * Whether there are authenticators of these names is known only once the plugins have joined. Returns what puts them in force.
 * @throws EventflowError CONFIG_INVALID when there is none of a name
 */
export function chooseAuthenticators(access: Access, listeners: Config['listeners']): Apply {
  const chosen = Object.entries(listeners).map(([name, listener]) => [name, listener?.authenticators ?? null] as const)
  const known = access.authenticators
  for (const [name, names] of chosen) {
    const unknown = names?.find((one) => !known.includes(one))
    if (unknown === undefined) continue
    const expected = `expected names out of ${known.join(', ')}, found ${JSON.stringify(unknown)}`
    throw new EventflowError('CONFIG_INVALID', `listeners.${name}.authenticators: ${expected}`)
  }
  return () => {
    for (const [name, names] of chosen) access.setChain(name, names)
  }
}
