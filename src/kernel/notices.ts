/**
 * Of all events, those that an operator would act on, as lines of the log; parts that fail write lines of their own. What happens
 * over and over, as when a thousand devices have an old password, takes a few lines: in a minute one for each client or queue,
 * ten of a kind, and how many more there were.
 */

import type { Clock, Timer } from '../core/clock.ts'
import type { EventMap, Events, EventType } from '../core/events.ts'
import type { Logger } from './plugin-contract.ts'

export interface NoticeParts {
  events: Events
  log: Logger
  clock: Clock
}

const WINDOW_MS = 60_000
/** Lines of a kind in a minute. */
const MAX_LINES = 10

type Level = 'info' | 'warn' | 'error'

interface Notice {
  readonly level: Level
  readonly text: string
  /** What is counted together, where it is more than the text. */
  readonly kind?: string
  /** Whom it is about: told once in a while. Left out: each is told. */
  readonly about?: string
}

/** What is said of each event; null: nothing, of this one. */
const NOTICES: { readonly [T in EventType]?: (data: EventMap[T]) => Notice | null } = {
  'listener.failed': () => ({ level: 'error', text: 'a listener does not work' }),
  'client.connecting-refused': ({ reason, clientId, address }) => {
    if (reason === 'shutdown' || reason === 'redirected') return null
    const level = reason === 'limit' || reason === 'unavailable' ? 'warn' : 'info'
    return { level, text: 'a client was not let in', kind: reason, about: clientId || hostOf(address) }
  },
  'client.error': ({ clientId, address }) => ({
    ...{ level: 'info', text: 'a client sent what it must not, and was disconnected' },
    about: clientId || hostOf(address),
  }),
  'client.throttled': ({ clientId }) => ({
    level: 'info',
    text: 'a client sends too fast, and waits',
    about: clientId,
  }),
  'client.disconnected': ({ clientId, reason }) => {
    if (reason !== 'slow' && reason !== 'quota') return null
    return { level: 'info', text: 'a client went beyond a limit, and was disconnected', kind: reason, about: clientId }
  },
  'access.denied': ({ clientId, action }) => {
    // Of those who may not connect it is told that they were not let in.
    if (action === 'connect') return null
    return { level: 'info', text: `a client may not ${action} there`, about: clientId }
  },
  'access.slowed': ({ address }) => ({
    ...{ level: 'warn', text: 'too many wrong passwords from an address: it has to wait' },
    about: hostOf(address),
  }),
  'queue.limit-reached': ({ queue }) => ({ level: 'warn', text: 'a queue is full', about: queue }),
  'queue.dead-lettered': ({ queue }) => ({ level: 'warn', text: 'a message became a dead letter', about: queue }),
  'queue.paused': () => ({ level: 'info', text: 'a queue was paused' }),
  'queue.resumed': () => ({ level: 'info', text: 'a queue goes on' }),
  'queue.purged': () => ({ level: 'info', text: 'a queue was purged' }),
  'status.dropped': ({ clientId }) => ({
    ...{ level: 'info', text: 'a reader of status was too slow for some of it' },
    about: clientId,
  }),
}

/** What of a kind there was in this minute. */
interface Window {
  readonly notice: Notice
  readonly event: EventType
  readonly about: Set<string>
  more: number
}

export class Notices {
  readonly #parts: NoticeParts
  readonly #windows = new Map<string, Window>()
  #timer: Timer | null = null
  #ignore = (): void => {}

  constructor(parts: NoticeParts) {
    this.#parts = parts
  }

  start(): void {
    const types = Object.keys(NOTICES) as EventType[]
    this.#ignore = this.#parts.events.listen(types, (event, data) => {
      const noticeOf = NOTICES[event] as (data: EventMap[typeof event]) => Notice | null
      const notice = noticeOf(data)
      if (notice !== null && this.#isNew(event, notice)) this.#parts.log[notice.level]({ event, ...data }, notice.text)
    })
  }

  stop(): void {
    this.#ignore()
    this.#timer?.cancel()
    this.#close()
  }

  #isNew(event: EventType, notice: Notice): boolean {
    const { about, text, kind = '' } = notice
    if (about === undefined) return true
    const key = `${event} ${text} ${kind}`
    const window = this.#windows.get(key) ?? { event, notice, about: new Set(), more: 0 }
    this.#windows.set(key, window)
    this.#timer ??= this.#parts.clock.after(WINDOW_MS, () => this.#close())
    if (window.about.has(about) || window.about.size >= MAX_LINES) {
      window.more++
      return false
    }
    window.about.add(about)
    return true
  }

  /** The minute is over: tell how many there were that had no line. */
  #close(): void {
    this.#timer = null
    for (const { event, notice, more } of this.#windows.values()) {
      const { level, text, kind } = notice
      if (more > 0)
        this.#parts.log[level]({ event, more, ...(kind && { reason: kind }) }, `${text}, and more of this kind`)
    }
    this.#windows.clear()
  }
}

/** `10.0.0.7:50412` without the port, which is another one each time. */
function hostOf(address: string): string {
  return address.replace(/:\d*$/, '')
}
