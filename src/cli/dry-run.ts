/**
 * A broker that is put together from the configuration and never started: it listens nowhere, and keeps nothing but in memory. So all
 * that would keep a start from succeeding is found without one, as far as it can be without opening, writing or asking anything.
 */

import { builtInPlugins } from '../../plugins/index.ts'
import { SILENT } from '../assembly/telling.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from '../core/clock.ts'
import { Counters } from '../core/counters.ts'
import { EventflowError } from '../core/errors.ts'
import { EventBus } from '../core/event-bus.ts'
import { Chronicle } from '../kernel/chronicle.ts'
import { Kernel } from '../kernel/kernel.ts'
import { chooseAuthenticators } from '../kernel/listener-chains.ts'
import { kernelLimits, sessionLimits } from '../reload/limits.ts'
import { optionsOf } from '../reload/parts.ts'
import { openStore } from '../store/open.ts'
import { Gate } from '../transport/gate.ts'
import { gateLimits, makeListeners } from '../transport/listeners/make.ts'
import { VERSION } from '../version.ts'
import { writeProblem } from './write-problem.ts'

const events = new EventBus(() => {})

/** A kernel that has every topic, and no plugin yet. */
export async function kernelFor(config: Config): Promise<Kernel> {
  const store = await openStore({ kind: 'memory', path: '', onFault: () => {}, onRecovered: () => {} })
  const quiet = { keep: 0, keepMessages: false, onFault() {} }
  const kernel = new Kernel({
    ...{
      store,
      clock: systemClock,
      events,
      counters: new Counters(),
      log: SILENT,
      version: VERSION,
      node: config.node,
    },
    chronicle: new Chronicle({ events, now: systemClock.now, node: config.node, ...quiet }),
    limits: sessionLimits(config),
    ...kernelLimits(config),
  })
  // Publish/subscribe owns what no other does; nothing is ever published here.
  kernel.namespaces.claim('', { accept() {}, subscribe: () => undefined, unsubscribe() {} })
  return kernel
}

/** Set up those built-in plugins that are on, and that `wanted` wants. @throws EventflowError */
export async function setUpPlugins(kernel: Kernel, config: Config, wanted: (name: string) => boolean): Promise<void> {
  const plugins = builtInPlugins.filter(({ name }) => wanted(name) && optionsOf(config, name) !== null)
  await kernel.plugins.setUp(plugins, (plugin) => kernel.contextOf(plugin, optionsOf(config, plugin.name)))
}

/** All that is wrong with what the configuration names: files of users, keys, rules and certificates, names of authenticators, paths. */
export async function problemsOf(config: Config): Promise<string[]> {
  const problems: string[] = []
  const attempt = async (task: () => unknown): Promise<void> => {
    try {
      await task()
    } catch (error) {
      if (!(error instanceof EventflowError)) throw error
      problems.push(error.message)
    }
  }
  const kernel = await kernelFor(config)
  for (const { name } of builtInPlugins) await attempt(() => setUpPlugins(kernel, config, (one) => one === name))
  // Whose names these are is not known if some have not joined.
  if (problems.length === 0) await attempt(() => chooseAuthenticators(kernel.access, config.listeners))
  for (const listener of listenersOf(config)) await attempt(() => listener.prepare(config))
  return [...problems, ...(await pathProblems(config))]
}

function listenersOf(config: Config) {
  const gate = new Gate(gateLimits(config), systemClock)
  return makeListeners(config, { gate, attach() {}, clock: systemClock, events, log: SILENT })
}

async function pathProblems({ store, log, status }: Config): Promise<string[]> {
  const paths = [
    ['store.path', store.kind === 'memory' ? null : store.path, 'directory'],
    ['log.file.path', log.file?.path ?? null, 'file'],
    ['status.file.path', status.file?.path ?? null, 'file'],
  ] as const
  const found = []
  for (const [option, path, kind] of paths) {
    const problem = path === null ? null : await writeProblem(path, kind)
    if (problem !== null) found.push(`${option}: ${path} ${problem}`)
  }
  return found
}
