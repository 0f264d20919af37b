/**
 * The one list of options: what they are called, what they may be, what they are by default and what they mean. The
 * environment variables, `config/eventflow.yaml` and `docs/configuration.md` follow it; tests hold them to it.
 */

import * as z from 'zod'
import { access } from './access.ts'
import { httpAuth, jwt, jwtProblems } from './authenticators.ts'
import { http } from './http.ts'
import { always, duration, group, groupExpected, LONGEST_TIMER, LONGEST_WAIT, oneOf, text } from './kinds.ts'
import { limits } from './limits.ts'
import { listenerProblems } from './listener-problems.ts'
import { listeners } from './listeners.ts'
import { log } from './log.ts'
import { mqtt } from './mqtt.ts'
import { policyProblems, queue } from './queue.ts'
import { session } from './session.ts'
import { status } from './status.ts'

const name = 'a name of letters, digits, dots, dashes and underscores'

const groups = z.strictObject(
  {
    node: z
      .string({ error: name })
      .regex(/^[\w.-]{1,128}$/, { error: name })
      .prefault('eventflow')
      .describe('Name of this node: the source of its events.'),
    listeners,
    limits,
    http,
    store: group({
      kind: oneOf(['level', 'memory'])
        .prefault('level')
        .describe('Where messages and sessions are kept: level on disk, memory for as long as the process lives.'),
      path: text('the path of a directory')
        .prefault('data')
        .describe('Directory of the level store, relative to the working directory.'),
      backupPath: text('the path of a directory')
        .prefault('backups')
        .describe(
          'Directory that backups are written below, relative to the working directory; HTTP writes nowhere else.',
        ),
    }),
    log,
    shutdownTimeout: duration('0s', LONGEST_TIMER)
      .prefault('10s')
      .describe('How long a stop waits for what is in flight.'),
    overload: group({
      lag: duration('0s', '1h')
        .prefault('250ms')
        .describe('How long what clients send may wait before the broker counts as overloaded; 0: nobody watches.'),
      period: duration('1ms', '1h')
        .prefault('3s')
        .describe('How long that must last for broker.overloaded to be told, and its end for broker.relieved.'),
    }),
    mqtt,
    session,
    queue,
    status,
    sys: group({
      interval: duration('0s', LONGEST_WAIT)
        .prefault('10s')
        .describe('How often the values below $SYS are told that have changed; 0: they are not told at all.'),
    }),
    access,
    jwt,
    httpAuth,
  },
  { error: groupExpected },
)

export const configSchema = groups
  .superRefine((given, context) => {
    for (const { path, expected } of [...listenerProblems(given), ...jwtProblems(given.jwt)]) {
      context.addIssue({ code: 'custom', path, message: expected })
    }
  }, always)
  .refine(({ queue }) => !(queue?.backoff?.max < queue?.backoff?.initial), {
    ...always,
    path: ['queue', 'backoff', 'max'],
    error: 'no less than queue.backoff.initial',
  })
  .refine(({ access }) => !(access?.slowDown?.max < access?.slowDown?.initial), {
    ...always,
    path: ['access', 'slowDown', 'max'],
    error: 'no less than access.slowDown.initial',
  })
  .superRefine(({ queue }, context) => {
    for (const { path, expected } of policyProblems(queue)) {
      context.addIssue({ code: 'custom', path, message: expected })
    }
  })

/** Every option with its value: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>
/** What a user may give: any of the options, durations and sizes as text too. A Config is one as well. */
export type ConfigInput = z.input<typeof configSchema>
