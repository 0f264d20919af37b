/** The broker's API: calls, the token that they take, and the stream of events. */

import { askToken } from './dialogs.js'

// Relative, so that a proxy may put the page into a folder.
const BASE = new URL('api/v1/', document.baseURI)
const TOKEN = 'eventflow-token'
const READ_TIMEOUT_MS = 10_000
/** The broker writes to a stream every fifteen seconds: one that is silent for so long is dead. */
const SILENCE_MS = 40_000

/** What the API refused: `message` for people, `code` for programs. */
export class Refused extends Error {
  constructor(status, { detail, title, code } = {}) {
    super(detail ?? title ?? `the broker answered ${status}`)
    this.status = status
    this.code = code ?? ''
  }
}

/** Null: the broker has not asked for one. */
export const tokenInUse = () => sessionStorage.getItem(TOKEN)

export function forgetToken() {
  sessionStorage.removeItem(TOKEN)
  location.reload()
}

export const get = async (path, query) => (await ask('GET', path, { query, timeoutMs: READ_TIMEOUT_MS })).json()

/** @returns what was answered, or null */
export async function change(method, path, body) {
  const answer = await ask(method, path, { body })
  return answer.status === 204 ? null : answer.json()
}

/** `name` as one step of a path. */
export const step = encodeURIComponent

/**
 * Events as they come, until `signal` is aborted or the connection ends.
 * @param query `{ type, client, queue, recent }`
 * @param last the id of the event that was had last: those since then come first; '': none
 * @param on `{ open(), event(event), resumed({ complete }), lost({ events }) }`
 */
export async function follow(query, last, signal, on) {
  const headers = last === '' ? {} : { 'last-event-id': last }
  const { body } = await ask('GET', 'events/stream', { query, signal, headers })
  on.open()
  let text = ''
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await readSoon(reader)
    if (done) return
    const blocks = (text + value).split('\n\n')
    text = blocks.pop()
    for (const block of blocks) tellBlock(block, on)
  }
}

async function readSoon(reader) {
  const timer = setTimeout(() => reader.cancel().catch(() => {}), SILENCE_MS)
  try {
    return await reader.read()
  } finally {
    clearTimeout(timer)
  }
}

function tellBlock(block, on) {
  const [, name] = /^event: (.*)$/m.exec(block) ?? []
  const [, data] = /^data: (.*)$/m.exec(block) ?? []
  if (data === undefined) return
  const tell = name === 'resumed' || name === 'lost' ? on[name] : on.event
  tell(JSON.parse(data))
}

/** @throws Error in words for people, but for what the page has ended itself */
async function send(url, options) {
  try {
    return await fetch(url, options)
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Error('the broker does not answer', { cause: error })
  }
}

async function ask(method, path, { query = {}, body, signal, timeoutMs, headers }) {
  const url = new URL(path, BASE)
  for (const [name, value] of Object.entries(query))
    if (value !== '' && value !== undefined) url.searchParams.set(name, value)
  for (;;) {
    const token = sessionStorage.getItem(TOKEN)
    const answer = await send(url, {
      method,
      headers: {
        ...headers,
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal ?? (timeoutMs === undefined ? null : AbortSignal.timeout(timeoutMs)),
    })
    if (answer.ok) return answer
    const problem = new Refused(answer.status, await answer.json().catch(() => undefined))
    if (answer.status !== 401) throw problem
    // Another call may have got a token meanwhile.
    if (token === sessionStorage.getItem(TOKEN)) sessionStorage.setItem(TOKEN, await askToken(problem, token !== null))
  }
}
