import { expect, it } from 'vitest'
import { Pace } from '../../../src/transport/pace.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

it('as many as are let through in a turn are done at once, the others in the next ones, in order', async () => {
  const pace = new Pace()
  const done: number[] = []
  for (let i = 0; i < 20; i++) pace.take(() => done.push(i))
  const counts = [done.length]
  while (done.length < 20) {
    await turn()
    counts.push(done.length)
  }
  expect(counts).toEqual([8, 16, 20])
  expect(done).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

it('who comes while others wait does not overtake them', async () => {
  const pace = new Pace()
  const done: number[] = []
  for (let i = 0; i < 12; i++) pace.take(() => done.push(i))
  await turn()
  for (let i = 12; i < 20; i++) pace.take(() => done.push(i))
  while (done.length < 20) await turn()
  expect(done).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

it('after a rest there is a full turn again', async () => {
  const pace = new Pace()
  const done: number[] = []
  for (let i = 0; i < 8; i++) pace.take(() => done.push(i))
  await turn()
  for (let i = 8; i < 16; i++) pace.take(() => done.push(i))
  expect(done).toHaveLength(16)
})
