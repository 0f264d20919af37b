/**
 * The one list of options: what they are called, what they may be, what they are by default and what they mean. The
 * environment variables, `config/eventflow.yaml` and `docs/configuration.md` follow it; tests hold them to it.
 */

import * as z from 'zod'
import { ruleTopicProblem } from '../core/grants.ts'
import { filterProblem, MAX_TOPIC_BYTES, topicProblem } from '../core/topics.ts'
import { httpAuth, jwt, jwtProblems } from './authenticators.ts'
import { http } from './http.ts'
import {
  duration,
  flag,
  group,
  groupExpected,
  integer,
  LARGEST_PACKET,
  LONGEST_TIMER,
  oneOf,
  size,
  text,
} from './kinds.ts'
import { limits } from './limits.ts'
import { listenerProblems } from './listener-problems.ts'
import { listeners } from './listeners.ts'
import { log } from './log.ts'
import { status } from './status.ts'

/** MQTT sets no limit (section 4.7.3). This keeps the trees shallow, and is more than the 201 that Mosquitto takes. */
const MAX_TOPIC_LEVELS = 256
/** No client waits this long; it only keeps sums of milliseconds far from where numbers lose precision. */
const LONGEST_WAIT = '365d'
/** A session expiry of 2^32 - 1 seconds means never, so the longest that ends is a second less. */
const LONGEST_EXPIRY = '4294967294s'
/** Two bytes of seconds. */
const LONGEST_KEEP_ALIVE = '65535s'

const action = z.enum(['publish', 'subscribe'])
const someActions = { error: 'publish, subscribe or a list of them' }
const actions = z.union([action, z.array(action).min(1, someActions)], someActions)

const ruleTopic = z.string({ error: 'a topic filter' }).superRefine((value, context) => {
  const problem = ruleTopicProblem(value, MAX_TOPIC_LEVELS)
  if (problem !== null) context.addIssue({ code: 'custom', message: `a topic filter (${problem})` })
})

const deadLetterExpected = 'the name of a queue, with %q for the name of the other (at most once, not alone), or null'

function isNameOfDeadLetters(name: string): boolean {
  return name !== '' && name !== '%q' && name.split('%q').length <= 2 && topicProblem(name, MAX_TOPIC_LEVELS) === null
}

/** Cross-checks run beside the others, not after them, so that all problems are told at once. */
const always = { when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null }

const rule = z
  .strictObject(
    {
      allow: actions.optional(),
      deny: actions.optional(),
      user: text('the name of a user').optional(),
      role: text('the name of a role').optional(),
      topics: z.array(ruleTopic, { error: 'a list of topic filters' }).min(1, { error: 'at least one topic filter' }),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'a rule: allow or deny, topics and perhaps user or role' : undefined,
    },
  )
  .refine(({ allow, deny }) => (allow === undefined) !== (deny === undefined), {
    ...always,
    error: 'either allow or deny',
  })
  .refine(({ user, role }) => user === undefined || role === undefined, {
    ...always,
    error: 'a user or a role, not both',
  })

