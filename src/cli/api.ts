/**
 * The HTTP API of a running broker, as commands call it. What goes wrong is told with the URL and what to do about it. The
 * token comes from a file or the environment: what is on the command line, others on this machine can see.
 */

import { readFile } from 'node:fs/promises'
import { flag, text, WronglyCalled } from './command.ts'

const DEFAULT_URL = 'http://127.0.0.1:8080'
/** Entries that are asked for at once: as many as the API gives. */
const PAGE = 1_000

/** Options of every command that talks to the API. */
export const API_OPTIONS = { url: text, 'token-file': text, json: flag } as const

export const API_USAGE = `
  --json             print what the API says, an object a line
  --url URL          the broker's HTTP API (default: EVENTFLOW_URL, or ${DEFAULT_URL})
  --token-file FILE  the token is the last word of its first line (default: EVENTFLOW_TOKEN)

Exit codes: 0 done; 1 failed; 2 wrongly called.`

interface ApiValues {
  url?: string | undefined
  'token-file'?: string | undefined
}

export type Query = Readonly<Record<string, string | number | null | undefined>>

/** The API answered that it cannot do this. */
export class ApiProblem extends Error {
  readonly status: number
  /** Stable, for programs: `QUEUE_UNKNOWN`. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export class Api {
  readonly url: string
  readonly #token: string | null

  constructor(url: string, token: string | null) {
    this.url = url.replace(/\/+$/, '')
    this.#token = token
  }

  /** @throws WronglyCalled for a URL that is none; Error for a file that cannot be read */
  static async of(values: ApiValues, env: NodeJS.ProcessEnv = process.env): Promise<Api> {
    const url = values.url ?? (env.EVENTFLOW_URL || DEFAULT_URL)
    const parsed = URL.canParse(url) ? new URL(url) : null
    if (!/^https?:$/.test(parsed?.protocol ?? ''))
      throw new WronglyCalled(`--url takes http://HOST:PORT, found '${url}'`)
    if (parsed!.username !== '' || parsed!.password !== '') {
      throw new WronglyCalled('--url takes no user and password: name a token with --token-file or EVENTFLOW_TOKEN')
    }
    const file = values['token-file']
    const token = file === undefined ? env.EVENTFLOW_TOKEN?.trim() || null : await readToken(file)
    // What fetch says of such a header has the header in it.
    if (token !== null && !/^[\x21-\x7e]+$/.test(token)) throw new Error('the token has characters that no token has')
    return new Api(url, token)
  }

  /**
   * The answer as an object, or null where there is nothing to say (204).
   * @param path below `/api/v1`, its parts encoded with `pathOf`
   * @throws ApiProblem, or Error when nobody answers
   */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, query: Query = {}): Promise<unknown> {
    const response = await this.#fetch(method, path, query)
    return response.status === 204 ? null : this.#reading(response.json())
  }

  /** The entries of a list, page after page. @param most null: all */
  async *list<T>(path: string, query: Query = {}, most: number | null = null): AsyncGenerator<T> {
    let after: string | null = null
    let left = most ?? Infinity
    do {
      const limit = Math.min(PAGE, left)
      const page = (await this.call('GET', path, { ...query, limit, after })) as { items: T[]; next: string | null }
      yield* page.items
      left -= page.items.length
      after = page.next
    } while (after !== null && left > 0)
  }

  /** The bytes of an answer that goes on. */
  async stream(path: string, query: Query = {}): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.#fetch('GET', path, query)
    return this.#pieces(body!)
  }

  async *#pieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const pieces = body[Symbol.asyncIterator]()
    for (let next = await this.#reading(pieces.next()); !next.done; next = await this.#reading(pieces.next())) {
      yield next.value
    }
  }

  async #fetch(method: string, path: string, query: Query): Promise<Response> {
    const url = new URL(`${this.url}/api/v1${path}`)
    for (const [name, value] of Object.entries(query)) if (value != null) url.searchParams.set(name, String(value))
    const headers: Record<string, string> = this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }
    const response = await this.#reading(fetch(url, { method, headers, redirect: 'error' }))
    if (!response.ok) throw await this.#problemOf(response)
    return response
  }

  async #reading<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      throw new Error(`${this.url} does not answer (${causeOf(error)}). ${this.#advice()}`, { cause: error })
    }
  }

  #advice(): string {
    const { hostname, port } = new URL(this.url)
    const local = /^(127\.|localhost$|\[::1\]$)/.test(hostname)
    const start = local ? `start the broker with --http-port ${port || 80}, or ` : ''
    return `Is a broker running there that offers HTTP? If not, ${start}name another with --url or EVENTFLOW_URL`
  }

  async #problemOf(response: Response): Promise<ApiProblem> {
    const { status, statusText, headers } = response
    if (!headers.get('content-type')?.startsWith('application/problem+json')) {
      const detail = `${this.url} answers ${status} ${statusText}, and not as Eventflow does: is it the broker's HTTP port?`
      return new ApiProblem(status, 'UNKNOWN', detail)
    }
    const { code, detail } = (await this.#reading(response.json())) as { code: string; detail: string }
    return new ApiProblem(status, code, `${this.url}: ${this.#explained(code, detail)}`)
  }

  #explained(code: string, detail: string): string {
    if (code !== 'TOKEN_MISSING') return detail
    const known = this.#token === null ? 'it wants a token' : 'it does not know this token'
    return `${known}. Name a file with --token-file, or set EVENTFLOW_TOKEN`
  }
}

/** A path of names, each percent-encoded: `['queues', 'dead/orders']` is `/queues/dead%2Forders`. */
export function pathOf(...parts: readonly string[]): string {
  // URLs take these for steps through folders, however they are written.
  const step = parts.find((part) => part === '' || part === '.' || part === '..')
  if (step !== undefined) throw new WronglyCalled(`the name '${step}' cannot be part of a URL`)
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('')
}

async function readToken(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/)
  const line = lines.find((one) => one.trim() !== '' && !one.startsWith('#'))
  const token = line?.trim().split(/\s+/).at(-1)
  if (token === undefined) throw new Error(`${file} has no token in it`)
  return token
}

/** What fetch hides behind `fetch failed`. */
function causeOf(error: unknown): string {
  const { cause } = error as Error
  if (cause instanceof Error) {
    const code = 'code' in cause ? String(cause.code) : ''
    return code === '' || (code.startsWith('UND_ERR') && cause.message !== '') ? cause.message : code
  }
  return error instanceof Error ? error.message : String(error)
}
