/** `$SYS`: the broker's counters under the names that Mosquitto has for them. */

import { getHeapStatistics } from 'node:v8'
import { definePlugin, type PluginContext } from '../../src/plugin.ts'
import { Board } from './board.ts'
import { SysFeed } from './feed.ts'
import { LoadAverages } from './load-averages.ts'
import { PREFIX } from './topics.ts'

export interface SysOptions {
  /** Milliseconds after which what has changed is told; 0: nothing is, ever. */
  readonly interval: number
}

export const sys = definePlugin<SysOptions>({
  name: 'sys',
  setup(context) {
    const feed = feedOf(context)
    context.namespace(PREFIX, feed)
    return {
      start: () => feed.start(),
      stop: () => feed.stop(),
      reload: (options) => () => feed.change((options as SysOptions).interval),
    }
  },
})

function feedOf({ options, clock, log, counters, gauges, version }: PluginContext<SysOptions>): SysFeed {
  const startedAt = clock.now()
  const load = new LoadAverages(counters, startedAt)
  const heap = { current: 0, maximum: 0 }
  const measure = (): void => {
    heap.current = getHeapStatistics().used_heap_size
    heap.maximum = Math.max(heap.maximum, heap.current)
  }
  const board = new Board((now) => {
    measure()
    return { version, uptimeMs: now - startedAt, counters, gauges: gauges(), load, heap }
  })
  const tick = (now: number): void => {
    load.update(now)
    measure()
  }
  return new SysFeed({ intervalMs: options.interval, clock, log, board, tick })
}