/** Names of users by role. */
const roles = z.record(
  text('the name of a role'),
  z.array(text('the name of a user'), { error: 'a list of names of users' }),
  { error: 'lists of names of users, by role' },
)

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
    mqtt: group({
      maxPacketSize: size(1, LARGEST_PACKET).prefault('10MB').describe('Largest packet that a client may send.'),
      maxTopicLevels: integer(1, MAX_TOPIC_LEVELS)
        .prefault(MAX_TOPIC_LEVELS)
        .describe('Most levels that a topic or a filter may have.'),
      maxTopicLength: integer(1, MAX_TOPIC_BYTES)
        .prefault(MAX_TOPIC_BYTES)
        .describe('Most bytes of UTF-8 that a topic or a filter may have.'),
      // Five fields of 65,535 bytes each, and as much again for the user properties of the connection and of its will.
      maxConnectSize: size(1_024, LARGEST_PACKET)
        .prefault('512KB')
        .describe('Largest CONNECT; never more than maxPacketSize.'),
      connectTimeout: duration('1ms', LONGEST_TIMER)
        .prefault('10s')
        .describe('Time that a client has to send CONNECT.'),
      maxKeepAlive: z
        .union([z.literal('none'), duration('1s', LONGEST_KEEP_ALIVE)], {
          error: 'none, or a duration: milliseconds as a number, or text such as 500ms, 10s, 5m, 2h, 1d',
        })
        .prefault('none')
        .describe('Longest keep alive of an MQTT 5.0 client, which is told: Server Keep Alive.'),
      checkPayloadFormat: flag()
        .prefault(false)
        .describe('Whether a payload that an MQTT 5.0 client declares as UTF-8 is refused when it is not.'),
      // Half of all packet identifiers: the mqtt package does not look at it, and sends all that a program hands it at once.
      receiveMaximum: integer(1, 65_535)
        .prefault(32_767)
        .describe('QoS 1 and 2 messages that an MQTT 5.0 client may have under way to the broker: Receive Maximum.'),
      topicAliasMaximum: integer(0, 65_535)
        .prefault(10)
        .describe('Topic aliases of MQTT 5.0 that a connection may have in each direction; 0 for none.'),
    }),
    session: group({
      maxInflight: integer(1, 65_535)
        .prefault(100)
        .describe('Unacknowledged QoS 1 and 2 messages sent to a client at once; never more than its Receive Maximum.'),
      maxQueued: integer(1, 1_000_000_000)
        .prefault(10_000)
        .describe('Messages that may wait for one session, beyond those in flight.'),
      maxQueuedBytes: size(1).prefault('64MB').describe('Bytes of messages that may wait for one session.'),
      maxSocketBuffer: size(1)
        .prefault('1MB')
        .describe("Bytes waiting in a client's socket before its QoS 0 messages are dropped."),
      maxExpiry: z
        .union([z.literal('never'), duration('0s', LONGEST_EXPIRY)], {
          error: 'never, or a duration: milliseconds as a number, or text such as 500ms, 10s, 5m, 2h, 1d',
        })
        .prefault('never')
        .describe('Longest time that a session outlives its connection.'),
    }),
    queue: group({
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
      maxBytes: queueOptions.maxBytes
        .prefault(null)
        .describe('Bytes of payload that a queue may hold; null: any number.'),
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
    }),
    status: status(MAX_TOPIC_LEVELS),
    sys: group({
      interval: duration('0s', LONGEST_WAIT)
        .prefault('10s')
        .describe('How often the values below $SYS are told that have changed; 0: they are not told at all.'),
    }),
    access: group({
      passwordFile: z
        .union([text('a path'), z.null()], { error: 'the path of a password file, or null' })
        .prefault(null)
        .describe('File of users and their passwords, as written by eventflow passwd or mosquitto_passwd.'),
      scramFile: z
        .union([text('a path'), z.null()], { error: 'the path of a file, or null' })
        .prefault(null)
        .describe('File of users for SCRAM-SHA-256, as written by eventflow passwd --scram.'),
      certificateUser: oneOf(['none', 'cn', 'san'])
        .prefault('none')
        .describe('Name in a client certificate that is the user: common name, or first subject alternative name.'),
      slowDown: group({
        after: z
          .union([integer(0, 1_000_000), z.null()], { error: 'a whole number from 0 to 1000000, or null' })
          .prefault(10)
          .describe('Wrong passwords from one address that cost nothing; null: any number.'),
        initial: duration('1ms', LONGEST_WAIT)
          .prefault('1s')
          .describe('Time for which no one unknown is heard from an address after the first beyond them; it doubles.'),
        max: duration('1ms', LONGEST_WAIT).prefault('1m').describe('Longest such time.'),
      }),
      rules: z
        .array(rule, { error: 'a list of rules' })
        .prefault([])
        .describe('Who may do what: allow or deny, user or role (absent: everyone), topics (with %c and %u).'),
      roles: roles.prefault({}).describe('Users who have a role, for rules with a role: lists of names by role.'),
      aclFile: z
        .union([text('a path'), z.null()], { error: 'the path of an ACL file, or null' })
        .prefault(null)
        .describe("File of further rules, in the format of Mosquitto's acl_file. They come after access.rules."),
      publishDenied: oneOf(['close', 'ignore'])
        .prefault('close')
        .describe('What a denied publish does to an MQTT 3.1.1 client, which cannot be told.'),
    }),
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
    const seen = new Set<string>()
    for (const [index, { match, backoff }] of queue.policies.entries()) {
      const path = ['queue', 'policies', index]
      if (seen.has(match)) {
        context.addIssue({ code: 'custom', path: [...path, 'match'], message: 'a filter that no other policy has' })
      }
      seen.add(match)
      const { initial, max } = { ...queue.backoff, ...backoff }
      if (max! >= initial!) continue
      context.addIssue({ code: 'custom', path: [...path, 'backoff'], message: 'a max no less than initial' })
    }
  })

/** Every option with its value: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>
/** What a user may give: any of the options, durations and sizes as text too. A Config is one as well. */
export type ConfigInput = z.input<typeof configSchema>
