/** Shell that the pages of docs/ show, run as a reader would: what it says it does is done, and output that is shown is what comes. */

import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, it } from 'vitest'
import { describeWithMosquitto } from '../helpers/mosquitto.ts'
import { Reader } from '../helpers/reader.ts'
import { blocksOf, readPage } from '../helpers/recipes.ts'

/** The text of a block of a page of docs. */
function block(page: string, key: string): string {
  const found = blocksOf(readPage(`docs/${page}.md`)).find((block) => block.key === key)
  if (found === undefined) throw new Error(`docs/${page}.md has no block '${key}' any more`)
  return found.text
}

const linesOf = (page: string, key: string) => block(page, key).trimEnd().split('\n')

async function allDone(reader: Reader, lines: readonly string[], input = ''): Promise<string> {
  let all = ''
  for (const line of lines) {
    const { code, output } = await reader.done(line, line.includes('|') ? '' : input)
    expect({ line, code, output }).toMatchObject({ code: 0 })
    all += output
  }
  return all
}

const recipes: Record<string, () => Promise<void>> = {
  async 'access: users'() {
    const reader = await Reader.open()
    const lines = linesOf('access', 'Users, sh 1').map((line) => line.replace('$SECRET', 's3cret'))
    await allDone(reader, lines, 'a long word\\n')
    const users = (await readFile(join(reader.folder, 'config/passwords'), 'utf8')).trim().split('\n')
    expect(users.map((line) => line.split(':')[0])).toEqual(['ops', 'worker'])
  },

  async 'access: which rule decides'() {
    const reader = await Reader.open()
    await writeFile(join(reader.folder, 'config/eventflow.yaml'), block('access', 'Access, yaml 1'))
    await writeFile(join(reader.folder, 'config/passwords'), '')
    const shown = block('access', 'Which rule decides, sh 1')
    let output = ''
    for (const [, command] of shown.matchAll(/^\$ (.*)$/gm)) {
      output += `$ ${command}\n${(await reader.done(command!)).output}`
    }
    expect(output).toBe(shown)
  },

  async 'authentication: SCRAM'() {
    const reader = await Reader.open()
    await allDone(reader, linesOf('authentication', 'SCRAM, sh 1'), 'secret\\n')
    expect(await readFile(join(reader.folder, 'config/scram'), 'utf8')).toMatch(/^alice:SCRAM-SHA-256\$/m)
  },

  async 'backup: taken while the broker runs, and restored'() {
    const reader = await Reader.open()
    const broker = await reader.serving('npm start -- --http-port 8080')
    await reader.done("mosquitto_pub -q 1 -t queue/orders -m 'order 1'")
    const [backup, restore, start] = linesOf('backup', 'Backup, sh 1')
    await allDone(reader, [backup!])
    await broker.kill()
    await allDone(reader, [restore!])
    await reader.serving(start!)
    expect(await reader.shell('mosquitto_sub -q 1 -t queue/orders -C 1').written(1)).toEqual(['order 1'])
  },

  async 'delayed: messages of later'() {
    const reader = await Reader.open()
    await reader.serving('npm start')
    const readers = await reader.subscribed('mosquitto_sub -t garden/pump', 'mosquitto_sub -q 1 -t queue/mail')
    const text = block('delayed', 'Delayed messages, sh 1')
    // A second for each, in place of a minute and an hour.
    await allDone(reader, [text.replace('/60/', '/1/').replace('/3600/', '/1/')])
    expect(await Promise.all(readers.map((each) => each.written(1)))).toEqual([['off'], ['{"to":7}']])
  },

  async 'disk: what LevelDB can save'() {
    const reader = await Reader.open()
    await mkdir(join(reader.folder, 'eventflow'))
    await symlink(join(import.meta.dirname, '../../node_modules'), join(reader.folder, 'eventflow/node_modules'))
    const data = join(reader.folder, 'data')
    const level = new ClassicLevel(data)
    await level.put('kept', 'value')
    await level.close()
    const text = block('disk', 'When something is damaged, sh 1').replace('/var/lib/eventflow', data)
    await allDone(reader, [text.replace('$(npm root -g)', reader.folder)])
    const repaired = new ClassicLevel(data)
    expect(await repaired.get('kept')).toBe('value')
    await repaired.close()
  },

  async 'events: all, of clients, of one kind'() {
    const reader = await Reader.open()
    await reader.serving('npm start')
    const [all, clients] = await reader.subscribed(...linesOf('events', 'Events, sh 1'))
    await reader.done('mosquitto_pub -t a -m x')
    expect(JSON.parse((await all!.written(1))[0]!)).toMatchObject({ specversion: '1.0' })
    const types = (await clients!.written(2)).map((line) => JSON.parse(line).type)
    expect(types).toEqual(expect.arrayContaining(['client.connected', 'client.disconnected']))
  },

  async 'http: health, a list, a publish'() {
    const reader = await Reader.open()
    const [start, ...calls] = linesOf('http', 'HTTP, sh 1')
    await reader.serving(start!)
    const answers = await allDone(reader, calls)
    expect(answers).toContain('{"status":"ok"}')
    expect(answers).toContain('"items":[]')
    expect(answers).not.toContain('"title"')
  },

  async 'shared subscriptions: each message to one'() {
    const reader = await Reader.open()
    await reader.serving('npm start')
    const [subscribe, publish] = linesOf('shared-subscriptions', 'Shared subscriptions, sh 1')
    const workers = await reader.subscribed(subscribe!, subscribe!)
    await allDone(reader, [publish!, publish!])
    const got = await Promise.all(workers.map((worker) => worker.written(1)))
    expect(got).toEqual([['picture 1'], ['picture 1']])
  },

  async '$SYS: everything, and one value'() {
    const reader = await Reader.open()
    await reader.serving('npm start')
    const [everything, one] = linesOf('sys', '$SYS, sh 1')
    const all = reader.shell(everything!)
    expect((await all.written(20))[0]).toMatch(/^\$SYS\/broker\//)
    expect(await reader.done(one!)).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\n$/) })
  },
}

describeWithMosquitto('docs', () => {
  it.each(Object.entries(recipes))('do what they say: %s', async (_, recipe) => recipe(), 120_000)
})
