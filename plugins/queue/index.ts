/** Durable queues on the topics `queue/…`: every message to one consumer, until it is acknowledged. */

import { definePlugin } from '../../src/plugin.ts'
import { Engine } from './engine.ts'
import { PREFIX } from './names.ts'
import type { QueueOptions } from './options.ts'

export type { QueueOptions } from './options.ts'

export const queue = definePlugin<QueueOptions>({
  name: 'queue',
  setup(context) {
    const engine = new Engine(context)
    context.namespace(PREFIX, engine)
    // What queues are called by EMQX and FluxMQ, for clients that come from there.
    for (const alias of ['$queue/', '$q/']) context.alias(alias, PREFIX)
    return { start: () => engine.start(), stop: () => engine.stop() }
  },
})
