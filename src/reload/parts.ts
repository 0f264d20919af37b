/** The parts of a running broker that take another configuration, in the order in which they are asked. */

import type { Config } from '../config/schema.ts'
import type { SharedRoom } from '../core/shared-room.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { chooseAuthenticators } from '../kernel/listener-chains.ts'
import type { OverloadWatch } from '../kernel/overload-watch.ts'
import type { PluginHost } from '../kernel/plugin-host.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import type { OutboxLimits } from '../session/outbox.ts'
import type { Broker } from '../transport/broker.ts'
import type { Gate } from '../transport/gate.ts'
import type { HttpDoor } from '../transport/listeners/http-door.ts'
import type { Listener } from '../transport/listeners/listener.ts'
import { gateLimits, ownLimits } from '../transport/listeners/make.ts'
import { LIVE_OPTIONS } from './changes.ts'
import { kernelLimits, maxMemory, overloadLimits, retainedLimits, sessionLimits, transportLimits } from './limits.ts'
import type { ReloadPart } from './part.ts'

export interface Reloadable {
  kernel: Kernel
  broker: Broker
  gate: Gate
  room: SharedRoom
  pubsub: PubSub
  watch: OverloadWatch
  listeners: readonly Listener[]
  door: HttpDoor
  /** The object that all sessions look at. */
  limits: OutboxLimits
}

export function partsOf({
  kernel,
  broker,
  gate,
  room,
  pubsub,
  watch,
  listeners,
  door,
  limits,
}: Reloadable): ReloadPart[] {
  const applyLimits = (config: Config) => (): void => {
    Object.assign(limits, sessionLimits(config))
    kernel.change(kernelLimits(config))
    broker.change(transportLimits(config), ownLimits(config))
    gate.change(gateLimits(config))
    room.max = maxMemory(config)
    pubsub.retainedLimits = retainedLimits(config)
    watch.change(overloadLimits(config))
  }
  return [
    ...listeners.map((listener) => ({
      name: `listeners.${listener.name}`,
      files: () => listener.files(),
      prepare: (config: Config) => listener.prepare(config),
    })),
    { name: 'http', files: () => [], prepare: (config) => door.prepare(config) },
    { name: 'mqtt', files: () => [], prepare: applyLimits },
    {
      name: 'authenticators',
      files: () => [],
      prepare: ({ listeners }) => chooseAuthenticators(kernel.access, listeners),
    },
    // Access is the last of the built-in ones: rules take effect when nothing can come in between any more.
    ...kernel.plugins.reloadable.map(({ name, instance }) => ({
      name,
      files: () => instance.files?.() ?? [],
      prepare: (config: Config) => instance.reload?.(optionsOf(config, name)),
    })),
  ]
}

/**
 * Whether an option takes effect while the broker runs.
 * @param plugins names of all plugins, those included that are off
 */
export function isLive(path: string, plugins: readonly string[], reloadable: PluginHost['reloadable']): boolean {
  if (LIVE_OPTIONS.has(path)) return true
  const within = plugins.filter((name) => path === pathOf(name) || path.startsWith(`${pathOf(name)}.`))
  const owner = within.toSorted((a, b) => b.length - a.length)[0]
  const plugin = reloadable.find(({ name }) => name === owner)
  // All of its options at once: it is turned on or off, which is a matter of a start.
  if (plugin === undefined || path === pathOf(plugin.name)) return false
  return !plugin.instance.fixed?.includes(path.slice(plugin.name.length + 1))
}

/** What the configuration has for a plugin; null: it is off. */
export function optionsOf(config: Config, plugin: string): unknown {
  // Some plugins need to know more than their own options say: whether there are users at all, and limits.
  const { access, jwt, httpAuth, queue, limits } = config
  if (plugin === 'access') return { ...access, usersElsewhere: jwt !== null || httpAuth !== null }
  const { maxQueues, maxDelayed } = limits
  if (plugin === 'queue') return { ...queue, maxQueues, maxDelayed }
  if (plugin === 'delayed') return { maxDelayed }
  const within = (options: unknown, key: string): unknown => (options as Record<string, unknown> | null)?.[key]
  const options = pathOf(plugin)
    .split('.')
    .reduce(within, config as unknown)
  return options === undefined ? {} : options
}

/** The options of `queue` are those under `queue`, and those of `status-file` under `status.file`. */
function pathOf(plugin: string): string {
  return plugin.replaceAll('-', '.')
}
