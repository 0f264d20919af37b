/** The table of what Mosquitto makes of ACL files, put to Mosquitto itself where it is installed. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '../helpers/broker.ts'
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts'
import { ACL_CASES, BROKEN_ACLS, type Question } from '../unit/plugins/access/acl-table.ts'

const PROGRAM = ['mosquitto', '/usr/sbin/mosquitto'].find((path) => spawnSync(path, ['-h']).error === undefined)

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Mosquitto with this ACL file. Resolves with its port, or null when it did not start. */
async function start(acl: string): Promise<number | null> {
  const folder = await temporaryFolder()
  const port = await freePort()
  await writeFile(join(folder, 'acl'), acl)
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', `acl_file ${join(folder, 'acl')}`]
  if (process.getuid?.() === 0) lines.push('user root')
  await writeFile(join(folder, 'conf'), `${lines.join('\n')}\n`)
  const child: ChildProcess = spawn(PROGRAM!, ['-c', join(folder, 'conf'), '-v'])
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  return new Promise((resolve) => {
    child.stderr!.on('data', (chunk) => {
      output += chunk
      if (/ running/.test(output)) resolve(port)
    })
    child.once('exit', () => resolve(null))
  })
}

async function answer(port: number, writer: TestClient, { user, clientId = 'c0', action, topic }: Question) {
  const named = user === null ? {} : { username: user }
  const { mqtt, payloads } = await connectClient(port, { protocolVersion: 5, clientId, ...named })
  if (action === 'publish') {
    const refused = await mqtt.publishAsync(topic, 'x', { qos: 1 }).then(
      () => false,
      () => true,
    )
    mqtt.end(true)
    return !refused
  }
  await mqtt.subscribeAsync(topic)
  await writer.mqtt.publishAsync(topic, 'x', { qos: 1 })
  await mqtt.unsubscribeAsync(topic) // answered after what was written before
  mqtt.end(true)
  return payloads.length > 0
}

describe.skipIf(PROGRAM === undefined)('Mosquitto', () => {
  it.each(ACL_CASES)('says so too: $what', async ({ acl, questions }) => {
    const port = await start(`${acl}\nuser writer\ntopic #\ntopic $x/#\n`)
    const writer = await connectClient(port!, { protocolVersion: 5, clientId: 'writer', username: 'writer' })
    for (const question of questions) {
      expect({ ...question, allowed: await answer(port!, writer, question) }).toEqual(question)
    }
  })

  it.each(BROKEN_ACLS)('does not start with $acl', async ({ acl }) => {
    expect(await start(acl)).toBeNull()
  })
})
