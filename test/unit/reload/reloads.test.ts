import { expect, it, onTestFinished } from 'vitest'
import { resolveConfig } from '../../../src/config/load.ts'
import type { ConfigInput } from '../../../src/config/schema.ts'
import { EventBus } from '../../../src/core/event-bus.ts'
import type { ReloadPart } from '../../../src/reload/part.ts'
import { Reloads } from '../../../src/reload/reloads.ts'
import { listenTo } from '../../helpers/events.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const NOTHING = () => {}

/** Two parts: what each is asked and what takes effect is written down; `answer` is what the second one says. */
function make(answer: () => Promise<void> = async () => {}) {
  const said: string[] = []
  const config = { current: { node: 'n0' } as ConfigInput }
  const events = new EventBus(NOTHING)
  const part = (name: string, check: () => Promise<void>): ReloadPart => ({
    name,
    files: () => [],
    async prepare({ node }) {
      said.push(`${name} checks ${node}`)
      await check()
      return () => void said.push(`${name} takes ${node}`)
    },
  })
  const parts = [part('a', async () => {}), part('b', answer)]
  const reloads = new Reloads({
    config: resolveConfig(config.current),
    parts: () => parts,
    isLive: () => true,
    read: () => config.current,
    configFile: null,
    applied: NOTHING,
    since: 0,
    clock: new FakeClock(),
    events,
    log: { debug: NOTHING, info: NOTHING, warn: NOTHING, error: NOTHING },
  })
  onTestFinished(() => reloads.stop())
  const told = listenTo({ events }, 'config.reloaded', 'config.rejected')
  return { reloads, said, config, told }
}

it('nothing takes effect before everything was found right', async () => {
  const { reloads, said, config } = make()
  config.current = { node: 'n1' }
  await reloads.reload()
  expect(said).toEqual(['a checks n1', 'b checks n1', 'a takes n1', 'b takes n1'])
})

it('nothing takes effect when one part finds something wrong, and the next attempt begins from what is in force', async () => {
  const faults = ['b.file: line 7 is wrong']
  const { reloads, said, config, told } = make(async () => {
    const fault = faults.shift()
    if (fault !== undefined) throw new Error(fault)
  })
  config.current = { node: 'n1' }
  await expect(reloads.reload()).rejects.toThrow('line 7')
  expect(said).toEqual(['a checks n1', 'b checks n1'])
  expect(await reloads.reload()).toMatchObject({ changed: ['node'] })
  expect(told.all).toEqual([
    { type: 'config.rejected', data: { problems: ['b.file: line 7 is wrong'] } },
    { type: 'config.reloaded', data: { changed: ['node'], needRestart: [], files: [] } },
  ])
})

it('whoever asks while one is under way shares the next, which reads what is there then', async () => {
  let go = NOTHING
  const { reloads, said, config } = make(() => new Promise<void>((resolve) => (go = resolve)))
  config.current = { node: 'n1' }
  const first = reloads.reload()
  while (said.length < 2) await null
  const others = Array.from({ length: 20 }, () => reloads.reload())
  config.current = { node: 'n2' }
  go()
  await first
  while (said.length < 6) await null
  go()
  await Promise.all(others)
  expect(said.filter((what) => what.startsWith('b takes'))).toEqual(['b takes n1', 'b takes n2'])
})

it('what is being looked at when the broker stops does not take effect, and is no fault', async () => {
  let go = NOTHING
  const { reloads, said, config, told } = make(() => new Promise<void>((resolve) => (go = resolve)))
  config.current = { node: 'n1' }
  const under = reloads.reload()
  const waiting = reloads.reload()
  while (said.length < 2) await null
  reloads.stop()
  go()
  await expect(under).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  expect([said, told.all]).toEqual([['a checks n1', 'b checks n1'], []])
})
