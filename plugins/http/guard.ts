/**
 * Who may do what over HTTP. Without tokens everyone who reaches the port may do everything, so three things keep web pages
 * in the browser of such a person out: the host name must be ours (a name that was made to point here, DNS rebinding, is not),
 * a page of another origin may not ask, and what changes something takes JSON or no body (a form cannot send that).
 */

import type { FastifyRequest } from 'fastify'
import type { HttpOptions } from './options.ts'
import { Problem } from './problem.ts'
import type { Role, Tokens } from './tokens.ts'

export class Guard {
  readonly #names: ReadonlySet<string>
  /** Whether the broker itself lets everyone do everything. */
  readonly #isOpen: () => boolean
  /** Null: there are none. */
  tokens: Tokens | null
  /** Origins besides our own whose pages may connect by WebSocket. */
  origins: readonly string[]

  constructor({ host, names, origins }: HttpOptions, tokens: Tokens | null, isOpen: () => boolean) {
    this.tokens = tokens
    this.origins = origins
    this.#isOpen = isOpen
    this.#names = new Set(['localhost', '127.0.0.1', '[::1]', host, `[${host}]`, ...names].map((n) => n.toLowerCase()))
  }

  /**
   * @param others origins that are as good as our own
   * @throws Problem 421 or 403 when the request comes by another name, or from another origin
   */
  checkSource({ headers, host }: FastifyRequest, others: readonly string[] = []): void {
    // A browser always says the host, so who says none (HTTP/1.0, as checks of health by proxies are) was not led here by one.
    if (headers.host === undefined && headers.origin === undefined) return
    const name = host.replace(/:\d+$/, '').toLowerCase()
    if (!this.#names.has(name) && !this.#isAddress(name)) {
      throw new Problem(421, 'HOST_UNKNOWN', 'HTTP is not offered under this host name: see http.names')
    }
    const { origin } = headers
    if (origin === undefined || others.includes(origin)) return
    if (origin.replace(/^https?:\/\//, '').toLowerCase() !== host.toLowerCase()) {
      throw new Problem(403, 'ORIGIN_REFUSED', 'pages of other origins may not use this')
    }
  }

  /** @throws Problem 401 without a token that is known, 403 when its role is not enough */
  checkRole(request: FastifyRequest, role: Role): void {
    if (this.#open) return
    if (this.tokens === null)
      throw new Problem(401, 'TOKENS_MISSING', 'there are users, so name a file in http.tokenFile')
    const [scheme, token] = (request.headers.authorization ?? '').split(' ', 2)
    const holder = scheme?.toLowerCase() === 'bearer' && token ? this.tokens.holderOf(token) : null
    if (holder === null) throw new Problem(401, 'TOKEN_MISSING', 'expected the header Authorization: Bearer <token>')
    if (role === 'operate' && holder.role !== 'operate') {
      throw new Problem(403, 'ROLE_INSUFFICIENT', 'this takes a token whose role is operate')
    }
  }

  lets(request: FastifyRequest, role: Role): boolean {
    try {
      this.checkRole(request, role)
      return true
    } catch {
      return false
    }
  }

  /** Whether whoever has no token may do everything. */
  get #open(): boolean {
    return this.tokens === null && this.#isOpen()
  }

  /** Whoever knows its address has not been led here by a name: rebinding takes one. With tokens, an address is enough. */
  #isAddress(name: string): boolean {
    return !this.#open && (/^\d+(\.\d+){3}$/.test(name) || name.startsWith('['))
  }
}
