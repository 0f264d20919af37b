/** Pieces of schemas that many routes have. */

import * as z from 'zod'

export const limit = z.int().min(1).max(1000).default(100).describe('Entries of one page.')
export const after = z.string().optional().describe('`next` of the page before.')
export const clientId = z.object({ clientId: z.string() })
export const queueName = z.object({ name: z.string().describe('Without `queue/`; `/` written as `%2F`.') })

export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().nullable().describe('Ask with `after`; null: no more.') })
}

/** Text if the bytes are UTF-8, else base64; `encoding` says which. */
export const payload = { payload: z.string(), encoding: z.enum(['utf8', 'base64']) }

export function payloadOf(bytes: Buffer): { payload: string; encoding: 'utf8' | 'base64' } {
  const text = bytes.toString('utf8')
  if (Buffer.byteLength(text) === bytes.length && Buffer.from(text).equals(bytes))
    return { payload: text, encoding: 'utf8' }
  return { payload: bytes.toString('base64'), encoding: 'base64' }
}

/** RFC 3339, UTC, milliseconds; null: there is no such time. */
export function timeOf(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : new Date(ms).toISOString()
}
