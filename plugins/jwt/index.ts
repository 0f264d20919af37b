/** JSON Web Tokens as passwords (RFC 7519), checked with a secret or with public keys. Off unless `jwt` is configured. */

import type { JWTVerifyGetKey } from 'jose'
import { type Credentials, definePlugin, type PluginContext } from '../../src/plugin.ts'
import { readKeySet, readPublicKey, readSecret } from './key-files.ts'
import { RemoteKeys } from './remote-keys.ts'
import { type TokenRules, TokenUsers } from './token-users.ts'

/** As the configuration has them: durations in milliseconds. One of the four sources of keys is given. */
export interface JwtOptions extends Omit<TokenRules, 'clockToleranceMs'> {
  readonly clockTolerance: number
  readonly secretFile: string | null
  readonly publicKeyFile: string | null
  readonly jwksFile: string | null
  readonly jwksUrl: string | null
  readonly jwksMaxAge: number
  readonly jwksCooldown: number
}

export const jwt = definePlugin<JwtOptions | null>({
  name: 'jwt',
  async setup(context) {
    let inForce = await usersOf(context.options, context)
    context.authenticator({ name: 'jwt', authenticate: (credentials) => inForce?.authenticate(credentials) ?? null })
    return {
      files: () => inForce?.files ?? [],
      async reload(options) {
        const next = await usersOf(options as JwtOptions | null, context)
        return () => {
          inForce = next
        }
      },
    }
  },
})

/** Null where no tokens are taken. @throws EventflowError ACCESS_FILE_INVALID */
async function usersOf(options: JwtOptions | null, context: PluginContext<unknown>) {
  if (options === null) return null
  const rules = { ...options, clockToleranceMs: options.clockTolerance }
  const users = new TokenUsers(rules, await keysOf(options, context), context.clock)
  const files = [options.secretFile, options.publicKeyFile, options.jwksFile].filter((file) => file !== null)
  return { files, authenticate: (credentials: Credentials) => users.authenticate(credentials) }
}

async function keysOf(options: JwtOptions, { clock, log }: PluginContext<unknown>): Promise<JWTVerifyGetKey> {
  const { algorithms, secretFile, publicKeyFile, jwksFile, jwksUrl } = options
  if (secretFile !== null) return readSecret(secretFile, algorithms)
  if (publicKeyFile !== null) return readPublicKey(publicKeyFile, algorithms)
  if (jwksFile !== null) return readKeySet(jwksFile)
  const { jwksMaxAge: maxAgeMs, jwksCooldown: cooldownMs } = options
  return new RemoteKeys({ url: jwksUrl!, maxAgeMs, cooldownMs, clock, log }).find
}
