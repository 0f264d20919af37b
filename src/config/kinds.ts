/**
 * The kinds of values that options have. Every message completes the sentence "expected …": a problem is told as what
 * was expected, so none of these lets zod word it.
 */

import * as z from 'zod'

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

/** The largest packet that MQTT can say: 268,435,455 bytes of content and five of header [MQTT-1.5.5]. */
export const LARGEST_PACKET = 268_435_460

/** The longest wait that a timer can hold: setTimeout fires at once beyond 2^31 - 1 milliseconds (24.8 days). */
export const LONGEST_TIMER = '24d'

/** No client waits this long; it only keeps sums of milliseconds far from where numbers lose precision. */
export const LONGEST_WAIT = '365d'

/** MQTT sets no limit (section 4.7.3). This keeps the trees shallow, and is more than the 201 that Mosquitto takes. */
export const MAX_TOPIC_LEVELS = 256

/** Cross-checks run beside the others, not after them, so that all problems are told at once. */
export const always = { when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null }

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

/** true or false. */
export function flag() {
  return z.boolean({ error: 'true or false' })
}

/** One of the given words. */
export function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` })
}

/** Text that is not empty. */
export function text(error: string) {
  return z.string({ error }).min(1, { error })
}

/** Text, or null, which it is by default. */
export function textOrNull(expected: string) {
  return z.union([text(expected), z.null()], { error: `${expected}, or null` }).prefault(null)
}

/** Milliseconds as a number, or text such as '10s'; resolves to milliseconds. Limits are given as such text. */
export function duration(min: string, max: string) {
  const error = `a duration from ${min} to ${max}: milliseconds as a number, or text such as 500ms, 10s, 5m, 2h, 1d`
  return quantity(MILLISECONDS, quantityOf(MILLISECONDS, min), quantityOf(MILLISECONDS, max), error)
}

/** A duration, or the word for none at all. */
export function durationOr<const Word extends string>(word: Word, min: string, max: string) {
  const error = `${word}, or a duration: milliseconds as a number, or text such as 500ms, 10s, 5m, 2h, 1d`
  return z.union([z.literal(word), duration(min, max)], { error })
}

/** Bytes as a number, or text such as '64KB' (1024-based); resolves to bytes. */
export function size(min: number, max = Number.MAX_SAFE_INTEGER) {
  const limits = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return quantity(BYTES, min, max, `a size ${limits}: bytes as a number, or text such as 64KB, 10MB, 1GB`)
}

/** What a group says of something that is none. */
export function groupExpected(issue: { code?: string | undefined }): string | undefined {
  return issue.code === 'invalid_type' ? 'a group of options' : undefined
}

/** A group of options; the whole group may be left out. */
export function group<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const schema = z.strictObject(shape, { error: groupExpected })
  return schema.prefault(() => ({}) as z.input<typeof schema>)
}

/** A group of options for what is not there by default: null. */
export function optionalGroup<Shape extends z.core.$ZodLooseShape>(meaning: string, shape: Shape) {
  const schema = z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'a group of options, or null' : undefined),
  })
  return schema.nullable().prefault(null).describe(meaning)
}

function quantity(units: Record<string, number>, min: number, max: number, error: string) {
  return z.union([z.number(), z.string()], { error }).transform((value, context) => {
    const amount = typeof value === 'number' ? value : quantityOf(units, value)
    if (Number.isSafeInteger(amount) && amount >= min && amount <= max) return amount
    context.addIssue({ code: 'custom', message: error })
    return z.NEVER
  })
}

/** NaN when `value` is not a whole number and one of the units. */
function quantityOf(units: Record<string, number>, value: string): number {
  const [, amount, unit] = /^(\d+)([a-z]+)$/i.exec(value) ?? []
  return Number(amount) * ((unit !== undefined && units[unit.toLowerCase()]) || Number.NaN)
}
