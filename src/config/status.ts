/** The options of status: on which topic events are told, how many are kept, and the file that they are written to. */

import * as z from 'zod'
import { EVENT_TYPES } from '../core/event-types.ts'
import { topicProblem } from '../core/topics.ts'
import { flag, group, integer, MAX_TOPIC_LEVELS, optionalGroup } from './kinds.ts'
import { filePath, fullFiles } from './log.ts'

const PREFIX = '$eventflow/'
/** What else begins with the prefix, and is not for all events. */
const TAKEN = ['$eventflow/events/', '$eventflow/receipts/']

const AREAS = new Set(EVENT_TYPES.map((type) => type.slice(0, type.indexOf('.'))))

const typesExpected = 'a list of areas (client) or events (client.connected), or null'

const types = z
  .union(
    [z.array(z.string({ error: typesExpected }), { error: typesExpected }).min(1, { error: typesExpected }), z.null()],
    {
      error: typesExpected,
    },
  )
  .superRefine((names, context) => {
    for (const [i, name] of (names ?? []).entries()) {
      if (AREAS.has(name) || (EVENT_TYPES as readonly string[]).includes(name)) continue
      context.addIssue({ code: 'custom', path: [i], message: 'an area (client) or an event (client.connected)' })
    }
  })
  .prefault(null)

const topicExpected = `a topic name that begins with ${PREFIX}`

const topic = z.string({ error: topicExpected }).superRefine((value, context) => {
  const taken = TAKEN.find((prefix) => `${value}/`.startsWith(prefix))
  const problem = value.startsWith(PREFIX) ? topicProblem(value, MAX_TOPIC_LEVELS) : 'this begins otherwise'
  const why = problem ?? (taken === undefined ? null : `${taken} has other messages`)
  if (why === null && value.length > PREFIX.length) return
  context.addIssue({ code: 'custom', message: why === null ? topicExpected : `${topicExpected} (${why})` })
})

export const status = group({
  topic: topic.prefault(`${PREFIX}status`).describe('Topic of the events of the broker.'),
  recent: integer(0, 1_000_000)
    .prefault(1000)
    .describe('Events that are kept in memory for those who come later; 0: none.'),
  recentMessages: flag()
    .prefault(false)
    .describe('Whether events that happen as often as messages do are kept too; each message costs more then.'),
  file: optionalGroup('File that events are written to, one JSON object a line; null: none.', {
    path: filePath,
    types: types.describe(
      'What is written: areas (client) or events (queue.dead-lettered); null: all but those of each message.',
    ),
    ...fullFiles,
  }),
})
