/** The Dockerfile, as far as it can be held to the rest without Docker: what it copies, sets and asks. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { listOptions } from '../../src/config/options.ts'
import { startBroker } from '../helpers/broker.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')

/** Instruction and the rest of its line; continued lines are one. */
const instructions = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => /^([A-Z]+) (.*)$/.exec(line)!.slice(1) as [instruction: string, rest: string])
const all = (name: string) => instructions.filter(([instruction]) => instruction === name).map(([, rest]) => rest)

it('copies what there is, all of which .dockerignore lets pass, and nothing more', () => {
  const copied = all('COPY').filter((rest) => !rest.startsWith('--from'))
  const sources = copied.flatMap((rest) => rest.split(' ').slice(0, -1))
  expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([])
  const [everything, ...passing] = read('.dockerignore')
    .split('\n')
    .filter((line) => !/^(#|$)/.test(line))
  expect(everything).toBe('*')
  expect(passing.map((line) => line.replace('!', '')).sort()).toEqual(sources.sort())
})

it('sets options that there are', () => {
  const set = all('ENV').flatMap((rest) => rest.split(' ').map((each) => each.split('=')[0]!))
  const variables = new Set(listOptions().map(({ variable }) => variable))
  expect(set.filter((name) => name.startsWith('EVENTFLOW_') && !variables.has(name))).toEqual([])
})

it('starts the program of package.json on the Node.js that it asks for, as a user who may do little', () => {
  const { bin, engines } = JSON.parse(read('package.json')) as { bin: { eventflow: string }; engines: { node: string } }
  expect(all('RUN').join('\n')).toContain(`ln -s /opt/eventflow/${bin.eventflow} /usr/local/bin/eventflow`)
  expect(all('ENTRYPOINT')).toEqual(['["eventflow"]'])
  expect(`>=${all('ARG')[0]!.replace('NODE=', '')}`).toBe(engines.node.replace(/\..*/, ''))
  expect(all('USER')).toEqual(['node'])
})

it('is healthy while the broker answers, and not when it does not', async () => {
  const command = JSON.parse(/CMD (.*)$/.exec(all('HEALTHCHECK')[0]!)![1]!) as string[]
  const check = (port: number) =>
    new Promise<number | null>((resolve) => {
      const env = { PATH: process.env.PATH, EVENTFLOW_HTTP_PORT: String(port) }
      spawn(command[0]!, command.slice(1), { env }).once('close', resolve)
    })
  const broker = await startBroker({ http: { port: 0 } })
  const port = Number(new URL(broker.httpUrl!).port)
  expect(await check(port)).toBe(0)
  await broker.stop()
  expect(await check(port)).toBe(1)
})
