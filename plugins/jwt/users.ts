/** Those who have tokens, as the options say; with all that checking tokens needs, so that it is loaded only where it is used. */

import type { JWTVerifyGetKey } from 'jose'
import type { Credentials, PluginContext } from '../../src/plugin.ts'
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

/** @throws EventflowError ACCESS_FILE_INVALID */
export async function usersOf(options: JwtOptions, context: PluginContext<unknown>) {
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
