/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), written for tests and from the RFC alone. */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()

export class ScramClient {
  readonly first: string
  readonly #header: string
  readonly #bare: string
  readonly #password: string
  #expected = ''

  constructor(user: string, password: string, { nonce = randomBytes(12).toString('hex'), header = 'n,,' } = {}) {
    this.#password = password
    this.#header = header
    this.#bare = `n=${user},r=${nonce}`
    this.first = header + this.#bare
  }

  /** The answer to the server's first message. */
  final(serverFirst: string): string {
    const { r, s, i } = Object.fromEntries(serverFirst.split(',').map((part) => [part[0], part.slice(2)]))
    const salted = pbkdf2Sync(this.#password.normalize('NFKC'), Buffer.from(s!, 'base64'), Number(i), 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const withoutProof = `c=${Buffer.from(this.#header).toString('base64')},r=${r}`
    const signed = `${this.#bare},${serverFirst},${withoutProof}`
    const signature = hmac(createHash('sha256').update(clientKey).digest(), signed)
    this.#expected = `v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`
    return `${withoutProof},p=${Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!)).toString('base64')}`
  }

  /** Whether the server knows the user too. */
  trusts(serverFinal: string): boolean {
    return serverFinal === this.#expected
  }
}
