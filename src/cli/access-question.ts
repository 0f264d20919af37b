/** May somebody do something, and by which rule? Asked of a broker that is put together and never started. */

import type { AccessControl } from '../../plugins/index.ts'
import type { Config } from '../config/schema.ts'
import type { Action } from '../core/grants.ts'
import { Refusal } from '../core/reason-codes.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { kernelFor, setUpPlugins } from './dry-run.ts'

export interface Question {
  user: string | null
  clientId: string
  roles: readonly string[]
  action: Action
  topic: string
}

export interface Answer extends Question {
  allowed: boolean
  /** What rules are asked about: `queue/a` for `$queue/a`. */
  asked: string
  /** Where the rule stands that decided; null: none did. */
  place: string | null
  /** The topic in the rule that decided, as it was written. */
  rule: string | null
  /** The same in words. */
  reason: string
}

/** What gives topics a meaning, and rules their say. */
const ASKED = new Set(['queue', 'delayed', 'status', 'sys', 'access'])

/** @throws EventflowError ACCESS_FILE_INVALID */
export async function ask(config: Config, question: Question): Promise<Answer> {
  const { user: username, clientId, roles, action, topic } = question
  const refused = (reason: string): Answer => ({
    ...question,
    allowed: false,
    asked: topic,
    place: null,
    rule: null,
    reason,
  })
  const { maxTopicLevels } = config.mqtt
  const problem = (action === 'publish' ? topicProblem : filterProblem)(topic, maxTopicLevels)
  if (problem !== null) return refused(problem)
  const control = await controlOf(config)
  try {
    const { topic: rule, ...explanation } = control.explain({ clientId, username, roles }, action, topic)
    return { ...question, ...explanation, rule }
  } catch (error) {
    if (error instanceof Refusal) return refused(error.message)
    throw error
  }
}

async function controlOf(config: Config): Promise<AccessControl> {
  const kernel = await kernelFor(config)
  await setUpPlugins(kernel, config, (name) => ASKED.has(name))
  return kernel.plugins.api('access') as AccessControl
}
