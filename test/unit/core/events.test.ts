import { describe, expect, it } from 'vitest'
import { EventBus } from '../../../src/core/event-bus.ts'
import { EVENT_TYPES } from '../../../src/core/event-types.ts'
import type { EventType } from '../../../src/core/events.ts'

function makeBus() {
  const faults: unknown[] = []
  return { bus: new EventBus((error) => faults.push(error)), faults }
}

describe('the event bus', () => {
  it('tells each listener of the types that it asked for, in the order in which they began to listen', () => {
    const { bus } = makeBus()
    const heard: string[] = []
    bus.listen(['queue.created', 'queue.deleted'], (type, data) => heard.push(`first ${type} ${JSON.stringify(data)}`))
    bus.listen(['queue.deleted'], (type) => heard.push(`second ${type}`))
    bus.emit('queue.created', { queue: 'a' })
    bus.emit('queue.deleted', { queue: 'a' })
    bus.emit('queue.emptied', { queue: 'a' })
    expect(heard).toEqual([
      'first queue.created {"queue":"a"}',
      'first queue.deleted {"queue":"a"}',
      'second queue.deleted',
    ])
  })

  it('knows whether anyone wants a type, from the first listener to the last', () => {
    const { bus } = makeBus()
    expect(bus.wants('broker.stopped')).toBe(false)
    const first = bus.listen(['broker.stopped'], () => {})
    const second = bus.listen(['broker.stopped'], () => {})
    expect([bus.wants('broker.stopped'), bus.wants('broker.stopping')]).toEqual([true, false])
    first()
    expect(bus.wants('broker.stopped')).toBe(true)
    second()
    expect(bus.wants('broker.stopped')).toBe(false)
  })

  it('tells a listener nothing once it has stopped, and stopping twice does no harm', () => {
    const { bus } = makeBus()
    let heard = 0
    const stop = bus.listen(['broker.stopped'], () => heard++)
    stop()
    stop()
    bus.emit('broker.stopped', {})
    expect(heard).toBe(0)
  })

  it('goes on when a listener throws, and hands over what it threw', () => {
    const { bus, faults } = makeBus()
    const fault = new Error('in a listener')
    let heard = 0
    bus.listen(['broker.stopped'], () => {
      throw fault
    })
    bus.listen(['broker.stopped'], () => heard++)
    expect(() => bus.emit('broker.stopped', {})).not.toThrow()
    expect([heard, faults]).toEqual([1, [fault]])
  })

  it('finishes an event over the listeners that it began with', () => {
    const { bus } = makeBus()
    const heard: string[] = []
    const stopFirst = bus.listen(['broker.stopped'], () => {
      heard.push('first')
      stopFirst()
      bus.listen(['broker.stopped'], () => heard.push('late'))
    })
    bus.listen(['broker.stopped'], () => heard.push('second'))
    bus.emit('broker.stopped', {})
    expect(heard).toEqual(['first', 'second'])
    bus.emit('broker.stopped', {})
    expect(heard).toEqual(['first', 'second', 'second', 'late'])
  })

  it('names every type once, in the form subject.what-happened', () => {
    expect(new Set<EventType>(EVENT_TYPES).size).toBe(EVENT_TYPES.length)
    for (const type of EVENT_TYPES) expect(type).toMatch(/^[a-z]+\.[a-z]+(-[a-z]+)*$/)
  })
})
