import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReceiveWindow } from '../../../src/transport/receive-window.ts'
import { outcome } from '../wire/support.ts'

describe('the window of what a client has under way', () => {
  it('takes so many, and one more for each that is settled', () => {
    const window = new ReceiveWindow(2)
    window.opened()
    expect(window.full).toBe(false)
    window.opened()
    expect([window.full, outcome(() => window.opened())]).toEqual([true, 0x93])
    window.settled()
    expect([window.full, outcome(() => window.opened())]).toEqual([false, 'accepted'])
  })

  it('is never wider than it was told, whatever is settled that was not counted', () => {
    const window = new ReceiveWindow(1)
    for (let i = 0; i < 5; i++) window.settled()
    window.opened()
    expect(outcome(() => window.opened())).toBe(0x93)
  })

  it('has no end for those who were told of none', () => {
    const window = new ReceiveWindow(Infinity)
    for (let i = 0; i < 100_000; i++) window.opened()
    expect(window.full).toBe(false)
  })

  it('never turns a client away that keeps to its send quota (section 4.9), which counts repetitions too', () => {
    const steps = fc.array(fc.constantFrom('new', 'repetition', 'settled'), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), steps, (maximum, all) => {
        const window = new ReceiveWindow(maximum)
        let quota = maximum
        for (const step of all) {
          if (step === 'settled') {
            quota = Math.min(quota + 1, maximum)
            window.settled()
          } else if (quota > 0) {
            quota--
            if (step === 'new') expect(outcome(() => window.opened())).toBe('accepted')
          }
        }
      }),
    )
  })
})
