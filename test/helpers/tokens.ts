/** Keys and tokens for tests. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { temporaryFolder } from './broker.ts'

export interface KeyPair {
  readonly publicKey: CryptoKey
  readonly privateKey: CryptoKey
}

export const SECRET = Buffer.from('a secret of at least thirty-two bytes, for tests')

export function makeKeys(algorithm: string): Promise<KeyPair> {
  return generateKeyPair(algorithm, { extractable: true })
}

/** A token; good for an hour unless the claims say otherwise. */
export function sign(
  key: CryptoKey | Uint8Array,
  alg: string,
  claims: { [claim: string]: unknown } = {},
  header: { kid?: string } = {},
): Promise<string> {
  const whole = { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 3_600, ...claims }
  return new SignJWT(whole).setProtectedHeader({ alg, ...header }).sign(key)
}

/** What anybody can write: a token with this header and these claims, and any signature. */
export function forge(header: object, claims: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.${signature}`
}

export async function fileWith(text: string | Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(), 'file')
  await writeFile(file, text)
  return file
}

export async function publicKeyFile({ publicKey }: KeyPair): Promise<string> {
  return fileWith(await exportSPKI(publicKey))
}

/** A JWK Set of these keys, by their identifiers. */
export async function keySetOf(keys: { readonly [kid: string]: KeyPair }): Promise<{ keys: object[] }> {
  const jwks = Object.entries(keys).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid }))
  return { keys: await Promise.all(jwks) }
}
