/** Every code block of README.md is run as its reader would run it, and what it shows as output is what comes. */

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeWithMosquitto } from '../helpers/mosquitto.ts'
import { Reader } from '../helpers/reader.ts'
import { blocksOf, readPage } from '../helpers/recipes.ts'
import { until } from '../helpers/until.ts'

const page = readPage('README.md')
const blocks = blocksOf(page)
const used = new Set<string>()

/** The text of a block. */
function block(key: string): string {
  used.add(key)
  return blocks.find((block) => block.key === key)!.text
}

const linesOf = (key: string) => block(key).trimEnd().split('\n')

/** What is run, by what the reader is told there. */
const chapters: Record<string, () => Promise<void>> = {
  async 'the first example'() {
    const reader = await Reader.open()
    expect(linesOf('Eventflow, sh 1')).toEqual(['npm install', 'npm start'])
    await reader.serving(block('Eventflow, sh 1'))
    expect(existsSync(join(reader.folder, 'data'))).toBe(true)
    const { code, output } = await reader.done(block('Eventflow, sh 2'))
    expect({ code, output }).toEqual({ code: 0, output: block('Eventflow, text 1') })
  },

  async 'topics, workers, kill -9'() {
    const reader = await Reader.open()
    const broker = await reader.serving('npm start')
    const [subscriber] = await reader.subscribed(block('The first five minutes, sh 1'))
    expect(await reader.done(block('The first five minutes, sh 2'))).toEqual({ code: 0, output: '' })
    expect(`${(await subscriber!.written(1)).join('\n')}\n`).toBe(block('The first five minutes, text 1'))

    const worker = block('The first five minutes, sh 3')
    const workers = await reader.subscribed(worker, worker)
    expect(await reader.done(block('The first five minutes, sh 4'))).toEqual({ code: 0, output: '' })
    const orders = (await Promise.all(workers.map((each) => each.written(1)))).flat()
    expect(orders.sort()).toEqual(['queue/orders order 2', 'queue/orders order 3'])

    for (const each of workers) await each.kill()
    await reader.done("mosquitto_pub -q 1 -t queue/orders -m 'order 4'")
    await broker.kill()
    await reader.serving('npm start')
    expect(await reader.shell(worker).written(1)).toEqual(['queue/orders order 4'])
  },

  async watching() {
    const reader = await Reader.open()
    await reader.serving(block('The first five minutes, sh 6'))
    const [all, clients, queues] = await reader.subscribed(...linesOf('The first five minutes, sh 5'))
    await reader.done('mosquitto_pub -q 1 -t queue/orders -m x')
    const told = (await queues!.written(2)).map((line) => JSON.parse(line))
    expect(told.map(({ type }) => type)).toEqual(['queue.created', 'queue.enqueued'])
    await until('all is told', () => all!.output.includes('queue.enqueued') && clients!.lines.length > 1)
    expect(new Set(clients!.lines.map((line) => JSON.parse(line).type.split('.')[0]))).toEqual(new Set(['client']))

    const dashboard = await fetch(`http://127.0.0.1:${reader.httpPort}/`)
    expect(await dashboard.text()).toContain('<title>Eventflow</title>')
    const [list, clientList, status] = linesOf('The first five minutes, sh 7')
    expect(await reader.done(list!)).toMatchObject({ code: 0, output: expect.stringMatching(/^orders /m) })
    expect(await reader.done(clientList!)).toMatchObject({ code: 0, output: expect.stringMatching(/^auto-.* 127/m) })
    // It tells of the last five, and goes on.
    for (const line of await reader.shell(status!).written(5))
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+ +[a-z]+\.[a-z-]+/)
  },

  async users() {
    const reader = await Reader.open()
    expect(await reader.done(block('Users, sh 1'), 'secret\\n')).toMatchObject({ code: 0 })
    await writeFile(join(reader.folder, 'my.yaml'), block('Users, yaml 1'))
    await reader.serving(block('Users, sh 2'))
    expect(await reader.done(block('Users, sh 3'))).toEqual({ code: 0, output: '' })
    expect((await reader.done('mosquitto_pub -t sensors/kitchen -m 21.5')).code).not.toBe(0)
    expect((await reader.done('mosquitto_pub -u alice -P secret -q 1 -t other/topic -m x')).code).not.toBe(0)
    expect(await reader.done(block('Users, sh 4'))).toEqual({ code: 1, output: block('Users, text 1') })

    const { code, output } = await reader.done(block('Configuration, sh 1'))
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('port: 1884') })
    expect(output).toContain('path: /var/lib/eventflow')
    expect(output).toContain('ackTimeout: 30000')
  },

  async 'in a program'() {
    const reader = await Reader.open()
    const program = block('In a program, js 1')
    expect(program).toMatch(/^\/\/ program\.mjs\n/)
    await writeFile(join(reader.folder, 'program.mjs'), program.replace('port: 1884', 'port: 0'))
    const output = block('In a program, text 1')
    expect(await reader.done(block('In a program, sh 1'))).toEqual({ code: 0, output })
    expect(existsSync(join(reader.folder, 'program-data'))).toBe(true)
  },

  async measuring() {
    const reader = await Reader.open()
    await reader.serving('npm start')
    const { code, output } = await reader.done(
      `${block('How fast is it here?, sh 1').trim()} --port ${reader.port} --messages 500`,
    )
    expect(code, output).toBe(0)
    expect(output).toMatch(/msg\/s/)
  },
}

describeWithMosquitto('README.md', () => {
  it.each(Object.entries(chapters))('does what it says: %s', async (_, chapter) => chapter(), 120_000)

  it('has no block that is not run', () => {
    expect(blocks.map(({ key }) => key).filter((key) => !used.has(key))).toEqual([])
    // None that is not found, for being indented or fenced otherwise.
    expect(page.match(/^\s*(```|~~~)/gm)).toHaveLength(2 * blocks.length)
  })
})
