/** The keys that tokens are checked with, out of files: a secret, a public key, or a JWK Set. No error quotes a file. */

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { EventflowError } from '../../src/plugin.ts'

/** Keys of these types, and the algorithms that they are for. */
const FAMILIES: ReadonlyMap<string | undefined, RegExp> = new Map([
  ['rsa', /^[RP]S/],
  ['ec', /^ES/],
  ['ed25519', /^EdDSA$/],
])

/** @throws EventflowError ACCESS_FILE_INVALID when it is shorter than RFC 7518 (section 3.2) wants for an algorithm */
export async function readSecret(file: string, algorithms: readonly string[]): Promise<JWTVerifyGetKey> {
  const bytes = await read(file)
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? -2 : -1) : undefined
  const secret = bytes.subarray(0, end)
  const needed = Math.max(...algorithms.map((algorithm) => Number(algorithm.slice(2)) / 8))
  if (secret.length < needed) throw invalid(file, `has ${secret.length} bytes, and ${needed} at least are needed`)
  const key = createSecretKey(secret)
  return async () => key
}

/** @throws EventflowError ACCESS_FILE_INVALID when there is no public key in it, or one that none of the algorithms is for */
export async function readPublicKey(file: string, algorithms: readonly string[]): Promise<JWTVerifyGetKey> {
  const text = (await read(file)).toString('utf8')
  if (text.includes('PRIVATE KEY')) throw invalid(file, 'has a private key where the public one belongs')
  const key = publicKey(file, text)
  const family = FAMILIES.get(key.asymmetricKeyType)
  if (!algorithms.some((algorithm) => family?.test(algorithm))) {
    throw invalid(file, `has a key (${key.asymmetricKeyType}) that none of jwt.algorithms is for`)
  }
  return async () => key
}

/** @throws EventflowError ACCESS_FILE_INVALID */
export async function readKeySet(file: string): Promise<JWTVerifyGetKey> {
  try {
    return keySet((await read(file)).toString('utf8'))
  } catch (cause) {
    if (cause instanceof EventflowError) throw cause
    throw invalid(file, 'is no JWK Set', cause)
  }
}

/** The keys of a JWK Set in JSON. Throws when it is none. */
export function keySet(json: string): JWTVerifyGetKey {
  return createLocalJWKSet(JSON.parse(json) as JSONWebKeySet)
}

function publicKey(file: string, pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw invalid(file, 'has no public key in PEM', cause)
  }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw invalid(file, code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`, cause)
  }
}

/** The cause of a file that was read may quote it, so it is kept for one that was not. */
function invalid(file: string, problem: string, cause?: unknown): EventflowError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.syscall
  return new EventflowError(
    'ACCESS_FILE_INVALID',
    `the key file ${file} ${problem}`,
    code === undefined ? {} : { cause },
  )
}
