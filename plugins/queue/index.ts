/** Durable queues on the topics `queue/…`: every message to one consumer, until it is acknowledged. */

import { definePlugin } from '../../src/plugin.ts'
import { Engine } from './engine.ts'
import { PREFIX } from './names.ts'
import { Control, type QueueControl } from './operations/control.ts'
import { Rates } from './operations/rates.ts'
import type { QueueOptions } from './options.ts'
import { RECEIPTS } from './receipts.ts'

export type { ConsumerSummary, QueueControl, QueueDetails, QueueSummary } from './operations/control.ts'
export type { PeekedMessage } from './operations/peek.ts'
export type { QueueRates } from './operations/rates.ts'
export type { RedriveOptions, RedriveResult } from './operations/redrive.ts'
export type { QueueTotals } from './operations/totals.ts'
export type { PolicyEntry, QueueOptions, QueuePolicy } from './options.ts'

export const queue = definePlugin<QueueOptions>({
  name: 'queue',
  setup(context) {
    const engine = new Engine(context)
    context.namespace(PREFIX, engine)
    context.namespace(RECEIPTS, engine.receipts)
    // What queues are called by EMQX and FluxMQ, for clients that come from there.
    for (const alias of ['$queue/', '$q/']) context.alias(alias, PREFIX)
    const rates = new Rates(engine, context)
    const api: QueueControl = new Control(engine, context, rates)
    return {
      api,
      async start() {
        await engine.start()
        rates.start()
      },
      stop() {
        rates.stop()
        engine.stop()
      },
      reload: (options: QueueOptions) => () => engine.change(options),
    }
  },
})
