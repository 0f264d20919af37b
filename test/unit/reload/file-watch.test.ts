import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { FileWatch, INTERVAL_MS } from '../../../src/reload/file-watch.ts'
import { temporaryFolder } from '../../helpers/broker.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { until } from '../../helpers/until.ts'

/** Two files that are watched; `look` lets an interval pass, and resolves when the files were looked at. */
async function watched(since = Number.POSITIVE_INFINITY) {
  const folder = await temporaryFolder()
  const [cert, key] = [join(folder, 'cert'), join(folder, 'key')]
  writeFileSync(cert, '1')
  writeFileSync(key, '1')
  const clock = new FakeClock()
  const told: number[] = []
  let looks = 0
  const watch = new FileWatch({ paths: [cert, key], since, clock, changed: () => void told.push(looks) })
  onTestFinished(() => watch.stop())
  const looked = () => until('the files were looked at', () => clock.pending === 1)
  await looked()
  const look = async () => {
    looks++
    clock.advance(INTERVAL_MS)
    await looked()
  }
  return { cert, key, told, look, watch, clock }
}

it('two files that change one after the other are told of once, when both are there', async () => {
  const { cert, key, told, look } = await watched()
  await look()
  writeFileSync(cert, '22')
  await look()
  writeFileSync(key, '22')
  await look()
  expect(told).toEqual([])
  for (let i = 0; i < 5; i++) await look()
  expect(told).toEqual([4])
})

it('a file that vanishes, and one that comes back, are changes', async () => {
  const { cert, told, look } = await watched()
  rmSync(cert)
  await look()
  await look()
  expect(told).toHaveLength(1)
  writeFileSync(cert, '1')
  await look()
  await look()
  expect(told).toHaveLength(2)
})

it('what has changed before the first look, but since it was read, is not missed', async () => {
  const { told, look } = await watched(0)
  await look()
  expect(told).toHaveLength(1)
})

it('nothing is told any more once it was stopped', async () => {
  const { cert, told, look, watch, clock } = await watched()
  writeFileSync(cert, '22')
  await look()
  watch.stop()
  clock.advance(10 * INTERVAL_MS)
  expect([told, clock.pending]).toEqual([[], 0])
})
