/** Plugins in order: set up and started first to last, stopped last to first; a failure names the guilty one. Each step is told. */

import { EventflowError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { Plugin, PluginContext, PluginInstance } from './plugin-contract.ts'

export class PluginHost {
  readonly #events: Pick<Events, 'emit'>
  readonly #running: Array<{ name: string; instance: PluginInstance }> = []
  readonly #provided = new Map<string, object>()
  #started = 0

  constructor(events: Pick<Events, 'emit'>) {
    this.#events = events
  }

  /** @param contextOf makes what the plugin is given */
  async setUp(
    plugins: ReadonlyArray<Plugin<never>>,
    contextOf: (plugin: Plugin<never>) => PluginContext,
  ): Promise<void> {
    for (const plugin of plugins) {
      const instance = await this.#guarded(plugin.name, 'set up', () =>
        plugin.setup(contextOf(plugin) as PluginContext<never>),
      )
      if (instance !== null) this.#running.push({ name: plugin.name, instance: instance ?? {} })
    }
  }

  /** What a part of the house, which is no plugin, lets programs and plugins call under a name of its own. */
  provide(name: string, api: object): void {
    this.#provided.set(name, api)
  }

  /** What the plugin, or the part, of this name lets programs call. */
  api(name: string): object | undefined {
    return this.#running.find((plugin) => plugin.name === name)?.instance.api ?? this.#provided.get(name)
  }

  /** Those that take other options while the broker runs. */
  get reloadable(): ReadonlyArray<{ name: string; instance: PluginInstance }> {
    return this.#running.filter(({ instance }) => instance.reload !== undefined)
  }

  async start(): Promise<void> {
    for (const { name, instance } of this.#running) {
      await this.#guarded(name, 'started', () => instance.start?.())
      this.#started++
      this.#events.emit('plugin.started', { plugin: name })
    }
  }

  /** Stops those that were started, all of them even when one fails; then throws the first failure. */
  async stop(): Promise<void> {
    const started = this.#running.splice(0).slice(0, this.#started)
    this.#started = 0
    let failure: unknown = null
    for (const { name, instance } of started.reverse()) {
      try {
        await this.#guarded(name, 'stopped', () => instance.stop?.())
        this.#events.emit('plugin.stopped', { plugin: name })
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== null) throw failure
  }

  async #guarded<T>(plugin: string, what: string, action: () => T | Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      const error = faultOf(plugin, what, cause)
      this.#events.emit('plugin.failed', { plugin, message: error.message })
      throw error
    }
  }
}

function faultOf(name: string, what: string, cause: unknown): EventflowError {
  if (cause instanceof EventflowError) return cause
  return new EventflowError('PLUGIN_FAILED', `the plugin '${name}' could not be ${what}: ${String(cause)}`, { cause })
}
