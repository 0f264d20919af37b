/** Pieces of schemas that many routes have. */

import { isUtf8 } from 'node:buffer'
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

/** Of a long list of large payloads people want to see the beginnings. */
export const payloadLimit = z.int().min(0).optional().describe('Bytes of each payload that are told; default: all.')

export function payloadOf(bytes: Buffer, limit = bytes.length): { payload: string; encoding: 'utf8' | 'base64' } {
  if (!isUtf8(bytes)) return { payload: bytes.toString('base64', 0, limit), encoding: 'base64' }
  let end = Math.min(limit, bytes.length)
  // Not in the middle of a character.
  while (end > 0 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--
  return { payload: bytes.toString('utf8', 0, end), encoding: 'utf8' }
}

/** RFC 3339, UTC, milliseconds; null: there is no such time. */
export function timeOf(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : new Date(ms).toISOString()
}
