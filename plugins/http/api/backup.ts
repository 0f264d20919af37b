/**
 * Backups: one is begun by a call that is answered at once, for it may take longer than what is between here and there waits
 * for an answer; another call tells how it goes.
 */

import * as z from 'zod'
import type { BackupStatus, Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'
import { timeOf } from './common.ts'

const backup = z.object({
  state: z.enum(['running', 'finished', 'failed']),
  path: z.string().describe('Where it is, on the machine of the broker.'),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  records: z.int(),
  bytes: z.int(),
  damaged: z.int().describe('Records that are damaged in the store itself.'),
  damagedKeys: z.array(z.string()),
  fault: z.object({ code: z.string(), message: z.string() }).nullable(),
})

const path = z.string().min(1).max(1024).describe('An empty or new directory below store.backupPath.')

export function backupRoutes(ports: Ports): Route[] {
  return [
    route(
      {},
      {
        method: 'GET',
        role: 'read',
        tag: 'backup',
        path: '/backup',
        summary: 'The latest backup since the start: how far it is, or how it ended.',
        answer: backup,
        handle: () => {
          const { latest } = ports.backups
          if (latest === null) throw new Problem(404, 'BACKUP_NONE', 'no backup was asked for since the start')
          return backupOf(latest)
        },
      },
    ),
    route(
      { query: z.object({ path }) },
      {
        method: 'POST',
        role: 'operate',
        tag: 'backup',
        path: '/backup',
        summary: 'Begin a backup: a copy of all that outlives the process, as it is at one moment.',
        answer: backup,
        handle: ({ query }) => backupOf(ports.backups.start(query.path)),
      },
    ),
  ]
}

function backupOf({ startedAt, endedAt, ...rest }: BackupStatus): z.output<typeof backup> {
  return {
    ...rest,
    startedAt: timeOf(startedAt)!,
    endedAt: timeOf(endedAt),
    damagedKeys: [...rest.damagedKeys],
  }
}
