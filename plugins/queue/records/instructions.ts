/** What a producer asks for with one message, by user properties of MQTT 5.0: see docs/queues.md. */

import { type Message, ReasonCode, Refusal, userPropertiesIn } from '../../../src/plugin.ts'

export interface Instructions {
  /** Milliseconds before it may be delivered. */
  readonly delayMs: number
  /** 0 to 9. */
  readonly priority: number
  readonly dedupId: string | null
}

export const NOTHING: Instructions = { delayMs: 0, priority: 0, dedupId: null }

/** Ten years, in milliseconds. */
const LONGEST_DELAY_MS = 315_360_000_000

const NAMES: ReadonlySet<string> = new Set(['delay', 'priority', 'dedup-id', 'group'])
const GROUP: ReadonlySet<string> = new Set(['group'])

/** @throws Refusal 0x99 when one of them has a value that makes no sense */
export function instructionsOf({ properties }: Message): Instructions {
  if (properties === null) return NOTHING
  const told = userPropertiesIn(properties, NAMES)
  if (told === null) return NOTHING
  if (told.get('group') === '') throw refusal('group is the name of a group')
  return {
    delayMs: delayOf(told.get('delay')),
    priority: priorityOf(told.get('priority')),
    dedupId: dedupIdOf(told.get('dedup-id')),
  }
}

/** The group of a message that was taken on; null: it is in none. */
export function groupOf({ properties }: Message): string | null {
  if (properties === null) return null
  return userPropertiesIn(properties, GROUP)?.get('group') ?? null
}

function delayOf(text: string | undefined): number {
  if (text === undefined) return 0
  const delayMs = /^\d{1,12}$/.test(text) ? Number(text) : Infinity
  if (delayMs > LONGEST_DELAY_MS) throw refusal(`delay is milliseconds from 0 to ${LONGEST_DELAY_MS}`)
  return delayMs
}

function priorityOf(text: string | undefined): number {
  if (text === undefined) return 0
  if (!/^[0-9]$/.test(text)) throw refusal('priority is a digit, 0 to 9')
  return Number(text)
}

function dedupIdOf(text: string | undefined): string | null {
  if (text === '') throw refusal('dedup-id is an id')
  return text ?? null
}

function refusal(text: string): Refusal {
  return new Refusal(ReasonCode.PayloadFormatInvalid, `the user property ${text}`)
}
