/** The program of docs/embedding.md does what the page says of it. */

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { Reader } from '../helpers/reader.ts'
import { blocksOf, readPage } from '../helpers/recipes.ts'

const blocks = blocksOf(readPage('docs/embedding.md'))
const program = blocks.find(({ language }) => language === 'js')!.text
const output = blocks.find(({ language }) => language === 'text')!.text

async function write(text: string): Promise<Reader> {
  const reader = await Reader.open()
  await writeFile(join(reader.folder, 'program.mjs'), text)
  return reader
}

it('the program of docs/embedding.md writes what the page shows, and ends', async () => {
  const reader = await write(program.replace('port: 1884', 'port: 0'))
  expect(await reader.done('node program.mjs')).toEqual({ code: 0, output })
  expect(existsSync(join(reader.folder, 'program-data'))).toBe(true)
})

it('the program of docs/embedding.md says which error keeps it from starting', async () => {
  const { port } = await startBroker()
  const reader = await write(program.replace('port: 1884', `port: ${port}`))
  const { code, output } = await reader.done('node program.mjs')
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringMatching(/^LISTEN_FAILED /) })
})
