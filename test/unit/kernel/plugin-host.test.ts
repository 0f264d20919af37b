import { describe, expect, it } from 'vitest'
import { EventflowError } from '../../../src/core/errors.ts'
import type { Plugin, PluginContext, PluginInstance } from '../../../src/kernel/plugin-contract.ts'
import { PluginHost } from '../../../src/kernel/plugin-host.ts'

/** Plugins that write down what happens to them; `faults` names what fails, as `b start`. */
function make(names: string[], faults: Record<string, unknown> = {}) {
  const calls: string[] = []
  const step = async (what: string): Promise<void> => {
    await null
    calls.push(what)
    if (what in faults) throw faults[what]
  }
  const plugins = names.map(
    (name): Plugin<never> => ({
      name,
      setup: async (context): Promise<PluginInstance | undefined> => {
        await step(`${name} setup ${String(context.options)}`)
        return { start: () => step(`${name} start`), stop: () => step(`${name} stop`) }
      },
    }),
  )
  const told: string[] = []
  const host = new PluginHost({
    emit: (type, data) => void told.push(`${type} ${Object.values(data).join(': ')}`),
  })
  const setUp = () => host.setUp(plugins, ({ name }) => ({ options: `of ${name}` }) as unknown as PluginContext)
  return { host, setUp, calls, told }
}

describe('plugins', () => {
  it('are set up and started in order, each with its own context, and stopped in reverse', async () => {
    const { host, setUp, calls } = make(['a', 'b'])
    await setUp()
    await host.start()
    await host.stop()
    expect(calls).toEqual(['a setup of a', 'b setup of b', 'a start', 'b start', 'b stop', 'a stop'])
  })

  it('are told of when they are in operation, and when they no longer are', async () => {
    const { host, setUp, told } = make(['a', 'b'])
    await setUp()
    await host.start()
    await host.stop()
    expect(told).toEqual(['plugin.started a', 'plugin.started b', 'plugin.stopped b', 'plugin.stopped a'])
  })

  it('may have nothing to start or stop', async () => {
    const host = new PluginHost({ emit() {} })
    const context = () => ({}) as PluginContext
    await host.setUp(
      [
        { name: 'a', setup: () => undefined },
        { name: 'b', setup: () => ({}) },
      ],
      context,
    )
    await host.start()
    await host.stop()
  })

  it('are stopped once', async () => {
    const { host, setUp, calls } = make(['a'])
    await setUp()
    await host.start()
    await host.stop()
    await host.stop()
    expect(calls.filter((call) => call === 'a stop').length).toBe(1)
  })
})

describe('a plugin that fails', () => {
  it('at set up is named, with its cause', async () => {
    const cause = new Error('no file')
    const { setUp, calls, told } = make(['a', 'b', 'c'], { 'b setup of b': cause })
    await expect(setUp()).rejects.toMatchObject({
      name: 'EventflowError',
      code: 'PLUGIN_FAILED',
      message: expect.stringContaining("'b'"),
      cause,
    })
    expect(calls).toEqual(['a setup of a', 'b setup of b'])
    expect(told).toEqual(["plugin.failed b: the plugin 'b' could not be set up: Error: no file"])
  })

  it('with an error of ours keeps its code', async () => {
    const fault = new EventflowError('ACCESS_FILE_INVALID', 'line 3')
    await expect(make(['a'], { 'a setup of a': fault }).setUp()).rejects.toBe(fault)
  })

  it('at start leaves those stopped that were started before it, when the host is stopped', async () => {
    const { host, setUp, calls } = make(['a', 'b', 'c'], { 'b start': new Error('no') })
    await setUp()
    await expect(host.start()).rejects.toMatchObject({ message: expect.stringContaining("'b' could not be started") })
    await host.stop()
    expect(calls.slice(3)).toEqual(['a start', 'b start', 'a stop'])
  })

  it('at stop does not keep the others from being stopped, and the first failure is told', async () => {
    const faults = { 'c stop': new Error('c'), 'b stop': new Error('b') }
    const { host, setUp, calls } = make(['a', 'b', 'c'], faults)
    await setUp()
    await host.start()
    await expect(host.stop()).rejects.toMatchObject({ message: expect.stringContaining("'c' could not be stopped") })
    expect(calls.slice(-3)).toEqual(['c stop', 'b stop', 'a stop'])
  })
})
