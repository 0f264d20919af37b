/** Too much of what is allowed: others are served meanwhile, and nothing of it stays when the flood is over. */

import { describe, it } from 'vitest'
import { type Arena, Attacker, openArena } from './arena.ts'
import { connectPacket } from './refused.ts'
import { packet } from './streams.ts'
import { more, withstand } from './withstand.ts'

const VERSIONS = [
  { name: '3.1.1', version: 4 },
  { name: '5.0', version: 5 },
] as const

const IDENTIFIED = (version: 4 | 5) => (version === 5 ? [0, 1, 0] : [0, 1])

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function subscribe(version: 4 | 5, filters: string[], qos = 0): Buffer {
  const all = filters.map((filter) => Buffer.concat([text(filter), Buffer.from([qos])]))
  return packet(0x82, Buffer.from(IDENTIFIED(version)), ...all)
}

const unsubscribe = (version: 4 | 5, filter: string) => packet(0xa2, Buffer.from(IDENTIFIED(version)), text(filter))

/** Connect, write all of it, wait until it left or the broker hangs up, and hang up. */
async function flood(arena: Arena, version: 4 | 5, bytes: Buffer, reads: boolean, clientId = 'flood'): Promise<void> {
  const attacker = new Attacker(arena.port, reads, arena.faults)
  const { socket } = attacker
  socket.write(connectPacket(version, clientId, true))
  const left = new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
  // Who does not read is read no further: its last bytes never leave.
  if (reads) await Promise.race([left, attacker.closed])
  else await more(20)
  attacker.end(reads ? 'end' : 'reset')
  await attacker.closed
}

describe.each(VERSIONS)('on MQTT $name', ({ version }) => {
  it.each([
    ['PINGREQ', Buffer.alloc(2 * 20_000, Buffer.from([0xc0, 0]))],
    ['SUBSCRIBE', Buffer.concat(Array.from({ length: 2_000 }, (_, i) => subscribe(version, [`a/${i}/#`])))],
    [
      'SUBSCRIBE and UNSUBSCRIBE',
      Buffer.concat(
        Array.from({ length: 2_000 }, (_, i) => (i % 2 === 0 ? subscribe(version, ['#']) : unsubscribe(version, '#'))),
      ),
    ],
    [
      'PUBLISH on topics of a hundred levels',
      Buffer.concat(
        Array.from({ length: 5_000 }, (_, i) =>
          packet(0x30, text(`${i}${'/a'.repeat(99)}`), Buffer.alloc(version - 4)),
        ),
      ),
    ],
    [
      'PUBLISH on long topics',
      Buffer.concat(
        Array.from({ length: 100 }, (_, i) =>
          packet(0x30, text(`${i}${'a'.repeat(65_000)}`), Buffer.alloc(version - 4)),
        ),
      ),
    ],
    [
      'PUBREL',
      Buffer.concat(Array.from({ length: 20_000 }, (_, i) => packet(0x62, Buffer.from([i >> 8, (i & 0xff) | 1])))),
    ],
  ])('a flood of %s, read or not', async (_what, bytes) => {
    const arena = await openArena()
    await withstand(arena, () => flood(arena, version, bytes, true))
    await withstand(arena, () => flood(arena, version, bytes, false))
  })

  it('a SUBSCRIBE of 100,000 filters', async () => {
    const arena = await openArena()
    const filters = Array.from({ length: 100_000 }, (_, i) => `a/${i}/#`)
    await withstand(arena, () => flood(arena, version, subscribe(version, filters, 1), true))
  })

  it('every packet identifier there is at QoS 2, without PUBREL', async () => {
    const arena = await openArena()
    const all = Array.from({ length: 65_535 }, (_, i) => {
      const id = Buffer.from([(i + 1) >> 8, (i + 1) & 0xff])
      return packet(0x34, text('$other/flood'), id, Buffer.alloc(version - 4))
    })
    await withstand(arena, () => flood(arena, version, Buffer.concat(all), true))
  })

  it('a thousand CONNECTs whose answer nobody reads, with the same identifier and with others', async () => {
    const arena = await openArena()
    await withstand(arena, async () => {
      const all = Array.from({ length: 1_000 }, (_, i) => {
        const attacker = new Attacker(arena.port, false, arena.faults)
        attacker.socket.write(connectPacket(version, `c-${i % 500}`, true))
        return attacker
      })
      await Promise.all(
        all.map(async (attacker, i) => {
          while (attacker.socket.connecting) await more(1)
          attacker.end(i % 2 === 0 ? 'reset' : 'destroy')
          await attacker.closed
        }),
      )
    })
  })

  it('connections cut at any byte', async () => {
    const arena = await openArena()
    const bytes = Buffer.concat([
      connectPacket(version, 'cut', false),
      subscribe(version, ['a/#', 'queue/x'], 2),
      packet(0x34, text('a/b'), Buffer.from([0, 7]), Buffer.alloc(version - 4), Buffer.from('payload')),
      packet(0x62, Buffer.from([0, 7])),
      packet(0x32, text('queue/x'), Buffer.from([0, 8]), Buffer.alloc(version - 4), Buffer.from('job')),
      unsubscribe(version, 'a/#'),
      Buffer.from([0xc0, 0, 0xe0, 0]),
    ])
    await withstand(arena, async () => {
      for (let length = 0; length <= bytes.length; length++) {
        for (const ending of ['end', 'destroy', 'reset'] as const) {
          const attacker = new Attacker(arena.port, true, arena.faults)
          await attacker.send(bytes.subarray(0, length), [])
          attacker.end(ending)
          await attacker.closed
        }
      }
    })
  })
})
