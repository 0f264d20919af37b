import { describe, expect, it } from 'vitest'
import { LoadAverages } from '../../../../plugins/sys/load-averages.ts'
import { Counters } from '../../../../src/core/counters.ts'

function make() {
  const counters = new Counters()
  const load = new LoadAverages(counters, 0)
  const averages = (flow: string) => ([1, 5, 15] as const).map((period) => load.average(flow, period).toFixed(2))
  return { counters, load, averages }
}

describe('the averages', () => {
  it('begin with 0, and with what was counted before left out', () => {
    const counters = new Counters()
    counters.sockets = 1_000
    const load = new LoadAverages(counters, 0)
    load.update(10_000)
    expect(load.average('sockets', 1)).toBe(0)
  })

  it('are per minute and exponential, by hand', () => {
    const { counters, load, averages } = make()
    // 100 in 10 s are 600 a minute. After one step: 600 * (1 - e^(-10/60)) = 600 * 0.15352; over 300 and 900 s likewise.
    counters.packetsReceived = 100
    load.update(10_000)
    expect(averages('messages/received')).toEqual(['92.11', '19.67', '6.63'])
    // Nothing more: it decays by e^(-10/60) = 0.84648, e^(-10/300) = 0.96722, e^(-10/900) = 0.98895.
    load.update(20_000)
    expect(averages('messages/received')).toEqual(['77.97', '19.03', '6.56'])
  })

  it('are those of Mosquitto', () => {
    // As mosquitto 2.0.11 told them in steps of 3 s with one socket in the first and one in the sixth: 0.80, 1.74 and so on.
    const { counters, load, averages } = make()
    counters.sockets = 1
    load.update(3_000)
    for (const at of [6_000, 9_000, 12_000, 15_000]) load.update(at)
    expect(averages('sockets')[0]).toBe('0.80')
    counters.sockets = 2
    load.update(18_000)
    expect(averages('sockets')).toEqual(['1.74', '0.39', '0.13'])
    load.update(21_000)
    expect(averages('sockets')[0]).toBe('1.65')
    load.update(24_000)
    expect(averages('sockets')[0]).toBe('1.57')
  })

  it('come to the rate that there is, whatever the steps', () => {
    const { counters, load, averages } = make()
    let now = 0
    for (let i = 0; i < 2_000; i++) {
      const seconds = 1 + (i % 20)
      counters.bytesSent += seconds * 50
      now += seconds * 1_000
      load.update(now)
    }
    expect(averages('bytes/sent')).toEqual(['3000.00', '3000.00', '3000.00'])
  })

  it('lose nothing when the clock is set back', () => {
    const { counters, load, averages } = make()
    load.update(60_000)
    counters.publishDropped = 50
    load.update(10_000)
    expect(averages('publish/dropped')).toEqual(['0.00', '0.00', '0.00'])
    counters.publishDropped = 100
    load.update(20_000)
    expect(averages('publish/dropped')).toEqual(['92.11', '19.67', '6.63'])
  })
})
