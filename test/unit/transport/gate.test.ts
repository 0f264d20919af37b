import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { Gate, type GateLimits } from '../../../src/transport/gate.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const NONE = { maxConnections: null, maxConnectionsPerAddress: null, connectRate: null, connectRatePerAddress: null }

function make(limits: Partial<GateLimits>) {
  const clock = new FakeClock()
  const gate = new Gate({ ...NONE, ...limits }, clock)
  const sockets: PassThrough[] = []
  const come = (address: string): number => {
    const socket = new PassThrough()
    sockets.push(socket)
    return gate.admit(socket, `${address}:1`)?.code ?? 0
  }
  const leave = async (socket: PassThrough | undefined): Promise<void> => {
    socket!.destroy()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, gate, sockets, come, leave }
}

it('who is turned away takes no place, neither then nor when it leaves', async () => {
  const { gate, sockets, come, leave } = make({ maxConnections: 2, maxConnectionsPerAddress: 1 })
  expect([come('10.0.0.1'), come('10.0.0.1'), come('10.0.0.2'), come('10.0.0.3')]).toEqual([0, 0x97, 0, 0x97])
  await leave(sockets[1])
  await leave(sockets[3])
  expect([gate.connections, come('10.0.0.1'), come('10.0.0.3')]).toEqual([2, 0x97, 0x97])
  await leave(sockets[0])
  expect([gate.connections, come('10.0.0.1'), come('10.0.0.1')]).toEqual([1, 0, 0x97])
})

it('an address that comes too fast takes nothing from the others', () => {
  const { clock, come } = make({ connectRate: 2, connectRatePerAddress: 1 })
  const all = Array.from({ length: 30 }, () => come('10.0.0.1'))
  expect(all.filter((code) => code === 0)).toHaveLength(10)
  expect(Array.from({ length: 10 }, () => come('10.0.0.2'))).toEqual(Array(10).fill(0))
  expect([come('10.0.0.3'), come('unix:/a')]).toEqual([0x9f, 0x9f]) // all of the rate for all is used up
  clock.advance(1_000)
  expect([come('10.0.0.1'), come('10.0.0.1'), come('10.0.0.3'), come('10.0.0.3')]).toEqual([0, 0x9f, 0, 0x9f])
})

it('addresses that came and went are forgotten, those that have connections or came too fast are not', async () => {
  const { clock, gate, sockets, come, leave } = make({ maxConnectionsPerAddress: 2, connectRatePerAddress: 1 })
  come('10.9.9.9')
  for (let i = 0; i < 1_023; i++) {
    come(`10.0.${i >> 8}.${i & 255}`)
    await leave(sockets.at(-1))
  }
  expect(gate.sources).toBe(1_024)
  clock.advance(1_000)
  for (let i = 0; i < 10; i++) {
    come('10.8.8.8')
    await leave(sockets.at(-1))
  }
  expect(gate.sources).toBe(2)
  for (let i = 0; i < 1_023; i++) come(`10.1.${i >> 8}.${i & 255}`)
  expect(come('10.8.8.8')).toBe(0x9f)
})

it('counts where nothing is limited too, for there may be a limit later', () => {
  const { gate, come } = make({})
  for (let i = 0; i < 3; i++) come('10.0.0.1')
  gate.change({ ...NONE, maxConnectionsPerAddress: 3 })
  expect([come('10.0.0.1'), come('10.0.0.2')]).toEqual([0x97, 0])
})
