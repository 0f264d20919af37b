/** The OpenAPI document: right by itself, and true of every call that it describes. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, it } from 'vitest'
import { type Document, startApi } from '../helpers/api.ts'
import { temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

function operationsOf({ paths }: Document) {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  )
}

/** Every schema of the document, wherever it stands. */
function* schemasOf(node: unknown): Generator<object> {
  if (typeof node !== 'object' || node === null) return
  for (const [key, value] of Object.entries(node)) {
    if (key === 'schema') yield value as object
    else yield* schemasOf(value)
  }
}

it('is OpenAPI 3.1: its schemas are JSON Schema 2020-12, each operation has a name, its parameters and what may go wrong', async () => {
  const { document } = await startApi()
  expect(document.openapi).toBe('3.1.0')
  const ajv = new Ajv2020()
  for (const schema of schemasOf(document)) expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true)
  const operations = operationsOf(document)
  const names = operations.map(({ operation }) => operation.operationId)
  expect(new Set(names).size).toBe(names.length)
  for (const { name, path, operation } of operations) {
    const { operationId, summary, responses, parameters = [], security } = operation
    expect([name, operationId]).toEqual([name, expect.stringMatching(/^[a-z]\w+$/)])
    expect(summary).toMatch(/\.$/)
    const inPath = parameters.filter((one) => one.in === 'path')
    expect(inPath.map((one) => `{${one.name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
    expect(Object.keys(responses)).toContain('default')
    expect([name, security]).toEqual([name, /\/(health|ready)$/.test(path) ? [] : [{ token: [] }]])
  }
})

it('is true of every call', async () => {
  const backupPath = await temporaryFolder()
  const store = { kind: 'level', path: await temporaryFolder(), backupPath }
  const { broker, url, document, called, ask, get, post } = await startApi({ store })
  const { mqtt: worker } = await connectClient(broker.port, { clientId: 'a/b', protocolVersion: 5 })
  worker.handleMessage = () => {} // keeps what it gets
  await worker.subscribeAsync('queue/jobs', { qos: 1, properties: { subscriptionIdentifier: 7 } })
  const properties = { userProperties: { group: 'g', priority: '3', delay: '60000' }, messageExpiryInterval: 100 }
  const { mqtt: producer } = await connectClient(broker.port, { protocolVersion: 5 })
  for (const _ of [1, 2]) await producer.publishAsync('queue/jobs', 'x', { qos: 1 })
  await producer.publishAsync('queue/jobs', Buffer.from([0xff]), { qos: 1, properties })
  await broker.publish('queue/dead/jobs', 'x')
  await until('it has one', () => broker.queues.list()[1]!.inFlight > 0)

  for (const path of ['/health', '/ready', '/metrics']) await get(path)
  const lists = [
    'overview',
    'config',
    'clients',
    'sessions',
    'subscriptions',
    'queues',
    'retained?filter=a/%23',
    'events',
  ]
  await post('/api/v1/publish', { topic: 'a/b', payload: 'x', retain: true, expirySeconds: 60 })
  for (const path of [...lists, 'clients/a%2Fb', 'queues/jobs', 'queues/jobs/messages', 'backup'])
    await get(`/api/v1/${path}`)
  for (const path of ['queues/jobs/pause', 'queues/jobs/resume', 'queues/jobs/purge', 'queues/dead%2Fjobs/redrive']) {
    expect((await post(`/api/v1/${path}`)).status).toBeLessThan(300)
  }
  expect((await post('/api/v1/backup?path=one')).status).toBe(200)
  await until('it is written', () => broker.status.recent({ type: 'backup.finished' }).length > 0)
  expect((await get('/api/v1/backup')).json.state).toBe('finished')
  expect((await post('/api/v1/reload')).status).toBe(200)
  for (const path of ['retained/a%2Fb', 'queues/dead%2Fjobs', 'clients/a%2Fb']) await ask('DELETE', `/api/v1/${path}`)
  await ask('DELETE', '/api/v1/sessions/nobody')
  const stream = await fetch(`${url}/api/v1/events/stream`)
  expect(stream.headers.get('content-type')).toBe('text/event-stream')
  await stream.body!.cancel()

  const all = operationsOf(document).map(({ name }) => name)
  expect(all.filter((name) => !called.has(name))).toEqual(['GET /api/v1/events/stream'])
})
