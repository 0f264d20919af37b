/** Publishing one message, with all that a client of MQTT 5.0 could give it. */

import * as z from 'zod'
import { Message, madeProperties, type PluginContext, type QoS, topicProblem } from '../../../src/plugin.ts'
import { Problem } from '../problem.ts'
import { type Route, route } from '../route.ts'

export const MAX_LEVELS = 256
/** Bytes of text and of binary data in MQTT. */
const MAX_BYTES = 65_535

const publication = z.strictObject({
  topic: z.string(),
  payload: z.string().default(''),
  encoding: z.enum(['utf8', 'base64']).default('utf8').describe('How the payload is written here.'),
  qos: z.int().min(0).max(2).default(0),
  retain: z.boolean().default(false),
  expirySeconds: z.int().min(1).max(0xffff_ffff).optional().describe('Then nobody gets it any more.'),
  contentType: z.string().optional(),
  responseTopic: z.string().optional(),
  correlationData: z.string().optional().describe('In base64.'),
  userProperties: z
    .array(z.tuple([z.string(), z.string()]))
    .default([])
    .describe('Names and values, in order: `[["priority", "7"]]`.'),
})

type Publication = z.output<typeof publication>

export function publishRoutes(context: PluginContext<never>): Route[] {
  return [
    route(
      { body: publication },
      {
        method: 'POST',
        role: 'operate',
        tag: 'messages',
        path: '/publish',
        summary: 'Publish a message as the broker itself. Answered when it is as safe as a PUBACK says.',
        handle: async ({ body }) => {
          await context.publish(messageOf(body, context.clock.now()))
        },
      },
    ),
  ]
}

/** @throws Problem 400 when no message can be on this topic */
export function checkTopic(topic: string): void {
  const problem = topicProblem(topic, MAX_LEVELS)
  if (problem !== null) throw new Problem(400, 'TOPIC_INVALID', problem)
  // As from a client: a topic that nobody could subscribe to, or that breaks lines of logs, is none.
  if (/[\p{Cc}\p{Surrogate}]/u.test(topic)) {
    throw new Problem(400, 'TOPIC_INVALID', 'a topic has no control characters and no half characters')
  }
}

function messageOf(body: Publication, receivedAt: number): Message {
  const { topic, payload, encoding, qos, retain, expirySeconds, contentType, responseTopic, userProperties } = body
  checkTopic(topic)
  if (responseTopic !== undefined) checkTopic(responseTopic)
  for (const text of [contentType ?? '', ...userProperties.flat()]) checkText(text)
  const correlationData =
    body.correlationData === undefined ? undefined : bytesOf('correlationData', body.correlationData)
  if ((correlationData?.length ?? 0) > MAX_BYTES) throw invalid('correlationData is longer than 65,535 bytes')
  return Message.of({
    ...{ topic, qos: qos as QoS, retain, receivedAt },
    payload: encoding === 'base64' ? bytesOf('payload', payload) : Buffer.from(payload),
    properties: madeProperties({ contentType, responseTopic, correlationData, userProperties }),
    expiresAt: expirySeconds === undefined ? 0 : receivedAt + expirySeconds * 1000,
  })
}

/** Base64, with or without `=` at its end. Node.js reads what it can and passes over the rest, which would be another message. */
function bytesOf(name: string, base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/={0,2}$/, ''))
    throw invalid(`${name} is no base64`)
  return bytes
}

/** [MQTT-1.5.4-1, MQTT-1.5.4-2] */
function checkText(text: string): void {
  if (Buffer.byteLength(text) > MAX_BYTES) throw invalid('a property is longer than 65,535 bytes')
  if (text.includes('\0') || /\p{Surrogate}/u.test(text))
    throw invalid('a property has U+0000 or half a character in it')
}

function invalid(detail: string): Problem {
  return new Problem(400, 'REQUEST_INVALID', detail)
}
