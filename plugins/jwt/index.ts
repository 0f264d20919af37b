/** JSON Web Tokens as passwords (RFC 7519), checked with a secret or with public keys. Off unless `jwt` is configured. */

import { definePlugin, type PluginContext } from '../../src/plugin.ts'
import type { JwtOptions } from './users.ts'

export type { JwtOptions } from './users.ts'

export const jwt = definePlugin<JwtOptions | null>({
  name: 'jwt',
  async setup(context) {
    let inForce = await load(context.options, context)
    context.authenticator({ name: 'jwt', authenticate: (credentials) => inForce?.authenticate(credentials) ?? null })
    return {
      files: () => inForce?.files ?? [],
      async reload(options) {
        const next = await load(options as JwtOptions | null, context)
        return () => {
          inForce = next
        }
      },
    }
  },
})

/** Null where no tokens are taken: then nothing is loaded that would check them. */
async function load(options: JwtOptions | null, context: PluginContext<unknown>) {
  if (options === null) return null
  const { usersOf } = await import('./users.ts')
  return usersOf(options, context)
}
