import { expect, it, vi } from 'vitest'
import { Turns } from '../../../src/core/turns.ts'

it('turns run so many tasks at a time, in order, and go on after a failure', async () => {
  const turns = new Turns(2)
  const started: number[] = []
  const finish: Array<(error?: Error) => void> = []
  const runs = [0, 1, 2, 3].map((i) =>
    turns.run(
      () =>
        new Promise<number>((resolve, reject) => {
          started.push(i)
          finish[i] = (error) => (error === undefined ? resolve(i) : reject(error))
        }),
    ),
  )
  const [first, second, third, fourth] = runs
  expect(started).toEqual([0, 1])
  finish[1]!(new Error('x'))
  await expect(second).rejects.toThrow('x')
  await vi.waitFor(() => expect(started).toEqual([0, 1, 2]))
  finish[0]!()
  finish[2]!()
  expect(await Promise.all([first, third])).toEqual([0, 2])
  await vi.waitFor(() => expect(started).toEqual([0, 1, 2, 3]))
  finish[3]!()
  expect(await fourth).toBe(3)
  expect(await turns.run(async () => 'again')).toBe('again')
})

it('turns let so many wait, and send the others away', async () => {
  const turns = new Turns(1, 2)
  let finish = (): void => {}
  const first = turns.run(() => new Promise<void>((resolve) => (finish = resolve)))
  const waiting = [turns.run(() => 1), turns.run(() => 2)]
  await expect(turns.run(() => 3)).rejects.toMatchObject({ code: 0x89 })
  expect(turns.idle).toBe(false)
  finish()
  await first
  expect(await Promise.all(waiting)).toEqual([1, 2])
  expect(turns.idle).toBe(true)
})

it('thousands of turns come one after the other, in order', async () => {
  const turns = new Turns(1)
  const done: number[] = []
  await Promise.all(Array.from({ length: 5_000 }, (_, i) => turns.run(async () => void done.push(i))))
  expect(done).toEqual(Array.from({ length: 5_000 }, (_, i) => i))
})
