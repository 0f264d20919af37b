import { describe, expect, it } from 'vitest'
import { OverloadWatch } from '../../../src/kernel/overload-watch.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedEvents } from '../session/support.ts'
import { SILENT } from './support.ts'

/** A watch whose timers come as late as the test says. It looks every 100 ms. */
function make(limitMs = 250) {
  const clock = new FakeClock()
  const { events, heard } = recordedEvents()
  let late = 0
  let now = 0
  const watch = new OverloadWatch({ clock, uptime: () => now, events, log: SILENT, limitMs, periodMs: 3_000 })
  watch.start()
  /** So much time goes by, with timers so late. */
  const pass = (forMs: number, lagMs: number): void => {
    for (late = lagMs; forMs > 0; forMs -= 100 + late) {
      now += 100 + late
      clock.advance(100)
    }
  }
  return { pass, heard, watch, clock }
}

describe('overload', () => {
  it('is told when the broker has been late for a whole period, once', () => {
    const { pass, heard } = make()
    pass(2_500, 300)
    expect(heard).toEqual([])
    pass(60_000, 300)
    expect(heard).toEqual([{ type: 'broker.overloaded', lagMs: 300, limitMs: 250 }])
  })

  it('is no single pause, and not a busy broker that is in time', () => {
    const { pass, heard } = make()
    pass(60_000, 250)
    for (let i = 0; i < 10; i++) {
      pass(1_000, 2_000)
      pass(100, 0)
    }
    expect(heard).toEqual([])
  })

  it('is watched for by other limits once they are changed, and not at all with none', () => {
    const { pass, heard, watch, clock } = make()
    watch.change({ limitMs: 500, periodMs: 1_000 })
    pass(5_000, 300)
    expect(heard).toEqual([])
    pass(2_000, 600)
    expect(heard).toMatchObject([{ type: 'broker.overloaded', limitMs: 500 }])
    watch.change({ limitMs: 0, periodMs: 1_000 })
    expect(clock.pending).toBe(0)
  })

  it('is one pause that lasts as long as a period: nobody was served', () => {
    const { pass, heard } = make()
    pass(1, 5_000)
    expect(heard).toMatchObject([{ type: 'broker.overloaded', lagMs: 5_000 }])
  })

  it('is over when the broker has been well in time for as long, and can come again', () => {
    const { pass, heard } = make()
    pass(4_000, 400)
    pass(2_000, 0)
    pass(1_000, 700)
    pass(60_000, 126) // neither
    pass(2_500, 0)
    expect(heard.length).toBe(1)
    pass(1_000, 100)
    expect(heard).toMatchObject([{ lagMs: 400 }, { type: 'broker.relieved', maxLagMs: 700 }])
    expect((heard[1] as unknown as { durationMs: number }).durationMs).toBeGreaterThan(60_000)
    pass(4_000, 300)
    expect(heard[2]).toMatchObject({ type: 'broker.overloaded', lagMs: 300 })
  })

  it('is not watched for with a limit of 0, nor after the stop', () => {
    expect(make(0).clock.pending).toBe(0)
    const { watch, clock } = make()
    watch.stop()
    expect(clock.pending).toBe(0)
  })
})
