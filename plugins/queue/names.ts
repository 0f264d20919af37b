/** Names of queues: the queue `eu/orders` lives on the topic `queue/eu/orders`. */

import { ReasonCode, Refusal, topicProblem } from '../../src/plugin.ts'

export const PREFIX = 'queue/'
const DEAD_PREFIX = 'dead/'

/** The longest topic, in bytes [MQTT-1.5.4]. */
const MAX_TOPIC_BYTES = 65_535

export function nameOf(topic: string): string {
  return topic.slice(PREFIX.length)
}

export function topicOf(name: string): string {
  return PREFIX + name
}

/** Whether messages in this queue have no delivery limit: there is nowhere further to put them. */
export function isDeadLetterQueue(name: string): boolean {
  return name.startsWith(DEAD_PREFIX)
}

export function deadLetterQueueOf(name: string): string {
  return DEAD_PREFIX + name
}

/** @throws Refusal 0x90 when no queue can live on `topic` */
export function checkTopic(topic: string): void {
  const problem = problemOf(topic) ?? topicProblem(topic, Infinity)
  if (problem !== null) throw new Refusal(ReasonCode.TopicNameInvalid, problem)
}

/** @throws Refusal 0x8f when `filter` can match no queue */
export function checkFilter(filter: string): void {
  const problem = problemOf(filter)
  if (problem !== null) throw new Refusal(ReasonCode.TopicFilterInvalid, problem)
}

function problemOf(topic: string): string | null {
  const name = nameOf(topic)
  if (name === '') return 'a queue has a name: queue/<name>'
  // Its dead letter queue needs a topic too.
  const longest = isDeadLetterQueue(name) ? topic : topicOf(deadLetterQueueOf(name))
  return Buffer.byteLength(longest) > MAX_TOPIC_BYTES ? 'the name of the queue is too long' : null
}
