/** The options of access: the files of users, who guesses, and who may do what. */

import * as z from 'zod'
import { ruleTopicProblem } from '../core/grants.ts'
import { always, duration, group, integer, LONGEST_WAIT, MAX_TOPIC_LEVELS, oneOf, text, textOrNull } from './kinds.ts'

const action = z.enum(['publish', 'subscribe'])
const someActions = { error: 'publish, subscribe or a list of them' }
const actions = z.union([action, z.array(action).min(1, someActions)], someActions)

const ruleTopic = z.string({ error: 'a topic filter' }).superRefine((value, context) => {
  const problem = ruleTopicProblem(value, MAX_TOPIC_LEVELS)
  if (problem !== null) context.addIssue({ code: 'custom', message: `a topic filter (${problem})` })
})

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

export const access = group({
  passwordFile: textOrNull('the path of a password file').describe(
    'File of users and their passwords, as written by eventflow passwd or mosquitto_passwd.',
  ),
  scramFile: textOrNull('the path of a file').describe(
    'File of users for SCRAM-SHA-256, as written by eventflow passwd --scram.',
  ),
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
  aclFile: textOrNull('the path of an ACL file').describe(
    "File of further rules, in the format of Mosquitto's acl_file. They come after access.rules.",
  ),
  publishDenied: oneOf(['close', 'ignore'])
    .prefault('close')
    .describe('What a denied publish does to an MQTT 3.1.1 client, which cannot be told.'),
})
