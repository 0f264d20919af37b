/** What a topic `$delayed/<seconds>/<topic>` says. */

import { ReasonCode, Refusal, topicProblem } from '../../src/plugin.ts'

export const PREFIX = '$delayed/'

/** Ten years. */
const LONGEST_SECONDS = 315_360_000

export interface DelayedTopic {
  seconds: number
  /** Where the message is to go. */
  topic: string
}

/** @throws Refusal 0x90 when it says nothing that can be done */
export function readTopic(text: string): DelayedTopic {
  const end = text.indexOf('/', PREFIX.length)
  const seconds = end === -1 ? '' : text.slice(PREFIX.length, end)
  if (!/^\d{1,9}$/.test(seconds) || Number(seconds) > LONGEST_SECONDS) {
    throw invalid(`a delayed topic is ${PREFIX}<seconds>/<topic>, with at most ${LONGEST_SECONDS} seconds`)
  }
  const topic = text.slice(end + 1)
  const problem = topic.startsWith(PREFIX) ? 'a delay cannot be delayed' : topicProblem(topic, Infinity)
  if (problem !== null) throw invalid(problem)
  return { seconds: Number(seconds), topic }
}

function invalid(text: string): Refusal {
  return new Refusal(ReasonCode.TopicNameInvalid, text)
}
