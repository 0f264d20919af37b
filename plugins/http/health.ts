/**
 * Health, for whoever restarts or sends clients here. `/health`: the process answers. `/ready`: clients are served as promised,
 * which they are not while nothing can be written to disk. Neither takes a token, and neither tells more than yes or no and why.
 */

import * as z from 'zod'
import type { PluginContext } from '../../src/plugin.ts'
import { type Route, route } from './route.ts'

const answer = z.object({ status: z.enum(['ok', 'unavailable']), reason: z.string().optional() })
const open = { method: 'GET', role: null, tag: 'health', answer } as const

export function healthRoutes({ store }: PluginContext<never>, isServing: () => boolean): Route[] {
  return [
    route({}, { ...open, path: '/health', summary: 'Whether the process answers.', handle: () => ({ status: 'ok' }) }),
    route(
      {},
      {
        ...open,
        path: '/ready',
        summary: 'Whether clients are served: 200, or 503 with the reason.',
        otherwise: 503,
        handle: (_input, reply) => {
          if (isServing() && store.fault === null) return { status: 'ok' }
          const reason = isServing() ? 'the store cannot write' : 'the broker is starting or stopping'
          reply.code(503)
          return { status: 'unavailable', reason }
        },
      },
    ),
  ]
}
