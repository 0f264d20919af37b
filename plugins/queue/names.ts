/** Names of queues: the queue `eu/orders` lives on the topic `queue/eu/orders`. */

import { ReasonCode, Refusal, topicProblem } from '../../src/plugin.ts'

export const PREFIX = 'queue/'

/** The longest topic, in bytes [MQTT-1.5.4]. */
const MAX_TOPIC_BYTES = 65_535

export function nameOf(topic: string): string {
  return topic.slice(PREFIX.length)
}

export function topicOf(name: string): string {
  return PREFIX + name
}

/** Stands for the name of a queue in the name of its dead letter queue. */
const OWN_NAME = '%q'
const DEAD_LETTERS = `dead/${OWN_NAME}`

/** Whether a name may be that of a dead letter queue that `template` says, `dead/%q` for one. */
export function fitsTemplate(template: string, name: string): boolean {
  const [before, after] = template.split(OWN_NAME) as [string, string?]
  if (after === undefined) return name === template
  return name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after)
}

/** The queue whose dead letters usually are in the queue `name`; null: of none. */
export function originOf(name: string): string | null {
  return isUsualForDeadLetters(name) ? name.slice(DEAD_LETTERS.indexOf(OWN_NAME)) : null
}

/** Whether a name is one of those that dead letter queues have unless something else is said. */
export function isUsualForDeadLetters(name: string): boolean {
  return fitsTemplate(DEAD_LETTERS, name)
}

/** The dead letter queue of the queue `name`. Where the one that `template` says has too long a name, the usual one. */
export function deadLetterQueueOf(name: string, template: string): string {
  const queue = template.replace(OWN_NAME, () => name)
  return Buffer.byteLength(topicOf(queue)) > MAX_TOPIC_BYTES ? DEAD_LETTERS.replace(OWN_NAME, () => name) : queue
}

/** Whether a queue can live on `topic`. */
export function canBeTopic(topic: string): boolean {
  return (problemOf(topic) ?? topicProblem(topic, Infinity)) === null
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
  const longest = isUsualForDeadLetters(name) ? topic : topicOf(DEAD_LETTERS.replace(OWN_NAME, () => name))
  return Buffer.byteLength(longest) > MAX_TOPIC_BYTES ? 'the name of the queue is too long' : null
}
