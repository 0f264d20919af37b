/** The options of queues: what holds for all of them, and the policies by which some differ. */

import * as z from 'zod'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { duration, group, groupExpected, integer, LONGEST_WAIT, MAX_TOPIC_LEVELS, oneOf, size } from './kinds.ts'

const deadLetterExpected = 'the name of a queue, with %q for the name of the other (at most once, not alone), or null'

function isNameOfDeadLetters(name: string): boolean {
  return name !== '' && name !== '%q' && name.split('%q').length <= 2 && topicProblem(name, MAX_TOPIC_LEVELS) === null
}

const queueName = z.string({ error: 'a filter over names of queues' }).superRefine((value, context) => {
  const problem = filterProblem(`queue/${value}`, MAX_TOPIC_LEVELS)
  if (value !== '' && problem === null) return
  context.addIssue({ code: 'custom', message: `a filter over names of queues (${problem ?? 'this is empty'})` })
})

const deadLetter = z.union([z.string(), z.null()], { error: deadLetterExpected }).superRefine((value, context) => {
  if (value === null || isNameOfDeadLetters(value)) return
  context.addIssue({ code: 'custom', message: deadLetterExpected })
})

/** What can be set for all queues and for some. */
const queueOptions = {
  prefetch: integer(1, 65_535),
  ackTimeout: duration('1ms', LONGEST_WAIT),
  maxDeliveries: integer(1, 1000),
  expired: oneOf(['drop', 'dead-letter']),
  deadLetter,
  maxLength: z.union([integer(1, 1_000_000_000), z.null()], { error: 'a whole number from 1 to 1000000000, or null' }),
  maxBytes: z.union([size(1), z.null()], { error: 'a size of at least 1, or null' }),
  overflow: oneOf(['reject', 'drop-oldest']),
  dedupWindow: duration('1ms', LONGEST_WAIT),
  exclusive: oneOf(['none', 'consumer', 'producer', 'both']),
}
const rest = duration('0s', LONGEST_WAIT)

const policy = z.strictObject(
  {
    match: queueName,
    ...z.object(queueOptions).partial().shape,
    backoff: z.strictObject({ initial: rest.optional(), max: rest.optional() }, { error: groupExpected }).optional(),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'a policy: match and what differs' : undefined) },
)

export const queue = group({
  prefetch: queueOptions.prefetch.prefault(16).describe('Unacknowledged messages that a consumer holds at once.'),
  ackTimeout: queueOptions.ackTimeout
    .prefault('60s')
    .describe('Time that a consumer has to acknowledge a message before it is delivered again.'),
  maxDeliveries: queueOptions.maxDeliveries
    .prefault(5)
    .describe('Deliveries of a message before it is put with the dead letters.'),
  backoff: group({
    initial: rest.prefault('1s').describe('Wait before the first redelivery; it doubles.'),
    max: rest.prefault('60s').describe('Longest wait before a redelivery.'),
  }),
  expired: queueOptions.expired
    .prefault('drop')
    .describe('What becomes of messages whose expiry interval ends in a queue: drop or dead-letter.'),
  deadLetter: queueOptions.deadLetter
    .prefault('dead/%q')
    .describe('Queue for dead letters, %q being the name of the one they come from; null: they are dropped.'),
  maxLength: queueOptions.maxLength
    .prefault(null)
    .describe('Messages that a queue may hold, wherever they are; null: any number.'),
  maxBytes: queueOptions.maxBytes.prefault(null).describe('Bytes of payload that a queue may hold; null: any number.'),
  overflow: queueOptions.overflow
    .prefault('reject')
    .describe('What gives way when a queue is full: the new message (reject) or the oldest one (drop-oldest).'),
  dedupWindow: queueOptions.dedupWindow
    .prefault('5m')
    .describe('Time for which a message with the same dedup-id is acknowledged and not stored again.'),
  exclusive: queueOptions.exclusive
    .prefault('none')
    .describe('Who is served, or may publish, one at a time: none, consumer, producer or both.'),
  policies: z
    .array(policy, { error: 'a list of policies' })
    .prefault([])
    .describe('What differs for some queues: match (a filter over their names) and any of the options above.'),
})

/** What is wrong between the policies, all of whose values are right by themselves. */
export function* policyProblems({ policies, backoff: ofAll }: z.output<typeof queue>) {
  const seen = new Set<string>()
  for (const [index, { match, backoff }] of policies.entries()) {
    const path = ['queue', 'policies', index]
    if (seen.has(match)) yield { path: [...path, 'match'], expected: 'a filter that no other policy has' }
    seen.add(match)
    const { initial, max } = { ...ofAll, ...backoff }
    if (max! < initial!) yield { path: [...path, 'backoff'], expected: 'a max no less than initial' }
  }
}
