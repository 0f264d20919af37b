/** In which order the parts of a broker are taken into operation, and out of it: lists, to be read from the top. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import type { Events } from '../core/events.ts'
import { chooseAuthenticators } from '../kernel/listener-chains.ts'
import type { Logger, Plugin } from '../kernel/plugin-contract.ts'
import { optionsOf } from '../reload/parts.ts'
import type { Parts } from './parts.ts'
import { provide } from './provided.ts'
import { SILENT } from './telling.ts'

/** What a start goes by, beside the parts. */
export interface Starting {
  config: Config
  /** Says what is in force, whenever it is asked. */
  configuration: () => Config
  /** The file that the configuration was read from; null: none. */
  configFile: string | null
  /** All plugins, in the order of their setup; those whose options are null stay off. */
  plugins: ReadonlyArray<Plugin<never>>
  events: Events
  log: Logger
}

/** From the store to the listeners: whoever can connect finds all that there was before. */
export async function startUp(parts: Parts, starting: Starting): Promise<void> {
  const { store, kernel, pubsub, broker, listeners, watch, notices } = parts
  const { config, configuration, configFile, plugins, events, log } = starting
  if (log !== SILENT) notices.start()
  await pubsub.load()
  kernel.namespaces.claim('', pubsub)
  provide(parts, configuration)
  await kernel.plugins.setUp(
    plugins.filter(({ name }) => optionsOf(config, name) !== null),
    (plugin) => kernel.contextOf(plugin, optionsOf(config, plugin.name)),
  )
  chooseAuthenticators(kernel.access, config.listeners)()
  events.emit('config.loaded', { file: configFile })
  await kernel.loadSessions()
  events.emit('store.opened', { kind: store.kind, sessions: kernel.sessions.size, retained: pubsub.retainedCount })
  await kernel.plugins.start()
  kernel.start()
  await broker.start()
  for (const listener of listeners) await listener.start()
  watch.start()
}

/** Let nobody in any more. What clients have sent is made safe and acknowledged before they are sent away, if time allows. */
export async function settle({ listeners, store }: Parts, limitMs: number): Promise<void> {
  for (const listener of listeners) await listener.stop()
  await Promise.race([store.durable().catch(() => {}), pause(limitMs, undefined, { ref: false })])
  await pause(0)
}

/** In reverse of how it was put up; each part even when another fails. */
export async function takeDown(parts: Parts, log: Logger): Promise<void> {
  const { store, kernel, pubsub, broker, listeners, local, watch, notices } = parts
  const steps = [
    () => watch.stop(),
    // Loops over jobs end first: what comes to a queue now, wills too, waits there. Subscriptions of the program hear them yet.
    () => local.stop(),
    ...listeners.map((listener) => () => listener.stop()),
    () => broker.stop(),
    () => kernel.plugins.stop(),
    () => kernel.stop(),
    () => pubsub.stop(),
    () => store.close(),
    () => notices.stop(),
  ]
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      log.error({ error }, 'a part could not be stopped')
    }
  }
}
