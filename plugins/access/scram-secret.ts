/**
 * What the broker keeps of a password for SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677): enough to check a client's proof and
 * to prove itself, not enough to log in with. In a file it is `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`,
 * as PostgreSQL writes it too; all three in base64.
 */

import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from './saslprep.ts'

export interface ScramSecret {
  readonly iterations: number
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** RFC 7677 wants 4,096 at least. Each connection costs its client these rounds, and the broker none. */
export const SCRAM_ITERATIONS = { min: 4_096, max: 10_000_000, default: 10_000 }

const KEY_BYTES = 32
const SALT_BYTES = 16
const FORM = /^SCRAM-SHA-256\$([1-9]\d{3,7}):([\w+/]+=*)\$([\w+/]+=*):([\w+/]+=*)$/

const derive = promisify(pbkdf2)

export function parseScramSecret(text: string): ScramSecret | null {
  const [, rounds, salt, stored, server] = FORM.exec(text) ?? []
  const iterations = Number(rounds)
  if (!(iterations >= SCRAM_ITERATIONS.min && iterations <= SCRAM_ITERATIONS.max)) return null
  const [storedKey, serverKey] = [Buffer.from(stored!, 'base64'), Buffer.from(server!, 'base64')]
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) return null
  return { iterations, salt: Buffer.from(salt!, 'base64'), storedKey, serverKey }
}

export function formatScramSecret({ iterations, salt, storedKey, serverKey }: ScramSecret): string {
  const [s, stored, server] = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'))
  return `SCRAM-SHA-256$${iterations}:${s}$${stored}:${server}`
}

/** With a new salt. @throws Error for a password with characters that SASLprep prohibits */
export async function makeScramSecret(
  password: string,
  iterations: number,
  salt: Buffer = randomBytes(SALT_BYTES),
): Promise<ScramSecret> {
  const prepared = saslprep(password)
  if (prepared === null) throw new Error('the password has characters that SCRAM does not allow (RFC 4013)')
  const salted = await derive(prepared, salt, iterations, KEY_BYTES, 'sha256')
  return { iterations, salt, storedKey: sha256(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') }
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
