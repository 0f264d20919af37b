/**
 * May somebody do something, and by which rule? Asked of a broker that is put together from the configuration and never
 * started: it is open to nobody, and keeps nothing but in memory.
 */

import { type AccessControl, builtInPlugins } from '../../plugins/index.ts'
import { SILENT } from '../assembly/telling.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from '../core/clock.ts'
import { Counters } from '../core/counters.ts'
import { EventBus } from '../core/event-bus.ts'
import type { Action } from '../core/grants.ts'
import { Refusal } from '../core/reason-codes.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { Chronicle } from '../kernel/chronicle.ts'
import { Kernel } from '../kernel/kernel.ts'
import { NEVER_EXPIRES } from '../session/session.ts'
import { openStore } from '../store/open.ts'
import { VERSION } from '../version.ts'

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
  const events = new EventBus(() => {})
  const quiet = { keep: 0, keepMessages: false, onFault() {} }
  const store = await openStore({ kind: 'memory', path: '', onFault: () => {}, onRecovered: () => {} })
  const kernel = new Kernel({
    store,
    clock: systemClock,
    events,
    chronicle: new Chronicle({ events, now: systemClock.now, node: config.node, ...quiet }),
    counters: new Counters(),
    log: SILENT,
    node: config.node,
    version: VERSION,
    maxTopicLevels: config.mqtt.maxTopicLevels,
    limits: config.session,
    maxExpirySeconds: NEVER_EXPIRES,
  })
  // Publish/subscribe owns what no other does; nothing is ever published here.
  kernel.namespaces.claim('', { accept() {}, subscribe: () => undefined, unsubscribe() {} })
  const plugins = builtInPlugins.filter(({ name }) => ASKED.has(name))
  const options = config as Record<string, unknown>
  await kernel.plugins.setUp(plugins, (plugin) => kernel.contextOf(plugin, options[plugin.name] ?? {}))
  await store.close()
  return kernel.plugins.api('access') as AccessControl
}
