/** On a real disk, and a clock of the test's. */

import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LineFile, MAX_WAITING } from '../../../src/store/line-file.ts'
import { temporaryFolder } from '../../helpers/broker.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { until } from '../../helpers/until.ts'

async function make({ maxBytes = 1024 ** 2, maxFiles = 3, folder = '' } = {}) {
  const directory = join(folder || (await temporaryFolder()), 'deeper', 'down')
  const path = join(directory, 'events.jsonl')
  const clock = new FakeClock()
  const told: string[] = []
  const file = new LineFile({
    ...{ path, maxBytes, maxFiles, clock },
    failed: ({ message }) => told.push(message),
    recovered: (lost) => told.push(`recovered, lost ${lost}`),
  })
  onTestFinished(() => void file.close())
  const lines = () => readFileSync(path, 'utf8').split('\n')
  return { directory, path, clock, told, file, lines }
}

const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, i) => `{"n":${from + i}}`)

describe('a file of lines', () => {
  it('is made with its directory, has a line for each, in order, and all of them when it is closed', async () => {
    const { file, lines, path } = await make()
    await file.open()
    const all = numbered(1_000)
    for (const line of all) file.write(line)
    expect(await file.close()).toBe(0)
    expect(lines()).toEqual([...all, ''])
    expect((await stat(path)).mode & 0o007).toBe(0)
  })

  it('goes on where the last run ended', async () => {
    const folder = await temporaryFolder()
    for (let run = 1; run <= 2; run++) {
      const { file, lines } = await make({ folder })
      await file.open()
      file.write(`run ${run}`)
      await file.close()
      if (run === 2) expect(lines()).toEqual(['run 1', 'run 2', ''])
    }
  })

  it('begins a new line after one that a crash has cut', async () => {
    const { file, lines, path, directory } = await make()
    await mkdir(directory, { recursive: true })
    await writeFile(path, 'whole\n{"cu')
    await file.open()
    file.write('first')
    file.write('second')
    await file.close()
    expect(lines()).toEqual(['whole', '{"cu', 'first', 'second', ''])
  })

  it('is renamed when it is full, no line is cut, and so many full ones are kept', async () => {
    const { file, directory } = await make({ maxBytes: 2_048, maxFiles: 3 })
    await file.open()
    const all = numbered(1_000, 100_000)
    for (const line of all) {
      file.write(line)
      await new Promise((next) => setImmediate(next))
    }
    await file.close()
    const names = (await readdir(directory)).sort()
    expect(names).toEqual(['events.jsonl', 'events.jsonl.1', 'events.jsonl.2', 'events.jsonl.3'])
    const kept = await Promise.all(names.reverse().map((name) => readFile(join(directory, name), 'utf8')))
    const found = kept.join('').trimEnd().split('\n')
    expect(found).toEqual(all.slice(-found.length))
    for (const text of kept.slice(0, -1)) expect(text.length).toBeGreaterThanOrEqual(2_048)
  })
})

describe('a file that cannot be written', () => {
  it('at the start is an error that names it', async () => {
    const { file, path, directory } = await make()
    await mkdir(join(directory, 'events.jsonl'), { recursive: true })
    await expect(file.open()).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`^cannot write ${path}: `)),
    })
  })

  it('in a directory that is none is an error too', async () => {
    const { file, directory } = await make()
    await mkdir(join(directory, '..'), { recursive: true })
    await writeFile(directory, 'a file')
    await expect(file.open()).rejects.toMatchObject({
      message: expect.stringMatching(/ENOTDIR/),
    })
  })

  it('later on is told once; what happens meanwhile waits, and is written when it can be', async () => {
    const { file, clock, told, directory } = await make({ maxBytes: 1_024, maxFiles: 2 })
    await file.open()
    // A full file cannot be renamed to what is a directory with something in it.
    const names = ['events.jsonl.1', 'events.jsonl.2']
    for (const name of names) await mkdir(join(directory, name, 'in the way'), { recursive: true })
    const before = numbered(100, 1_000)
    for (const line of before) file.write(line)
    await until('it fails', () => told.length > 0)
    const during = numbered(10, 2_000)
    for (const line of during) file.write(line)
    clock.advance(5_000)
    await until('it was tried again', () => clock.pending > 0)
    expect(told.length).toBe(1)
    for (const name of names) await rm(join(directory, name), { recursive: true })
    clock.advance(5_000)
    await until('it can be', () => told.length > 1)
    expect(told.slice(1)).toEqual(['recovered, lost 0'])
    await file.close()
    const texts = [...names.reverse(), 'events.jsonl'].map((name) => join(directory, name)).filter(existsSync)
    const found = (await Promise.all(texts.map((name) => readFile(name, 'utf8')))).join('').trimEnd().split('\n')
    expect(found).toEqual([...before, ...during])
  })

  it('takes no more memory than for so many lines, counts the others as lost, and does not hold up the end', async () => {
    const { file, clock, told, directory } = await make({ maxBytes: 1_024, maxFiles: 1 })
    await file.open()
    await mkdir(join(directory, 'events.jsonl.1', 'in the way'), { recursive: true })
    file.write('x'.repeat(2_000))
    await until('it fails', () => told.length > 0)
    for (let i = 0; i < MAX_WAITING + 99; i++) file.write('y')
    expect(await file.close()).toBe(MAX_WAITING + 99)
    expect(clock.pending).toBe(0)
  })

  it('is no harm to who writes before it was opened', async () => {
    const { file, lines } = await make()
    file.write('early')
    await file.open()
    file.write('late')
    await file.close()
    expect(lines()).toEqual(['early', 'late', ''])
  })
})

it('a file that somebody takes away is made anew with the next full one, or the next start', async () => {
  const { file, path, told } = await make({ maxBytes: 1_024 })
  await file.open()
  await appendFile(path, '')
  await rm(path)
  for (let i = 0; i < 100; i++) {
    file.write('z'.repeat(100))
    await new Promise((next) => setImmediate(next))
  }
  await until('it is there again', () => existsSync(path))
  await file.close()
  expect(told).toEqual([])
})
