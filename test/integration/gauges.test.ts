/** Subscriptions and messages in flight are counted as they come and go: the counts are what a walk through all sessions finds. */

import { expect, it } from 'vitest'
import { isShared } from '../../src/core/topics.ts'
import { definePlugin, type PluginContext } from '../../src/plugin.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

let context: PluginContext
const look = definePlugin({
  name: 'look',
  setup(given: PluginContext) {
    context = given
    return undefined
  },
})

function walked() {
  const found = { sessions: 0, subscriptions: 0, sharedSubscriptions: 0, inflight: 0 }
  for (const { subscriptions, outbox } of context.sessions()) {
    found.sessions++
    found.inflight += outbox.inflight
    for (const filter of subscriptions.keys()) found[isShared(filter) ? 'sharedSubscriptions' : 'subscriptions']++
  }
  return found
}

function expectCounts(sessions: number, subscriptions: number, sharedSubscriptions: number, inflight: number): void {
  const counts = { sessions, subscriptions, sharedSubscriptions, inflight }
  expect([context.gauges(), walked()]).toMatchObject([counts, counts])
}

it('through subscriptions, deliveries, a lost connection, a restart, and the end of sessions', async () => {
  const store = { kind: 'level' as const, path: await temporaryFolder() }
  const start = () => startBroker({ store }, { plugins: [look] })
  const first = await start()
  const lasting = { clientId: 'keeper', clean: false }
  const { mqtt: keeper } = await connectClient(first.port, lasting)
  keeper.handleMessage = () => {} // never acknowledges
  await keeper.subscribeAsync({ a: { qos: 1 }, b: { qos: 2 }, '$share/g/c': { qos: 1 } })
  await keeper.subscribeAsync('a', { qos: 2 })
  const { mqtt: passing } = await connectClient(first.port, { clientId: 'passing' })
  await passing.subscribeAsync(['x', 'y', '$share/g/x'])
  await passing.unsubscribeAsync(['y', 'never'])
  expectCounts(2, 3, 2, 0)
  for (const topic of ['a', 'b', 'c']) await first.publish(topic, 'm', { qos: 1 })
  await until('all are in flight', () => walked().inflight === 3)
  expectCounts(2, 3, 2, 3)
  passing.end(true)
  await until('it is gone', () => walked().sessions === 1)
  expectCounts(1, 2, 1, 3)
  keeper.end(true)
  await first.stop()

  const second = await start()
  await until('what was in flight is again', () => walked().inflight > 0)
  expect(context.gauges()).toMatchObject(walked())
  const { mqtt: back, messages } = await connectClient(second.port, lasting)
  await messages(3)
  await until('all are acknowledged', () => walked().inflight === 0)
  expectCounts(1, 2, 1, 0)
  back.end(true)
  const { mqtt: anew } = await connectClient(second.port, { ...lasting, clean: true })
  expectCounts(1, 0, 0, 0)
  await anew.endAsync()
})
