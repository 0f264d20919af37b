/**
 * A password as it stands in a file of mosquitto_passwd: `$7$<iterations>$<salt>$<hash>` is PBKDF2 with SHA-512, which
 * Mosquitto writes since 2.0; `$6$<salt>$<hash>` is one round of salted SHA-512, which it wrote before. Both are read,
 * the first is written. Salt and hash are base64.
 */

import { createHash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export interface PasswordHash {
  readonly scheme: 'pbkdf2-sha512' | 'sha512'
  /** Rounds of PBKDF2; 1 for the old scheme. */
  readonly iterations: number
  readonly salt: Buffer
  readonly hash: Buffer
}

/**
 * Rounds for the passwords that we write. Every connection pays for them: OWASP's 210,000 take about 150 ms of a core,
 * so a thousand devices that come back after a power cut would wait for minutes, and give up, and come back. 20,000 are
 * about 15 ms and still make guessing two hundred times dearer than mosquitto_passwd's 101. Few users whose passwords
 * people chose deserve more: `eventflow passwd -I 210000`.
 */
export const DEFAULT_ITERATIONS = 20_000

/** More is a slip of the pen that would keep a thread busy for seconds at every connection. */
export const MAX_ITERATIONS = 10_000_000

/** Mosquitto 2.0 refuses a hash of any other length; it reads salts of any, and writes 12 bytes. */
const HASH_BYTES = 64
const SALT_BYTES = 12

const derive = promisify(pbkdf2)

/** The hash that `text` stands for, or null when it is none that we read. */
export function parseHash(text: string): PasswordHash | null {
  const fields = text.split('$')
  if (fields[0] !== '') return null
  if (fields[1] === '6' && fields.length === 4) return hashOf('sha512', 1, fields[2]!, fields[3]!)
  if (fields[1] !== '7' || fields.length !== 5 || !/^[1-9]\d{0,8}$/.test(fields[2]!)) return null
  const iterations = Number(fields[2])
  return iterations > MAX_ITERATIONS ? null : hashOf('pbkdf2-sha512', iterations, fields[3]!, fields[4]!)
}

/** `hash` as it stands in a file. */
export function formatHash({ scheme, iterations, salt, hash }: PasswordHash): string {
  const head = scheme === 'sha512' ? '$6' : `$7$${iterations}`
  return `${head}$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** A new hash, with a new salt. @param iterations 1 to MAX_ITERATIONS */
export async function hashPassword(password: Buffer, iterations: number = DEFAULT_ITERATIONS): Promise<PasswordHash> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, iterations, HASH_BYTES, 'sha512')
  return { scheme: 'pbkdf2-sha512', iterations, salt, hash }
}

/** Whether `password` is the one. Works off the event loop, and compares in constant time. */
export async function isPassword(password: Buffer, expected: PasswordHash): Promise<boolean> {
  const { scheme, iterations, salt, hash } = expected
  if (scheme === 'sha512') return timingSafeEqual(createHash('sha512').update(password).update(salt).digest(), hash)
  return timingSafeEqual(await derive(password, salt, iterations, HASH_BYTES, 'sha512'), hash)
}

function hashOf(scheme: PasswordHash['scheme'], iterations: number, salt: string, hash: string): PasswordHash | null {
  const bytes = { salt: decode(salt), hash: decode(hash) }
  if (bytes.salt === null || bytes.salt.length === 0 || bytes.hash?.length !== HASH_BYTES) return null
  return { scheme, iterations, salt: bytes.salt, hash: bytes.hash }
}

/** Buffer.from() passes over what is no base64; a hash that was cut short should not become another one. */
function decode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}
