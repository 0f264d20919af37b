/** Which events have a line in the log, and how few of them when they come by the thousand. */

import { expect, it } from 'vitest'
import { EventBus } from '../../../src/core/event-bus.ts'
import type { EventMap } from '../../../src/core/events.ts'
import { Notices } from '../../../src/kernel/notices.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const MINUTE = 60_000

function make() {
  const clock = new FakeClock()
  const events = new EventBus((error) => {
    throw error
  })
  const lines: Array<{ level: string; text: string } & Record<string, unknown>> = []
  const at = (level: string) => (fields: object, text: string) => void lines.push({ level, text, ...fields })
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const notices = new Notices({ events, log, clock })
  notices.start()
  return { clock, events, lines, notices }
}

const refused = (more: Partial<EventMap['client.connecting-refused']> = {}): EventMap['client.connecting-refused'] => ({
  ...{ clientId: 'pump', address: '10.0.0.7:50412', reason: 'credentials', reasonCode: 0x86, message: 'wrong' },
  ...more,
})

it('a client that is not let in has a line with all that is known of it', () => {
  const { events, lines } = make()
  events.emit('client.connecting-refused', refused())
  expect(lines).toEqual([
    {
      ...{ level: 'info', text: 'a client was not let in', event: 'client.connecting-refused' },
      ...refused(),
    },
  ])
})

it('a client that tries again and again has a line a minute, and one that says how often', () => {
  const { clock, events, lines } = make()
  for (let i = 0; i < 50; i++) events.emit('client.connecting-refused', refused({ address: `10.0.0.7:${i}` }))
  expect(lines).toHaveLength(1)
  clock.advance(MINUTE)
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatchObject({ more: 49, reason: 'credentials' })
  clock.advance(10 * MINUTE)
  expect(lines).toHaveLength(2)
  events.emit('client.connecting-refused', refused())
  expect(lines).toHaveLength(3)
})

it('one that told no name counts by its address, whatever port it comes from', () => {
  const { events, lines } = make()
  for (const port of [1, 2, 3]) {
    events.emit('client.connecting-refused', refused({ clientId: '', reason: 'handshake', address: `[::1]:${port}` }))
  }
  expect(lines).toHaveLength(1)
})

it('a storm has ten lines of a kind a minute, and does not hide what is of another kind', () => {
  const { clock, events, lines } = make()
  for (let i = 0; i < 10_000; i++) events.emit('client.connecting-refused', refused({ clientId: `c${i}` }))
  events.emit('client.connecting-refused', refused({ clientId: 'x', reason: 'limit', reasonCode: 0x97 }))
  expect(lines.map(({ reason }) => reason)).toEqual([...Array(10).fill('credentials'), 'limit'])
  clock.advance(MINUTE)
  expect(lines.slice(11)).toMatchObject([{ more: 9_990, reason: 'credentials' }])
})

it('dead letters have a line for each queue', () => {
  const { events, lines } = make()
  const letter = { deadLetterQueue: 'dead/a', reason: 'maxDeliveries', deliveries: 5 }
  for (let id = 1; id <= 5; id++) events.emit('queue.dead-lettered', { queue: 'a', id, ...letter })
  events.emit('queue.dead-lettered', { queue: 'b', id: 1, ...letter })
  expect(lines.map(({ level, queue, id }) => [level, queue, id])).toEqual([
    ['warn', 'a', 1],
    ['warn', 'b', 1],
  ])
})

it('what an operator did has a line each time', () => {
  const { events, lines } = make()
  for (let i = 0; i < 3; i++) events.emit('queue.purged', { queue: 'a', messages: 1 })
  expect(lines).toHaveLength(3)
})

it('clients that come and go as they should have none', () => {
  const { events, lines } = make()
  const gone = { clientId: 'c', reasonCode: 0, address: '10.0.0.7:1', message: '' }
  events.emit('client.disconnected', { ...gone, reason: 'network' })
  events.emit('client.connecting-refused', refused({ reason: 'shutdown' }))
  expect(events.wants('message.published')).toBe(false)
  expect(lines).toEqual([])
})

it('one that may not connect has one line, not two', () => {
  const { events, lines } = make()
  const denied = { clientId: 'pump', username: null, address: '10.0.0.7:1', topic: null }
  events.emit('access.denied', { ...denied, action: 'connect' })
  events.emit('client.connecting-refused', refused())
  expect(lines).toHaveLength(1)
})

it('when the broker stops, what was counted is told, and nothing after it', () => {
  const { clock, events, lines, notices } = make()
  for (let i = 0; i < 3; i++) events.emit('client.connecting-refused', refused())
  notices.stop()
  expect(lines).toMatchObject([{}, { more: 2 }])
  events.emit('client.connecting-refused', refused({ clientId: 'other' }))
  clock.advance(MINUTE)
  expect(lines).toHaveLength(2)
})
